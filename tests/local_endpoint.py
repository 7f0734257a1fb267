"""A small OpenAI-compatible endpoint on loopback, in a thread, whose answers and failures a test decides."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any, Self

from aiohttp import web

Answer = Callable[[dict[str, Any]], web.Response | str]


def completion(text: str, finish_reason: str = "stop") -> web.Response:
    """A chat completion."""
    message = {"role": "assistant", "content": text}
    return web.json_response(
        {
            "id": "x",
            "object": "chat.completion",
            "created": 0,
            "model": "local",
            "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}],
            "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
        }
    )


def failure(status: int, message: str = "no") -> web.Response:
    """An OpenAI-shaped error."""
    return web.json_response({"error": {"message": message, "type": "error"}}, status=status)


class LocalEndpoint:
    """Serves in a thread of its own while the block runs; ``requests`` holds the bodies it was sent."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.requests: list[dict[str, Any]] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    async def _chat(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.requests.append(body)
        answer = self.answer(body)
        return completion(answer) if isinstance(answer, str) else answer

    async def _start(self) -> str:
        application = web.Application()
        application.router.add_post("/v1/chat/completions", self._chat)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        self.url = asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
