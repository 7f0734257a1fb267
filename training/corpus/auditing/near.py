"""Pairs of questions in one file that are nearly the same, by the measure of `training.data.overlap`."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from itertools import chain
from typing import Final

from training.data.overlap import GRAM, THRESHOLD

# With one, a first word in common makes a candidate; each is a costly look.
_SHARED: Final = 8


def near_matches(texts: Sequence[str]) -> dict[int, tuple[int, float]]:
    """Text number -> the earlier text nearest to it and their similarity, for each that has one of 0.7 and more.

    ``texts`` are normalised and different from one another. Similarity is Jaccard's over sets of character 5-grams; the
    search is exact, by prefix filtering, as `training.data.overlap` explains it.
    """
    grams = [{text[i : i + GRAM] for i in range(max(1, len(text) - GRAM + 1))} for text in texts]
    sizes = list(map(len, grams))
    frequency = Counter(gram for own in grams for gram in own)
    # Grams by number, the rarest first. One that stands in no other text is in no intersection: it has no number.
    order = sorted((n, gram) for gram, n in frequency.items() if n > 1)
    number_of = {gram: number for number, (_, gram) in enumerate(order)}
    shared = [frozenset(map(number_of.__getitem__, own & number_of.keys())) for own in grams]
    index: dict[int, list[int]] = defaultdict(list)
    found: dict[int, tuple[int, float]] = {}
    for text, own in enumerate(shared):
        size = sizes[text]
        least = _least(size)
        # Sets of this similarity have so many grams in common, and `_SHARED` of them stand among the rarest so many of
        # each set; grams without a number are the rarest of all.
        prefix = sorted(own)[: max(0, len(own) - least + min(_SHARED, least))]
        hits = Counter(chain.from_iterable(index[gram] for gram in prefix))
        for gram in prefix:
            index[gram].append(text)
        best: tuple[Fraction, int] | None = None
        for other, n in hits.items():
            if n < min(_SHARED, least, _least(sizes[other])):
                continue
            common = len(own & shared[other])
            similarity = Fraction(common, size + sizes[other] - common)
            if similarity >= THRESHOLD and (best is None or (similarity, -other) > best):
                best = similarity, -other
        if best is not None:
            found[text] = -best[1], float(best[0])
    return found


@cache
def _least(size: int) -> int:
    """The grams that a set of ``size`` has in common with every set similar enough."""
    return math.ceil(THRESHOLD * size)
