"""Two runs held against each other: item by item on one benchmark, or number by number on parallel ones."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.errors import InputError
from app.languages import get_language
from app.tables import RunRow
from evaluation.metrics import METRICS, item_values
from evaluation.results.records import Record, load_records
from evaluation.statistics import Comparison, compare, gap


@dataclass(frozen=True, slots=True)
class Pairing:
    """Two runs, their comparison, and how many items were in both or in one alone."""

    kind: str  # compare or gap
    a: RunRow
    b: RunRow
    comparison: Comparison
    shared: int
    only_a: int
    only_b: int

    def describe(self) -> str:
        """What was paired, in one sentence."""
        how = "by item" if self.kind == "compare" else "by question number"
        paired = (
            f"{self.shared:,} items paired {how}; {self.only_a:,} only in {self.comparison.a}, "
            f"{self.only_b:,} only in {self.comparison.b}"
        )
        formats = self.a.model.format, self.b.model.format
        if formats[0] == formats[1]:
            return paired
        return f"{paired}. A was asked and read in the format {formats[0]}, B in {formats[1]}: that alone can differ"

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        metrics = {
            row.metric: {k: v for k, v in asdict(row).items() if k != "metric"} for row in self.comparison.metrics
        }
        return {
            self.kind: {
                "a": {"id": self.a.id, "model": self.a.model.name, "benchmark": self.a.benchmark.name},
                "b": {"id": self.b.id, "model": self.b.model.name, "benchmark": self.b.benchmark.name},
                "shared": self.shared,
                "only_a": self.only_a,
                "only_b": self.only_b,
            },
            "metrics": metrics,
        }


def compare_runs(session: Session, a: RunRow, b: RunRow, metrics: Sequence[str] = ()) -> Pairing:
    """Compare two runs on the items that both have, by ``metrics`` or by all that both have.

    Raises:
        InputError: the runs are of different benchmarks, share no item, or one lacks a metric.
    """
    if a.benchmark.sha256 != b.benchmark.sha256:
        raise InputError(
            f"the runs are on different benchmarks: {_describe_benchmark(a)} and {_describe_benchmark(b)}",
            remedy="compare runs on the same questions; for parallel questions in two languages use gap",
        )
    first, second = load_records(session, a), load_records(session, b)
    names = _choose_metrics(a, first, b, second, metrics)
    ids_a, ids_b = {record.item.id for record in first}, {record.item.id for record in second}
    if not ids_a & ids_b:
        raise InputError("the runs have no item in common", remedy="run both on the same part of the benchmark")
    # Only what both runs were asked: items of one alone are counted below, not as missing values.
    shared_a = [record for record in first if record.item.id in ids_b]
    shared_b = [record for record in second if record.item.id in ids_a]
    comparison = compare(
        {name: item_values(shared_a, name) for name in names},
        {name: item_values(shared_b, name) for name in names},
        {record.item.id: record.item.cluster for record in shared_a},
        names=(_describe(a), _describe(b)),
    )
    return Pairing("compare", a, b, comparison, len(shared_a), len(ids_a - ids_b), len(ids_b - ids_a))


def gap_runs(session: Session, english: RunRow, other: RunRow, metrics: Sequence[str] = ()) -> Pairing:
    """The gap English - other language over parallel benchmarks, items paired by their number or id in the file.

    A number that stands twice in one of the runs pairs nothing: which one is meant cannot be told.

    Raises:
        InputError: the first run is not in English or the second is, no item could be paired, or one lacks a metric.
    """
    first, second = load_records(session, english), load_records(session, other)
    _check_languages(english, first, other, second)
    names = _choose_metrics(english, first, other, second, metrics)
    numbers_a, numbers_b = _by_number(first), _by_number(second)
    pairs = {numbers_a[number]: numbers_b[number] for number in numbers_a if number in numbers_b}
    if not pairs:
        raise InputError(
            "no item could be paired: the runs share no question number",
            remedy="give both benchmark files the same question numbers or ids",
        )
    partners = set(pairs.values())
    paired_a = [record for record in first if record.item.id in pairs]
    paired_b = [record for record in second if record.item.id in partners]
    comparison = gap(
        {name: item_values(paired_a, name) for name in names},
        {name: item_values(paired_b, name) for name in names},
        pairs,
        {record.item.id: record.item.cluster for record in paired_a},
        names=(_describe(english), _describe(other)),
    )
    return Pairing("gap", english, other, comparison, len(pairs), len(first) - len(pairs), len(second) - len(pairs))


def _describe(run: RunRow) -> str:
    return f"{run.model.name}, {run.benchmark.name} ({run.id})"


def _describe_benchmark(run: RunRow) -> str:
    return f"{run.benchmark.name} ({run.benchmark.n} items, sha256 {run.benchmark.sha256[:12]})"


def _choose_metrics(
    a: RunRow, first: Sequence[Record], b: RunRow, second: Sequence[Record], wanted: Sequence[str]
) -> list[str]:
    scored = {a.id: _scorers(first), b.id: _scorers(second)}
    for name in wanted:
        if name not in METRICS:
            raise InputError(f"unknown metric {name!r}", remedy=f"use one of {', '.join(METRICS)}")
        for run_id, scorers in scored.items():
            if METRICS[name].scorer not in scorers:
                raise InputError(f"run {run_id} has no {name}", remedy=f"it has {_names(scorers)}; rescore it for more")
    both = scored[a.id] & scored[b.id]
    chosen = list(dict.fromkeys(wanted)) or [name for name, metric in METRICS.items() if metric.scorer in both]
    if not chosen:
        raise InputError(
            f"the runs have no metric in common: {a.id} has {_names(scored[a.id])}, {b.id} has {_names(scored[b.id])}",
            remedy="score both with himed-results rescore",
        )
    return chosen


def _scorers(records: Sequence[Record]) -> set[str]:
    return {scorer for record in records for generation in record.generations for scorer in generation.scores}


def _names(scorers: Collection[str]) -> str:
    return ", ".join(name for name, metric in METRICS.items() if metric.scorer in scorers) or "none"


def _check_languages(english: RunRow, first: Sequence[Record], other: RunRow, second: Sequence[Record]) -> None:
    for run, records, wrong in [
        (english, first, sorted({r.item.language for r in first} - {"en"})),
        (other, second, sorted({r.item.language for r in second} & {"en"})),
    ]:
        if wrong:
            named = ", ".join(get_language(code).english for code in wrong)
            raise InputError(
                f"run {run.id} ({len(records)} items) has questions in {named}",
                remedy="name the English run first; a file's language is set with himed-eval --language",
            )


def _by_number(records: Sequence[Record]) -> dict[str, str]:
    numbers = Counter(record.item.number for record in records)
    return {
        record.item.number: record.item.id
        for record in records
        if record.item.number is not None and numbers[record.item.number] == 1
    }
