"""Two runs on the same items, or on parallel items in two languages, metric by metric."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from evaluation.statistics.intervals import wilson
from evaluation.statistics.significance import holm, mcnemar_exact, paired_bootstrap, smallest_difference

Test = Literal["mcnemar-exact", "paired-bootstrap"]

# One metric of one run: item id -> value, None where it is unknown.
Values = Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class MetricComparison:
    """One metric over the ``n`` items for which both runs know it.

    ``a`` and ``b`` are the means over these items, so they may differ from the runs' own reports; ``missing`` counts
    the items of either run that could not be paired. ``difference`` is a - b with its paired 95 % interval. ``p`` is
    McNemar's exact p-value where all values are 0 or 1 (then ``only_a`` and ``only_b`` count the items that one run
    alone got right), else the paired bootstrap's; ``p_holm`` is adjusted over the metrics compared. All None where no
    item could be paired.
    """

    metric: str
    n: int
    missing: int
    a: float | None = None
    b: float | None = None
    difference: float | None = None
    ci95: tuple[float, float] | None = None
    test: Test | None = None
    only_a: int | None = None
    only_b: int | None = None
    p: float | None = None
    p_holm: float | None = None
    smallest_difference: float | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs by name, and the metrics that both have, in the first run's order."""

    a: str
    b: str
    metrics: tuple[MetricComparison, ...]


def compare(
    a: Mapping[str, Values],
    b: Mapping[str, Values],
    clusters: Mapping[str, str],
    *,
    names: tuple[str, str] = ("A", "B"),
) -> Comparison:
    """Compare two runs on the same items.

    ``a`` and ``b`` map metric -> item id -> value (0..1 or None); ``clusters`` maps item id -> cluster, and an item
    that it does not name stands alone. Intervals and bootstrap p-values resample whole clusters, and the smallest
    difference counts clusters. McNemar's test takes items for independent: where many items are copies of each other,
    trust the interval more than its p-value.
    """
    rows = [_compare_metric(metric, a[metric], b[metric], clusters) for metric in a if metric in b]
    tested = [row.p for row in rows if row.p is not None]
    adjusted = iter(holm(tested))
    return Comparison(
        a=names[0],
        b=names[1],
        metrics=tuple(row if row.p is None else replace(row, p_holm=next(adjusted)) for row in rows),
    )


def gap(
    english: Mapping[str, Values],
    hindi: Mapping[str, Values],
    pairs: Mapping[str, str],
    clusters: Mapping[str, str],
    *,
    names: tuple[str, str] = ("English", "Hindi"),
) -> Comparison:
    """The gap English - Hindi over parallel items, with a paired interval.

    ``pairs`` maps an English item's id to the id of the Hindi item with the same number or id in its file, one to
    one; ``clusters`` maps English item id -> cluster. Items outside ``pairs`` count as missing. See `compare`.

    Raises:
        ValueError: two English items are paired with one Hindi item.
    """
    back = {hindi_id: english_id for english_id, hindi_id in pairs.items()}
    if len(back) != len(pairs):
        raise ValueError("two items are paired with the same item")
    # A Hindi item without a partner keeps an id that no English item can have.
    renamed = {
        metric: {back.get(item, f"unpaired:{item}"): value for item, value in values.items()}
        for metric, values in hindi.items()
    }
    paired_only = {
        metric: {item if item in pairs else f"unpaired-english:{item}": value for item, value in values.items()}
        for metric, values in english.items()
    }
    return compare(paired_only, renamed, clusters, names=names)


def _compare_metric(metric: str, a: Values, b: Values, clusters: Mapping[str, str]) -> MetricComparison:
    known_a = {item: value for item, value in a.items() if value is not None}
    known_b = {item: value for item, value in b.items() if value is not None}
    items = [item for item in known_a if item in known_b]
    missing = len(a.keys() | b.keys()) - len(items)
    if not items:
        return MetricComparison(metric, n=0, missing=missing)
    first = np.array([known_a[item] for item in items])
    second = np.array([known_b[item] for item in items])
    keys = [clusters.get(item, item) for item in items]
    difference, ci95, p_value = paired_bootstrap(first, second, keys)
    test: Test = "paired-bootstrap"
    only_a = only_b = None
    if np.isin(first, (0, 1)).all() and np.isin(second, (0, 1)).all():
        test = "mcnemar-exact"
        only_a, only_b = int((first > second).sum()), int((second > first).sum())
        p_value = mcnemar_exact(only_a, only_b)
    independent = len(set(keys))
    # Without a single discordant item their share is unknown, not 0: its upper limit stands in.
    discordant = float(np.mean((first - second) ** 2)) or wilson(0, independent)[1]
    return MetricComparison(
        metric=metric,
        n=len(items),
        missing=missing,
        a=float(first.mean()),
        b=float(second.mean()),
        difference=difference,
        ci95=ci95,
        test=test,
        only_a=only_a,
        only_b=only_b,
        p=p_value,
        smallest_difference=smallest_difference(independent, discordant=discordant),
    )
