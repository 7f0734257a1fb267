"""The real command, `himed-serve`, in a process of its own."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import httpx
import yaml
from aiohttp import web
from running import Handler, event, stream_events

BODY = {"model": "m", "messages": [{"role": "user", "content": "?"}]}
STREAM = BODY | {"stream": True}
DONE = b"data: [DONE]\n\n"


def until(holds: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def slow_stream(seconds: float, pieces: int = 10) -> Handler:
    """A backend's handler that takes its time over a stream."""

    async def handler(request: web.Request) -> web.StreamResponse:
        events = [event({"content": f"w{number} "}) for number in range(pieces)]
        return await stream_events(request, [*events, event({}, "stop"), DONE], wait_s=seconds / pieces)

    return handler


def processes_below(pid: int) -> list[int]:
    """All processes that descend from one."""
    try:
        children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []
    return [below for child in children for below in (child, *processes_below(child))]


def command_of(pid: int) -> list[str]:
    """The words of a process' command line; none for one that has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")[:-1]
    except FileNotFoundError:
        return []


def processor_s(pid: int) -> float:
    """Processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Served:
    """`himed-serve` for the time of a block; by default open, on a free port."""

    def __init__(self, folder: Path, config: dict[str, Any] | None = None, *options: str, start_s: float = 30) -> None:
        self.folder, self._start_s = folder, start_s
        self.file = folder / "serve.yaml"
        self.database = f"sqlite:///{folder / 'served.db'}"
        self._out, self._err = folder / "served.out", folder / "served.err"
        command = [sys.executable, "-P", "-m", "server.cli", *options, "--db", self.database]
        if config is not None:
            self.configure(config)
            command += ["--config", str(self.file)]
        self.command = command
        self.process: subprocess.Popen[bytes]
        self.url = ""

    def configure(self, config: dict[str, Any]) -> None:
        """Write `serve.yaml`."""
        values = {"port": 0, "open": True, "probe_s": 0.2, "drain_s": 10} | config
        self.file.write_text(yaml.safe_dump(values))

    def reload(self, config: dict[str, Any]) -> None:
        """Write `serve.yaml` and have it read."""
        before = len(self.logs)
        self.configure(config)
        self.process.send_signal(signal.SIGHUP)
        until(lambda: any("reloaded" in line["event"] for line in self.logs[before:]), 120)

    def __enter__(self) -> Self:
        environment = os.environ | {"HIMED_LOG_DIR": str(self.folder / "logs")}
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(self.command, stdout=out, stderr=err, env=environment, cwd=self.folder)
        until(lambda: self.out.endswith("\n") or self.process.poll() is not None, self._start_s)
        assert self.process.poll() is None, self.err
        self.url = self.out.split()[1].removesuffix("/v1")
        until(self._probed, 20)
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def _probed(self) -> bool:
        answer = httpx.get(f"{self.url}/ready").json()
        return "error" in answer or all(state["up"] or "failure" in state for state in answer["backends"].values())

    @property
    def out(self) -> str:
        return self._out.read_text()

    @property
    def err(self) -> str:
        return self._err.read_text()

    @property
    def logs(self) -> list[dict[str, Any]]:
        """The lines of the log that are whole."""
        return [json.loads(line) for line in self.err.splitlines(True) if line.startswith("{") and line.endswith("\n")]

    def events(self, name: str) -> list[dict[str, Any]]:
        return [line for line in self.logs if line["event"] == name]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def wait(self, seconds: float = 20) -> int:
        return self.process.wait(seconds)

    def chat(self, model: str = "m", content: str = "?") -> httpx.Response:
        body = {"model": model, "messages": [{"role": "user", "content": content}], "max_tokens": 8}
        return httpx.post(f"{self.url}/v1/chat/completions", json=body, timeout=60)

    def models(self) -> list[str]:
        return [model["id"] for model in httpx.get(f"{self.url}/v1/models").json()["data"]]


class Streams:
    """Streams that are read at the same time, in this process."""

    def __init__(self, url: str, count: int, model: str = "m") -> None:
        self._url, self._count, self._model = f"{url}/v1/chat/completions", count, model
        self.started = 0

    async def read(self) -> list[bytes]:
        """The bytes of each."""
        async with httpx.AsyncClient(timeout=60, limits=httpx.Limits()) as client:
            return await asyncio.gather(*(self._read(client) for _ in range(self._count)))

    async def _read(self, client: httpx.AsyncClient) -> bytes:
        async with client.stream("POST", self._url, json=STREAM | {"model": self._model}) as response:
            assert response.status_code == 200
            pieces = []
            async for piece in response.aiter_raw():
                self.started += not pieces
                pieces.append(piece)
        return b"".join(pieces)

    async def all_started(self) -> None:
        async with asyncio.timeout(20):
            while self.started < self._count:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
