"""95 % intervals of a mean over items: Wilson, and a bootstrap over clusters of repeated questions."""

from collections.abc import Hashable, Sequence
from math import sqrt
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Method = Literal["wilson", "cluster-bootstrap"]
Floats = NDArray[np.float64]

# From the standard library: importing scipy.stats takes 2 s, and every report needs this one number.
Z95 = NormalDist().inv_cdf(0.975)

# More distinct clusters than this are cheaper to draw one by one than as counts.
_MOST_KINDS = 64
_CHUNK = 500


def wilson(successes: int, n: int) -> tuple[float, float]:
    """95 % interval of a share of ``n`` independent items.

    Wilson (1927), "Probable inference, the law of succession, and statistical inference", JASA 22(158), 209-212,
    without continuity correction.

    Raises:
        ValueError: ``n`` is not positive, or ``successes`` lies outside 0..n.
    """
    if n <= 0 or not 0 <= successes <= n:
        raise ValueError(f"no share: {successes} of {n}")
    return _wilson(successes / n, n)


def _wilson(share: float, n: int) -> tuple[float, float]:
    z2 = Z95 * Z95
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 / (1 + z2 / n) * sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    # Exactly 0 and 1 at the ends, where rounding would leave 1e-17.
    return (0.0 if share == 0 else max(0.0, centre - half)), (1.0 if share == 1 else min(1.0, centre + half))


def cluster_sums(values: ArrayLike, clusters: Sequence[Hashable]) -> tuple[Floats, Floats]:
    """The sum of ``values`` (n,) in each cluster and the clusters' sizes, both (number of clusters,).

    Raises:
        ValueError: no values, a value that is not finite, or another number of clusters than of values.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not array.size or array.size != len(clusters):
        raise ValueError(f"values of shape {array.shape} with {len(clusters)} clusters")
    if not np.isfinite(array).all():
        raise ValueError("a missing value is left out beforehand, never passed on as NaN")
    numbers: dict[Hashable, int] = {}
    index = np.fromiter((numbers.setdefault(key, len(numbers)) for key in clusters), dtype=np.intp, count=array.size)
    sums = np.bincount(index, weights=array).astype(np.float64)
    sizes = np.bincount(index).astype(np.float64)
    return sums, sizes


def bootstrap_means(sums: Floats, sizes: Floats, resamples: int, seed: int) -> Floats:
    """Means (resamples,) of samples of whole clusters, drawn with replacement, as many as there are.

    Clusters with the same sum and size are interchangeable, so it is enough to draw how often each kind of cluster
    comes up (multinomial). Right-or-wrong items make a handful of kinds: milliseconds instead of tenths of a second.
    """
    generator = np.random.default_rng(seed)
    k = len(sums)
    kinds, counts = np.unique(np.stack([sums, sizes], axis=1), axis=0, return_counts=True)
    if len(kinds) <= _MOST_KINDS:
        drawn = generator.multinomial(k, counts / k, size=resamples)
        totals: Floats = drawn @ kinds
        return totals[:, 0] / totals[:, 1]
    alike = bool((sizes == sizes[0]).all())
    means = np.empty(resamples)
    for start in range(0, resamples, _CHUNK):
        rows = min(_CHUNK, resamples - start)
        chosen = generator.integers(0, k, size=(rows, k), dtype=np.uint32)
        weight = k * sizes[0] if alike else sizes.take(chosen).sum(axis=1)
        means[start : start + rows] = sums.take(chosen).sum(axis=1) / weight
    return means


def cluster_bootstrap(
    values: ArrayLike, clusters: Sequence[Hashable], *, resamples: int = 10_000, seed: int = 0
) -> tuple[float, float]:
    """95 % percentile interval of the mean of ``values`` (n,), resampling whole clusters.

    ``clusters`` (n,) names the cluster of each value: copies of one question share theirs, because their answers are
    not independent. The same input and seed give the same interval. Efron & Tibshirani (1993), "An Introduction to
    the Bootstrap", ch. 13; whole clusters: Davison & Hinkley (1997), "Bootstrap Methods and their Application", 3.8.

    Raises:
        ValueError: see `cluster_sums`.
    """
    means = bootstrap_means(*cluster_sums(values, clusters), resamples, seed)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def interval(values: ArrayLike, clusters: Sequence[Hashable]) -> tuple[tuple[float, float], Method]:
    """95 % interval of the mean of ``values`` (n,), each in 0..1, and how it was found.

    Wilson when every value is 0 or 1 and no cluster has two items; otherwise the cluster bootstrap. Where all
    clusters have one and the same mean, resampling cannot vary and would claim certainty: Wilson over the number of
    clusters takes its place.

    Raises:
        ValueError: a value outside 0..1; see also `cluster_sums`.
    """
    sums, sizes = cluster_sums(values, clusters)
    array = np.asarray(values, dtype=np.float64)
    if array.min() < 0 or array.max() > 1:
        raise ValueError("an interval of shares needs values in 0..1")
    mean = float(array.mean())
    binary = bool(((array == 0) | (array == 1)).all())
    cluster_means = sums / sizes
    if (binary and len(sums) == array.size) or np.ptp(cluster_means) < 1e-12:
        return _wilson(min(mean, 1.0), len(sums)), "wilson"
    return cluster_bootstrap(array, clusters), "cluster-bootstrap"
