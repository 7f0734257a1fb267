"""The page's way to the models: the gateway's routes, through the openai client."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal

from openai import AsyncOpenAI, AsyncStream
from pydantic import SecretStr

from server.config import AUTO
from server.medical.schemas import LONGEST_OPTION, LONGEST_QUESTION, MedicalAnswer

__all__ = ["AUTO", "LONGEST_OPTION", "LONGEST_QUESTION", "Event", "Gateway", "MedicalAnswer", "Question", "Turn"]

_OPEN = "open"  # what an open server gets for a key: the client insists on one
_CONNECT_S = 5.0
_ANSWER_S = 900.0
_SHORT_S = 10.0  # what no model has to think about


@dataclass(frozen=True, slots=True)
class Turn:
    """An earlier question of a conversation and its answer."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Question:
    """What a person asks. ``language`` None: as the question shows it."""

    question: str
    options: dict[str, str] | None = None
    language: str | None = None
    model: str = AUTO
    history: Sequence[Turn] = ()
    samples: int = 1

    def body(self) -> dict[str, Any]:
        """The request's JSON."""
        body: dict[str, Any] = {"question": self.question, "model": self.model}
        if self.options:
            body["options"] = self.options
        if self.language:
            body["language"] = self.language
        if self.history:
            body["history"] = [{"question": turn.question, "answer": turn.answer} for turn in self.history]
        if self.samples > 1:
            body["samples"] = self.samples
        return body


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a streamed answer.

    ``start`` holds id, model, language and notice; ``reasoning`` and ``answer`` hold text; ``done`` the
    whole `MedicalAnswer`.
    """

    name: Literal["start", "reasoning", "answer", "done"]
    data: dict[str, Any]

    @property
    def text(self) -> str:
        """The piece of a ``reasoning`` or ``answer``."""
        return str(self.data["text"])

    @property
    def result(self) -> MedicalAnswer:
        """The whole answer of ``done``."""
        return MedicalAnswer.model_validate(self.data)


class Gateway:
    """A client of one gateway.

    Args:
        base_url: the gateway's address, with ``/v1``.
        api_key: its key; None for an open server.
    """

    def __init__(self, base_url: str, api_key: SecretStr | None = None) -> None:
        import httpx2

        self.base_url = base_url
        self._client = AsyncOpenAI(
            base_url=base_url,
            api_key=api_key.get_secret_value() if api_key else _OPEN,
            max_retries=0,  # a person waits: they are told, and try again themselves
            timeout=httpx2.Timeout(_ANSWER_S, connect=_CONNECT_S),
        )

    async def models(self) -> list[str]:
        """The models by name, without ``auto``.

        Raises:
            openai.OpenAIError: the gateway is away or refuses; `ui.problems.problem_of` says it in plain words. So do
                the other methods.
        """
        return [model.id async for model in await self._client.models.list(timeout=_SHORT_S) if model.id != AUTO]

    @asynccontextmanager
    async def stream(self, question: Question) -> AsyncIterator[AsyncIterator[Event]]:
        """The events of an answer. Leaving the block ends the generation."""
        stream: AsyncStream[Any] = await self._client.post(
            "/medical/answer/stream",
            cast_to=object,
            body=question.body(),
            options={"synthesize_event_and_data": True},
            stream=True,
            stream_cls=AsyncStream[Any],
        )
        async with stream:
            yield (Event(event["event"], event["data"]) async for event in stream)

    async def answer(self, question: Question) -> MedicalAnswer:
        """A whole answer; with samples the one of most votes."""
        found: Any = await self._client.post("/medical/answer", cast_to=object, body=question.body())
        return MedicalAnswer.model_validate(found)

    async def give_feedback(self, request_id: str, **said: Any) -> None:
        """Store a rating, a correction or a comment; empty ones are left out."""
        body = {"request_id": request_id} | {name: value for name, value in said.items() if value not in (None, "")}
        await self._client.post("/feedback", cast_to=object, body=body, options={"timeout": _SHORT_S})

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()
