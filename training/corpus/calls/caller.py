"""One unit's questions to one model."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from app.endpoint import Endpoint, EndpointError, Sampling
from app.endpoint.client import Messages
from training.corpus.calls.shapes import Shape, Unusable, response_format
from training.corpus.calls.store import CallStore, call_key

T = TypeVar("T")
S = TypeVar("S", bound=Shape)

GIVE_UP_AFTER = 16  # failed requests one behind the other: the endpoint is away, and every further one would fail too
_OUR_FAULT = (401, 403, 404)


class CallError(Exception):
    """A question without a usable answer.

    Attributes:
        reason: a short phrase that counts are grouped by.
        detail: what was wrong with the last answer.
        again: whether asking later may help: the endpoint failed, and nothing was kept.
    """

    def __init__(self, reason: str, detail: str = "", *, again: bool = False) -> None:
        self.reason, self.detail, self.again = reason, detail, again
        super().__init__(f"{reason}: {detail}" if detail else reason)


class EndpointAwayError(Exception):
    """The endpoint answers nothing, or refuses everybody: the work stops here and goes on later."""


@dataclass(slots=True)
class Budget:
    """How many replies may still be asked for, of one passage for instance."""

    left: int

    def take(self) -> bool:
        """Take one, if there is one."""
        self.left -= 1
        return self.left >= 0


@dataclass(slots=True)
class Caller:
    """Asks a model; what it has answered before is not asked again.

    Attributes:
        endpoint: an open endpoint.
        store: where replies are kept.
        sampling: of every question.
        attempts: how often a question is put, with another seed each time, until a reply can be used.
        asked: replies that were asked for in this process; the store's own are not among them.
    """

    endpoint: Endpoint
    store: CallStore
    sampling: Sampling
    attempts: int = 2
    asked: int = 0
    _failed_in_a_row: int = 0
    _shaped: dict[type[Shape], Sampling] = field(default_factory=dict)

    async def ask(self, purpose: str, messages: Messages, shape: type[S], *, budget: Budget | None = None) -> S:
        """An answer in a shape.

        Raises:
            CallError: no reply, or none that can be used within the attempts and the budget.
            EndpointAwayError: the endpoint is away.
        """
        if shape not in self._shaped:
            fields = self.sampling.model_dump()
            fields["extra"] |= {"response_format": response_format(shape)}
            self._shaped[shape] = Sampling(**fields)
        return await self._read(purpose, messages, self._shaped[shape], shape.read, budget)

    async def ask_text(
        self, purpose: str, messages: Messages, read: Callable[[str], T], *, budget: Budget | None = None
    ) -> T:
        """An answer in free text, as ``read`` takes it.

        Args:
            purpose: what the call is counted as.
            messages: the prompt.
            read: the reply's text to a value; raises `Unusable` for one that is none.
            budget: replies that may be asked for.

        Raises:
            CallError, EndpointAwayError: as of `ask`.
        """
        return await self._read(purpose, messages, self.sampling, read, budget)

    async def _read(
        self, purpose: str, messages: Messages, sampling: Sampling, read: Callable[[str], T], budget: Budget | None
    ) -> T:
        problem = CallError("over budget")
        for attempt in range(self.attempts):
            if budget is not None and not budget.take():
                break
            seed = (sampling.seed or 0) + attempt
            try:
                return read(await self._reply(purpose, messages, sampling, seed))
            except Unusable as unusable:
                problem = CallError(unusable.reason, unusable.detail)
        raise problem

    async def _reply(self, purpose: str, messages: Messages, sampling: Sampling, seed: int) -> str:
        request = self.endpoint.request_body(messages, sampling, seed=seed)
        key = call_key(request)
        reply = self.store.find(key)
        if reply is None:
            try:
                reply = await self.endpoint.chat(messages, sampling, seed=seed)
            except EndpointError as error:
                raise self._failure(error) from None
            self._failed_in_a_row = 0
            self.asked += 1
            reply = self.store.add(key, purpose, request, reply)
        if reply.finish_reason == "length":
            raise Unusable("cut off", f"at {reply.completion_tokens or sampling.max_tokens or 'its last'} tokens")
        return reply.text

    def _failure(self, error: EndpointError) -> Exception:
        if error.status in _OUR_FAULT:
            return EndpointAwayError(str(error))
        if not error.retryable:
            return CallError("refused", str(error))
        self._failed_in_a_row += 1
        if self._failed_in_a_row >= GIVE_UP_AFTER:
            return EndpointAwayError(f"{error} ({self._failed_in_a_row} requests failed one after the other)")
        return CallError("endpoint failed", str(error), again=True)
