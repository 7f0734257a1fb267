"""What TRL hands a reward function, and how the rewards here read it."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from app.errors import InputError

# Standard format: the text. Conversational format: the messages that the model wrote.
Completion = str | Sequence[Mapping[str, Any]]


class TrainerState(Protocol):
    """The part of transformers' `TrainerState` that rewards read."""

    global_step: int  # optimiser steps done
    max_steps: int  # optimiser steps of the whole training


class LogMetric(Protocol):
    """TRL's ``log_metric``: averaged over a logging step and over processes."""

    def __call__(self, name: str, value: float) -> None:
        """Log one value of this process's batch."""
        ...


class LogExtra(Protocol):
    """TRL's ``log_extra``: a column of the table of sample completions, one value per row."""

    def __call__(self, column: str, values: list[Any]) -> None:
        """Log one value per completion of this process's batch."""
        ...


class Reward(Protocol):
    """A reward function."""

    def __call__(self, *, completions: Sequence[Completion], **columns: Any) -> list[float | None]:
        """One reward per completion, in order; None where it is unknown."""
        ...


def completion_text(completion: Completion) -> str:
    """The text that the model wrote."""
    if isinstance(completion, str):
        return completion
    return "".join(message.get("content") or "" for message in completion)


def read_column(columns: Mapping[str, Any], name: str, rows: int) -> Sequence[Any]:
    """A column of the training data.

    Raises:
        InputError: the data have no such column, or it has another number of rows.
    """
    values = columns.get(name)
    if values is None:
        raise InputError("the reward needs this column", field=name, remedy="add it to the prompts' data")
    if len(values) != rows:
        raise InputError(f"{len(values)} values for {rows} completions", field=name, remedy="give one per completion")
    return list(values)
