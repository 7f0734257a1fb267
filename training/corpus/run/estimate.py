"""What a run would cost: calls and tokens of every step, from what lies there and from what was measured so far."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from training.corpus.calls import Spent
from training.corpus.run.plan import BookState
from training.corpus.run.status import status_of
from training.corpus.step import Expected, Size, Step


@dataclass(frozen=True, slots=True)
class Estimate:
    """One step's part.

    Attributes:
        books: that are left.
        size: what is before the step in them.
        expected: calls and tokens, and what comes out.
        measured: whether the tokens of a call are the mean of calls that were made, not a rule of thumb.
    """

    step: str
    books: int
    size: Size
    expected: Expected
    measured: bool


def estimate(steps: Sequence[Step], folder: Path, states: Sequence[BookState]) -> list[Estimate]:
    """What is left to do, step by step. Where a step's input is still to be made, it is what the step before it is
    expected to give.

    Raises:
        InputError: a manifest cannot be read.
    """
    spent = {status.name: sum(status.spent.values(), Spent()) for status in status_of(steps, folder, states)}
    coming, waiting = Size(0), 0
    found = []
    for place, step in enumerate(steps):
        size, books = coming, waiting
        for state in states:
            if len(state.done) == place and state.fault is None:
                source = steps[place - 1].place(folder, state.unit).output if place else state.unit.source
                size, books = size + step.size(source), books + 1
        expected, measured = _corrected(step.expect(size), spent[step.name])
        found.append(Estimate(step.name, books, size, expected, measured))
        coming, waiting = expected.out, books
    return found


def _corrected(expected: Expected, spent: Spent) -> tuple[Expected, bool]:
    counted = spent.calls - spent.uncounted
    if not counted:
        return expected, False
    calls = sum(expected.calls.values())
    prompt, completion = (tokens / counted for tokens in (spent.prompt_tokens, spent.completion_tokens))
    return Expected(expected.out, expected.calls, calls * prompt, calls * completion), True


def print_estimate(estimates: Sequence[Estimate]) -> None:
    """The estimate as a table."""
    table = Table("step", title="Nothing was run. What is left would take about:", title_justify="left")
    for name in ("books", "items before it", "calls", "prompt tokens", "completion tokens"):
        table.add_column(name, justify="right")
    table.add_column("tokens")
    for one in estimates:
        calls = ", ".join(f"{count:,.0f} {purpose}" for purpose, count in one.expected.calls.items()) or "none"
        tokens = (one.expected.prompt_tokens, one.expected.completion_tokens)
        how = "of calls made so far" if one.measured else "by a rule of thumb"
        row = (f"{one.books:,}", f"{one.size.items:,.0f}", calls, *(f"{count:,.0f}" for count in tokens))
        table.add_row(one.step, *row, how if one.expected.calls else "")
    Console().print(table)
