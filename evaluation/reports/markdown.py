"""Reports as Markdown: GitHub tables."""

from collections.abc import Iterable, Mapping, Sequence

from evaluation.reports import figures
from evaluation.reports.definitions import DEFINITIONS, in_order, title
from evaluation.reports.model import Metric, Report
from evaluation.statistics import Comparison

LISTED = 10


def to_markdown(report: Report) -> str:
    """A run's report: head, metrics with baselines, groups, what was left out or failed, settings and definitions."""
    parts = [
        f"# {_escape(report.benchmark.name)} · {_escape(report.run.model)}",
        "\n".join(f"- {name}: {_escape(value)}" for name, value in figures.summary(report)),
        "## Metrics",
        _metrics_table(report),
        figures.BOOTSTRAP_NOTE,
    ]
    for group, values in figures.telling_groups(report).items():
        parts += [f"## By {_escape(group)}", _group_table(group, values)]
    parts += _invalid(report) + _failures(report)
    settings = [*figures.flat(report.run.settings), *(("package " + k, v) for k, v in report.run.packages.items())]
    if settings:
        parts += ["## Settings", _table(["Setting", "Value"], settings)]
    named = [name for name in in_order(set(report.metrics)) if name in DEFINITIONS]
    if named:
        parts += [
            "## Definitions",
            "\n".join(f"- **{title(name)}** (`{name}`): {DEFINITIONS[name][1]}" for name in named),
        ]
    return "\n\n".join(parts) + "\n"


def comparison_to_markdown(comparison: Comparison) -> str:
    """Two runs side by side, metric by metric."""
    rows = [
        (
            title(row.metric),
            figures.percent(row.a),
            figures.percent(row.b),
            figures.signed(row.difference),
            figures.signed_bounds(row.ci95),
            figures.p_value(row.p),
            figures.p_value(row.p_holm),
            figures.number(row.n),
            figures.number(row.missing),
            figures.points(row.smallest_difference),
        )
        for row in comparison.metrics
    ]
    heads = ["Metric", "A", "B", "A − B (points)", "95 % interval", "p", "p (Holm)", "n", "Missing", "Least visible"]
    parts = [
        f"- A: {_escape(comparison.a)}\n- B: {_escape(comparison.b)}",
        _table(heads, rows),
        figures.COMPARISON_NOTE,
    ]
    return "\n\n".join(parts) + "\n"


def _metrics_table(report: Report) -> str:
    rows: list[tuple[str, ...]] = []
    for name in in_order(set(report.metrics)):
        metric = report.metrics[name]
        rows.append(
            (
                title(name),
                figures.percent(metric.value),
                figures.marked_bounds(metric),
                figures.number(metric.n),
                figures.number(metric.missing),
            )
        )
        if name == "accuracy":
            rows += [(label, value, "", n, "") for label, value, n in figures.baseline_rows(report)]
    return _table(["Metric", "Value", "95 % interval", "n", "Missing"], rows)


def _group_table(group: str, values: Mapping[str, Mapping[str, Metric]]) -> str:
    names = figures.group_metrics(values)
    rows = [
        (figures.value_label(group, value), *(_group_cell(metrics.get(name)) for name in names))
        for value, metrics in values.items()
    ]
    return _table([group, *map(title, names)], rows)


def _group_cell(metric: Metric | None) -> str:
    if metric is None or metric.value is None:
        return figures.NONE
    return f"{figures.percent(metric.value)} ({figures.marked_bounds(metric, 1)}), n {figures.number(metric.n)}"


def _invalid(report: Report) -> list[str]:
    benchmark = report.benchmark
    if not benchmark.invalid:
        return []
    shown = benchmark.invalid_rows[:LISTED]
    rows = [(row.file, str(row.row), row.field, row.reason) for row in shown]
    parts = [f"## Invalid rows ({benchmark.invalid:,})", _table(["File", "Row", "Field", "Reason"], rows)]
    return parts + _rest(benchmark.invalid - len(shown))


def _failures(report: Report) -> list[str]:
    if not report.failures:
        return []
    rows = [(f.item, str(f.row), str(f.sample), f.error) for f in report.failures[:LISTED]]
    parts = [f"## Failed generations ({len(report.failures):,})", _table(["Item", "Row", "Sample", "Error"], rows)]
    return parts + _rest(len(report.failures) - len(rows))


def _rest(left: int) -> list[str]:
    return [f"and {left:,} more, in the JSON and HTML reports"] if left > 0 else []


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose first column is text and whose others are figures or text as they come."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(_escape(cell) for cell in line) + " |" for line in lines)


def _escape(text: str) -> str:
    """Text that stays in its cell and is shown as it is: no new lines, no markup of its own."""
    folded = " ".join(text.split())
    for character in "\\`*_[]<>|#":
        folded = folded.replace(character, f"\\{character}")
    return folded
