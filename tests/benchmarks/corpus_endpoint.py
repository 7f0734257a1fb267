"""The endpoint of tests/benchmarks/corpus_pipeline.py: the scripted writer and judge, each reply after a fixed time.

python tests/benchmarks/corpus_endpoint.py PORT LATENCY_S
"""

import asyncio
import sys
from pathlib import Path

import orjson

sys.path.insert(0, str(Path(__file__).parents[1] / "training" / "corpus"))

from corpus_model import CorpusModel, Rates

_STATUS = {200: b"OK", 503: b"Service Unavailable"}


class Connection(asyncio.Protocol):
    """Reads requests by their Content-Length, one after the other, on a connection that is kept."""

    model: CorpusModel
    latency_s: float

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.buffer = bytearray()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            _, found, rest = bytes(self.buffer[:end]).lower().partition(b"content-length:")
            total = end + 4 + (int(rest.split(b"\r\n", 1)[0]) if found else 0)
            if len(self.buffer) < total:
                return
            body = bytes(self.buffer[end + 4 : total])
            del self.buffer[:total]
            said = self.model.answer(body)
            wait = self.latency_s + said.stall_s
            asyncio.get_running_loop().call_later(wait, self._reply, body, said.status, said.text, said.finish)

    def _reply(self, body: bytes, status: int, text: str, finish: str) -> None:
        # A token for every three characters, as a tokenizer of many languages has about in Hindi.
        usage = {"prompt_tokens": len(body) // 3, "completion_tokens": len(text) // 3}
        message = {"role": "assistant", "content": text}
        answer = orjson.dumps(
            {"choices": [{"index": 0, "message": message, "finish_reason": finish}], "usage": usage}
            if status == 200
            else {"error": {"message": "overloaded"}}
        )
        head = b"HTTP/1.1 %d %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        self.transport.write(head % (status, _STATUS[status], len(answer)) + answer)


async def serve(port: int, latency_s: float) -> None:
    """Serve on loopback until the process is ended."""
    Connection.model, Connection.latency_s = CorpusModel(Rates(fails=0.01, nonsense=0.01, declines=0.01)), latency_s
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2])))
