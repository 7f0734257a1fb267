"""Answers a question piece by piece, as server-sent events."""

import asyncio
from typing import Any

import orjson
from starlette.types import Send

from app.endpoint.reply import Reply
from app.notices import notice
from server.errors import ApiError
from server.event_stream import EVENT_STREAM, UNBUFFERED
from server.gateway import Gateway
from server.live_answer import LiveAnswer
from server.medical.attempt import Attempt, best_of, read_attempt
from server.medical.question import MOST_ATTEMPTS, Asked
from server.medical.replies import Delta, ReplyReader, check_answer
from server.medical.result import build_answer, note_result
from server.medical.schemas import MedicalAnswer
from server.reasoning.splitter import Splitter
from server.record import Record
from server.relay import Answer

_HEADERS = [(b"content-type", EVENT_STREAM.encode() + b"; charset=utf-8"), *UNBUFFERED]


class StreamedAnswer(LiveAnswer):
    """``start``, ``reasoning`` and ``answer`` as they come, then ``done`` with the whole, or ``error``."""

    media_type = EVENT_STREAM

    def __init__(self, gateway: Gateway, asked: Asked, record: Record) -> None:
        super().__init__(gateway, record)
        self._asked = asked

    async def make(self, send: Send) -> None:
        """Ask, and pass the answer on."""
        open_streams = self.gateway.metrics.open_streams.labels(self._asked.model.name)
        open_streams.inc()
        try:
            result = await self._answer(send)
            await _send(send, _event("done", result.model_dump()), last=True)
        finally:
            open_streams.dec()

    def last_event(self, error: ApiError) -> bytes:
        """The event ``error``, in OpenAI's shape."""
        return b"event: error\ndata: %b\n\n" % error.body

    async def _answer(self, send: Send) -> MedicalAnswer:
        asked = self._asked
        attempts = [await self._attempt(0, send)]
        while asked.enforce and len(attempts) < MOST_ATTEMPTS and best_of(attempts).left_language:
            retry = {"attempt": len(attempts) + 1, "reason": attempts[-1].assessment.verdict}
            await _send(send, _event("retry", retry))
            attempts.append(await self._attempt(len(attempts), send))
        result = build_answer(asked, best_of(attempts), attempts, None)
        note_result(self.record, result, keep=self.gateway.config.request_log.bodies)
        return result

    async def _attempt(self, number: int, send: Send) -> Attempt:
        record = self.record
        async with await self.gateway.relay.ask(self._asked.call(0, number, stream=True)) as answer:
            record.backend = answer.backend.name
            check_answer(answer, streamed=True)
            if not self.started:
                record.first_token_s = answer.first_byte_s
                await self._start(send)
            reply = await self._pass_on(answer, send)
        record.count_tokens({"prompt_tokens": reply.prompt_tokens, "completion_tokens": reply.completion_tokens})
        return await asyncio.to_thread(read_attempt, self._asked, reply)

    async def _start(self, send: Send) -> None:
        asked = self._asked
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        self.started = True
        about = {"id": asked.request_id, "model": asked.model.name, "language": asked.language}
        await _send(send, _event("start", about | {"notice": notice(asked.language)}))

    async def _pass_on(self, answer: Answer, send: Send) -> Reply:
        reader, parts = ReplyReader(), _Parts(self._asked)
        async for piece in answer.pieces():
            if events := b"".join(parts.events(delta) for delta in reader.feed(piece)):
                await _send(send, events)
        if rest := parts.finish():
            await _send(send, rest)
        return reader.finish()


class _Parts:
    """Tells reasoning from answer: as the backend does, else by the model's format."""

    def __init__(self, asked: Asked) -> None:
        self._splitter: Splitter | None = Splitter(asked.model.format)

    def events(self, delta: Delta) -> bytes:
        """The events of a piece."""
        if delta.reasoning:
            self._splitter = None  # the backend takes them apart: its text is the answer as it stands
        if self._splitter is None:
            return _parts(delta.reasoning, delta.text)
        return _parts(*self._splitter.feed(delta.text))

    def finish(self) -> bytes:
        """The events of what was held back."""
        return b"" if self._splitter is None else _parts(*self._splitter.finish())


def _parts(reasoning: str, answer: str) -> bytes:
    texts = (("reasoning", reasoning), ("answer", answer))
    return b"".join(_event(name, {"text": text}) for name, text in texts if text)


def _event(name: str, data: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), orjson.dumps(data))


async def _send(send: Send, body: bytes, *, last: bool = False) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": not last})
