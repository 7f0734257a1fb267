"""Endurance of the gateway: thousands of streams, clients that leave, and a backend that is killed twice.

    python tests/benchmarks/gateway_endurance.py
    python tests/benchmarks/gateway_endurance.py --vllm --streams 300 --concurrency 16

By default the backend is a stand-in that writes vLLM's events 2 ms apart; with --vllm it is vLLM with a tiny random
model, started, and started again after each kill, by `himed-serve` itself. One client in ten leaves after a random
number of events. A third of the streams warms up; in the middle of each other third the backend gets SIGKILL. What is
promised:

- every request ends: in a whole answer, an error status with OpenAI's body, or an error event followed by [DONE];
- all whole answers are the same text (decoding is greedy);
- no generation runs on after its client has left;
- memory and open files at the end are as after the first third.

Exit status 1 when a promise is broken.
"""

import argparse
import asyncio
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from gateway_processes import (
    Server,
    engine_pid,
    engine_port,
    free_port,
    gateway,
    gateway_with_vllm,
    get,
    start_stand_in,
)
from stream_endpoint import TOKENS
from stream_load import request_fields

_LEAVING = 0.1
_LONGEST_S = 120.0  # a request that takes longer hangs
_MOST_MIB, _MOST_FILES = 8.0, 5
_SETTLE_S = 6.0  # the gateway keeps idle connections to backends for 4 s

ANSWERED, REFUSED, ERROR_EVENT, LEFT = "whole answer", "error status", "error event and [DONE]", "client left"
_GOOD = (ANSWERED, REFUSED, ERROR_EVENT, LEFT)


@dataclass
class Clients:
    """Clients that stream through the gateway until so many streams have begun."""

    server: Server
    left: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    texts: set[str] = field(default_factory=set)  # of whole answers

    async def run(self, streams: int, concurrency: int) -> None:
        """One leg."""
        self.left = streams
        headers = {"Authorization": f"Bearer {self.server.key}"}
        timeout = aiohttp.ClientTimeout(total=_LONGEST_S)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, headers=headers, timeout=timeout) as session:
            await asyncio.gather(*(self._client(session) for _ in range(concurrency)))

    async def _client(self, session: aiohttp.ClientSession) -> None:
        while self.left > 0:
            self.left -= 1
            while await self._request(session) == REFUSED:  # noqa: ASYNC110
                await asyncio.sleep(1)

    async def _request(self, session: aiohttp.ClientSession) -> str:
        leaves_after = random.randrange(TOKENS) if random.random() < _LEAVING else None
        try:
            async with session.post(
                f"{self.server.url}/chat/completions", json=request_fields(self.server.model)
            ) as response:
                self.statuses[response.status] += 1
                if response.status == 200:
                    outcome = await self._read_stream(response, leaves_after)
                else:
                    outcome = REFUSED if _is_error(await response.json()) else "MALFORMED error"
                if outcome == LEFT:
                    response.close()
        except TimeoutError:
            outcome = "HANGS"
        except aiohttp.ClientError as error:
            outcome = f"CUT ({type(error).__name__})"
        self.outcomes[outcome] += 1
        return outcome

    async def _read_stream(self, response: aiohttp.ClientResponse, leaves_after: int | None) -> str:
        events, text, finish, failed, done = 0, "", None, False, False
        async for line in response.content:
            if events == leaves_after:
                return LEFT
            if not (line := line.strip()):
                continue
            if done:
                return "MORE after [DONE]"
            data = line.removeprefix(b"data: ")
            if done := data == b"[DONE]":
                continue
            event = orjson.loads(data)
            if "error" in event:
                failed = _is_error(event)
                continue
            (choice,) = event["choices"]
            events, text, finish = events + 1, text + (choice["delta"].get("content") or ""), choice["finish_reason"]
        if not done:
            return "CUT in silence"
        if failed:
            return ERROR_EVENT
        self.texts.add(text)
        return ANSWERED if finish == "length" else "WITHOUT its end"


def _is_error(body: Any) -> bool:
    return isinstance(body, dict) and {"message", "type", "param", "code"} <= body.get("error", {}).keys()


@dataclass(frozen=True)
class Sample:
    """What the gateway takes while nobody asks, and what runs behind it."""

    memory_mib: float
    open_files: int
    running: int

    def __str__(self) -> str:
        return f"{self.memory_mib:.1f} MiB, {self.open_files} open files, {self.running} generations running"


async def take_sample(server: Server, running: Callable[[], int]) -> Sample:
    """A sample once idle connections have closed; generations that run are counted 2 s after the last client."""
    await asyncio.sleep(2)
    still = running()
    await asyncio.sleep(_SETTLE_S)
    return Sample(server.memory_mib(), server.open_files(), still)


async def _killed_in_the_middle(clients: Clients, half: int, kill: Callable[[], Awaitable[None]]) -> None:
    while clients.left > half:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    await kill()


async def endure(
    server: Server, options: argparse.Namespace, running: Callable[[], int], kill: Callable[[], Awaitable[None]]
) -> bool:
    """All three legs. Returns whether every promise was kept."""
    clients = Clients(server)
    third = -(-options.streams // 3)
    samples: list[Sample] = []
    started = time.perf_counter()
    for leg in range(3):
        work = [clients.run(third, options.concurrency)]
        if leg:
            work.append(_killed_in_the_middle(clients, third // 2, kill))
        await asyncio.gather(*work)
        samples.append(await take_sample(server, running))
        print(f"after {third * (leg + 1):,} streams: {samples[-1]}", flush=True)
    print(f"\n{3 * third:,} streams, {options.concurrency} at once, in {time.perf_counter() - started:.0f} s")
    for outcome, count in clients.outcomes.most_common():
        print(f"  {count:7,}  {outcome}{'' if outcome in _GOOD else '  <- BROKEN'}")
    print("  statuses: " + ", ".join(f"{status}: {count:,}" for status, count in sorted(clients.statuses.items())))
    promises = {
        "every request ends in an answer or a clean error": all(outcome in _GOOD for outcome in clients.outcomes),
        "all whole answers are the same": len(clients.texts) == 1,
        "the kills met open streams": clients.outcomes[ERROR_EVENT] > 0,
        "no generation runs on": not any(sample.running for sample in samples),
        "memory is flat": samples[-1].memory_mib - samples[0].memory_mib <= _MOST_MIB,
        "open files are flat": samples[-1].open_files - samples[0].open_files <= _MOST_FILES,
    }
    for promise, kept in promises.items():
        print(f"{'kept  ' if kept else 'BROKEN'}  {promise}")
    return all(promises.values())


async def with_stand_in(options: argparse.Namespace, folder: Path) -> bool:
    """Against `stream_endpoint`."""
    port = free_port()
    process = start_stand_in(port, 2.0)

    async def kill() -> None:
        nonlocal process
        process.send_signal(signal.SIGKILL)
        process.wait()
        await asyncio.sleep(1.5)
        process = await asyncio.to_thread(start_stand_in, port, 2.0)

    try:
        with gateway(Server("stand-in", port, "instant"), folder) as server:
            return await endure(server, options, lambda: int(get(f"http://127.0.0.1:{port}/running")), kill)
    finally:
        process.terminate()
        process.wait()


async def with_vllm(options: argparse.Namespace, folder: Path) -> bool:
    """Against vLLM that the gateway starts, and starts again."""

    async def kill() -> None:
        os.kill(engine_pid(server), signal.SIGKILL)

    def running() -> int:
        metrics = get(f"http://127.0.0.1:{engine_port(server)}/metrics").decode().splitlines()
        counts = [
            line for line in metrics if line.startswith(("vllm:num_requests_running", "vllm:num_requests_waiting{"))
        ]
        return int(sum(float(line.split()[-1]) for line in counts))

    with gateway_with_vllm(folder) as server:
        return await endure(server, options, running, kill)


def main() -> None:
    """Run, print the figures; exit status 1 when a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=10_000)
    parser.add_argument("--concurrency", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1, help="of who leaves, and when")
    parser.add_argument("--vllm", action="store_true", help="against vLLM, not against a stand-in")
    options = parser.parse_args()
    random.seed(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        work = with_vllm if options.vllm else with_stand_in
        sys.exit(0 if asyncio.run(work(options, Path(folder))) else 1)


if __name__ == "__main__":
    main()
