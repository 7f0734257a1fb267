"""Reports in the terminal: every figure whole, however narrow the window."""

from collections.abc import Mapping, Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from evaluation.reports import figures
from evaluation.reports.definitions import in_order, title
from evaluation.reports.model import Metric, Report
from evaluation.statistics import Comparison, MetricComparison

LISTED = 10
_LABEL_WIDTH = 20
_MARGIN, _GUTTER = 2, 3  # columns that rich adds around a table, and between two of its columns


def render_report(report: Report, console: Console) -> None:
    """Print a run: its head, its metrics with the baselines, its groups, and what was left out or failed."""
    console.print(Text(f"{report.benchmark.name} · {report.run.model}", style="bold"))
    _print_pairs(figures.summary(report), console)
    _print_metrics(report, console)
    for group, values in figures.telling_groups(report).items():
        _print_group(group, values, console)
    _print_invalid(report, console)
    _print_failures(report, console)


def render_comparison(comparison: Comparison, console: Console) -> None:
    """Print two runs side by side, metric by metric."""
    _print_pairs([("A", comparison.a), ("B", comparison.b)], console)
    _print_heading("A and B, item by item", console)
    table = _table()
    table.add_column("Metric", overflow="fold")
    rows = [_comparison_cells(row) for row in comparison.metrics]
    heads = ["A %", "B %", "A − B points\n95 % interval", "p\nHolm", "n\nmissing", "Least\nvisible"]
    for index, head in enumerate(heads):
        _add_figures(table, head, [row[index] for row in rows])
    for metric, cells in zip(comparison.metrics, rows, strict=True):
        table.add_row(Text(title(metric.metric)), *cells)
    console.print(table)
    _print_note(figures.COMPARISON_NOTE, console)


def _comparison_cells(row: MetricComparison) -> list[str]:
    return [
        figures.points(row.a),
        figures.points(row.b),
        f"{figures.signed(row.difference)}\n{figures.signed_bounds(row.ci95)}",
        f"{figures.p_value(row.p)}\n{figures.p_value(row.p_holm)}",
        f"{figures.number(row.n)}\n{figures.number(row.missing)}",
        figures.points(row.smallest_difference),
    ]


def _print_metrics(report: Report, console: Console) -> None:
    rows: list[tuple[Text, str, str, str, str]] = []
    for name in in_order(set(report.metrics)):
        metric = report.metrics[name]
        rows.append(
            (
                Text(title(name)),
                figures.percent(metric.value),
                figures.marked_bounds(metric),
                figures.number(metric.n),
                figures.number(metric.missing),
            )
        )
        if name == "accuracy":
            rows += [
                (Text(f"  {label}", style="dim"), value, "", n, "") for label, value, n in figures.baseline_rows(report)
            ]
    _print_heading("Metrics", console)
    table = _table()
    table.add_column("Metric", overflow="fold")
    for index, head in enumerate(("Value", "95 % interval", "n", "Missing"), start=1):
        _add_figures(table, head, [str(row[index]) for row in rows])
    for row in rows:
        table.add_row(*row)
    console.print(table)
    if any(metric.method == "cluster-bootstrap" for metric in report.metrics.values()):
        _print_note(figures.BOOTSTRAP_NOTE, console)


def _print_group(group: str, values: Mapping[str, Mapping[str, Metric]], console: Console) -> None:
    """One row per value, as many metrics beside each other as the window holds, the others in tables below."""
    labels = [figures.value_label(group, value) for value in values]
    label_width = min(_LABEL_WIDTH, max(map(cell_len, [*labels, group])))
    columns = [
        (_group_head(name), [_group_cell(metrics.get(name)) for metrics in values.values()])
        for name in figures.group_metrics(values)
    ]
    if not columns:
        return
    widest = max(_width(text) for head, cells in columns for text in (head, *cells))
    room = max(1, (console.width - label_width - _MARGIN) // (widest + _GUTTER))
    tables = -(-len(columns) // room)
    per_table = -(-len(columns) // tables)
    _print_heading(f"By {group}: % (n), 95 % interval", console)
    for start in range(0, len(columns), per_table):
        table = _table()
        table.add_column(Text(group), overflow="fold", min_width=label_width, max_width=label_width)
        part = columns[start : start + per_table]
        for head, cells in part:
            _add_figures(table, head, cells)
        for index, label in enumerate(labels):
            table.add_row(Text(label), *(cells[index] for _, cells in part))
        console.print(table)


def _group_cell(metric: Metric | None) -> str:
    if metric is None or metric.value is None:
        return figures.NONE
    return f"{figures.points(metric.value)} ({figures.number(metric.n)})\n{figures.marked_bounds(metric, 1)}"


def _group_head(name: str) -> str:
    """A title with a line for every two words or so, so that the head is no wider than the figures."""
    lines = [""]
    for word in title(name).split():
        if lines[-1] and len(lines[-1]) + len(word) >= 14:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(lines)


def _print_invalid(report: Report, console: Console) -> None:
    if not report.benchmark.invalid:
        return
    rows = report.benchmark.invalid_rows
    console.print(Text(f"\n{figures.counted(report.benchmark.invalid, 'invalid row')} left out", style="bold"))
    for row in rows[:LISTED]:
        console.print(Text(f"  {row.file}, row {row.row}, field '{row.field}': {row.reason}"))
    _print_rest(report.benchmark.invalid - len(rows[:LISTED]), console)


def _print_failures(report: Report, console: Console) -> None:
    if not report.failures:
        return
    console.print(Text(f"\n{figures.counted(len(report.failures), 'generation')} failed for good", style="bold red"))
    for failure in report.failures[:LISTED]:
        console.print(Text(f"  item {failure.item} (row {failure.row}, sample {failure.sample}): {failure.error}"))
    _print_rest(len(report.failures) - LISTED, console)


def _print_rest(left: int, console: Console) -> None:
    if left > 0:
        _print_note(f"  and {left:,} more, in the JSON and HTML reports", console)


def _print_note(text: str, console: Console) -> None:
    console.print(Text(text, style="dim"))


def _print_pairs(pairs: Sequence[tuple[str, str]], console: Console) -> None:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(overflow="fold")
    for name, value in pairs:
        grid.add_row(Text(name), Text(value))
    console.print(grid)


def _print_heading(text: str, console: Console) -> None:
    console.print()
    console.print(Text(text, style="bold"))


def _table() -> Table:
    return Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1))


def _add_figures(table: Table, head: str, cells: Sequence[str]) -> None:
    """A column that is never narrower than its figures: rich would otherwise cut them to fit the window."""
    table.add_column(head, justify="right", no_wrap=True, min_width=max(map(_width, [head, *cells])))


def _width(text: str) -> int:
    return max(map(cell_len, text.split("\n")))
