"""A real OpenAI-like server on the loopback interface whose answers a test writes down."""

import asyncio
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any

import orjson
from aiohttp import web

from app.endpoint import EndpointSettings, Sampling

KEY = "sk-test-0123456789"
PROMPT = "रोगी को तीन दिन से बुखार और खांसी है, क्या करें?"
MESSAGES = [{"role": "user", "content": PROMPT}]
GREEDY = Sampling(temperature=0.0, max_tokens=8)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def completion(text: str | None = "उत्तर: D", **message: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": text, **message}, "finish_reason": "stop"}
    return {"choices": [choice], "usage": {"prompt_tokens": 12, "completion_tokens": 4, "total_tokens": 16}}


class Server:
    """Answers the n-th chat request with the n-th scripted answer, later ones with the last."""

    def __init__(self) -> None:
        self.script: list[Handler] = []
        self.headers: list[dict[str, str]] = []
        self.bodies: list[dict[str, Any]] = []
        self.times: list[float] = []
        self.in_flight = 0
        self.peak = 0
        self.url = ""

    def answers(self, *script: Handler) -> None:
        self.script = list(script)

    async def chat(self, request: web.Request) -> web.StreamResponse:
        self.headers.append(dict(request.headers))
        self.bodies.append(await request.json())
        self.times.append(perf_counter())
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        try:
            return await self.script[min(len(self.bodies), len(self.script)) - 1](request)
        finally:
            self.in_flight -= 1

    async def models(self, _request: web.Request) -> web.StreamResponse:
        return web.json_response({"object": "list", "data": [{"id": "himed-8b"}, {"id": "adapter"}]})

    def settings(self, **changes: Any) -> EndpointSettings:
        return EndpointSettings(**({"base_url": self.url, "model": "himed-8b", "backoff_s": 0.001} | changes))


def says(body: Any, status: int = 200, **headers: str) -> Handler:
    async def handler(_request: web.Request) -> web.StreamResponse:
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(body=raw, status=status, headers={"Content-Type": "application/json"} | named)

    return handler


def fails(status: int, message: str = "no", **headers: str) -> Handler:
    return says({"error": {"message": message, "type": "x", "param": None, "code": status}}, status, **headers)


def waits(seconds: float) -> Handler:
    async def handler(_request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        return web.json_response(completion())

    return handler


def streams(*events: Any, cut: bool = False, pause: float = 0.0) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for event in events:
            data = event if isinstance(event, bytes) else b"data: " + orjson.dumps(event) + b"\n\n"
            await response.write(data)
            await asyncio.sleep(pause)
        if cut and request.transport is not None:
            request.transport.abort()
        return response

    return handler


def piece(finish_reason: str | None = None, **delta: str) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}


USAGE = {"choices": [], "usage": {"prompt_tokens": 12, "completion_tokens": 3}}
