"""An audit in the terminal and as JSON."""

from dataclasses import asdict
from typing import Any, Final

import orjson
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from training.corpus.auditing.duplicates import short
from training.corpus.auditing.findings import Audit, Cell, Figures, FileAudit, Finding, Level
from training.corpus.auditing.letters import format_p

_STYLES: Final[dict[Level, str]] = {"fault": "bold red", "warning": "yellow", "figure": "dim"}
ROWS_NAMED: Final = 3


def print_audit(audit: Audit, console: Console) -> None:
    """Print every file: its head, its findings as one table, its figures as small ones, and files not read."""
    for file in audit.files:
        _print_file(file, console)
    for unreadable in audit.unreadable:
        console.print(Text(f"\n{short(unreadable.file)}: cannot be read: {unreadable.reason}", style="bold red"))
    if len(audit.files) > 1:
        _print_overview(audit, console)


def as_json(audit: Audit) -> bytes:
    """The whole audit, with every finding, table and example, indented."""
    return orjson.dumps(as_values(audit), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def as_values(audit: Audit) -> dict[str, Any]:
    """The audit as JSON's values; findings with their ``share``."""
    values = asdict(audit)
    for file, written in zip(audit.files, values["files"], strict=True):
        for finding, fields in zip(file.findings, written["findings"], strict=True):
            fields["share"] = finding.share
    return {"faults": audit.faults, **values}


def head(file: FileAudit) -> str:
    """What is known of a file as a whole, in one line."""
    parts = [f"{file.rows:,} rows", f"layout {file.layout}"]
    if file.language is not None:
        parts.append(f"language {file.language} by {file.language_from}")
    elif file.language_from != "none":
        parts.append(f"language by {file.language_from}")
    return " · ".join(parts)


def percent(share: float | None) -> str:
    """A share to read; never 0 or 100 % for what is not."""
    if share is None:
        return "—"
    if 0 < share < 0.0005 or 0.9995 < share < 1:
        return "< 0.1 %" if share < 0.5 else "> 99.9 %"
    return f"{100 * share:.1f} %"


def interval(finding: Finding) -> str:
    """The interval, the share expected without a bias and the p-value, as far as there are any."""
    parts = []
    if finding.ci95 is not None:
        parts.append(f"{100 * finding.ci95[0]:.1f} to {100 * finding.ci95[1]:.1f} %")
    if finding.expected is not None:
        parts.append(f"chance {percent(finding.expected)}")
    if finding.p is not None:
        parts.append(f"p {format_p(finding.p)}")
    return ", ".join(parts)


def cell_text(value: Cell) -> str:
    """A cell of a table of figures."""
    if value is None:
        return "—"
    if isinstance(value, float):
        return percent(value)
    return f"{value:,}" if isinstance(value, int) else value


def _print_file(file: FileAudit, console: Console) -> None:
    console.print()
    console.rule(Text(short(file.file), style="bold"), align="left")
    console.print(Text(head(file), style="dim"))
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1))
    table.add_column("Level", no_wrap=True)
    table.add_column("What", overflow="fold")
    table.add_column("Count", justify="right", no_wrap=True)
    table.add_column("Share", justify="right", no_wrap=True)
    table.add_column("Rows", overflow="fold", max_width=24)
    for finding in file.findings:
        table.add_row(
            Text(finding.level, style=_STYLES[finding.level]),
            _what(finding),
            f"{finding.count:,} of {finding.of:,}",
            percent(finding.share),
            _rows(finding),
        )
    console.print(table)
    for figures in file.figures:
        _print_figures(figures, console)


def _what(finding: Finding) -> Text:
    text = Text(finding.title)
    for line in (interval(finding), finding.note):
        if line:
            text.append(f"\n{line}", style="dim")
    return text


def _rows(finding: Finding) -> str:
    named = ", ".join(str(example.row) for example in finding.examples[:ROWS_NAMED])
    return named + (", …" if finding.examples and finding.count > ROWS_NAMED else "")


def _print_figures(figures: Figures, console: Console) -> None:
    console.print(Text(f"\n{figures.title}", style="bold"))
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1))
    for number, name in enumerate(figures.heads):
        table.add_column(name, justify="left" if number == 0 else "right", overflow="fold")
    for row in figures.rows:
        table.add_row(*(Text(cell_text(value)) for value in row))
    console.print(table)
    console.print(Text(figures.note, style="dim"))


def _print_overview(audit: Audit, console: Console) -> None:
    console.print()
    console.rule(Text("All files", style="bold"), align="left")
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1))
    table.add_column("File", overflow="fold")
    for name in ("Rows", "Faults", "Warnings"):
        table.add_column(name, justify="right", no_wrap=True)
    for file in audit.files:
        faults, warnings = len(file.of_level("fault")), len(file.of_level("warning"))
        table.add_row(Text(short(file.file)), f"{file.rows:,}", str(faults), str(warnings))
    console.print(table)
