"""Which rows stay: a row goes for the benchmark item that it repeats, or for an earlier row that stays."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from training.corpus.decontamination.gather import Gathered, Near
from training.corpus.decontamination.normalise import MIN_WORDS
from training.corpus.decontamination.rules import Rules
from training.corpus.decontamination.scan import NONE

Kind = Literal["exact", "near", "8-gram"]
Part = Literal["whole", "stem"]


@dataclass(frozen=True, slots=True)
class Found:
    """Why a row goes.

    Attributes:
        against: ``benchmark``, or ``corpus`` for an earlier row that stays.
        kind: ``exact`` after normalisation, ``near`` by character runs, ``8-gram`` by word runs.
        other: the place of the item or of the earlier row.
        similarity: of the compared forms, 1 for exact ones; for ``8-gram`` the share of the item's runs.
        part: ``whole`` with options where there are any, ``stem`` without.
        same_answer: whether the earlier row has the same answer, option letters as they are; None for an item.
        hits, of: the item's word runs that stand in the row, and all that count; 0 for other kinds.
    """

    against: Literal["benchmark", "corpus"]
    kind: Kind
    other: int
    similarity: float
    part: Part = "whole"
    same_answer: bool | None = None
    hits: int = 0
    of: int = 0


def decide(gathered: Gathered, rules: Rules) -> dict[int, Found]:
    """What was found of each row that goes, by its place, in order."""
    items, inside, grams = _Items(gathered, rules), _Inside(gathered, rules), _worst_hits(gathered, rules)
    rows, found = gathered.rows, {}
    for row in range(len(rows)):
        reason = items.find(row) or grams.get(row)
        if reason is None and rows.whole[row] != NONE:
            reason = inside.find(row)
            if reason is None:
                inside.stay(row)
        if reason is not None:
            found[row] = reason
    return found


class _Items:
    """Finds the item that a row repeats: the exact one, else the nearest, else the first."""

    def __init__(self, gathered: Gathered, rules: Rules) -> None:
        self._gathered, self._own_short = gathered, rules.own_short
        self._exact: dict[int, list[tuple[int, Part]]] = defaultdict(list)
        self._of_text: dict[int, list[tuple[int, Part]]] = defaultdict(list)
        items = gathered.items
        self._item_optioned, self._optioned = items.optioned.tolist(), gathered.rows.optioned.tolist()
        for item, optioned in enumerate(self._item_optioned):
            if items.whole[item] == NONE:
                continue
            parts: tuple[Part, ...] = ("whole", "stem") if optioned else ("whole",)
            for place, part in enumerate(parts):
                self._exact[int(items.exact[item, place])].append((item, part))
                self._of_text[int((items.whole, items.stem)[place][item])].append((item, part))

    def find(self, row: int) -> Found | None:
        rows = self._gathered.rows
        if rows.whole[row] == NONE:
            return None
        best: tuple[bool, float, int] | None = None
        found = None
        for kind, item, similarity, part in self._all(row):
            rank = (kind == "exact", similarity, -item)
            if best is None or rank > best:
                best, found = rank, Found("benchmark", kind, item, similarity, part)
        return found

    def _all(self, row: int) -> Iterator[tuple[Kind, int, float, Part]]:
        rows = self._gathered.rows
        parts: tuple[Part, ...] = ("whole", "stem") if self._optioned[row] else ("whole",)
        for place, part in enumerate(parts):
            text = int((rows.whole, rows.stem)[place][row])
            for item, other in self._exact.get(int(rows.exact[row, place]), ()):
                if level := self._level(row, part, item, other):
                    yield "exact", item, 1.0, level
            for near in (Near(text, 1.0, 1.0), *self._gathered.near.get(text, ())):
                for item, other in self._of_text.get(near.text, ()):
                    if level := self._level(row, part, item, other, near.own):
                        yield "near", item, near.similarity, level

    def _level(self, row: int, part: Part, item: int, other: Part, own: float = 1.0) -> Part | None:
        """What two texts say of row and item; None for nothing: boilerplate alone, or a stem that does not tell."""
        items = self._gathered.items
        if self._optioned[row] and self._item_optioned[item]:
            if part != other:
                return None
            if part == "whole":
                return "whole"
            # With other options it is the same question only where the stem alone tells it.
            tells = self._gathered.own[int(items.stem[item])] >= MIN_WORDS and own >= self._own_short
            return "stem" if tells else None
        # One of them is open: the other's stem, or a whole with few words in its options, is what it asks.
        text = int((items.whole if other == "whole" else items.stem)[item])
        level: Part = "stem" if self._optioned[row] or self._item_optioned[item] else "whole"
        return level if self._gathered.own[text] > 0 else None


class _Inside:
    """Finds the earlier row that stays and that a row repeats, options and all; an open question repeats no MCQ."""

    def __init__(self, gathered: Gathered, rules: Rules) -> None:
        self._rows, self._near, self._inside = gathered.rows, gathered.near, rules.inside
        self._optioned = gathered.rows.optioned.tolist()
        self._exact: dict[int, int] = {}
        self._of_text: dict[int, int] = {}

    def find(self, row: int) -> Found | None:
        if self._inside == "keep":
            return None
        if (first := self._exact.get(int(self._rows.exact[row, 0]))) is not None:
            return self._found("exact", row, first, 1.0)
        if self._inside == "exact":
            return None
        text = int(self._rows.whole[row])
        if (first := self._of_text.get(text)) is not None:
            return self._found("near", row, first, 1.0)
        near = [
            (near.similarity, -first)
            for near in self._near.get(text, ())
            if (first := self._of_text.get(near.text)) is not None and self._optioned[first] == self._optioned[row]
        ]
        if not near:
            return None
        similarity, first = max(near)
        return self._found("near", row, -first, similarity)

    def _found(self, kind: Kind, row: int, first: int, similarity: float) -> Found:
        same = bool(self._rows.exact[row, 2] == self._rows.exact[first, 2])
        return Found("corpus", kind, first, similarity, same_answer=same)

    def stay(self, row: int) -> None:
        self._exact.setdefault(int(self._rows.exact[row, 0]), row)
        self._of_text.setdefault(int(self._rows.whole[row]), row)


def _worst_hits(gathered: Gathered, rules: Rules) -> dict[int, Found]:
    """Of each row with enough word runs of an item, the item with the largest share of them, the first among equals."""
    hits = gathered.hits
    share = hits.hits / np.maximum(hits.of, 1)
    some = np.flatnonzero((share >= rules.gram_share) & (hits.hits >= rules.gram_least) & (hits.own >= MIN_WORDS))
    worst: dict[int, Found] = {}
    for place in some:
        row, similarity = int(hits.rows[place]), float(share[place])
        if row not in worst or similarity > worst[row].similarity:
            of, found = int(hits.of[place]), int(hits.hits[place])
            worst[row] = Found("benchmark", "8-gram", int(hits.items[place]), similarity, "whole", None, found, of)
    return worst
