"""`himed-serve` to be abused: its own process, keys in a database, one backend; and clients without manners."""

import contextlib
import resource
import signal
import socket
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep
from typing import Any, NamedTuple, Self

import orjson
from aiohttp import web
from running import ScriptedBackend, completion, event, stream_events

from app.schema import open_database
from server.access import SCOPES
from server.access.keys import KeyStore

_CONFIG = """
port: 0
models: {{m: {{backends: [{{url: "http://127.0.0.1:{port}"}}]}}}}
limits: {{body_bytes: 65536, max_tokens: 4096, choices: 8, header_s: 1, body_s: 1, request_s: 3, connections: 200}}
request_log: {{enabled: true, bodies: true}}
drain_s: 5
"""
CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


class Reply(NamedTuple):
    """An answer as its bytes came."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def seen(self) -> str:
        """Status and the error's code, as in ``401 invalid_api_key``."""
        try:
            error = orjson.loads(self.body)["error"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return str(self.status)
        return f"{self.status} {error['code'] or error['type']}"


class Target:
    """The gateway, with one key of each scope in ``keys``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._log = folder / "stderr.jsonl"
        self._database = f"sqlite:///{folder / 'abuse.db'}"
        self._engine = open_database(self._database)
        self.store = KeyStore(self._engine)
        self.keys = {scope: self.store.add(scope, [scope]) for scope in SCOPES}
        self.backend = ScriptedBackend(_answer)

    def __enter__(self) -> Self:
        self.backend.start()
        config = self._folder / "serve.yaml"
        config.write_text(_CONFIG.format(port=self.backend.port), encoding="utf-8")
        command = [sys.executable, "-m", "server.cli", "--config", str(config), "--db", self._database]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline().split("/v1 ")[0].rpartition(":")[2])
        while self.ask("/ready", method="GET").status != 200:
            sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(20) == 0
        assert self._process.stdout is not None
        self._process.stdout.close()
        self.backend.__exit__()
        self._engine.dispose()

    @property
    def memory_mib(self) -> float:
        """What the gateway process holds of the machine's memory."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * resource.getpagesize() / 2**20

    @property
    def log(self) -> list[str]:
        """All lines so far."""
        return self._log.read_text(encoding="utf-8").splitlines()

    def stored(self) -> str:
        """All that the database holds of requests, as soon as it holds anything more."""
        sleep(1.2)
        with self._engine.connect() as connection:
            return str(connection.exec_driver_sql("SELECT * FROM request_log").all())

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def send(self, data: bytes) -> list[Reply]:
        """The answers to some bytes, up to the connection's end."""
        with self.connect() as connection:
            with contextlib.suppress(ConnectionError):  # refused before all of it was sent: the answer tells
                connection.sendall(data)
            return replies(read_all(connection))

    def ask(
        self,
        path: str = "/v1/chat/completions",
        body: bytes | None = None,
        *,
        method: str = "POST",
        key: str | None = "chat",
        headers: tuple[str, ...] = (),
    ) -> Reply:
        """One request with one answer. ``key`` is a scope's name, or a key as it is; without a body a good one."""
        lines = [f"{method} {path} HTTP/1.1", "Host: gateway", "Connection: close", *headers]
        if key is not None:
            lines.append(f"Authorization: Bearer {self.keys.get(key, key)}")
        data = b""
        if method == "POST":
            data = orjson.dumps(CHAT) if body is None else body
            lines.append(f"Content-Length: {len(data)}")
            if not any(header.lower().startswith("content-type") for header in headers):
                lines.append("Content-Type: application/json")
        (reply,) = self.send("\r\n".join([*lines, "", ""]).encode("latin-1") + data)
        return reply

    def chat(self, **more: Any) -> Reply:
        """A chat request."""
        return self.ask(body=orjson.dumps(CHAT | more))

    def wait_until_idle(self) -> None:
        """Until no generation runs on the backend."""
        end = monotonic() + 10
        while self.backend.open:
            assert monotonic() < end, "a generation runs on"
            sleep(0.02)


async def _answer(request: web.Request) -> web.StreamResponse:
    """Streams for ever where it is asked to; else a short answer."""
    body = await request.json()
    if body.get("seed") == 99:
        return await stream_events(request, [event({"content": "x" * 60_000})] * 100_000)
    return web.json_response(completion())


def read_all(connection: socket.socket) -> bytes:
    """What comes until the other side closes."""
    parts: list[bytes] = []
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(65_536):
            parts.append(piece)
    return b"".join(parts)


def replies(data: bytes) -> list[Reply]:
    """The answers in some bytes; all of ours have a length."""
    found: list[Reply] = []
    while data:
        head, _, rest = data.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers["content-length"])
        found.append(Reply(int(status.split()[1]), headers, rest[:length]))
        data = rest[length:]
    return found
