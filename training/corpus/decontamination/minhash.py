"""MinHash (rensa) and locality-sensitive hashing: which of many texts may be near each other.

A signature has 300 values, in 50 bands of 6. Two texts whose sets of runs have the similarity s agree in a whole band
with the probability 1 - (1 - s⁶)⁵⁰: 0.998 at 0.7, 0.99995 at 0.75, 0.06 at 0.33, 0.00005 at 0.1. Of the pairs that do,
those go on whose signatures agree in about as many values as the threshold says; four standard deviations of the
estimate are given away. What is left is compared for good elsewhere: a signature alone decides nothing.

Thousands of questions of one frame ("which medicine helps against …?") are near each other by it alone, and would be
millions of pairs. So where more than 64 texts agree in a band, only those of items are paired with the rest, and where
more than 512 do, none; what is not found in a smaller band is found by a second signature, that of a text's own words
without boilerplate, in 60 bands of 5: 0.9998 at 0.7, 0.85 at 0.5.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.corpus.decontamination.hashing import SEEDS, Numbers, character_runs, mix

GRAM: Final = 5  # characters
BANDS: Final = 50
ROWS: Final = 6
OWN_BANDS: Final = 60
OWN_ROWS: Final = 5
KEPT: Final = 128  # values of a signature, one byte of each, that the second sieve compares
_SEED: Final = 42
_CROWD: Final = 64
_THRONG: Final = 512
_FARTHEST: Final = 200
_PAIRS_AT_ONCE: Final = 1 << 16

Bands = NDArray[np.uint32]
Bytes = NDArray[np.uint8]
Wanted = Callable[[Numbers, Numbers], NDArray[np.bool_]]


def signatures(texts: Sequence[str], bands: int = BANDS, rows: int = ROWS) -> tuple[Bands, Bytes]:
    """Of each text the hashes of its bands, and a byte of each value that is kept."""
    import rensa

    if not texts:
        return np.zeros((0, bands), np.uint32), np.zeros((0, KEPT), np.uint8)
    runs = character_runs(texts, GRAM)
    offsets = runs.offsets(len(texts)).astype(np.uint64)
    found = rensa.RMinHash.digest_matrix_from_flat_token_hashes(runs.hashes, offsets, bands * rows, _SEED)
    values = np.array(found.to_rows(), dtype=np.uint64)
    hashes = mix((values.reshape(-1, bands, rows) * SEEDS[:rows]).sum(axis=2, dtype=np.uint64)) >> np.uint64(32)
    return hashes.astype(np.uint32), (values[:, :KEPT] & np.uint64(0xFF)).astype(np.uint8)


class Sieve:
    """Collects the pairs of texts that may be near.

    Args:
        kept: the bytes of all texts' signatures.
        threshold: least similarity.
        wanted: which pairs matter at all.
    """

    def __init__(self, kept: Bytes, threshold: float, wanted: Wanted) -> None:
        self._kept, self._wanted = kept, wanted
        self._least = math.ceil(KEPT * (threshold - 4 * math.sqrt(threshold * (1 - threshold) / KEPT)))
        self._found = np.zeros(0, np.int64)
        self._new: list[Numbers] = []

    def pairs(self) -> Numbers:
        """Each pair once, the lower number first, in order: (pairs, 2)."""
        self._merge()
        return np.stack(np.divmod(self._found, max(1, len(self._kept))), axis=1)

    def add_band(self, keys: NDArray[np.uint32], items: NDArray[np.bool_]) -> None:
        """Pairs of texts that agree in a band; among many only those with the text of an item, as ``items`` tells."""
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
        begins = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1]))[: len(keys)])
        sizes = np.diff(np.append(begins, len(keys)))
        size = np.repeat(sizes, sizes)
        few, many = size <= _CROWD, (size > _CROWD) & (size <= _THRONG)
        self._take(_agreeing(ordered[few], order[few]))
        self._take(_across(ordered[many], order[many], items))

    def add_own_band(self, keys: NDArray[np.uint32]) -> None:
        """Pairs of texts whose own words agree in a band, 200 texts ahead; 0 is no key."""
        order = np.argsort(keys, kind="stable")
        order = order[np.searchsorted(keys[order], 1) :]
        self._take(_agreeing(keys[order], order))

    def _take(self, pairs: Iterator[tuple[Numbers, Numbers]]) -> None:
        for one, other in pairs:
            some = self._wanted(one, other)
            one, other = one[some], other[some]
            some = (self._kept[one] == self._kept[other]).sum(axis=1) >= self._least
            one, other = one[some], other[some]
            self._new.append(np.minimum(one, other) * len(self._kept) + np.maximum(one, other))
        if sum(map(len, self._new)) > len(self._found) // 2:
            self._merge()

    def _merge(self) -> None:
        self._found = np.unique(np.concatenate((self._found, *self._new)))
        self._new = []


def _agreeing(keys: NDArray[np.uint32], texts: Numbers) -> Iterator[tuple[Numbers, Numbers]]:
    """Pairs of texts with equal keys, which are ascending, 200 texts ahead at most; a bounded number at once."""
    first = np.arange(len(keys))
    for distance in range(1, _FARTHEST + 1):
        first = first[: np.searchsorted(first, len(keys) - distance)]
        first = first[keys[first] == keys[first + distance]]
        if not len(first):
            return
        for begin in range(0, len(first), _PAIRS_AT_ONCE):
            some = first[begin : begin + _PAIRS_AT_ONCE]
            yield texts[some], texts[some + distance]


def _across(keys: NDArray[np.uint32], texts: Numbers, items: NDArray[np.bool_]) -> Iterator[tuple[Numbers, Numbers]]:
    """Pairs of an item's text and another with equal keys, which are ascending; a bounded number at once."""
    places = np.flatnonzero(items[texts])
    begins, ends = (np.searchsorted(keys, keys[places], side) for side in ("left", "right"))
    for at in range(0, len(places), _PAIRS_AT_ONCE // _THRONG):
        some = slice(at, at + _PAIRS_AT_ONCE // _THRONG)
        sizes = ends[some] - begins[some]
        within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        one, other = texts[np.repeat(places[some], sizes)], texts[np.repeat(begins[some], sizes) + within]
        yield one[one != other], other[one != other]
