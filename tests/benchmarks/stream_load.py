"""Load for the gateway's benchmark, in a process of its own: streams over raw sockets, hardly read.

python tests/benchmarks/stream_load.py PORT MODEL CONCURRENCY SECONDS

Prints one JSON object: ``requests``, ``seconds``, ``failed`` and the times to the first event ``first_ms``, sorted and
thinned to 1,000. A key comes from BENCHMARK_KEY.
"""

import asyncio
import json
import os
import sys
from functools import partial
from time import perf_counter
from typing import cast

_END = b"0\r\n\r\n"
_MOST_TIMES = 1000


def request_fields(model: str) -> dict[str, object]:
    """A streamed chat completion of 32 tokens."""
    message = {"role": "user", "content": "रोगी को तीन दिन से बुखार और खांसी है। क्या करें?"}
    asked = {"model": model, "messages": [message], "max_tokens": 32, "stream": True, "temperature": 0}
    return asked | {"ignore_eos": True}


def request_bytes(port: int, model: str) -> bytes:
    """The same as it goes over the wire."""
    body = json.dumps(request_fields(model)).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
    if key := os.environ.get("BENCHMARK_KEY"):
        head += f"Authorization: Bearer {key}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


class Client(asyncio.Protocol):
    """One connection: the next stream begins when the last has ended, until the time is over."""

    def __init__(self, request: bytes, until: float, first_s: list[float], failed: list[bytes]) -> None:
        self.request, self.until, self.first_s, self.failed = request, until, first_s, failed
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is no instance of it
        self._ask()

    def _ask(self) -> None:
        self.answer = b""
        self.first: float | None = None
        self.started = perf_counter()
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.answer += data
        if self.first is None and b"data:" in self.answer:
            self.first = perf_counter() - self.started
        if not self.answer.endswith(_END):
            if self.answer.startswith(b"HTTP/1.1 200"):
                return
            self.failed.append(self.answer[:300])
            self.transport.close()
            return
        if self.first is None or b'"finish_reason":"length"' not in self.answer or b"data: [DONE]" not in self.answer:
            self.failed.append(self.answer[:300])
        else:
            self.first_s.append(self.first)
        if perf_counter() < self.until:
            self._ask()
        else:
            self.transport.close()

    def connection_lost(self, _error: Exception | None) -> None:
        if not self.answer.endswith(_END) and self.answer[:300] not in self.failed:
            self.failed.append(self.answer[:300] + b" (cut)")
        if not self.done.done():
            self.done.set_result(None)


async def load(port: int, model: str, concurrency: int, seconds: float) -> dict[str, object]:
    """Keep so many streams open for so long."""
    loop, request = asyncio.get_running_loop(), request_bytes(port, model)
    first_s: list[float] = []
    failed: list[bytes] = []
    started = perf_counter()
    made = partial(Client, request, started + seconds, first_s, failed)
    connections = [loop.create_connection(made, "127.0.0.1", port) for _ in range(concurrency)]
    await asyncio.gather(*(client.done for _, client in await asyncio.gather(*connections)))
    return {
        "requests": len(first_s),
        "seconds": perf_counter() - started,
        "failed": len(failed),
        "failure": failed[0].decode(errors="replace") if failed else None,
        "first_ms": [round(value * 1000, 3) for value in sorted(first_s)[:: len(first_s) // _MOST_TIMES + 1]],
    }


if __name__ == "__main__":
    import uvloop

    port, model, concurrency, seconds = sys.argv[1:]
    print(json.dumps(uvloop.run(load(int(port), model, int(concurrency), float(seconds)))))
