"""What has become of a corpus so far: counts of every stage, rejects by reason, calls and tokens."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from training.corpus.calls import Spent
from training.corpus.flow import Flow, total
from training.corpus.run.plan import BookState
from training.corpus.step import Step
from training.corpus.unit import Manifest


@dataclass(slots=True)
class StepStatus:
    """One step over all the books.

    Attributes:
        done: books that need not run again, unreadable ones among them.
        partly: books with parts that an endpoint failed for: another run tries those again.
        again: how many such parts.
        flows: counts of the stages, added up over the books.
        spent: calls and tokens by purpose.
        faults: unreadable books, with what is wrong.
    """

    name: str
    books: int
    done: int = 0
    partly: int = 0
    again: int = 0
    flows: list[Flow] = field(default_factory=list)
    spent: dict[str, Spent] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)

    def add(self, manifest: Manifest, is_done: bool) -> None:
        """Count one book's manifest."""
        self.done += is_done
        self.partly += manifest.again > 0
        self.again += manifest.again
        self.flows = total([*self.flows, *manifest.flows])
        for purpose, spent in manifest.spent.items():
            self.spent[purpose] = self.spent.get(purpose, Spent()) + spent
        if manifest.fault is not None:
            self.faults[manifest.unit] = manifest.fault

    def as_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        return {
            "step": self.name,
            "books": self.books,
            "done": self.done,
            "partly": self.partly,
            "again": self.again,
            "flows": [flow.as_json() for flow in self.flows],
            "spent": {purpose: _spent(spent) for purpose, spent in sorted(self.spent.items())},
            "faults": self.faults,
        }


def status_of(steps: Sequence[Step], folder: Path, states: Sequence[BookState]) -> list[StepStatus]:
    """Every step's counts, from the manifests; those of steps that must run again are counted as they stand.

    Raises:
        InputError: a manifest cannot be read.
    """
    found = []
    for place, step in enumerate(steps):
        status = StepStatus(step.name, len(states))
        for state in states:
            is_done = place < len(state.done)
            manifest = state.done[place] if is_done else Manifest.read(step.place(folder, state.unit).manifest)
            if manifest is not None and (is_done or state.fault is None):
                status.add(manifest, is_done)
        found.append(status)
    return found


def print_flows(flows: Sequence[Flow]) -> None:
    """Counts without books or steps, as a table."""
    table = _table("stage")
    for flow in flows:
        table.add_row(flow.stage, *_counts(flow))
    Console().print(table)


def print_status(statuses: Sequence[StepStatus]) -> None:
    """The counts as tables."""
    console = Console()
    flows = _table("step", "stage")
    for status in statuses:
        books = f"{status.name} ({status.done} of {status.books} books)"
        for flow in status.flows:
            flows.add_row(books, flow.stage, *_counts(flow))
            books = ""
        if not status.flows:
            flows.add_row(books)
    console.print(flows)
    calls = Table("purpose", title="Calls", title_justify="left")
    for name in ("calls", "prompt tokens", "completion tokens", "not counted"):
        calls.add_column(name, justify="right")
    whole = Spent()
    for status in statuses:
        for purpose, spent in sorted(status.spent.items()):
            whole += spent
            calls.add_row(purpose, *_columns(spent))
    if whole.calls:
        calls.add_row("all", *_columns(whole))
        console.print(calls)
    for status in statuses:
        for unit, fault in sorted(status.faults.items()):
            console.print(f"not readable: {unit}: {fault}", soft_wrap=True, markup=False, highlight=False)


def _table(*names: str) -> Table:
    table = Table(*names, "of", title="Counts", title_justify="left")
    for name in ("in", "out"):
        table.add_column(name, justify="right")
    table.add_column("left by the way")
    return table


def _counts(flow: Flow) -> tuple[str, str, str, str]:
    left = ", ".join(f"{count:,} {reason}" for reason, count in flow.left.most_common() if count)
    return flow.unit, f"{flow.into:,}", f"{flow.out:,}", left


def _columns(spent: Spent) -> list[str]:
    counts = (spent.calls, spent.prompt_tokens, spent.completion_tokens, spent.uncounted)
    return [f"{count:,}" for count in counts]


def _spent(spent: Spent) -> dict[str, int]:
    names = ("calls", "prompt_tokens", "completion_tokens", "uncounted")
    return {name: getattr(spent, name) for name in names}
