"""A gateway and the backends behind it, in threads, for the time of a block."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future
from typing import Any, Self, TypeVar

import uvicorn
from aiohttp import web

from server.access import Gate, Limiter, OpenGate
from server.asgi import build_app
from server.backends import Address
from server.config import build_config
from server.gateway import Gateway, Setup
from server.store import Store

T = TypeVar("T")
Handler = Callable[[web.Request], Coroutine[Any, Any, web.StreamResponse]]


class Loop:
    """An event loop in a thread."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def call(self, work: Coroutine[Any, Any, T], timeout_s: float = 20) -> T:
        future: Future[T] = asyncio.run_coroutine_threadsafe(work, self.loop)
        return future.result(timeout_s)

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()


def completion(text: str = "hi", *, reasoning: str | None = None, finish: str = "stop") -> dict[str, Any]:
    """The JSON of a chat completion."""
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if reasoning is not None:
        message["reasoning"] = reasoning
    choice = {"index": 0, "message": message, "finish_reason": finish}
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    return {"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice], "usage": usage}


def event(piece: dict[str, Any], finish: str | None = None) -> bytes:
    """An event of a streamed chat completion with one choice."""
    import orjson

    choice = {"index": 0, "delta": piece, "finish_reason": finish}
    return b"data: " + orjson.dumps({"id": "x", "object": "chat.completion.chunk", "choices": [choice]}) + b"\n\n"


async def stream_events(request: web.Request, pieces: list[bytes], *, wait_s: float = 0.0) -> web.StreamResponse:
    """Send events as a backend would."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
    await response.prepare(request)
    for piece in pieces:
        await response.write(piece)
        await asyncio.sleep(wait_s)
    return response


class ScriptedBackend:
    """An OpenAI-compatible server whose answers a test decides; ``requests`` holds the bodies that it was sent."""

    def __init__(self, handler: Handler | None = None, *, models: tuple[str, ...] = ("m",)) -> None:
        self.handler = handler
        self.models = models
        self.requests: list[dict[str, Any]] = []
        self.headers: list[Mapping[str, str]] = []
        self.up = True
        self.open = 0
        self._loop = Loop()

    async def _models(self, _request: web.Request) -> web.Response:
        if not self.up:
            return web.json_response({}, status=503)
        return web.json_response({"data": [{"id": name} for name in self.models]})

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(await request.json())
        self.headers.append(request.headers)
        self.open += 1
        try:
            if self.handler is None:
                return web.json_response(completion())
            return await self.handler(request)
        finally:
            self.open -= 1

    async def _start(self, port: int) -> None:
        application = web.Application(client_max_size=1 << 26)
        application.router.add_get("/v1/models", self._models)
        for path in ("/v1/chat/completions", "/v1/completions"):
            application.router.add_post(path, self._answer)
        # A handler is cancelled when its client leaves, as vLLM's generation is.
        self._runner = web.AppRunner(application, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port, reuse_address=True).start()
        self.port = self._runner.addresses[0][1]

    def start(self, port: int = 0) -> None:
        self._loop.call(self._start(port))

    def stop(self) -> None:
        """Go away, in the middle of whatever is being answered."""
        self._loop.call(self._runner.cleanup())

    def address(self, name: str = "m/0", **more: Any) -> Address:
        names = tuple((model, model) for model in self.models)
        return Address(name, f"http://127.0.0.1:{self.port}/v1", **({"names": names} | more))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._loop.close()


class RunningGateway:
    """A gateway in a thread. By default open, with one model ``m`` on one backend."""

    def __init__(
        self,
        addresses: Mapping[str, tuple[Address, ...]],
        *,
        config: dict[str, Any] | None = None,
        gate: Gate | None = None,
        limiter: Limiter | None = None,
        store: Store | None = None,
    ) -> None:
        models = {name: {"backends": [{"url": a.base_url} for a in found]} for name, found in addresses.items()}
        values = {"open": True, "probe_s": 0.1, "models": models} | (config or {})
        setup = Setup(build_config(values), addresses)
        self.gateway = Gateway(setup, gate or OpenGate(), limiter or Limiter(), store)
        options = uvicorn.Config(build_app(self.gateway), port=0, log_level="error", timeout_graceful_shutdown=5)
        self._server = uvicorn.Server(options)
        self._loop = Loop()

    async def _start(self) -> None:
        self._task = asyncio.create_task(self._server.serve())
        while not self._server.started:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        while not all(  # noqa: ASYNC110
            backend.up or backend.failure for backend in self.gateway.backends.values()
        ):
            await asyncio.sleep(0.01)

    async def _stop(self) -> None:
        self._server.should_exit = True
        await self._task

    def __enter__(self) -> Self:
        self._loop.call(self._start())
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call(self._stop())
        self._loop.close()
