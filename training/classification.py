"""How good the probabilities of a classifier with two labels are: right or wrong, ranking, calibration."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from training.checkpoints import Metric

Floats = NDArray[np.float64]

# Of probabilities and labels (..., rows), over the last axis; NaN where it is not defined.
Statistic = Callable[..., Any]

BINS: Final = 10
_RESAMPLES: Final = 1_000
_SEED: Final = 0
_MOST_DRAWN: Final = 2_000_000  # values that are resampled at a time


@dataclass(frozen=True, slots=True)
class Bin:
    """The rows whose probability is at least ``low`` and below ``high`` (the last bin holds 1 as well).

    Attributes:
        rows: their number.
        mean_probability: what the classifier says; None without rows.
        share_true: what is so; None without rows.
    """

    low: float
    high: float
    rows: int
    mean_probability: float | None
    share_true: float | None


def measure(probabilities: Floats, labels: NDArray[np.bool_], threshold: float) -> dict[str, Metric]:
    """The figures of P(True) (rows,) beside the true labels (rows,).

    ``accuracy`` and ``f1`` (of the label True) take True where P(True) is above 0.5, ``accuracy_at_threshold`` where it
    is above ``threshold``. A figure that is not defined without rows of a label is None. Intervals: Wilson (1927) for
    accuracies, else the percentile bootstrap over rows (Efron & Tibshirani 1993, ch. 13), 1,000 resamples of a fixed
    seed.
    """
    truth = labels.astype(np.float64)
    return {
        "accuracy": _share((probabilities > 0.5) == labels),
        "accuracy_at_threshold": _share((probabilities > threshold) == labels),
        "f1": _bootstrapped(f1, probabilities, truth),
        "auroc": _bootstrapped(auroc, probabilities, truth),
        "ece": _bootstrapped(calibration_error, probabilities, truth),
        "brier": _bootstrapped(brier, probabilities, truth),
    }


def f1(probabilities: Floats, labels: Floats, axis: int = -1) -> Any:
    """F1 of the label True above 0.5: 2 TP / (2 TP + FP + FN); NaN where no label is True."""
    said = probabilities > 0.5
    truths = labels.sum(axis)
    score = 2 * (said * labels).sum(axis) / np.maximum(said.sum(axis) + truths, 1)
    return np.where(truths > 0, score, np.nan)


def auroc(probabilities: Floats, labels: Floats, axis: int = -1) -> Any:
    """Probability that a true row is ranked above a false one, ties counted half; NaN without rows of both labels.

    By the ranks' sum: Hanley & McNeil (1982), Radiology 143(1), 29-36, after Mann & Whitney (1947).
    """
    ranks = stats.rankdata(probabilities, axis=axis)
    truths = labels.sum(axis)
    pairs = truths * (labels.shape[axis] - truths)
    above = (ranks * labels).sum(axis) - truths * (truths + 1) / 2
    return np.where(pairs > 0, above / np.maximum(pairs, 1), np.nan)


def calibration_error(probabilities: Floats, labels: Floats, axis: int = -1) -> Any:
    """Expected calibration error over 10 bins of equal width: |mean P(True) - share of True|, weighed by rows.

    For two labels: Naeini, Cooper & Hauskrecht (2015), AAAI 29, 2901-2907. Guo et al. (2017, arXiv:1706.04599) bin the
    predicted label's probability instead; P(True) is what the reward is taken from.
    """
    bins = _bins(probabilities)
    gaps = [np.abs(np.where(bins == number, probabilities - labels, 0).sum(axis)) for number in range(BINS)]
    return np.sum(gaps, axis=0) / labels.shape[axis]


def brier(probabilities: Floats, labels: Floats, axis: int = -1) -> Any:
    """Mean squared difference of P(True) and the label: Brier (1950), Monthly Weather Review 78(1), 1-3."""
    return np.square(probabilities - labels).mean(axis)


def reliability(probabilities: Floats, labels: NDArray[np.bool_]) -> list[Bin]:
    """P(True) (rows,) and the share of true labels (rows,) in each of the 10 bins."""
    bins = _bins(probabilities)
    table = []
    for number in range(BINS):
        inside = bins == number
        rows = int(inside.sum())
        means = (float(probabilities[inside].mean()), float(labels[inside].mean())) if rows else (None, None)
        table.append(Bin(number / BINS, (number + 1) / BINS, rows, *means))
    return table


def _bins(probabilities: Floats) -> NDArray[np.int64]:
    return np.minimum((probabilities * BINS).astype(np.int64), BINS - 1)


def _share(right: NDArray[np.bool_]) -> Metric:
    n = len(right)
    interval = stats.binomtest(int(right.sum()), n).proportion_ci(0.95, method="wilson")
    return Metric(value=float(right.mean()), n=n, ci95=(float(interval.low), float(interval.high)))


def _bootstrapped(statistic: Statistic, probabilities: Floats, labels: Floats) -> Metric:
    n = len(labels)
    value = float(statistic(probabilities, labels))
    if np.isnan(value):
        return Metric(value=None, n=n)
    if n < 2:
        return Metric(value=value, n=n)
    with warnings.catch_warnings():
        # A resample that has lost a label has no figure: scipy's own interval would have none, ours leaves it out.
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        found = stats.bootstrap(
            (probabilities, labels),
            statistic,
            paired=True,
            vectorized=True,
            n_resamples=_RESAMPLES,
            batch=max(1, _MOST_DRAWN // n),
            method="percentile",
            rng=_SEED,
        )
    low, high = np.nanquantile(found.bootstrap_distribution, (0.025, 0.975))
    return Metric(value=value, n=n, ci95=(float(low), float(high)))
