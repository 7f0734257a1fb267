"""A model behind a real endpoint that answers as a test says."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import web
from running import ScriptedBackend, completion

from app.endpoint import EndpointSettings

# What a request's body is answered with: a text, or the status of a failure.
Script = Callable[[dict[str, Any]], str | int]


@contextmanager
def scripted_model(script: Script, *, finish: str = "stop") -> Iterator[ScriptedBackend]:
    """A server whose model ``m`` answers by the script; its ``requests`` are the bodies that it was sent."""

    async def handler(request: web.Request) -> web.StreamResponse:
        said = script(await request.json())
        if isinstance(said, int):
            return web.json_response({"error": {"message": "no"}}, status=said)
        return web.json_response(completion(said, finish=finish))

    with ScriptedBackend(handler) as backend:
        yield backend


def settings_of(model: ScriptedBackend, **changes: Any) -> EndpointSettings:
    """How the model is called: at most twice, without long waits."""
    url = f"http://127.0.0.1:{model.port}"
    return EndpointSettings(url, "m", **({"backoff_s": 0.001, "max_attempts": 2} | changes))
