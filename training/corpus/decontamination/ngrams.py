"""Runs of eight words that a benchmark's item and a row share, and the boilerplate of exams that says nothing.

Boilerplate is a run of four words that stands in many different questions ("which of the following is", "answer with
the letter"). A word inside such a run is no item's own; what has no words of its own cannot be a hit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.corpus.decontamination.hashing import Hashes, Numbers, Words, words_of
from training.corpus.decontamination.normalise import Texts, question_texts

BOILERPLATE_RUN: Final = 4  # words
_EDGES: Final = 2  # so that two words that many lines begin or end with are boilerplate too
_BITS: Final = 22
_SIEVE_BITS: Final = 24


def boilerplate_runs(texts: Sequence[str]) -> tuple[NDArray[np.uint32], Numbers]:
    """The places of each text's runs of four words in the table of `Boilerplate`, each once, and their offsets."""
    runs, _ = words_of(texts).with_edges(_EDGES)[0].runs(BOILERPLATE_RUN)
    places = runs.hashes >> np.uint64(64 - _BITS)
    once = np.unique((runs.owner.astype(np.uint64) << np.uint64(_BITS)) | places)
    owner = (once >> np.uint64(_BITS)).astype(np.int64)
    offsets = np.searchsorted(owner, np.arange(len(texts) + 1))
    return (once & np.uint64((1 << _BITS) - 1)).astype(np.uint32), offsets


class Boilerplate:
    """Counts in how many different questions each run of four words stands; then knows which words are boilerplate.

    The table has 4 million places by hash (16 MiB). Runs that share one are counted together: three to a place for
    300,000 questions, far below the limit.
    """

    def __init__(self) -> None:
        self._counts = np.zeros(1 << _BITS, np.uint32)
        self.questions = 0

    def add(self, places: NDArray[np.uint32], questions: int) -> None:
        """Count the runs of some different questions."""
        self._counts += np.bincount(places, minlength=1 << _BITS).astype(np.uint32)
        self.questions += questions

    def limit(self, share: float, least: int) -> int:
        """In more questions than so many a run is boilerplate."""
        return max(least, int(share * self.questions))

    def table(self, limit: int) -> NDArray[np.bool_]:
        """Which places are boilerplate."""
        return self._counts > limit


def own_words(words: Words, boilerplate: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which of the words stand in no run of boilerplate."""
    edged, places = words.with_edges(_EDGES)
    own = np.ones(len(edged.hashes), bool)
    runs, starts = edged.runs(BOILERPLATE_RUN)
    hit = starts[boilerplate[runs.hashes >> np.uint64(64 - _BITS)]]
    for place in range(BOILERPLATE_RUN):
        own[hit + place] = False
    return own[places]


@dataclass(frozen=True, slots=True)
class ItemGrams:
    """The word runs of a benchmark's items, of question and options apart.

    Attributes:
        size: words of a run.
        hashes: the different runs, ascending.
        items, offsets: the items in which each run stands.
        words: all words of the items; ``starts``, ``run`` and ``owner`` are the first word of each place where a run
            stands, which run that is, and whose.
    """

    size: int
    hashes: Hashes
    items: Numbers
    offsets: Numbers
    words: Words
    starts: Numbers
    run: Numbers
    owner: Numbers

    @classmethod
    def build(cls, texts: Sequence[Texts], size: int) -> "ItemGrams":
        """The runs of all items, numbered as they come."""
        words = words_of(["\n".join(question_texts(item)) for item in texts])
        runs, starts = words.runs(size)
        hashes, run = np.unique(runs.hashes, return_inverse=True)
        n = max(1, len(texts))
        pairs = np.unique(run * n + runs.owner)
        offsets = np.searchsorted(pairs // n, np.arange(len(hashes) + 1))
        return cls(size, hashes, pairs % n, offsets, words, starts, run, runs.owner)

    def without_common(self, most: int) -> "ItemGrams":
        """Without runs that stand in more items: boilerplate of the benchmark itself, whatever the corpus has."""
        times = np.diff(self.offsets)
        stay = times <= most
        offsets = np.concatenate(([0], np.cumsum(times[stay])))
        renumbered = np.cumsum(stay) - 1
        kept = stay[self.run]
        return ItemGrams(
            self.size,
            self.hashes[stay],
            self.items[np.repeat(stay, times)],
            offsets,
            self.words,
            self.starts[kept],
            renumbered[self.run[kept]],
            self.owner[kept],
        )

    def countable(self, boilerplate: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Of each run whether half of its words or more are no boilerplate, wherever it stands."""
        own = np.concatenate(([0], np.cumsum(own_words(self.words, boilerplate))))
        enough = (own[self.starts + self.size] - own[self.starts]) * 2 >= self.size
        counted = np.ones(len(self.hashes), bool)
        np.logical_and.at(counted, self.run, enough)
        return counted

    def own_held(self, item: int, runs: Numbers, counted: NDArray[np.bool_], own: NDArray[np.bool_]) -> int:
        """How many of an item's own words stand in those of its runs that are named and count."""
        first, last = np.searchsorted(self.owner, (item, item + 1))
        mine = self.run[first:last]
        starts = self.starts[first:last][np.isin(mine, runs) & counted[mine]]
        held = np.unique(starts[:, None] + np.arange(self.size))
        return int(own[held].sum())

    def per_item(self, counted: NDArray[np.bool_], items: int) -> Numbers:
        """How many different runs that count each item has."""
        of_run = np.repeat(counted, np.diff(self.offsets))
        return np.bincount(self.items[of_run], minlength=items)


class GramFinder:
    """Finds the runs of items in texts."""

    def __init__(self, hashes: Hashes, size: int) -> None:
        self._hashes, self._size = hashes, size
        self._sieve = np.zeros(1 << _SIEVE_BITS, bool)
        self._sieve[hashes >> np.uint64(64 - _SIEVE_BITS)] = True

    def find(self, texts: Sequence[str], rows: Sequence[int]) -> tuple[Numbers, Numbers]:
        """Of each text, by its row, the runs that stand in it, each once in a row: rows and runs, in order of rows."""
        if not len(self._hashes) or not texts:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        runs, _ = words_of(texts).runs(self._size)
        some = np.flatnonzero(self._sieve[runs.hashes >> np.uint64(64 - _SIEVE_BITS)])
        place = np.minimum(np.searchsorted(self._hashes, runs.hashes[some]), len(self._hashes) - 1)
        hit = self._hashes[place] == runs.hashes[some]
        row = np.asarray(rows, np.int64)[runs.owner[some[hit]]]
        once = np.unique(row * len(self._hashes) + place[hit])
        return np.divmod(once, len(self._hashes))


def share_hits(
    rows: Numbers, runs: Numbers, grams: ItemGrams, counted: NDArray[np.bool_], items: int
) -> tuple[Numbers, Numbers, Numbers]:
    """How many of an item's runs that count stand in a row: rows, items and numbers of runs, in order of rows."""
    some = counted[runs]
    rows, runs = rows[some], runs[some]
    times = grams.offsets[runs + 1] - grams.offsets[runs]
    # Each run stands for all items that have it.
    within = np.arange(times.sum()) - np.repeat(np.cumsum(times) - times, times)
    item = grams.items[np.repeat(grams.offsets[runs], times) + within]
    pairs, hits = np.unique(np.repeat(rows, times) * max(1, items) + item, return_counts=True)
    found, item = np.divmod(pairs, max(1, items))
    return found, item, hits
