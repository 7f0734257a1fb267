"""Reads what a backend answers to a completion's request: whole, or piece by piece."""

from dataclasses import dataclass
from time import perf_counter
from typing import Any

import orjson

from app.endpoint.errors import EndpointError
from app.endpoint.reply import Reply, parse_reply, reasoning_of
from server.errors import ApiError
from server.relay import Answer, BackendCutError

# What a backend says of these is about the question: too long, too many tokens. All else is not the client's business.
_OF_THE_REQUEST = frozenset((400, 413, 422, 429))
# How vLLM says that prompt and completion do not fit into the model's context.
_TOO_LONG = ("maximum context length", "maximum model length", "max_model_len")
# vLLM's finish reasons of what it did not bring to an end.
_GIVEN_UP = frozenset(("abort", "error"))


def check_answer(answer: Answer, *, streamed: bool) -> None:
    """Let a completion pass.

    Raises:
        ApiError: the backend refused the request (with its status and reason), or answered something else (502).
    """
    if answer.status in _OF_THE_REQUEST:
        reason = _reason(answer.first) or "the model refused the request"
        if answer.status == 400 and any(words in reason for words in _TOO_LONG):
            raise ApiError(answer.status, reason, code="context_length_exceeded")
        raise ApiError(answer.status, reason, code="refused_by_model")
    if answer.status != 200:
        raise ApiError(502, f"the model's server answered with status {answer.status}", code="bad_backend")
    if streamed and not answer.streamed:
        raise _bad()


def read_reply(answer: Answer) -> Reply:
    """A whole completion.

    Raises:
        ApiError: it is none (502).
        BackendCutError: the backend gave it up.
    """
    try:
        reply = parse_reply(answer.first, answer.first_byte_s, answer.backend.address.base_url)
    except EndpointError:  # its message names the backend's address
        raise _bad() from None
    _check_end(reply.finish_reason)
    return reply


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of a completion: text, reasoning, or both."""

    text: str
    reasoning: str


class ReplyReader:
    """A streamed completion, from its bytes."""

    def __init__(self) -> None:
        self._started = perf_counter()
        self._rest = b""
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._finish_reason: str | None = None
        self._usage: dict[str, Any] = {}
        self._done = False

    def feed(self, piece: bytes) -> list[Delta]:
        """The deltas that have come.

        Raises:
            ApiError: the backend reports an error, or an event is none of a completion (502).
        """
        *lines, self._rest = (self._rest + piece).split(b"\n")
        deltas = (self._read(line[5:].strip()) for line in lines if line.startswith(b"data:"))
        return [delta for delta in deltas if delta.text or delta.reasoning]

    def finish(self) -> Reply:
        """The whole completion, when the stream has ended.

        Raises:
            BackendCutError: it ended before its end, or the backend gave it up.
        """
        if not self._done and self._finish_reason is None:
            raise BackendCutError("no end")
        _check_end(self._finish_reason)
        usage = (self._usage.get("prompt_tokens"), self._usage.get("completion_tokens"))
        text, reasoning = "".join(self._text), "".join(self._reasoning) or None
        return Reply(text, reasoning, self._finish_reason, *usage, perf_counter() - self._started)

    def _read(self, data: bytes) -> Delta:
        if data == b"[DONE]":
            self._done = True
            return Delta("", "")
        try:
            event = orjson.loads(data)
            if event.get("error"):
                raise ApiError(502, _reason(data) or "the model's server broke off", code="backend_error")
            self._usage = event.get("usage") or self._usage
            choices = event.get("choices") or [{}]  # the last event holds the usage and no choice
            self._finish_reason = choices[0].get("finish_reason") or self._finish_reason
            piece = choices[0].get("delta") or {}
            delta = Delta(piece.get("content") or "", reasoning_of(piece) or "")
            self._text.append(delta.text)
            self._reasoning.append(delta.reasoning)
        except (ValueError, AttributeError, KeyError, TypeError):
            raise _bad() from None
        return delta


def _check_end(finish_reason: str | None) -> None:
    if finish_reason in _GIVEN_UP:
        raise BackendCutError(finish_reason)


def _bad() -> ApiError:
    return ApiError(502, "the model's server sent no chat completion", code="bad_backend")


def _reason(body: bytes) -> str | None:
    """The message of an OpenAI error."""
    try:
        message = orjson.loads(body)["error"]["message"]
    except (ValueError, KeyError, TypeError):
        return None
    return message if isinstance(message, str) and message else None
