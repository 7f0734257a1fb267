"""What a check of training data finds, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from app.rows import InvalidRow
from training.data.instances import Stage
from training.data.layouts import Layout


@dataclass(frozen=True, slots=True)
class FileSummary:
    """One file: every row of it is kept, set aside, a duplicate, or refused for overlap."""

    file: str
    sha256: str
    layout: Layout
    stage: Stage
    rows: int
    kept: int
    set_aside: int
    duplicates: int
    overlap: int


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file that could not be used as a whole, and why."""

    file: str
    reason: str


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A row that repeats an earlier one of the same stage exactly."""

    file: str
    row: int
    first_file: str
    first_row: int


@dataclass(frozen=True, slots=True)
class Overlap:
    """A row whose question stands in a benchmark."""

    file: str
    row: int
    benchmark: str
    benchmark_row: int
    kind: Literal["exact", "near"]
    similarity: float


@dataclass(frozen=True, slots=True)
class Lengths:
    """Percentiles of a length over the kept rows of a stage; each is the length of a real row."""

    stage: Stage
    part: str
    unit: Literal["characters", "tokens"]
    p50: int
    p95: int
    p99: int
    max: int


@dataclass(frozen=True, slots=True)
class DataReport:
    """The findings over all files.

    ``held_out`` are files that are benchmarks themselves, ``set_aside`` rows that cannot be used, ``notes`` faults of
    rows that are used all the same. ``groups`` counts the kept rows by language, type, system, subject and source.
    ``across_stages`` counts the different questions that two stages share. ``not_compared`` are rows without a
    question, which the search for overlap cannot look at.
    """

    files: tuple[FileSummary, ...]
    held_out: tuple[str, ...]
    unreadable: tuple[Unreadable, ...]
    set_aside: tuple[InvalidRow, ...]
    notes: tuple[InvalidRow, ...]
    duplicates: tuple[Duplicate, ...]
    overlap: tuple[Overlap, ...]
    overlap_allowed: bool
    benchmark_questions: int
    not_compared: int
    groups: Mapping[str, Mapping[str, int]]
    across_stages: tuple[tuple[Stage, Stage, int], ...]
    lengths: tuple[Lengths, ...]

    @property
    def kept(self) -> int:
        """Rows that training would see."""
        return sum(file.kept for file in self.files)
