"""A comparison: one question, two models whose names stay hidden, and the vote."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from sqlalchemy import Engine

from app.database import open_session
from app.tables import ComparisonVoteRow
from ui.answers import LiveAnswer, Reader, Readers
from ui.gateway import Gateway, Question

ANY = ""  # the choice "any model"


class Vote(StrEnum):
    """What a person says of two answers; ``A`` is the one shown first."""

    A = "a"
    B = "b"
    TIE = "tie"
    NEITHER = "neither"


class PairError(Exception):
    """They cannot be asked; its text is the key of the sentence that says why."""


@dataclass(slots=True)
class Duel:
    """One question and its two answers, in the order in which they are shown.

    ``number`` counts the session's questions; ``vote`` is None until there is one.
    """

    question: str
    models: tuple[str, str]
    number: int
    answers: tuple[LiveAnswer, LiveAnswer] = field(default_factory=lambda: (LiveAnswer(), LiveAnswer()))
    vote: Vote | None = None

    @property
    def growing(self) -> bool:
        """Whether more is to come of either answer."""
        return any(live.growing for live in self.answers)

    @property
    def ready(self) -> bool:
        """Whether both answers came whole, so that they can be judged."""
        return all(live.state == "done" for live in self.answers)


def choose_pair(first: str, second: str, served: Sequence[str]) -> tuple[str, str]:
    """Two different models, in random order.

    Args:
        first: a model's name, or `ANY`.
        second: likewise.
        served: the models that `ANY` may stand for.

    Raises:
        PairError: both are the same model, or too few are served.
    """
    if first == second != ANY:
        raise PairError("compare.same")
    pair = [name for name in (first, second) if name != ANY]
    left = [name for name in dict.fromkeys(served) if name not in pair]
    if len(left) < 2 - len(pair):
        raise PairError("compare.too_few")
    random = secrets.SystemRandom()
    pair += random.sample(left, 2 - len(pair))
    random.shuffle(pair)
    return pair[0], pair[1]


def start(readers: Readers, session: str | None, gateway: Gateway, duel: Duel, language: str | None) -> None:
    """Ask both models, and read their answers in the background."""
    for reader, model, live in zip(_places(session), duel.models, duel.answers, strict=True):
        readers.start(reader, gateway, Question(duel.question, language=language, model=model), live)


async def watch(readers: Readers, session: str | None) -> AsyncIterator[None]:
    """Yields when there is more to show of either answer, until both have come to their ends."""
    changed = asyncio.Event()

    async def watch_one(reader: Reader) -> None:
        async for _ in readers.watch(reader):
            changed.set()

    tasks = [asyncio.create_task(watch_one(reader)) for reader in _places(session)]
    both = asyncio.gather(*tasks)
    both.add_done_callback(lambda _: changed.set())
    try:
        while not both.done():
            await changed.wait()
            changed.clear()
            yield
        await both
    finally:
        both.cancel()  # the watcher left
        await asyncio.gather(*tasks, return_exceptions=True)


def stop(readers: Readers, session: str | None) -> None:
    """Stop both answers of a session."""
    for place in _places(session):
        readers.stop(place)


def store_vote(engine: Engine, duel: Duel, vote: Vote, who: str) -> None:
    """Keep a vote in the database.

    Raises:
        SQLAlchemyError: it cannot be written.
    """
    first, second = duel.answers
    row = ComparisonVoteRow(
        who=who,
        question=duel.question,
        language=first.language,
        model_a=duel.models[0],
        model_b=duel.models[1],
        answer_a=first.answer or None,
        answer_b=second.answer or None,
        request_a=first.request_id,
        request_b=second.request_id,
        vote=vote.value,
    )
    with open_session(engine) as session:
        session.add(row)


def _places(session: str | None) -> tuple[Reader, Reader]:
    return (session, "compare-1"), (session, "compare-2")
