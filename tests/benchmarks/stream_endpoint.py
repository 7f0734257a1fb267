"""An OpenAI-compatible endpoint that streams at once: a stand-in for vLLM that leaves a gateway's own time.

python tests/benchmarks/stream_endpoint.py PORT [GAP_MS]

Every chat completion is streamed in the events of vLLM 0.31.0: the role, ``max_tokens`` pieces (32 by default), the
count of tokens where it was asked for, and ``[DONE]``; all in one write, or GAP_MS apart. ``GET /running`` gives the
number of streams that are being written.
"""

import asyncio
import sys
from typing import ClassVar, cast

import orjson

MODEL = "instant"
TOKENS = 32

_MODELS = b'{"object":"list","data":[{"id":"instant","object":"model"}]}'
_STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"
_CHUNK = b'{"id":"chatcmpl-x","object":"chat.completion.chunk","created":1795286696,"model":"instant","choices":['
_FINGERPRINT = b'"system_fingerprint":"vllm-0.31.0-73f3f055"}'


def stream_parts(tokens: int, *, usage: bool) -> list[bytes]:
    """The chunks of an answer's body, one for each event."""
    events = [
        _CHUNK + b'{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],'
        b'"prompt_token_ids":null,"prompt_text":null}'
    ]
    for number in range(tokens - 1):
        text = orjson.dumps(f" बुखार{number}")
        events.append(
            _CHUNK
            + b'{"index":0,"delta":{"content":%b},"logprobs":null,"finish_reason":null,"token_ids":null}]}' % text
        )
    last = b'{"index":0,"delta":{"content":""},"logprobs":null,"finish_reason":"length","stop_reason":null,"token_ids":'
    if usage:
        counts = b'"prompt_tokens":25,"total_tokens":%d,"completion_tokens":%d' % (25 + tokens, tokens)
        events.append(_CHUNK + last + b"null}]}")
        events.append(_CHUNK + b'],"usage":{' + counts + b"}," + _FINGERPRINT)
    else:
        events.append(_CHUNK + last + b"null}]," + _FINGERPRINT)
    lines = [b"data: " + event + b"\n\n" for event in [*events, b"[DONE]"]]
    return [b"%x\r\n" % len(line) + line + b"\r\n" for line in lines] + [b"0\r\n\r\n"]


class Streaming(asyncio.Protocol):
    """Reads requests by their Content-Length, on one kept-alive connection."""

    gap_s = 0.0
    running = 0
    parts: ClassVar[dict[tuple[int, bool], list[bytes]]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is no instance of it
        self.buffer = b""
        self.task: asyncio.Task[None] | None = None

    def connection_lost(self, _error: Exception | None) -> None:
        if self.task is not None:
            self.task.cancel()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end]
            _, found, rest = head.lower().partition(b"content-length:")
            total = end + 4 + (int(rest.split(b"\r\n", 1)[0]) if found else 0)
            if len(self.buffer) < total:
                return
            body, self.buffer = self.buffer[end + 4 : total], self.buffer[total:]
            self._answer(head.split(b" ", 2)[1], body)

    def _answer(self, path: bytes, body: bytes) -> None:
        if not path.endswith(b"/chat/completions"):
            text = b"%d" % Streaming.running if path == b"/running" else _MODELS
            head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(text)
            self.transport.write(head + text)
            return
        asked = orjson.loads(body)
        tokens = asked.get("max_tokens") or TOKENS
        usage = bool((asked.get("stream_options") or {}).get("include_usage"))
        if (parts := self.parts.get((tokens, usage))) is None:
            parts = self.parts[tokens, usage] = stream_parts(tokens, usage=usage)
        if self.gap_s:
            self.task = asyncio.create_task(self._stream(parts))
        else:
            self.transport.write(_STREAM + b"".join(parts))

    async def _stream(self, parts: list[bytes]) -> None:
        Streaming.running += 1
        try:
            self.transport.write(_STREAM + parts[0])
            for part in parts[1:-2]:
                await asyncio.sleep(self.gap_s)
                self.transport.write(part)
            self.transport.write(parts[-2] + parts[-1])
        finally:
            Streaming.running -= 1


async def serve(port: int) -> None:
    """Serve on loopback until the process is ended."""
    server = await asyncio.get_running_loop().create_server(Streaming, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    import uvloop

    Streaming.gap_s = float(sys.argv[2]) / 1000 if len(sys.argv) > 2 else 0.0
    uvloop.run(serve(int(sys.argv[1])))
