"""Figures as text, the same in every report."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from app.languages import find_language
from evaluation.reports.definitions import in_order
from evaluation.reports.model import Metric, Report

NONE = "—"
BOOTSTRAP_MARK = "†"
BOOTSTRAP_NOTE = f"95 % intervals by Wilson; {BOOTSTRAP_MARK} by bootstrap over clusters of repeated questions."
COMPARISON_NOTE = (
    "p: McNemar's exact test where all values are right or wrong, else a paired bootstrap; Holm: adjusted over the"
    " metrics above. Least visible: the smallest difference, in points, that so many items would show with 80 % power"
    " at the 5 % level."
)


def percent(value: float | None, digits: int = 2) -> str:
    """A share as ``23.77 %``; a dash where it is unknown."""
    return NONE if value is None else f"{100 * value:.{digits}f} %"


def points(value: float | None, digits: int = 2) -> str:
    """A share in per cent without the sign: ``23.77``."""
    return NONE if value is None else f"{100 * value:.{digits}f}"


def signed(value: float | None, digits: int = 2) -> str:
    """A difference in percentage points: ``+1.20``, ``−0.30``."""
    return NONE if value is None else f"{100 * value:+.{digits}f}".replace("-", "−")


def bounds(ci95: tuple[float, float] | None, digits: int = 2) -> str:
    """An interval of shares in per cent: ``21.86–25.80``."""
    return NONE if ci95 is None else f"{100 * ci95[0]:.{digits}f}–{100 * ci95[1]:.{digits}f}"


def signed_bounds(ci95: tuple[float, float] | None, digits: int = 2) -> str:
    """An interval of differences in percentage points: ``−0.30 to +1.20``."""
    return NONE if ci95 is None else f"{signed(ci95[0], digits)} to {signed(ci95[1], digits)}"


def marked_bounds(metric: Metric, digits: int = 2) -> str:
    """A metric's interval, marked where it is not Wilson's."""
    mark = BOOTSTRAP_MARK if metric.method == "cluster-bootstrap" else ""
    return bounds(metric.ci95, digits) + mark


def p_value(p: float | None) -> str:
    """A p-value with four decimals, or ``<0.0001``."""
    return NONE if p is None else "<0.0001" if p < 0.0001 else f"{p:.4f}"


def number(n: int | None) -> str:
    """A count with a comma between thousands."""
    return NONE if n is None else f"{n:,}"


def counted(n: int, one: str, many: str | None = None) -> str:
    """A count and its noun: ``1 row``, ``12 rows``."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def moment(when: datetime | None) -> str:
    """A time in UTC, to the minute."""
    return NONE if when is None else f"{when.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def value_label(group: str, value: str) -> str:
    """A group's value for people: the name of a language instead of its code."""
    language = find_language(value) if group == "language" else None
    return language.english if language else value


def flat(settings: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested settings as (dotted name, value) pairs; lists and other values as JSON, strings as they are."""
    rows: list[tuple[str, str]] = []
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            rows += flat(value, f"{prefix}{key}.")
        else:
            text = value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
            rows.append((f"{prefix}{key}", text))
    return rows


def group_metrics(values: Mapping[str, Mapping[str, Metric]]) -> list[str]:
    """The metrics of a group that any of its values has a figure for, in report order."""
    known = {name for metrics in values.values() for name, metric in metrics.items() if metric.value is not None}
    return in_order(known)


def telling_groups(report: Report) -> dict[str, dict[str, dict[str, Metric]]]:
    """The groups worth a table: a group with one value that holds every item would repeat the overall figures."""
    return {
        group: values
        for group, values in report.groups.items()
        if len(values) > 1 or any(metrics != report.metrics for metrics in values.values())
    }


def baseline_rows(report: Report) -> list[tuple[str, str, str]]:
    """What no knowledge would score, as (label, accuracy, n); none for a benchmark without multiple choice."""
    if report.baselines is None:
        return []
    baselines = report.baselines
    return [
        (
            f"best constant answer ({baselines.constant_answer})",
            percent(baselines.constant_accuracy),
            number(baselines.n),
        ),
        ("chance", percent(baselines.chance), number(baselines.n)),
    ]


def summary(report: Report) -> list[tuple[str, str]]:
    """The head of a report as (name, value) pairs."""
    run, benchmark = report.run, report.benchmark
    samples = f", {counted(run.samples, 'sample')} per item" if run.samples > 1 else ""
    failed = f"{number(run.failed)} of {counted(run.n * run.samples, 'generation')} failed or missing"
    return [
        ("Run", f"{run.id} ({run.status})"),
        ("Model", f"{run.model} (format {run.format}, from {run.source}{samples})"),
        *([("Judge", run.judge)] if run.judge else []),
        ("Benchmark", f"{benchmark.name} {benchmark.version}, {counted(benchmark.n, 'item')}".replace("  ", " ")),
        ("SHA-256", benchmark.sha256),
        ("Items", f"{number(run.n)} in this run, {failed}"),
        ("Invalid rows", f"{number(benchmark.invalid)} left out of every figure"),
        ("Duplicates", f"{counted(benchmark.duplicates, 'item')} that repeat an earlier one exactly"),
        ("Started", moment(run.started)),
        ("Finished", moment(run.finished)),
        ("Code", run.code_version),
    ]
