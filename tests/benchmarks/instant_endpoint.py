"""An OpenAI-compatible endpoint that answers "D" at once: what is left is the client's own time.

python tests/benchmarks/instant_endpoint.py PORT
"""

import asyncio
import sys

ANSWER = (
    b'{"id":"x","object":"chat.completion","created":0,"model":"instant","choices":[{"index":0,"message":{"role":'
    b'"assistant","content":"D"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,'
    b'"total_tokens":2}}'
)
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(ANSWER) + ANSWER


class Instant(asyncio.Protocol):
    """Reads requests by their Content-Length, on one kept-alive connection, and answers each with the same bytes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].lower()
            _, found, rest = head.partition(b"content-length:")
            total = end + 4 + (int(rest.split(b"\r\n", 1)[0]) if found else 0)
            if len(self.buffer) < total:
                return
            self.buffer = self.buffer[total:]
            self.transport.write(RESPONSE)


async def serve(port: int) -> None:
    """Serve on loopback until the process is ended."""
    server = await asyncio.get_running_loop().create_server(Instant, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
