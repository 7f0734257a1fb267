"""What the HTML report's charts show; its template draws them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.languages import find_language
from evaluation.reports import figures
from evaluation.reports.definitions import title
from evaluation.reports.model import Metric, Report
from evaluation.results.records import Record, Score

# Metrics of right and wrong, the most telling first: the first one that a report has is charted by group.
RIGHTNESS = ("accuracy", "judge_correct", "normalised_match", "exact_match")


@dataclass(frozen=True, slots=True)
class Dot:
    """A share with its interval, in per cent of the chart's width, and the same as text."""

    label: str
    value: float
    low: float
    high: float
    text: str
    interval: str
    n: str


@dataclass(frozen=True, slots=True)
class Guide:
    """A vertical line through a chart: what the figures are to be held against."""

    label: str
    at: float
    text: str


@dataclass(frozen=True, slots=True)
class DotChart:
    """Dots with whiskers over 0 to 100 %, one row per value of a group, best first."""

    heading: str
    dots: tuple[Dot, ...]
    guides: tuple[Guide, ...]


def dot(label: str, metric: Metric) -> Dot | None:
    """The dot of a metric; None where it has no value."""
    if metric.value is None:
        return None
    low, high = metric.ci95 or (metric.value, metric.value)
    return Dot(
        label=label,
        value=_place(metric.value),
        low=_place(low),
        high=_place(high),
        text=figures.percent(metric.value),
        interval=figures.marked_bounds(metric),
        n=figures.number(metric.n),
    )


def group_chart(report: Report, group: str, name: str) -> DotChart | None:
    """A metric by the values of a group; None with fewer than two values to hold against each other."""
    values = report.groups.get(group, {})
    known = [(value, metrics[name]) for value, metrics in values.items() if name in metrics]
    known.sort(key=lambda pair: -(pair[1].value or 0))
    dots = [found for value, metric in known if (found := dot(figures.value_label(group, value), metric))]
    if len(dots) < 2:
        return None
    return DotChart(f"{title(name)} by {group}", tuple(dots), guides(report, name))


def guides(report: Report, name: str) -> tuple[Guide, ...]:
    """The overall figure, and beside accuracy what no knowledge would score."""
    found = []
    overall = report.metrics.get(name)
    if overall is not None and overall.value is not None:
        found.append(Guide("all items", _place(overall.value), figures.percent(overall.value)))
    if name.startswith("accuracy") and report.baselines is not None:
        constant, chance = report.baselines.constant_accuracy, report.baselines.chance
        found.append(Guide(f"always {report.baselines.constant_answer}", _place(constant), figures.percent(constant)))
        found.append(Guide("chance", _place(chance), figures.percent(chance)))
    return tuple(found)


def _place(share: float) -> float:
    return round(100 * share, 3)


@dataclass(frozen=True, slots=True)
class Cell:
    """How many answers, and which share of their row."""

    count: int
    share: float
    target: bool  # on the diagonal: the language that was asked for


@dataclass(frozen=True, slots=True)
class Confusion:
    """Language asked for (rows) by language of the answer (columns), in counts."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, int, tuple[Cell, ...]], ...]  # label, total, one cell per column


_MIXED, _UNKNOWN, _UNDETERMINED, _NO_ANSWER = "mixed", "another", "undetermined", "no answer"
_LAST = (_UNKNOWN, _MIXED, _UNDETERMINED, _NO_ANSWER)


def confusion(records: Sequence[Record]) -> Confusion | None:
    """Count the answers by language asked for and language found; None without any language score."""
    counts: dict[str, Counter[str]] = {}
    for record in records:
        for generation in record.generations:
            if (score := generation.scores.get("language")) is not None:
                row = counts.setdefault(record.item.language, Counter())
                row[_answer_language(record.item.language, score)] += 1
    if not counts:
        return None
    seen = {column for row in counts.values() for column in row}
    asked = sorted(counts, key=_language_name)
    columns = [*asked, *sorted(seen - set(asked) - set(_LAST), key=_language_name)]
    columns += [column for column in _LAST if column in seen]
    rows = []
    for target in asked:
        total = counts[target].total()
        cells = tuple(Cell(counts[target][key], counts[target][key] / total, key == target) for key in columns)
        rows.append((_language_name(target), total, cells))
    return Confusion(tuple(map(_language_name, columns)), tuple(rows))


def _answer_language(target: str, score: Score) -> str:
    """The target for a consistent answer; for an inconsistent one the language of most of its foreign characters."""
    if score.label == "consistent":
        return target
    if score.label == "mixed":
        return _MIXED
    if score.label == "undetermined":
        return _UNDETERMINED
    if score.label != "inconsistent":
        return _NO_ANSWER
    lengths: Counter[str] = Counter()
    for text, _start, _end, language in (score.detail or {}).get("foreign", []):
        lengths[language or _UNKNOWN] += len(text)
    found = lengths.most_common(1)[0][0] if lengths else _UNKNOWN
    # An answer in the target's own language is not inconsistent: such a guess only says that the detector is unsure.
    return _UNKNOWN if found == target else found


def _language_name(code: str) -> str:
    language = find_language(code)
    return language.english if language else code


def best_metric(metrics: Mapping[str, Metric]) -> str | None:
    """The metric of right and wrong to chart; None where nothing was right or wrong."""
    return next((name for name in RIGHTNESS if name in metrics and metrics[name].value is not None), None)
