"""Sample completions with their rewards, every so many steps: in the terminal, in TensorBoard and in a file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from app.files import write_whole

FILE = "samples.jsonl"
_PRINTED = 4  # rows in the terminal
_WIDTH = 160  # characters of a completion there


@dataclass(frozen=True, slots=True)
class Sample:
    """One completion and what it was rewarded for.

    Attributes:
        row: number of the prompt in its data set.
        question: without options.
        language: in which the answer should be; None where any will do.
        text: the completion.
        ids: its tokens, without padding.
        reward: what the trainer learns from; None where unknown.
        parts: raw rewards by name, None where unknown.
    """

    row: int
    question: str
    language: str | None
    text: str
    ids: Sequence[int]
    reward: float | None
    parts: Mapping[str, float | None]


class SampleTable:
    """The tables of one run. Only the first process writes."""

    def __init__(self, folder: Path, every: int, group_size: int) -> None:
        self.file, self._every, self._group_size = folder / FILE, every, group_size
        self._next = 0

    def begin(self, step: int) -> None:
        """Go on after ``step`` steps: what a killed run wrote after its last checkpoint is forgotten."""
        self._next = -(-step // self._every) * self._every
        if self.file.exists():
            kept = [line for line in self.file.read_bytes().splitlines(keepends=True) if _step(line) <= step]
            write_whole(self.file, b"".join(kept))

    def is_due(self, step: int) -> bool:
        """Whether the completions made after ``step`` steps are to be shown."""
        return step >= self._next

    def add(self, step: int, samples: Sequence[Sample], weights: Mapping[str, float], writer: Any = None) -> None:
        """Show the first group of a step's completions.

        Args:
            step: steps done before; the line that is logged for the completions has the next number.
            samples: whole groups, one after another.
            weights: of the raw rewards, by name.
            writer: TensorBoard's, if there is one.
        """
        self._next = (step // self._every + 1) * self._every
        group = samples[: self._group_size]
        with self.file.open("ab") as stream:
            for sample in group:
                stream.write(orjson.dumps(_record(step + 1, sample, weights), option=orjson.OPT_APPEND_NEWLINE))
        _show(step + 1, group[:_PRINTED], weights)
        if writer is not None:
            writer.add_text("samples", _markdown(group, weights), step + 1)


def _step(line: bytes) -> float:
    """The step of a line; of one that a killed run left unfinished, later than all."""
    try:
        return float(orjson.loads(line)["step"])
    except orjson.JSONDecodeError:
        return float("inf")


def _record(step: int, sample: Sample, weights: Mapping[str, float]) -> dict[str, Any]:
    return {
        "step": step,
        "question": sample.question,
        "language": sample.language,
        "completion": sample.text,
        "tokens": len(sample.ids),
        "rewards": dict(sample.parts),
        "weights": dict(weights),
        "weighted": sample.reward,
    }


def _show(step: int, samples: Sequence[Sample], weights: Mapping[str, float]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    question = " ".join(samples[0].question.split())[:_WIDTH]
    table = Table(title=Text(f"step {step}: {question}"), title_justify="left")
    for name in _columns(weights):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("completion")
    for sample in samples:
        table.add_row(*_figures(sample, weights), Text(" ".join(sample.text.split())[:_WIDTH]))
    Console().print(table)


def _markdown(samples: Sequence[Sample], weights: Mapping[str, float]) -> str:
    """A table for TensorBoard, which reads Markdown; texts as code, or their own marks would change them."""
    names = [*_columns(weights), "completion"]
    lines = [names, ["---"] * len(names)]
    for sample in samples:
        text = " ".join(sample.text.split()).replace("`", "'").replace("|", "¦")
        lines.append([*_figures(sample, weights), f"`{text}`"])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _columns(weights: Mapping[str, float]) -> list[str]:
    return [*(f"{name} x {weight:.3f}" for name, weight in weights.items()), "weighted"]


def _figures(sample: Sample, weights: Mapping[str, float]) -> list[str]:
    values = [*(sample.parts.get(name) for name in weights), sample.reward]
    return ["-" if value is None else f"{value:.3f}" for value in values]
