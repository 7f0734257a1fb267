"""What a decontamination has found, as plain values, JSON and a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from training.corpus.flow import Flow

_LISTED: Final = 10

REASONS: Final[Mapping[tuple[str, str], str]] = {
    ("benchmark", "exact"): "stands in a benchmark",
    ("benchmark", "near"): "near a benchmark's question",
    ("benchmark", "8-gram"): "holds a benchmark's word runs",
    ("corpus", "exact"): "repeats an earlier row",
    ("corpus", "near"): "near an earlier row",
}
UNREADABLE: Final = "unreadable"


@dataclass(frozen=True, slots=True)
class FileFlow:
    """One file: its rows in, out, and left by reason."""

    file: str
    sha256: str
    out: str | None
    flow: Flow


@dataclass(frozen=True, slots=True)
class Report:
    """What was found and what was written.

    Attributes:
        flow: rows of all files; those of each file are in ``files``.
        held_out: files of the corpus that are benchmarks themselves, and were not read.
        not_compared: rows that stay without a question: only their word runs were looked at.
        other_answers: rows that repeat an earlier question with another answer.
        items: rows of the benchmarks; ``items_met`` are those that some row repeats or holds.
        shares: rows that hold word runs of an item, by the largest share of one's in them, in tenths from 0 to 1.
        boilerplate_limit: a run of four words in more questions is boilerplate.
        boilerplate_only: pairs of questions that are near by their boilerplate alone, and are not counted.
    """

    files: tuple[FileFlow, ...]
    flow: Flow
    benchmarks: Mapping[str, str]
    held_out: tuple[str, ...]
    rules: Mapping[str, Any]
    not_compared: int
    other_answers: int
    items: int
    items_met: int
    shares: tuple[int, ...]
    questions: int
    boilerplate_limit: int
    compared: int
    boilerplate_only: int
    examples: tuple[str, ...] = field(default=())

    @property
    def contaminated(self) -> int:
        """Rows that went for a benchmark."""
        return sum(self.flow.left[REASONS[key]] for key in REASONS if key[0] == "benchmark")

    @property
    def status(self) -> int:
        """The command's exit code: 1 where a row stands in a benchmark, also when it was taken out; else 0."""
        return int(self.contaminated > 0)

    def as_json(self) -> bytes:
        """The whole report, indented."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        values["flow"] = self.flow.as_json()
        values["files"] = [
            {"file": one.file, "sha256": one.sha256, "out": one.out} | one.flow.as_json() for one in self.files
        ]
        values |= {"contaminated": self.contaminated, "status": self.status}
        return orjson.dumps(values, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def render_report(report: Report, console: Console) -> None:
    """Print the files with what left them, and the benchmarks' side."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("File", overflow="fold")
    names = ("Rows", "Clean", "Exact", "Near", "8-gram", "Repeated", "Near\nothers", "Un-\nreadable")
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    for one in report.files:
        table.add_row(Text(one.file), *_figures(one.flow))
    if len(report.files) > 1:
        table.add_section()
        table.add_row("All", *_figures(report.flow))
    console.print(table)
    if not report.benchmarks:
        console.print("No benchmark was named: only duplicates inside the corpus were looked for.")
    else:
        console.print(
            f"{report.contaminated:,} rows repeat or hold {report.items_met:,} of {report.items:,} items of "
            f"{len(report.benchmarks):,} benchmark files."
        )
    console.print(
        f"{report.boilerplate_only:,} pairs are near by boilerplate alone (four words in more than "
        f"{report.boilerplate_limit:,} of {report.questions:,} questions), and do not count."
    )
    if report.not_compared:
        console.print(f"{report.not_compared:,} rows name no question: only their word runs were looked at.")
    if report.other_answers:
        console.print(f"{report.other_answers:,} of the repeated questions have another answer than the first of them.")
    for file in report.held_out:
        console.print(Text(f"{file} is one of the benchmarks, and was not read."))
    for line in report.examples[:_LISTED]:
        console.print(Text(f"  {line}"))


def _figures(flow: Flow) -> Sequence[str]:
    left = [flow.left[reason] for reason in (*REASONS.values(), UNREADABLE)]
    return [f"{n:,}" for n in (flow.into, flow.out, *left)]
