"""Is the difference between two runs on the same items more than chance?"""

from collections.abc import Hashable, Sequence
from math import sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from evaluation.statistics.intervals import bootstrap_means, cluster_sums, wilson


def mcnemar_exact(b: int, c: int) -> float:
    """Two-sided exact p-value of McNemar's test.

    ``b`` items are right only in the first run, ``c`` only in the second; without a difference each of the b + c falls
    either way with chance 1/2. McNemar (1947), Psychometrika 12(2), 153-157; exact by the binomial distribution.
    Without any such item there is nothing to test and p is 1.

    Raises:
        ValueError: a negative count.
    """
    if b < 0 or c < 0:
        raise ValueError(f"negative count: {b}, {c}")
    if b + c == 0:
        return 1.0
    from scipy.stats import binomtest

    return float(binomtest(b, b + c, 0.5).pvalue)


def paired_bootstrap(
    a: ArrayLike, b: ArrayLike, clusters: Sequence[Hashable], *, resamples: int = 10_000, seed: int = 0
) -> tuple[float, tuple[float, float], float]:
    """Mean of a - b over the same items (n,), its 95 % percentile interval, and a two-sided p-value.

    Whole clusters are resampled. p is twice the smaller share of resampled differences on either side of 0, with one
    added to both counts so that it is never 0 (Davison & Hinkley 1997, "Bootstrap Methods and their Application", 4.4
    and 5.3); it is under 0.05 where the interval leaves 0 out.

    Where every cluster has the same difference d, resampling cannot vary. A share of clusters up to u, Wilson's upper
    limit for 0 of that many, could differ otherwise without any being seen, by at worst -1 or +1: the interval is then
    d - u(d + 1) to d + u(1 - d), and p is the sign test's over clusters.

    Raises:
        ValueError: a and b differ in length, or differences outside -1..1; see also `cluster_sums`.
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.shape != second.shape:
        raise ValueError(f"unpaired values: {first.shape} and {second.shape}")
    difference = first - second
    sums, sizes = cluster_sums(difference, clusters)
    if np.abs(difference).max() > 1:
        raise ValueError("a paired bootstrap of shares needs differences in -1..1")
    mean = float(difference.mean())
    if np.ptp(sums / sizes) < 1e-12:
        unseen = wilson(0, len(sums))[1]
        p_value = 1.0 if mean == 0 else min(1.0, 2 * 0.5 ** len(sums))
        return mean, (mean - unseen * (mean + 1), mean + unseen * (1 - mean)), p_value
    means = bootstrap_means(sums, sizes, resamples, seed)
    low, high = np.quantile(means, (0.025, 0.975))
    smaller = min(int((means <= 0).sum()), int((means >= 0).sum()))
    return mean, (float(low), float(high)), min(1.0, 2 * (smaller + 1) / (resamples + 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted for many comparisons, in the order given: the chance of even one false finding stays at alpha.

    Holm (1979), "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 6(2), 65-70.
    """
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = running
    return adjusted


def smallest_difference(
    n: int,
    *,
    accuracy: float | None = None,
    discordant: float | None = None,
    power: float = 0.8,
    alpha: float = 0.05,
) -> float:
    """The smallest difference of two accuracies that ``n`` items would show with chance ``power`` at level ``alpha``.

    (z[1 - alpha/2] + z[power]) * sqrt(variance / n), at most 1: Miller (2024), "Adding error bars to evals",
    arXiv:2411.00640, section 5, with one sample per item. The variance of the difference per item is

    - two runs on the same items: ``discordant``, the share of items that only one of the two gets right (the mean
      squared difference, for other scores);
    - two runs on different items, n each: 2 p (1 - p), with p the ``accuracy``.

    Raises:
        ValueError: not exactly one of ``accuracy`` and ``discordant``, one outside 0..1, or ``n`` not positive.
    """
    if n <= 0 or (accuracy is None) == (discordant is None):
        raise ValueError("give a positive n, and either accuracy or discordant")
    if discordant is not None:
        variance = discordant
    else:
        assert accuracy is not None
        variance = 2 * accuracy * (1 - accuracy)
    if not 0 <= variance <= 1:
        raise ValueError("accuracy and discordant are shares in 0..1")
    normal = NormalDist()
    return min(1.0, (normal.inv_cdf(1 - alpha / 2) + normal.inv_cdf(power)) * sqrt(variance / n))
