"""Answers a question piece by piece, as server-sent events."""

import asyncio
from typing import Any

import orjson
from fastapi import Response
from starlette.types import Receive, Scope, Send

from app.endpoint.reply import Reply
from app.notices import notice
from server.connection import while_connected
from server.errors import ApiError, server_stops, too_slow
from server.event_stream import EVENT_STREAM, UNBUFFERED, backend_cut, send_last
from server.gateway import Gateway
from server.medical.attempt import Attempt, best_of, read_attempt
from server.medical.question import MOST_ATTEMPTS, Asked
from server.medical.replies import Delta, ReplyReader, check_answer
from server.medical.result import build_answer, note_result
from server.medical.schemas import MedicalAnswer
from server.reasoning.splitter import Splitter
from server.record import Record
from server.relay import Answer, BackendCutError

_HEADERS = [(b"content-type", EVENT_STREAM.encode() + b"; charset=utf-8"), *UNBUFFERED]


class StreamedAnswer(Response):
    """``start``, ``reasoning`` and ``answer`` as they come, then ``done`` with the whole, or ``error``."""

    media_type = EVENT_STREAM

    def __init__(self, gateway: Gateway, asked: Asked, record: Record) -> None:
        self._gateway, self._asked, self._record = gateway, asked, record
        self._limit_s = gateway.config.limits.request_s
        self._started = False
        self.background = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Ask, and pass the answer on, until it is whole or the client leaves."""
        await while_connected(receive, self._run(send))

    async def _run(self, send: Send) -> None:
        """Errors before the first event are answers of their own; later ones are the last event."""
        error: ApiError
        open_streams = self._gateway.metrics.open_streams.labels(self._asked.model.name)
        open_streams.inc()
        try:
            async with asyncio.timeout(self._limit_s):
                result = await self._answer(send)
                await _send(send, _event("done", result.model_dump()), last=True)
            return
        except TimeoutError:
            self._record.outcome = "timeout"
            error = too_slow(self._limit_s)
        except BackendCutError:
            self._record.outcome = "backend cut"
            error = backend_cut()
        except ApiError as caught:
            self._record.refused(caught.status)
            error = caught
        except asyncio.CancelledError:
            if self._started:  # the server stops; for a client that left this goes nowhere
                await send_last(send, _error_event(server_stops()))
            raise
        finally:
            open_streams.dec()
        if not self._started:
            raise error
        await send_last(send, _error_event(error))

    async def _answer(self, send: Send) -> MedicalAnswer:
        asked = self._asked
        attempts = [await self._attempt(0, send)]
        while asked.enforce and len(attempts) < MOST_ATTEMPTS and best_of(attempts).left_language:
            retry = {"attempt": len(attempts) + 1, "reason": attempts[-1].assessment.verdict}
            await _send(send, _event("retry", retry))
            attempts.append(await self._attempt(len(attempts), send))
        result = build_answer(asked, best_of(attempts), attempts, None)
        note_result(self._record, result, keep=self._gateway.config.request_log.bodies)
        return result

    async def _attempt(self, number: int, send: Send) -> Attempt:
        record = self._record
        async with await self._gateway.relay.ask(self._asked.call(0, number, stream=True)) as answer:
            record.backend = answer.backend.name
            check_answer(answer, streamed=True)
            if not self._started:
                record.first_token_s = answer.first_byte_s
                await self._start(send)
            reply = await self._pass_on(answer, send)
        record.count_tokens({"prompt_tokens": reply.prompt_tokens, "completion_tokens": reply.completion_tokens})
        return await asyncio.to_thread(read_attempt, self._asked, reply)

    async def _start(self, send: Send) -> None:
        asked = self._asked
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        self._started = True
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


def _error_event(error: ApiError) -> bytes:
    return b"event: error\ndata: %b\n\n" % error.body


async def _send(send: Send, body: bytes, *, last: bool = False) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": not last})
