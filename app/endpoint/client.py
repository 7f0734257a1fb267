"""Chat completions of one model at one endpoint, whole or streamed, and its embeddings."""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import orjson

from app.endpoint.errors import EndpointError
from app.endpoint.reply import Reply, parse_object, parse_reply
from app.endpoint.settings import EndpointSettings, Sampling
from app.endpoint.stream import ReplyStream
from app.endpoint.transport import Transport

Messages = Sequence[Mapping[str, Any]]
"""Role and content each; the content is text, or a list of parts (text, images) for a model that sees."""

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
        self._head = self._head_of("messages")

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
        request = self.request_body(messages, sampling, seed=seed)
        reply, attempts = await self._transport.retrying(self._chat_once, request)
        reply.attempts = attempts
        return reply

    def stream(self, messages: Messages, sampling: Sampling, *, seed: int | None = None) -> ReplyStream:
        """One completion piece by piece; see `ReplyStream`.

        Raises:
            EndpointError: the messages cannot be sent. All else is raised by the stream itself.
        """
        return ReplyStream(self._transport, _CHAT, self.request_body(messages, sampling, seed=seed, more=_STREAMED))

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector for each text, in order.

        Raises:
            EndpointError: refused, failed on every try, or no list of as many vectors.
        """
        request = self._head_of("input") + orjson.dumps(list(texts)) + b"}"
        vectors, _attempts = await self._transport.retrying(self._embed_once, request)
        if len(vectors) != len(texts):
            raise EndpointError(f"{self.settings.base_url}: {len(vectors)} vectors for {len(texts)} texts")
        return vectors

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

    async def _embed_once(self, request: bytes) -> list[list[float]]:
        answer = await self._transport.exchange("/embeddings", request)
        try:
            found = sorted(parse_object(answer.raw, self.settings.base_url)["data"], key=lambda one: one["index"])
            return [[float(value) for value in one["embedding"]] for one in found]
        except (KeyError, TypeError, ValueError):
            raise EndpointError(f"{self.settings.base_url}: the answer is no list of embeddings") from None

    async def _models_once(self, request: bytes) -> list[str]:
        answer = await self._transport.exchange("/models", request)
        try:
            return [model["id"] for model in parse_object(answer.raw, self.settings.base_url)["data"]]
        except (KeyError, TypeError):
            raise EndpointError(f"{self.settings.base_url}: the answer is no list of models") from None

    def request_body(
        self, messages: Messages, sampling: Sampling, *, seed: int | None = None, more: bytes = b""
    ) -> bytes:
        """What `chat` sends, as JSON: all but the messages and the seed is the same bytes each time.

        Raises:
            EndpointError: the messages cannot be sent.
        """
        if seed is None:
            seed = sampling.seed
        try:
            body = self._head + orjson.dumps(messages)
        except TypeError:
            # orjson's JSONEncodeError: half of a surrogate pair in a text, or something that is no text.
            raise EndpointError("the messages are no valid Unicode text and cannot be sent as JSON") from None
        return b"".join((body, sampling.json_fields, b"" if seed is None else b',"seed":%d' % seed, more, b"}"))

    def _head_of(self, field: str) -> bytes:
        return b'{"model":%b,"%b":' % (orjson.dumps(self.settings.model), field.encode())
