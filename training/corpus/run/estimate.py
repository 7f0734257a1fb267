"""What a run would cost: calls and tokens of every step, from what lies there and from what was measured so far."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich import box
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
        measured: share of the calls whose tokens are the mean of calls that were made for the same purpose; those of
            the others are a rule of thumb.
    """

    step: str
    books: int
    size: Size
    expected: Expected
    measured: float


def estimate(
    steps: Sequence[Step], folder: Path, states: Sequence[BookState], only: int | None = None
) -> list[Estimate]:
    """What is left to do, step by step. Where a step's input is still to be made, it is what the step before it is
    expected to give; of the one step at ``only`` nothing but what lies ready counts, as when it is run.

    Raises:
        InputError: a manifest cannot be read.
    """
    spent = {status.name: status.spent for status in status_of(steps, folder, states)}
    coming, waiting = Size(0), 0
    found = []
    for place, step in enumerate(steps):
        if only not in (None, place):
            continue
        size, books = coming, waiting
        for state in states:
            if len(state.done) == place and state.fault is None:
                source = steps[place - 1].place(folder, state.unit).output if place else state.unit.source
                size, books = size + step.size(source), books + 1
        expected, measured = _corrected(step.expect(size), spent[step.name])
        found.append(Estimate(step.name, books, size, expected, measured))
        coming, waiting = expected.out, books
    return found


def _corrected(expected: Expected, spent: Mapping[str, Spent]) -> tuple[Expected, float]:
    whole = sum(expected.calls.values())
    guesses, prompt, completion = 0.0, 0.0, 0.0
    for purpose, calls in expected.calls.items():
        made = spent.get(purpose, Spent())
        if counted := made.calls - made.uncounted:
            prompt += calls * made.prompt_tokens / counted
            completion += calls * made.completion_tokens / counted
        else:
            guesses += calls
    guessed = guesses / whole if whole else 1.0
    prompt += guessed * expected.prompt_tokens
    completion += guessed * expected.completion_tokens
    return Expected(expected.out, expected.calls, prompt, completion), 1 - guessed


def print_estimate(estimates: Sequence[Estimate]) -> None:
    """The estimate as a table."""
    title = "Nothing was run. What is left would take about:"
    table = Table("step", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), title=title, title_justify="left")
    for name in ("books", "items\nbefore it", "calls", "prompt\ntokens", "completion\ntokens"):
        table.add_column(name, justify="right", no_wrap=name != "calls")
    table.add_column("tokens are")
    for one in estimates:
        calls = ", ".join(f"{_whole(count)} {purpose}" for purpose, count in one.expected.calls.items()) or "none"
        tokens = (one.expected.prompt_tokens, one.expected.completion_tokens)
        how = {1.0: "of calls made so far", 0.0: "by a rule of thumb"}.get(one.measured, "partly by a rule of thumb")
        row = (f"{one.books:,}", f"{one.size.items:,.0f}", calls, *(f"{count:,.0f}" for count in tokens))
        table.add_row(one.step, *row, how if one.expected.calls else "")
    Console().print(table)


def _whole(calls: float) -> str:
    """A number of calls; an expected half of one is no reason to say none."""
    return "<1" if 0 < calls < 0.5 else f"{calls:,.0f}"
