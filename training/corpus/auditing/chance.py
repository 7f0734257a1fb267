"""What chance alone would do: are golds spread over the letters, is the gold the longest option too often?"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import erfc, sqrt
from typing import Final

import numpy as np

# Below this expected count of any letter, the chi-square distribution is no good likeness (Cochran 1954).
_FEWEST_EXPECTED: Final = 5.0
_DRAWS: Final = 9_999
# The exact distribution takes the square of the number of items.
_MOST_EXACT: Final = 5_000


@dataclass(frozen=True, slots=True)
class Spread:
    """The golds' letters against an even spread over each item's own options.

    ``counts`` and ``expected`` by letter; ``p`` of the test, None without an item or with one letter to choose from.
    """

    counts: dict[str, int]
    expected: dict[str, float]
    p: float | None
    method: str


def letter_spread(golds: Sequence[tuple[str, Sequence[str]]]) -> Spread:
    """Test golds, each with the letters of its item's options, against golds drawn evenly from these letters.

    The statistic is (x - e)' C⁺ (x - e), with x the letters' counts, e and C their mean and covariance under an even
    spread. With one number of options it is Pearson's chi-square; with several it still has its distribution, with as
    many degrees of freedom as C has rank. Where a letter is expected under 5 times, 9,999 draws with a fixed seed take
    the place of the distribution.
    """
    shapes = Counter(tuple(letters) for _, letters in golds)
    letters = sorted({letter for shape in shapes for letter in shape})
    place = {letter: i for i, letter in enumerate(letters)}
    counts = np.zeros(len(letters))
    for gold, _ in golds:
        counts[place[gold]] += 1
    mean, covariance = np.zeros(len(letters)), np.zeros((len(letters), len(letters)))
    for shape, n in shapes.items():
        chances = np.zeros(len(letters))
        chances[[place[letter] for letter in shape]] = 1 / len(shape)
        mean += n * chances
        covariance += n * (np.diag(chances) - np.outer(chances, chances))
    observed = {letter: int(counts[place[letter]]) for letter in letters}
    expected = {letter: float(mean[place[letter]]) for letter in letters}
    rank = int(np.linalg.matrix_rank(covariance)) if len(letters) else 0
    if not rank:
        return Spread(observed, expected, None, "none")
    inverse = np.linalg.pinv(covariance)
    statistic = float((counts - mean) @ inverse @ (counts - mean))
    if mean.min() >= _FEWEST_EXPECTED:
        from scipy.special import chdtrc

        return Spread(observed, expected, float(chdtrc(rank, statistic)), "chi-square")
    generator = np.random.default_rng(0)
    drawn = np.zeros((_DRAWS, len(letters)))
    for shape, n in shapes.items():
        columns = [place[letter] for letter in shape]
        drawn[:, columns] += generator.multinomial(n, [1 / len(shape)] * len(shape), size=_DRAWS)
    away = drawn - mean
    statistics = np.einsum("ij,jk,ik->i", away, inverse, away)
    at_least = int((statistics >= statistic - 1e-9).sum())
    return Spread(observed, expected, (at_least + 1) / (_DRAWS + 1), "9,999 draws")


def hits_p_value(hits: int, chances: Sequence[float]) -> float | None:
    """Two-sided p-value of so many hits among items that each hit with its own chance; None without an item.

    Twice the smaller tail of the Poisson-binomial distribution; above 5,000 items by the normal distribution.
    """
    n = len(chances)
    if not n:
        return None
    array = np.asarray(chances, dtype=np.float64)
    if n > _MOST_EXACT:
        deviation = float(np.sqrt((array * (1 - array)).sum()))
        return 1.0 if not deviation else erfc(abs(hits - float(array.sum())) / deviation / sqrt(2))
    mass = np.zeros(n + 1)
    mass[0] = 1.0
    for chance in array:
        mass[1:] = mass[1:] * (1 - chance) + mass[:-1] * chance
        mass[0] *= 1 - chance
    return min(1.0, 2 * float(min(mass[: hits + 1].sum(), mass[hits:].sum())))
