"""A real OpenAI-like server on the loopback interface that answers as a test says."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from app.endpoint import EndpointSettings

# What a request's body is answered with: a text, or the status of a failure.
Script = Callable[[dict[str, Any]], str | int]


@dataclass
class ScriptedModel:
    """``bodies`` holds the requests; ``finish`` is every reply's finish reason."""

    script: Script
    url: str = ""
    finish: str = "stop"
    bodies: list[dict[str, Any]] = field(default_factory=list)

    async def chat(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.bodies.append(body)
        said = self.script(body)
        if isinstance(said, int):
            return web.json_response({"error": {"message": "no"}}, status=said)
        choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": self.finish}
        usage = {"prompt_tokens": 10, "completion_tokens": 3}
        return web.json_response({"choices": [choice], "usage": usage})

    async def embeddings(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.bodies.append(body)
        rows = [{"index": i, "embedding": [float(len(text)), 1.0]} for i, text in enumerate(body["input"])]
        return web.json_response({"data": rows[::-1]})

    def settings(self, **changes: Any) -> EndpointSettings:
        return EndpointSettings(self.url, "m", **({"backoff_s": 0.001, "max_attempts": 2} | changes))


@asynccontextmanager
async def scripted_model(script: Script) -> AsyncIterator[ScriptedModel]:
    model = ScriptedModel(script)
    application = web.Application(client_max_size=1 << 26)
    application.router.add_post("/v1/chat/completions", model.chat)
    application.router.add_post("/v1/embeddings", model.embeddings)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    model.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield model
    finally:
        await runner.cleanup()
