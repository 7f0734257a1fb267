"""What a report holds; ``himed-eval --json`` writes it as it stands here."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel

Method = Literal["wilson", "cluster-bootstrap"]


class Metric(BaseModel):
    """A figure with its interval and its denominator.

    ``n`` counts the items that the value is taken over, ``missing`` those for which it is unknown (no generation, no
    verdict, undetermined). ``ci95`` is the 95 % interval by ``method``; None where there is no value.
    """

    value: float | None
    n: int
    ci95: tuple[float, float] | None = None
    missing: int = 0
    method: Method | None = None


class RunInfo(BaseModel):
    """The run."""

    id: str
    status: str
    model: str
    format: str
    source: str
    judge: str | None = None
    samples: int
    n: int
    failed: int
    started: datetime
    finished: datetime | None
    code_version: str
    settings: dict[str, Any]
    packages: dict[str, str]


class InvalidInfo(BaseModel):
    """A row that was left out, and why."""

    file: str
    row: int
    field: str
    reason: str


class BenchmarkInfo(BaseModel):
    """The benchmark: ``invalid`` and ``duplicates`` are counts over the whole file."""

    name: str
    version: str
    sha256: str
    n: int
    invalid: int
    duplicates: int
    invalid_rows: list[InvalidInfo]


class Baselines(BaseModel):
    """What no knowledge at all would score on the items of the run."""

    constant_answer: str
    constant_accuracy: float
    chance: float
    n: int


class Failure(BaseModel):
    """An item without a generation."""

    item: str
    row: int
    sample: int
    error: str


class Report(BaseModel):
    """Everything that is said of a run. ``groups`` maps group -> value -> metric name -> metric."""

    run: RunInfo
    benchmark: BenchmarkInfo
    metrics: dict[str, Metric]
    groups: dict[str, dict[str, dict[str, Metric]]]
    baselines: Baselines | None = None
    failures: list[Failure] = []
