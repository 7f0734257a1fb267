"""Twenty people at once on the page beside one: the time from pressing "Ask" to the first text of the answer.

    python tests/benchmarks/page_people.py
    python tests/benchmarks/page_people.py --people 50 --gap-ms 100

`himed-ui` and `himed-serve` run as they are installed, each a process of its own, before a stand-in for vLLM that
sends a piece of each answer every GAP_MS, the first one after as long, to everybody alike: a backend with room for all.
Each person speaks the page's own protocol: begins a conversation, asks, reads the streamed answer to its end,
thinks for up to 2 s, and asks again. One person alone and all together take turns, round by round.
"""

import argparse
import asyncio
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import orjson
from gateway_processes import Server, ending, free_port, gateway, stand_in, wait_for

_MOST_RATIO = 1.3
_QUESTION = "रोगी को तीन दिन से बुखार और सिर दर्द है। क्या करना चाहिए?"
_FIRST_WORD = "बुखार0"  # of the stand-in's answer, and no part of the page or the question


@contextmanager
def himed_ui(before: Server, folder: Path) -> Iterator[Server]:
    """`himed-ui` before a gateway."""
    port, log = free_port(), folder / "page.log"
    command = [sys.executable, "-m", "ui.cli", "--gateway", before.url, "--port", str(port)]
    environment = os.environ | {"HIMED_API_KEY": before.key or "", "HIMED_DB": f"sqlite:///{folder}/page.db"}
    with log.open("wb") as lines:
        process = subprocess.Popen(command, env=environment, stdout=lines, stderr=lines)
    with ending(process):
        wait_for(f"http://127.0.0.1:{port}/config", process, log)
        yield Server("himed-ui", port, before.model, pid=process.pid, log=log)


@dataclass(frozen=True)
class Steps:
    """The handlers behind the button "Ask", as the page's configuration has them."""

    ask: int
    watch: int
    button: int
    start: str  # what the page sends back to show which process it came from

    @classmethod
    def of(cls, config: dict[str, Any]) -> "Steps":
        """Read the page's configuration."""
        parts = {each["id"]: each["props"] for each in config["components"]}
        button = next(number for number, props in parts.items() if props.get("elem_id") == "send")
        ask = next(each for each in config["dependencies"] if [button, "click"] in each["targets"])
        watch = next(
            each for each in config["dependencies"] if each.get("trigger_after") == ask["id"] and each["queue"]
        )
        start = next(parts[number]["value"] for number in ask["inputs"] if parts[number].get("elem_id") == "page-start")
        return cls(ask["id"], watch["id"], button, start)


class Person:
    """Somebody who asks one question after the other."""

    def __init__(self, http: aiohttp.ClientSession, root: str, steps: Steps) -> None:
        self._http, self._root, self._steps = http, root, steps
        self.first_s: list[float] = []

    async def ask(self) -> None:
        """Ask once, in a new conversation, and read the answer to its end."""
        session = uuid4().hex
        began = time.perf_counter()
        # Question, language, model; the conversation and the page's language are the session's.
        asked = [_QUESTION, "", "auto", None, self._steps.start, None]
        await self._post("run/predict", self._steps.ask, session, asked)
        await self._post("queue/join", self._steps.watch, session, [None, None])
        first = None
        url = f"{self._root}/gradio_api/queue/data?session_hash={session}"
        async with self._http.get(url) as events:
            async for line in events.content:
                if first is None and _FIRST_WORD in _decoded(line):
                    first = time.perf_counter() - began
                if b'"process_completed"' in line:
                    break
        if first is None:
            raise SystemExit("an answer came without a text")
        self.first_s.append(first)

    async def _post(self, path: str, handler: int, session: str, data: list[Any]) -> None:
        body = {"data": data, "fn_index": handler, "trigger_id": self._steps.button, "session_hash": session}
        async with self._http.post(f"{self._root}/gradio_api/{path}", json=body) as answer:
            answer.raise_for_status()


def _decoded(line: bytes) -> str:
    return str(orjson.loads(line[5:])) if line.startswith(b"data:") else ""


async def crowd(page: Server, people: int, seconds: float, seed: int) -> list[float]:
    """The times to the first text of all answers of so many people, who come within 2 s."""
    root = f"http://127.0.0.1:{page.port}"
    chance = random.Random(seed)
    timeout = aiohttp.ClientTimeout(total=120)
    # Lines of a stream hold a whole picture of the answer.
    async with aiohttp.ClientSession(
        timeout=timeout, connector=aiohttp.TCPConnector(limit=0), read_bufsize=1 << 20
    ) as http:
        async with http.get(f"{root}/config") as answer:
            config = await answer.json()
        steps = Steps.of(config)
        end = time.monotonic() + seconds

        async def live(person: Person) -> list[float]:
            while time.monotonic() < end:
                await asyncio.sleep(chance.uniform(0, 2))
                await person.ask()
            return person.first_s

        found = await asyncio.gather(*(live(Person(http, root, steps)) for _ in range(people)))
    return [each for person in found for each in person]


def run(options: argparse.Namespace) -> bool:
    """Measure and print; whether the goal is met."""
    with (
        tempfile.TemporaryDirectory() as name,
        stand_in(options.gap_ms) as backend,
        gateway(backend, Path(name)) as server,
        himed_ui(server, Path(name)) as page,
    ):
        asyncio.run(crowd(page, 1, 1.0, 0))  # warms up
        alone: list[float] = []
        together: list[float] = []
        ratios = []
        cost = 0.0
        for number in range(options.rounds):
            one = asyncio.run(crowd(page, 1, options.seconds, number))
            cpu = page.cpu_ms()
            all_of_them = asyncio.run(crowd(page, options.people, options.seconds, number))
            cost = (page.cpu_ms() - cpu) / len(all_of_them)
            alone += one
            together += all_of_them
            ratios.append(statistics.median(all_of_them) / statistics.median(one))
        print(f"a piece every {options.gap_ms:g} ms, {options.rounds} rounds of {options.seconds:g} s")
        print("people   answers   first text: median ms      p90      max   ratio of medians")
        for people, times in ((1, alone), (options.people, together)):
            ratio = statistics.median(together) / statistics.median(alone) if people > 1 else 1.0
            p90 = sorted(times)[int(0.9 * (len(times) - 1))]
            print(
                f"{people:6} {len(times):9} {1000 * statistics.median(times):23.0f} {1000 * p90:8.0f}"
                f" {1000 * max(times):8.0f} {ratio:18.2f}"
            )
        ratio = statistics.median(ratios)
        print(
            f"with {options.people} people: himed-ui takes {cost:.0f} ms of CPU an answer, {page.memory_mib():.0f} MiB"
        )
        met = ratio <= _MOST_RATIO
        print(f"ratio, median over rounds: {ratio:.2f} (goal: at most {_MOST_RATIO}): {'met' if met else 'MISSED'}")
        return met


def main() -> None:
    """Measure, print the table; exit status 1 when the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=20, help="people at once [20]")
    parser.add_argument("--gap-ms", type=float, default=250.0, help="between two pieces, and before the first [250]")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of one person and of all [3]")
    parser.add_argument("--seconds", type=float, default=30.0, help="length of each part of a round [30]")
    sys.exit(0 if run(parser.parse_args()) else 1)


if __name__ == "__main__":
    main()
