"""The runs of the database, a page at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from app.tables import BenchmarkRow, ModelRow, RunRow
from evaluation.results.listing import RunSummary, shown_status, summarise
from ui.csv_text import csv_text

PAGE: Final = 25
# In the choices of a run; older ones are found in the table.
CHOICES: Final = 500
STATUSES: Final = ("finished", "running", "interrupted", "incomplete")
_COLUMNS: Final = (
    "id", "model", "format", "benchmark", "source", "status", "done", "expected", "items", "samples", "accuracy",
    "judge_correct", "started", "finished",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs; empty values choose all. ``model`` is a part of the model's name, in any case."""

    benchmark: str = ""
    model: str = ""
    status: str = ""
    format: str = ""


@dataclass(frozen=True, slots=True)
class RunPage:
    """One page of the runs that fit a filter, newest first; ``page`` counts from 0."""

    runs: tuple[RunSummary, ...]
    page: int
    pages: int
    fitting: int
    total: int


@dataclass(frozen=True, slots=True)
class RunChoice:
    """A run in a list of choices."""

    id: str
    label: str


def list_page(session: Session, chosen: RunFilter, page: int) -> RunPage:
    """A page of runs; one behind the last is the last."""
    fitting = _fitting(session, chosen)
    pages = max(1, -(-len(fitting) // PAGE))
    page = min(max(page, 0), pages - 1)
    total = session.scalar(select(func.count()).select_from(RunRow)) or 0
    shown = summarise(session, fitting[page * PAGE : (page + 1) * PAGE])
    return RunPage(tuple(shown), page, pages, len(fitting), total)


def list_all(session: Session, chosen: RunFilter) -> list[RunSummary]:
    """All runs that fit a filter, newest first."""
    return summarise(session, _fitting(session, chosen))


def _fitting(session: Session, chosen: RunFilter) -> list[RunRow]:
    query = _newest_first()
    if chosen.benchmark:
        query = query.where(BenchmarkRow.name == chosen.benchmark)
    if chosen.model.strip():
        query = query.where(ModelRow.name.icontains(chosen.model.strip(), autoescape=True))
    if chosen.format:
        query = query.where(ModelRow.format == chosen.format)
    # Whether a run that says "running" is worked on is known here and not to the database.
    return [run for run in session.scalars(query) if not chosen.status or shown_status(run) == chosen.status]


def _newest_first() -> Select[RunRow]:
    joined = select(RunRow).join(BenchmarkRow, BenchmarkRow.id == RunRow.benchmark_id)
    joined = joined.join(ModelRow, ModelRow.id == RunRow.model_id)
    return joined.order_by(RunRow.started.desc(), RunRow.id.desc())


def benchmarks(session: Session) -> list[str]:
    """Names of the benchmarks that were run."""
    used = select(BenchmarkRow.name).where(BenchmarkRow.id.in_(select(RunRow.benchmark_id))).distinct()
    return sorted(session.scalars(used))


def formats(session: Session) -> list[str]:
    """Formats of the models that were run."""
    used = select(ModelRow.format).where(ModelRow.id.in_(select(RunRow.model_id))).distinct()
    return sorted(session.scalars(used))


def run_choices(session: Session, chosen: Sequence[str | None] = ()) -> list[RunChoice]:
    """The newest runs, and those chosen already however old they are."""
    columns = select(RunRow.id, ModelRow.name, BenchmarkRow.name, RunRow.started)
    columns = columns.join(BenchmarkRow, BenchmarkRow.id == RunRow.benchmark_id)
    columns = columns.join(ModelRow, ModelRow.id == RunRow.model_id)
    newest = columns.order_by(RunRow.started.desc(), RunRow.id.desc()).limit(CHOICES)
    rows = list(session.execute(newest))
    if missing := {id for id in chosen if id} - {row[0] for row in rows}:
        rows += session.execute(columns.where(RunRow.id.in_(missing)))
    return [RunChoice(id, f"{model} · {name} · {when:%Y-%m-%d %H:%M} · …{id[-5:]}") for id, model, name, when in rows]


def to_csv(runs: Sequence[RunSummary]) -> str:
    """The runs, one line each, figures at full precision."""
    rows = [
        (
            run.id, run.model, run.format, run.benchmark, run.source, run.status, run.done, run.expected, run.n,
            run.samples, run.accuracy, run.judge_correct, run.started.isoformat(),
            run.finished.isoformat() if run.finished else None,
        )
        for run in runs
    ]  # fmt: skip
    return csv_text(_COLUMNS, rows)
