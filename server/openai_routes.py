"""OpenAI's routes: models, chat completions, completions; passed on to vLLM and back, byte for byte."""

from time import time
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.types import Send

from server.call import Call, Path, read_call
from server.config import AUTO
from server.errors import ApiError
from server.event_stream import UNBUFFERED
from server.gateway import Gateway, gateway_of
from server.live_answer import LiveAnswer
from server.openapi import CHAT_BODY, COMPLETION_BODY, ERRORS
from server.record import Record, record_of
from server.relay import Answer
from server.usage import UsageTap

router = APIRouter(prefix="/v1", tags=["OpenAI"], responses=ERRORS)

_CREATED = int(time())
# What a backend says of the gateway's own key, or of an address that it does not know, is no client's business.
_NOT_FOR_CLIENTS = frozenset((401, 403, 404, 405, 407))


@router.get("/models", summary="The models that requests may name.")
async def list_models(request: Request) -> dict[str, Any]:
    """All models and adapters, and ``auto``, which picks one by the question's language."""
    models = gateway_of(request).catalog.models.values()
    listed = [_model(model.name, parent=model.parent, format=model.format) for model in models]
    return {"object": "list", "data": [*listed, _model(AUTO)]}


@router.get("/models/{name:path}", summary="One model.")
async def get_model(request: Request, name: str) -> dict[str, Any]:
    """A model by its name."""
    if name == AUTO:
        return _model(AUTO)
    model = gateway_of(request).catalog.get(name)
    return _model(model.name, parent=model.parent, format=model.format)


@router.post("/chat/completions", openapi_extra=CHAT_BODY, summary="A chat completion, streamed or not.")
async def chat_completions(request: Request) -> Response:
    """Everything that vLLM understands is passed on. A medical model's reasoning comes in ``reasoning``."""
    return await _relay(request, "/chat/completions")


@router.post("/completions", openapi_extra=COMPLETION_BODY, summary="A completion of a prompt, streamed or not.")
async def completions(request: Request) -> Response:
    """Everything that vLLM understands is passed on."""
    return await _relay(request, "/completions")


@router.post("/embeddings", summary="Refused: no model here makes embeddings.")
async def embeddings() -> Response:
    """Always an error: these models generate text."""
    raise ApiError(400, "the models here generate text: there are no embeddings", code="unsupported", param="model")


async def _relay(request: Request, path: Path) -> Response:
    gateway, record = gateway_of(request), record_of(request.scope)
    # As vLLM does: a foreign web page may send other types to an open server on its reader's machine, JSON it may not.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise ApiError(415, "send the body as `Content-Type: application/json`", code="unsupported_media_type")
    raw = await request.body()
    call = read_call(raw, path, record.request_id, gateway.catalog, gateway.config.limits)
    record.model, record.streamed = call.model.name, call.streamed
    if gateway.config.request_log.bodies:
        record.request = call.body
    return RelayedAnswer(gateway, call, record)


class RelayedAnswer(LiveAnswer):
    """A backend's answer, sent on as it comes."""

    def __init__(self, gateway: Gateway, call: Call, record: Record) -> None:
        super().__init__(gateway, record)
        self._call = call

    async def make(self, send: Send) -> None:
        """Ask a backend and pass its answer on."""
        async with await self.gateway.relay.ask(self._call) as answer:
            await self._pass_on(answer, send)

    def last_event(self, error: ApiError) -> bytes:
        """OpenAI's error, and the end."""
        return error.event

    async def _pass_on(self, answer: Answer, send: Send) -> None:
        record = self.record
        record.backend, record.first_token_s = answer.backend.name, answer.first_byte_s
        if answer.status in _NOT_FOR_CLIENTS or 300 <= answer.status < 400:
            raise ApiError(502, f"the model's server answered with status {answer.status}", code="bad_backend")
        headers = [(b"content-type", answer.content_type.encode())]
        if answer.streamed:
            await self._stream(answer, headers, send)
            return
        headers.append((b"content-length", str(len(answer.first)).encode()))
        record.read_whole(answer.first, keep=self.gateway.config.request_log.bodies)
        self.started = True
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.first})

    async def _stream(self, answer: Answer, headers: list[tuple[bytes, bytes]], send: Send) -> None:
        tap = UsageTap(strip=answer.usage_added)
        headers += UNBUFFERED
        open_streams = self.gateway.metrics.open_streams.labels(self._call.model.name)
        open_streams.inc()
        try:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            self.started = True
            async for piece in answer.pieces():
                if passed := tap.feed(piece):
                    await send({"type": "http.response.body", "body": passed, "more_body": True})
            await send({"type": "http.response.body", "body": tap.close()})
        finally:
            open_streams.dec()
            self.record.count_tokens(tap.usage)


def _model(name: str, **more: str | None) -> dict[str, Any]:
    shown = {key: value for key, value in more.items() if value is not None}
    return {"id": name, "object": "model", "created": _CREATED, "owned_by": "himed"} | shown
