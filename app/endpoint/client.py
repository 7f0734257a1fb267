"""Chat completions of one model at one endpoint, whole or streamed."""

from collections.abc import Sequence
from types import TracebackType
from typing import Self

import orjson

from app.endpoint.errors import EndpointError
from app.endpoint.reply import Reply, parse_object, parse_reply
from app.endpoint.settings import EndpointSettings, Sampling
from app.endpoint.stream import ReplyStream
from app.endpoint.transport import Transport

Messages = Sequence[dict[str, str]]

_CHAT = "/chat/completions"
_STREAMED = b',"stream":true,"stream_options":{"include_usage":true}'


class Endpoint:
    """One model at one endpoint, over one shared session.

    Any number of tasks may call it at once; it lets through as many as the endpoint bears. Cancelling a call closes
    its connection and gives its place back.
    """

    def __init__(self, settings: EndpointSettings) -> None:
        self.settings = settings
        self._transport = Transport(settings)
        self._head = b'{"model":%b,"messages":' % orjson.dumps(settings.model)

    async def __aenter__(self) -> Self:
        await self._transport.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._transport.close()

    @property
    def concurrency(self) -> int:
        """Requests that may be in flight now: below the settings' while the endpoint is overloaded."""
        return self._transport.limit.current

    async def chat(self, messages: Messages, sampling: Sampling, *, seed: int | None = None) -> Reply:
        """One completion. ``seed`` goes before the sampling settings' own.

        Raises:
            EndpointError: refused, or failed on every try.
        """
        reply, attempts = await self._transport.retrying(self._chat_once, self._request(messages, sampling, seed))
        reply.attempts = attempts
        return reply

    def stream(self, messages: Messages, sampling: Sampling, *, seed: int | None = None) -> ReplyStream:
        """One completion piece by piece; see `ReplyStream`.

        Raises:
            EndpointError: the messages cannot be sent. All else is raised by the stream itself.
        """
        return ReplyStream(self._transport, _CHAT, self._request(messages, sampling, seed, _STREAMED))

    async def models(self) -> list[str]:
        """The names of the models that the endpoint serves.

        Raises:
            EndpointError: refused, failed on every try, or no list of models.
        """
        names, _attempts = await self._transport.retrying(self._models_once, b"")
        return names

    async def _chat_once(self, request: bytes) -> Reply:
        answer = await self._transport.exchange(_CHAT, request)
        return parse_reply(answer.raw, answer.latency_s, self.settings.base_url)

    async def _models_once(self, request: bytes) -> list[str]:
        answer = await self._transport.exchange("/models", request)
        try:
            return [model["id"] for model in parse_object(answer.raw, self.settings.base_url)["data"]]
        except (KeyError, TypeError):
            raise EndpointError(f"{self.settings.base_url}: the answer is no list of models") from None

    def _request(self, messages: Messages, sampling: Sampling, seed: int | None, more: bytes = b"") -> bytes:
        """The request's body. All but the messages and the seed is the same bytes each time."""
        if seed is None:
            seed = sampling.seed
        try:
            body = self._head + orjson.dumps(messages)
        except TypeError:
            # orjson's JSONEncodeError: half of a surrogate pair in a text, or something that is no text.
            raise EndpointError("the messages are no valid Unicode text and cannot be sent as JSON") from None
        return b"".join((body, sampling.json_fields, b"" if seed is None else b',"seed":%d' % seed, more, b"}"))
