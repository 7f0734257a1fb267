"""Hashes of character and word runs of many texts at once; the same on every machine and in every process."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Numbers = NDArray[np.int64]

_LINE: Final = 10
_BLANK: Final = 32
_TEXTS_AT_ONCE: Final = 4096
_EDGE: Final = np.uint64(0x5DEECE66D)


def mix(values: Hashes) -> Hashes:
    """Scatter the values over all 64 bits (the finaliser of SplitMix64)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _seeds(n: int) -> Hashes:
    return mix(np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)) | np.uint64(1)


SEEDS: Final = _seeds(4096)


def window_hashes(values: Hashes, size: int) -> Hashes:
    """One hash for every ``size`` neighbours; none where there are fewer."""
    n = len(values) - size + 1
    if n <= 0:
        return np.zeros(0, np.uint64)
    total = np.zeros(n, np.uint64)
    for place in range(size):
        total += values[place : place + n] * SEEDS[place]
    return mix(total)


@dataclass(frozen=True, slots=True)
class Runs:
    """The runs of one length in some texts: their hashes, and the number of the text that each stands in, ascending.

    Attributes:
        hashes: one of each run.
        owner: the place of its text among the texts.
    """

    hashes: Hashes
    owner: Numbers

    def offsets(self, texts: int) -> Numbers:
        """Where the runs of each text begin, and the end of all."""
        return np.searchsorted(self.owner, np.arange(texts + 1))


def character_runs(texts: Sequence[str], size: int) -> Runs:
    """The character runs of each text between two blanks; a line's end is a blank, a shorter text is one run."""
    lines = [f" {text} ".replace("\n", " ").ljust(size) for text in texts]
    codes, ends = _codes(lines)
    hashes = window_hashes(mix(codes), size)
    owner = np.searchsorted(ends, np.arange(len(hashes)), side="left")
    # A run that holds the end of its text is none.
    whole = np.arange(len(hashes)) + size <= ends[owner] if len(hashes) else np.zeros(0, bool)
    return Runs(hashes[whole], owner[whole])


@dataclass(frozen=True, slots=True)
class Words:
    """The words of some texts, one after another.

    Attributes:
        hashes: one of each word.
        line: the number of its line over all texts; a run of words ends with its line.
        owner: the place of its text among the texts.
    """

    hashes: Hashes
    line: Numbers
    owner: Numbers

    def with_edges(self, edges: int) -> tuple["Words", Numbers]:
        """With so many signs of its own before and behind each line; and the places of the words among these."""
        n = len(self.hashes)
        first = np.flatnonzero(np.concatenate(([True], self.line[1:] != self.line[:-1]))[:n])
        ends = np.append(first[1:], n)[: len(first)]
        # At one place a line's end comes before the next one's beginning.
        at = np.concatenate((np.repeat(ends, edges), np.repeat(first, edges)))
        line, owner = (
            np.insert(kept, at, np.tile(np.repeat(kept[first], edges), 2)) for kept in (self.line, self.owner)
        )
        places = np.flatnonzero(np.insert(np.ones(n, bool), at, False))
        return Words(np.insert(self.hashes, at, _EDGE), line, owner), places

    def runs(self, size: int) -> tuple[Runs, Numbers]:
        """The runs of words that stand in one line, and the place of each run's first word."""
        hashes = window_hashes(self.hashes, size)
        if not len(hashes):
            return Runs(hashes, np.zeros(0, np.int64)), np.zeros(0, np.int64)
        starts = np.flatnonzero(self.line[: len(hashes)] == self.line[size - 1 :])
        return Runs(hashes[starts], self.owner[starts]), starts


def words_of(texts: Sequence[str]) -> Words:
    """The words of each text, parted by blanks and line ends."""
    if len(texts) > _TEXTS_AT_ONCE:
        return _joined([words_of(texts[at : at + _TEXTS_AT_ONCE]) for at in range(0, len(texts), _TEXTS_AT_ONCE)])
    codes, ends = _codes(texts)
    gap = (codes == _BLANK) | (codes == _LINE)
    first = ~gap & np.concatenate(([True], gap[:-1])) if len(codes) else np.zeros(0, bool)
    starts = np.flatnonzero(first)
    if not len(starts):
        return Words(np.zeros(0, np.uint64), np.zeros(0, np.int64), np.zeros(0, np.int64))
    word = np.cumsum(first) - 1  # of each character; of a gap the word before it
    place = np.minimum(np.arange(len(codes)) - starts[np.maximum(word, 0)], len(SEEDS) - 1)
    spelled = np.where(gap, np.uint64(0), mix(codes) * SEEDS[place])
    hashes = mix(np.add.reduceat(spelled, starts))
    line = np.cumsum(codes == _LINE)[starts]
    return Words(hashes, line, np.searchsorted(ends, starts, side="left"))


def _joined(parts: Sequence[Words]) -> Words:
    """The words of lots of texts as one; their lines only need to be told apart."""
    lines = np.cumsum([0, *(part.line[-1] + 1 if len(part.line) else 0 for part in parts)])
    return Words(
        np.concatenate([part.hashes for part in parts]),
        np.concatenate([part.line + line for part, line in zip(parts, lines, strict=False)]),
        np.concatenate([part.owner + at * _TEXTS_AT_ONCE for at, part in enumerate(parts)]),
    )


def _codes(texts: Sequence[str]) -> tuple[Hashes, Numbers]:
    """The code points of the texts, a line end behind each, and the places of these line ends."""
    joined = "".join(text + "\n" for text in texts)
    codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    return codes, np.cumsum(np.fromiter((len(text) + 1 for text in texts), np.int64, len(texts))) - 1
