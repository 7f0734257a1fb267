"""The exact comparison of two texts that may be near: shared character runs, and what they share of their own words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.corpus.decontamination.hashing import Numbers, words_of
from training.corpus.decontamination.minhash import GRAM, OWN_BANDS, OWN_ROWS, Bands, signatures
from training.corpus.decontamination.ngrams import own_words
from training.corpus.decontamination.normalise import MIN_WORDS
from training.corpus.decontamination.store import StoredTexts

_PAIRS_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Compared:
    """Pairs of texts and what they share.

    Attributes:
        pairs: numbers of texts: (pairs, 2).
        similarity: Jaccard similarity of their character runs.
        own: the smaller share of one's own words that stands in the other; 0 where they are not similar enough.
        short: whether both have fewer than eight words of their own.
    """

    pairs: Numbers
    similarity: NDArray[np.float64]
    own: NDArray[np.float64]
    short: NDArray[np.bool_]


@dataclass(slots=True)
class _State:
    texts: StoredTexts | None = None
    least: float = 0.0


_STATE: Final = _State()


def start_compare(folder: Path, least: float) -> None:
    """Make a process ready for `compare` and `own_signatures`; below ``least`` own words are not looked at."""
    _STATE.texts, _STATE.least = StoredTexts(folder), least


def lots(pairs: Numbers) -> Iterator[Numbers]:
    """Pairs in lots of a bounded size."""
    for begin in range(0, len(pairs), _PAIRS_AT_ONCE):
        yield pairs[begin : begin + _PAIRS_AT_ONCE]


def compare(pairs: Numbers) -> Compared:
    """Compare pairs of stored texts."""
    stored, least = _stored(), _STATE.least
    numbers = np.unique(pairs)
    texts = [stored[number] for number in numbers]
    padded = [f" {text} ".replace("\n", " ").ljust(GRAM) for text in texts]
    grams = [_grams(text) for text in padded]
    own = own_runs(texts, stored.boilerplate)
    short = np.array([sum(run.count(" ") - 1 for run in runs) < MIN_WORDS for runs in own], bool)
    places = np.searchsorted(numbers, pairs)
    found = np.empty((len(pairs), 2))
    for place, (one, other) in enumerate(places):
        shared = len(grams[one] & grams[other])
        similarity = shared / (len(grams[one]) + len(grams[other]) - shared)
        share = 0.0
        if similarity >= least:
            share = min(_share(own[a], grams[b], padded[b]) for a, b in ((one, other), (other, one)))
        found[place] = similarity, share
    return Compared(pairs, found[:, 0], found[:, 1], short[places[:, 0]] & short[places[:, 1]])


def own_signatures(numbers: range) -> Bands:
    """The bands of some texts' own words alone; zeros where a text has none."""
    stored = _stored()
    runs = own_runs([stored[number] for number in numbers], stored.boilerplate)
    bands, _ = signatures(["".join(run) for run in runs], OWN_BANDS, OWN_ROWS)
    bands[[not run for run in runs]] = 0
    return bands


def _stored() -> StoredTexts:
    if _STATE.texts is None:
        raise RuntimeError("start_compare was not called")
    return _STATE.texts


def own_runs(texts: Sequence[str], boilerplate: NDArray[np.bool_]) -> list[list[str]]:
    """The neighbouring words of each text's first line, its stem, that are no boilerplate, as " a b c "; those of all
    lines where the stem has none."""
    words = words_of(texts)
    own = own_words(words, boilerplate)
    ends = np.searchsorted(words.owner, np.arange(len(texts) + 1))
    found = []
    for place, text in enumerate(texts):
        mine = own[ends[place] : ends[place + 1]]
        stem = text.split("\n", 1)[0].split(" ")
        runs = _runs(stem, mine[: len(stem)])
        found.append(runs or _runs(text.split(), mine))
    return found


def own_count(texts: Sequence[str], boilerplate: NDArray[np.bool_]) -> Numbers:
    """How many words of each text stand in no boilerplate."""
    words = words_of(texts)
    return np.bincount(words.owner, weights=own_words(words, boilerplate), minlength=len(texts)).astype(np.int64)


def _runs(words: Sequence[str], own: NDArray[np.bool_]) -> list[str]:
    runs: list[list[str]] = [[]]
    for word, is_own in zip(words, own, strict=False):
        if is_own:
            runs[-1].append(word)
        elif runs[-1]:
            runs.append([])
    return [f" {' '.join(run)} " for run in runs if run]


def _share(runs: Sequence[str], others: frozenset[str], other: str) -> float:
    """The share of the runs' character runs that stand in the other text; 0 without any."""
    grams = frozenset[str]().union(*map(_grams, runs))
    found = sum(gram in others or (len(gram) < GRAM and gram in other) for gram in grams)
    return found / len(grams) if grams else 0.0


def _grams(text: str) -> frozenset[str]:
    return frozenset([text[i : i + GRAM] for i in range(max(1, len(text) - GRAM + 1))])
