"""HiMed's instances: what suits a passage, then its items subject by subject."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from training.corpus.calls import Budget, Caller, CallError, Shape, Unusable, in_order
from training.corpus.config import InstancesSection, Kind, Subject
from training.corpus.flow import Flow
from training.corpus.instances.items import Passed
from training.corpus.instances.mcq import Letters
from training.corpus.instances.passage import Passage
from training.corpus.instances.prompts import items_messages, suit_messages
from training.corpus.instances.shapes import LEVELS, Item, items_shape, key_of, suit_shape
from training.corpus.unit import Work


@dataclass(frozen=True, slots=True)
class Written:
    """What the writer has said of one passage.

    Attributes:
        suits: the kinds that suit, by subject; or why it is not known.
        replies: of each subject that suits, in order, the items by kind and level; or why there are none.
    """

    suits: Mapping[Subject, tuple[Kind, ...]] | CallError
    replies: Mapping[Subject, Shape | CallError] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Writer:
    """Asks for one passage at a time; all its replies together are at most ``max_calls``, over all runs of the step.

    Every subject has its first try before any has a second. Further tries go out in order of the subjects and by what
    was replied alone, never by what came first, so that each run asks the same.
    """

    settings: InstancesSection
    caller: Caller

    async def write(self, passage: Passage) -> Written:
        """What suits a passage, and the items.

        Raises:
            EndpointAwayError: the endpoint is away.
        """
        settings = self.settings
        tries = max(1, min(settings.attempts, settings.max_calls - len(settings.subjects)))
        budget = Budget(tries)
        messages = suit_messages(passage.text, settings.subjects, settings.kinds)
        shape = suit_shape(settings.subjects, settings.kinds)
        try:
            reply = await self.caller.ask("suit", messages, shape, budget=budget)
        except CallError as error:
            return Written(error)
        suits = _suits(reply, settings)
        left = settings.max_calls - tries + budget.left
        return Written(suits, await self._items(passage, suits, left))

    async def _items(
        self, passage: Passage, suits: Mapping[Subject, tuple[Kind, ...]], left: int
    ) -> dict[Subject, Shape | CallError]:
        replies: dict[Subject, Shape | CallError] = {subject: CallError("over budget") for subject in suits}
        asked = list(suits)[:left]
        left -= len(asked)
        for tries in range(1, self.settings.attempts + 1):
            # A subject that the endpoint failed keeps its place: once it is answered in a later run, the tries that the
            # others had stay within the budget.
            async for subject, reply in in_order(
                [subject for subject in asked if not _endpoint_failed(replies[subject])],
                partial(self._ask, passage, suits, tries),
                len(self.settings.subjects),
            ):
                replies[subject] = reply
            asked = [subject for subject in asked if isinstance(replies[subject], CallError)][:left]
            left -= len(asked)
        return replies

    async def _ask(
        self, passage: Passage, suits: Mapping[Subject, tuple[Kind, ...]], tries: int, subject: Subject
    ) -> Shape | CallError:
        """The reply to one of the first so many tries; those that were made before come from the store."""
        messages = items_messages(passage.text, subject, suits[subject])
        try:
            return await self.caller.ask("write", messages, items_shape(suits[subject]), budget=Budget(tries))
        except CallError as error:
            return error


async def write_himed(passages: Iterable[Passage], total: int, work: Work, writer: Writer, window: int) -> None:
    """Ask for each of the passages, ``total`` of them, and write rows, rejects and counts.

    Raises:
        SourceError: the passages cannot be read.
        EndpointAwayError: the endpoint is away.
    """
    suit, write = work.flow("suit", "passages"), work.flow("write", "subjects")
    offered = work.flow("items", "items")
    passed = Passed(Letters())
    replies = in_order(passages, writer.write, window)
    async with aclosing(replies):  # what fails here leaves no question under way
        async for passage, written in replies:
            suit.into += 1
            if isinstance(written.suits, CallError):
                work.reject(suit, passage.id, written.suits)
            elif not written.suits:
                # An answer, not a failure: nothing to ask again.
                work.reject(suit, passage.id, CallError("cannot: nothing suits"))
            else:
                suit.out += 1
                passed.begin()
                for subject, reply in written.replies.items():
                    write.into += 1
                    if isinstance(reply, CallError):
                        work.reject(write, f"{passage.id}-{_slug(subject)}", reply)
                        continue
                    write.out += 1
                    _keep_items(passage, subject, written.suits[subject], reply, passed, offered, work, writer.settings)
            work.progress(suit.into, total)


def _keep_items(
    passage: Passage,
    subject: Subject,
    kinds: Sequence[Kind],
    reply: Shape,
    passed: Passed,
    flow: Flow,
    work: Work,
    settings: InstancesSection,
) -> None:
    for kind in kinds:
        levels = getattr(reply, key_of(kind))
        for level in LEVELS:
            item: Item | None = getattr(levels, level)
            instance_id = f"{passage.id}-{_slug(subject)}-{key_of(kind)}-{level}"
            flow.into += 1
            if item is None:
                work.reject(flow, instance_id, CallError("cannot"))
                continue
            try:
                texts = passed.take(instance_id, item)
            except Unusable as unusable:
                flow.left[unusable.reason] += 1
                work.note(flow, instance_id, unusable.reason, unusable.detail, item.model_dump(mode="json"))
                continue
            flow.out += 1
            named: dict[str, Any] = {"system": settings.system, "subject": subject, "type": kind, "level": level}
            work.keep(passage.origin(instance_id) | named | texts)


def _suits(reply: Shape, settings: InstancesSection) -> dict[Subject, tuple[Kind, ...]]:
    named = {subject: getattr(reply, key_of(subject)) for subject in settings.subjects}
    kinds = {subject: tuple(kind for kind in settings.kinds if kind in named[subject]) for subject in named}
    return {subject: found for subject, found in kinds.items() if found}


def _endpoint_failed(reply: Shape | CallError) -> bool:
    return isinstance(reply, CallError) and (reply.again or reply.reason == "refused")


def _slug(subject: Subject) -> str:
    return subject.replace(" ", "-")
