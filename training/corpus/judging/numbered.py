"""Replies with one entry for each item of a group, and the divided text that the items are shown in."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Generic, Literal, TypeVar

from pydantic import create_model

from training.corpus.calls import Shape


class Entry(Shape):
    """What is said of one item."""

    item: int
    """Its number, from 1."""


E = TypeVar("E", bound=Entry)


class Entries(Shape, Generic[E]):
    """One entry for each item, in their order."""

    items: tuple[E, ...]


def entries_of(entry: type[E], count: int) -> type[Entries[E]]:
    """The shape of so many entries with the numbers 1, 2, … in this order.

    A server that holds its model to the schema lets it write no other; an item that is missing, stands twice or at
    another's place makes the whole reply unusable, for nobody knows which of the others are at theirs.
    """
    numbered = tuple(
        create_model(f"{entry.__name__}{number}", __base__=entry, item=(Literal[number], ...))  # type: ignore[arg-type]
        for number in range(1, count + 1)
    )
    # Made at run time, so that no type can be written for them.
    exact = tuple[numbered]  # type: ignore[valid-type]
    return create_model(f"{entry.__name__}Of{count}", __base__=Entries[entry], items=(exact, ...))  # type: ignore[valid-type]


def divided(parts: Iterable[tuple[str, str]]) -> str:
    """Texts under headings that none of them can hold: each heading begins with a mark that is made of the texts.

    An item is what a model wrote from a scanned book. Without such a mark it could end itself and go on as the next
    item, or as us.

    Args:
        parts: heading and text.
    """
    parts = list(parts)
    mark = _mark([text for _heading, text in parts])
    lines = [f"Divider: {mark}"]
    for heading, text in parts:
        lines += [f"{mark} {heading}", text]
    return "\n".join([*lines, f"{mark} end"])


def _mark(texts: Sequence[str]) -> str:
    mark = ""
    while not mark or any(mark in text for text in texts):
        mark = hashlib.sha256("\0".join([mark, *texts]).encode()).hexdigest()[:12]
    return mark
