"""The check of training data as a command: a table in the terminal and, if asked, JSON in a file."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

import orjson
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.files import check_writable, write_whole
from app.rows import InvalidRow
from training.data.instances import Stage
from training.data.load import check_data
from training.data.model import DataReport, Overlap
from training.data.tokens import TokenCounter

LISTED = 10
ROWS_NAMED = 5
_QUOTED = re.compile(r"(the gold answer |options? |unknown language )(?:'.*'|[A-Z]\b(?:(?:, | and )[A-Z]\b)*)")


def check_data_command(
    files: list[Path],
    *,
    benchmarks: Sequence[Path] = (),
    allow_overlap: bool = False,
    tokenizer: Path | None = None,
    max_length: int | None = None,
    stage: Stage | None = None,
    language: str | None = None,
    json: Path | None = None,
    console: Console | None = None,
) -> int:
    """Print what training would keep of the files and why not the rest; write all of it to ``json`` if named.

    Returns:
        0, or 1 where a question stands in a benchmark and ``allow_overlap`` is not set, or where a file that is no
        benchmark could not be used as a whole.

    Raises:
        InputError: a path, a benchmark or the tokenizer cannot be read, or the JSON file cannot be written.
    """
    if json is not None:
        check_writable(json)
    report = check_data(
        files,
        benchmarks=benchmarks,
        allow_overlap=allow_overlap,
        count_tokens=TokenCounter.from_folder(tokenizer) if tokenizer is not None else None,
        max_length=max_length,
        stage=stage,
        language=language,
    )
    render_report(report, console or Console())
    if json is not None:
        write_whole(json, report_json(report))
    return 1 if report.unreadable or (report.overlap and not allow_overlap) else 0


def report_json(report: DataReport) -> bytes:
    """The whole report with every row that it names, indented."""
    return orjson.dumps(asdict(report), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def render_report(report: DataReport, console: Console) -> None:
    """Print the files, what was left out and why, the groups and the lengths."""
    _print_files(report, console)
    _print_lines("Benchmarks, held out of training", [_short(file) for file in report.held_out], console, listed=LISTED)
    unreadable = [f"{_short(file.file)}: {file.reason}" for file in report.unreadable]
    _print_lines(f"Files that cannot be used: {len(unreadable)}", unreadable, console)
    _print_rows("Rows set aside", report.set_aside, console)
    _print_rows("Kept, but with a fault", report.notes, console)
    duplicates = [
        f"{_short(row.file)}, row {row.row} repeats {_short(row.first_file)}, row {row.first_row}"
        for row in report.duplicates
    ]
    _print_lines(f"Exact duplicates, dropped once: {len(duplicates):,}", duplicates, console, listed=LISTED)
    _print_overlap(report, console)
    _print_lines(
        "Questions that two stages share",
        [f"{one} and {other}: {n:,}" for one, other, n in report.across_stages],
        console,
    )
    groups = [
        f"{name}: " + ", ".join(f"{value} {n:,}" for value, n in values.items())
        for name, values in report.groups.items()
    ]
    _print_lines("Rows kept by group", groups, console)
    _print_lengths(report, console)


def _print_files(report: DataReport, console: Console) -> None:
    names = ("Rows", "Kept", "Set aside", "Duplicates", "Overlap")
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("File", overflow="fold")
    for name in ("Layout", "Stage"):
        table.add_column(name, overflow="fold")
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    totals = [0] * len(names)
    for file in report.files:
        figures = (file.rows, file.kept, file.set_aside, file.duplicates, file.overlap)
        totals = [total + n for total, n in zip(totals, figures, strict=True)]
        table.add_row(Text(_short(file.file)), file.layout, file.stage, *(f"{n:,}" for n in figures))
    if len(report.files) > 1:
        table.add_section()
        table.add_row("All", "", "", *(f"{n:,}" for n in totals))
    console.print(table)


def _print_rows(title: str, rows: Iterable[InvalidRow], console: Console) -> None:
    places: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for row in rows:
        # One line a cause: what a reason quotes differs from row to row, and stands whole in the JSON file.
        places[row.file, row.field, _QUOTED.sub(r"\1…", row.reason)].append(row.row)
    lines = []
    for (file, field, reason), numbers in places.items():
        named = ", ".join(map(str, numbers[:ROWS_NAMED])) + (", …" if len(numbers) > ROWS_NAMED else "")
        lines.append(f"{len(numbers):,} × {_short(file)}, field '{field}': {reason} (row {named})")
    total = sum(map(len, places.values()))
    _print_lines(f"{title}: {total:,}", lines, console)


def _print_overlap(report: DataReport, console: Console) -> None:
    if not report.benchmark_questions:
        _print_lines("Overlap with benchmarks", ["not looked for: no benchmark was named"], console)
        return
    kinds = Counter(row.kind for row in report.overlap)
    what = "kept, since it is allowed" if report.overlap_allowed else "refused"
    pairs: dict[tuple[str, str, str], list[Overlap]] = defaultdict(list)
    for row in report.overlap:
        pairs[row.file, row.benchmark, row.kind].append(row)
    lines = [
        f"{len(rows):,} {kind} of {_short(file)} in {_short(benchmark)}: row {rows[0].row} is row "
        f"{rows[0].benchmark_row} there" + (f" (similarity {rows[0].similarity:.2f})" if kind == "near" else "")
        for (file, benchmark, kind), rows in pairs.items()
    ]
    title = (
        f"Overlap with {report.benchmark_questions:,} benchmark questions: {kinds['exact']:,} exact, "
        f"{kinds['near']:,} near" + (f", {what}" if lines else "")
    )
    if report.not_compared:
        title += f"; {report.not_compared:,} rows name no question"
    _print_lines(title, lines or ["none of the rows"], console)


def _print_lengths(report: DataReport, console: Console) -> None:
    if not report.lengths:
        return
    table = Table(box=box.SIMPLE_HEAD, title="Lengths", title_justify="left")
    for name in ("Stage", "Part", "Unit"):
        table.add_column(name)
    for name in ("p50", "p95", "p99", "max"):
        table.add_column(name, justify="right")
    for row in report.lengths:
        figures = (row.p50, row.p95, row.p99, row.max)
        table.add_row(row.stage, row.part, row.unit, *(f"{n:,}" for n in figures))
    console.print(table)


def _print_lines(title: str, lines: Sequence[str], console: Console, *, listed: int | None = None) -> None:
    if not lines:
        return
    console.print(Text(f"\n{title}", style="bold"))
    for line in lines[:listed]:
        console.print(Text(f"  {line}"))
    if listed is not None and len(lines) > listed:
        console.print(Text(f"  … and {len(lines) - listed:,} more (the JSON file names all)"))


def _short(file: str) -> str:
    """The file with its folder: every layout has a ``Hindi.jsonl``."""
    return "/".join(Path(file).parts[-2:])
