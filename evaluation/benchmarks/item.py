"""A benchmark: a named, hashed set of items."""

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import orjson

from app.rows import InvalidRow

Kind = Literal["mcq", "qa", "dialogue"]


@dataclass(frozen=True, slots=True)
class Item:
    """One question.

    ``id`` comes from the content (`content_id`), so it survives reordering of the file; a second item with the same
    content has ``-2`` behind it. ``duplicate_of`` names the first item with the same question, options (in any order)
    and right answer. ``cluster`` is the same for all items whose
    question is the same after normalisation: the unit of resampling in every bootstrap.
    """

    id: str
    row: int  # 1-based place in its file
    number: str | None  # the file's own number or id
    kind: Kind
    question: str
    options: dict[str, str] | None  # letter -> text, in order; None for an open question
    gold: str | None  # the right letter; None for an open question
    reference: str | None  # the reference answer's text; for an MCQ the gold option's text
    language: str  # ISO 639-1 code
    groups: dict[str, str] = field(default_factory=dict)  # "system", "type", "subject", "source", ...
    cluster: str = ""
    duplicate_of: str | None = None
    own_id: str | None = None  # the file's id beside its number; predictions may name it


@dataclass(frozen=True)
class Benchmark:
    """A named set of items in file order, with the rows that were left out."""

    name: str
    version: str
    items: tuple[Item, ...]
    invalid: tuple[InvalidRow, ...] = ()
    files: tuple[str, ...] = ()

    @cached_property
    def sha256(self) -> str:
        """Hash of every item in order, and of the rows that were left out, however the file was laid out."""
        digest = hashlib.sha256()
        for item in self.items:
            digest.update(orjson.dumps([item.id, item.number, *_content(item), sorted(item.groups.items())]) + b"\n")
        for row in self.invalid:
            digest.update(orjson.dumps([row.row, row.field, row.reason]) + b"\n")
        return digest.hexdigest()

    @cached_property
    def by_id(self) -> dict[str, Item]:
        """Items by id."""
        return {item.id: item for item in self.items}

    @property
    def duplicates(self) -> int:
        """How many items repeat an earlier one exactly."""
        return sum(item.duplicate_of is not None for item in self.items)


def _content(item: Item) -> tuple[object, ...]:
    options = list(item.options.items()) if item.options is not None else None
    return (item.kind, item.language, item.question, options, item.gold, item.reference)


def content_id(
    kind: Kind, language: str, question: str, options: dict[str, str] | None, gold: str | None, reference: str | None
) -> str:
    """16 hexadecimal digits of the SHA-256 of an item's content."""
    listed = list(options.items()) if options is not None else None
    content = orjson.dumps([kind, language, question, listed, gold, reference])
    return hashlib.sha256(content).hexdigest()[:16]


def best_constant_answer(items: Iterable[Item]) -> tuple[str, float, int] | None:
    """The letter that is right most often, its accuracy, and the number of MCQ items; None without any."""
    golds = Counter(item.gold for item in items if item.gold is not None)
    if not golds:
        return None
    # Ties go to the first letter of the alphabet, so that the report does not depend on the order of items.
    letter, hits = min(golds.items(), key=lambda pair: (-pair[1], pair[0]))
    return letter, hits / golds.total(), golds.total()


def chance_accuracy(items: Iterable[Item]) -> float | None:
    """Expected accuracy of uniform guessing: the mean of one over the number of options; None without any MCQ."""
    shares = [1 / len(item.options) for item in items if item.options]
    return sum(shares) / len(shares) if shares else None
