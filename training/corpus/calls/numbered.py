"""One question about several things, with an answer for each of them or the reason why there is none."""

import json
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Self, TypeVar

from pydantic import create_model

from app.endpoint.client import Messages
from training.corpus.calls.caller import Budget, Caller, CallError
from training.corpus.calls.shapes import Shape, Unusable

T = TypeVar("T")
S = TypeVar("S", bound=Shape)


class Numbered(Shape):
    """An answer for each thing under its name: a model that is held to the schema can leave out or repeat none."""

    @classmethod
    def read(cls, text: str) -> Self:
        """As of `Shape.read`; where a name stands twice in one object it is no answer either."""
        answer = super().read(text)
        json.loads(text[text.find("{") : text.rfind("}") + 1], object_pairs_hook=_each_once)
        return answer


def names_of(what: str, count: int) -> list[str]:
    """The names of so many things: ``item_1``, ``item_2``, …"""
    return [f"{what}_{number}" for number in range(1, count + 1)]


@cache
def each_of(shape: type[Shape], what: str, count: int) -> type[Numbered]:
    """The shape of a reply about so many things. Made once for each: a caller settles its request by the class."""
    fields: dict[str, Any] = dict.fromkeys(names_of(what, count), (shape, ...))
    return create_model(f"{shape.__name__}{count}", __base__=Numbered, **fields)


async def ask_each(
    caller: Caller,
    purpose: str,
    things: Sequence[T],
    messages_of: Callable[[Sequence[T]], Messages],
    shape: type[S],
    what: str,
) -> list[S | CallError]:
    """An answer for each thing of a group.

    A group whose answer cannot be used, after all of the caller's attempts, is asked again one thing at a time, once
    each: one odd thing must not cost its neighbours their answers. Where the endpoint itself failed it is left.

    Args:
        caller: asks the model.
        purpose: what the calls are counted as.
        things: the group.
        messages_of: the prompt about some of them, which calls them by `names_of`.
        shape: of one answer.
        what: a thing's name before its number.

    Raises:
        EndpointAwayError: the endpoint is away.
    """

    async def ask(some: Sequence[T], budget: Budget | None = None) -> list[S]:
        reply = await caller.ask(purpose, messages_of(some), each_of(shape, what, len(some)), budget=budget)
        return [getattr(reply, name) for name in names_of(what, len(some))]

    try:
        return [*await ask(things)]
    except CallError as error:
        if len(things) == 1 or error.again:
            return [error] * len(things)
    found: list[S | CallError] = []
    for thing in things:
        try:
            found += await ask([thing], Budget(1))
        except CallError as error:
            found.append(error)
    return found


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object in which every name stands once: readers take the last of two and say nothing."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise Unusable("not in shape", f"{name} stands there twice")
        found[name] = value
    return found
