"""Benchmarks: items, loaders and the ones that himed knows by name."""

from evaluation.benchmarks.item import Benchmark, Item
from evaluation.benchmarks.registry import KNOWN, load_benchmark
from evaluation.benchmarks.selection import ExamplePool, select
from evaluation.benchmarks.shuffle import shuffle_options

__all__ = [
    "KNOWN",
    "Benchmark",
    "ExamplePool",
    "Item",
    "load_benchmark",
    "select",
    "shuffle_options",
]
