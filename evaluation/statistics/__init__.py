"""Benchmark statistics: intervals, tests for two runs on the same items, votes over samples."""

from evaluation.statistics.comparison import Comparison, MetricComparison, compare, gap
from evaluation.statistics.intervals import cluster_bootstrap, interval, wilson
from evaluation.statistics.samples import majority_vote, pass_at_k
from evaluation.statistics.significance import holm, mcnemar_exact, paired_bootstrap, smallest_difference

__all__ = [
    "Comparison",
    "MetricComparison",
    "cluster_bootstrap",
    "compare",
    "gap",
    "holm",
    "interval",
    "majority_vote",
    "mcnemar_exact",
    "paired_bootstrap",
    "pass_at_k",
    "smallest_difference",
    "wilson",
]
