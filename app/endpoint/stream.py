"""A reply that arrives piece by piece, as server-sent events."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from time import perf_counter
from types import TracebackType
from typing import Any, Self

from app.endpoint.errors import EndpointError, describe_body, is_retryable
from app.endpoint.reply import Reply, parse_object, reasoning_of
from app.endpoint.transport import OpenAnswer, Transport


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of a reply: text, reasoning, or both."""

    text: str
    reasoning: str


@dataclass(frozen=True, slots=True)
class _Event:
    delta: Delta
    finish_reason: str | None
    usage: dict[str, Any]


class ReplyStream:
    """The deltas of one reply, and the whole reply after the last.

        async with endpoint.stream(messages, sampling) as stream:
            async for delta in stream:
                print(delta.text, end="")
        stream.reply.completion_tokens

    Opening is retried like any request; once the first piece has come, a failure is the caller's to handle, for it
    may have shown the pieces already. Leaving the block early closes the connection, and the server stops generating.
    """

    def __init__(self, transport: Transport, path: str, request: bytes) -> None:
        self._transport, self._path, self._request = transport, path, request
        self._answer: OpenAnswer | None = None
        self._attempts = 1
        self._reply: Reply | None = None

    @property
    def reply(self) -> Reply:
        """The whole reply, once all deltas were read."""
        if self._reply is None:
            raise RuntimeError("the stream was not read to its end: it has no reply")
        return self._reply

    async def __aenter__(self) -> Self:
        """Send the request and wait for the answer's head.

        Raises:
            EndpointError: as `Endpoint.chat`.
        """
        self._answer, self._attempts = await self._transport.retrying(self._open, self._request)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._answer is not None:
            self._answer.close()
            self._answer = None

    async def _open(self, request: bytes) -> OpenAnswer:
        return await self._transport.open_stream(self._path, request)

    async def __aiter__(self) -> AsyncIterator[Delta]:
        """The deltas in order.

        Raises:
            EndpointError: the stream was cut, was silent for ``timeout_s``, or the server reports an error in it.
        """
        if self._answer is None:
            raise RuntimeError("the stream is not open: use it in `async with endpoint.stream(…) as stream`")
        base_url = self._transport.settings.base_url
        text: list[str] = []
        reasoning: list[str] = []
        finish_reason: str | None = None
        usage: dict[str, Any] = {}
        done = False
        async for data in _events(self._answer):
            if data == b"[DONE]":
                done = True
                break
            event = self._read_event(data)
            finish_reason = event.finish_reason or finish_reason
            usage = event.usage or usage
            if event.delta.text or event.delta.reasoning:
                text.append(event.delta.text)
                reasoning.append(event.delta.reasoning)
                yield event.delta
        # Some servers end without [DONE]; one that also gave no finish reason was cut.
        if not done and finish_reason is None:
            raise EndpointError(f"{base_url}: the stream was cut before its end", retryable=True)
        self._answer.succeeded()
        self._reply = Reply(
            "".join(text),
            "".join(reasoning) or None,
            finish_reason,
            usage.get("prompt_tokens"),
            usage.get("completion_tokens"),
            perf_counter() - self._answer.started,
            self._attempts,
        )

    def _read_event(self, data: bytes) -> "_Event":
        base_url = self._transport.settings.base_url
        event = parse_object(data, base_url)
        if event.get("error"):
            raise self._error_of(event["error"], data)
        try:
            usage = event.get("usage") or {}
            choices = event.get("choices") or [{}]  # the last event holds the usage and no choice
            piece = choices[0].get("delta") or {}
            delta = Delta(piece.get("content") or "", reasoning_of(piece) or "")
            return _Event(delta, choices[0].get("finish_reason"), usage)
        except (AttributeError, KeyError, TypeError):
            raise EndpointError(f"{base_url}: a piece of the stream is no chat completion") from None

    def _error_of(self, error: Any, data: bytes) -> EndpointError:
        settings = self._transport.settings
        code = error.get("code") if isinstance(error, dict) else None
        status = code if isinstance(code, int) else None
        said = describe_body(data, self._request, settings) or "no reason given"
        return EndpointError(
            f"{settings.base_url}: the stream broke off: {said}",
            status=status,
            retryable=status is None or is_retryable(status),
        )


async def _events(answer: OpenAnswer) -> AsyncIterator[bytes]:
    """The data of each event (WHATWG HTML, 9.2: server-sent events); JSON data stands on one line."""
    rest = b""
    while piece := await answer.read():
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                yield line[5:].strip()
    if rest.startswith(b"data:"):  # the last line has no line feed
        yield rest[5:].strip()
