"""Runs at a glance: what each is, how far it got, its headline figure."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import case, delete, func, or_, select, tuple_
from sqlalchemy.orm import Session, aliased

from app.errors import InputError
from app.tables import BenchmarkRow, GenerationRow, ModelRow, RunRow, ScoreRow
from evaluation.results.owner import is_worked_on

Status = Literal["running", "interrupted", "finished", "incomplete"]

_HEADLINES = {"accuracy": "choice", "judge_correct": "judge_correct"}  # metric -> scorer


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run in one line.

    ``done`` of ``expected`` generations have a text. ``accuracy`` and ``judge_correct`` are the report's figures of
    the same names; None where the run has none.
    """

    id: str
    benchmark: str
    model: str
    format: str
    source: str
    status: Status
    done: int
    expected: int
    n: int
    samples: int
    accuracy: float | None
    judge_correct: float | None
    started: datetime
    finished: datetime | None


def shown_status(run: RunRow) -> Status:
    """The run's status; one that says running after its process was killed is interrupted."""
    if run.status == "running" and not is_worked_on(run):
        return "interrupted"
    return run.status  # type: ignore[return-value]  # the column holds these four


def list_runs(
    session: Session, *, bench: str | None = None, model: str | None = None, status: Status | None = None
) -> list[RunSummary]:
    """All runs, oldest first.

    Args:
        session: An open session.
        bench: Only runs on the benchmark of this name, in any case.
        model: Only runs of models with this in their name, in any case.
        status: Only runs of this status, as `shown_status` gives it.
    """
    chosen = select(RunRow).order_by(RunRow.started, RunRow.id)
    if bench is not None:
        chosen = chosen.join(BenchmarkRow).where(func.lower(BenchmarkRow.name) == bench.lower())
    if model is not None:
        chosen = chosen.join(ModelRow).where(ModelRow.name.icontains(model, autoescape=True))
    return summarise(session, [run for run in session.scalars(chosen) if status is None or shown_status(run) == status])


def summarise(session: Session, runs: Sequence[RunRow]) -> list[RunSummary]:
    """The runs in one line each, in the order given."""
    ids = [run.id for run in runs]
    done, headlines = _count_done(session, ids), _headlines(session, ids)
    return [
        RunSummary(
            id=run.id,
            benchmark=run.benchmark.name,
            model=run.model.name,
            format=run.model.format,
            source=run.source,
            status=shown_status(run),
            done=done.get(run.id, 0),
            expected=run.n * run.samples,
            n=run.n,
            samples=run.samples,
            accuracy=headlines[run.id].get("accuracy"),
            judge_correct=headlines[run.id].get("judge_correct"),
            started=run.started,
            finished=run.finished,
        )
        for run in runs
    ]


def delete_run(session: Session, run: RunRow, *, force: bool = False) -> None:
    """Delete a run with its items, generations and scores; benchmark, model and verdicts stay.

    Raises:
        InputError: a process works on the run, and ``force`` is not set.
    """
    if is_worked_on(run) and not force:
        raise InputError(
            f"run {run.id} is being worked on by {run.owner or 'a process'}",
            remedy="stop it first, or delete it all the same with --force",
        )
    # The database deletes what belongs to it (ON DELETE CASCADE) without a row coming here.
    session.execute(delete(RunRow).where(RunRow.id == run.id))


def _count_done(session: Session, ids: list[str]) -> dict[str, int]:
    counted = (
        select(GenerationRow.run_id, func.count())
        .where(GenerationRow.run_id.in_(ids), GenerationRow.text.is_not(None))
        .group_by(GenerationRow.run_id)
    )
    return {row[0]: row[1] for row in session.execute(counted)}


def _headlines(session: Session, ids: list[str]) -> dict[str, dict[str, float]]:
    """Run id -> metric -> mean over items of the mean over an item's samples, as `evaluation.metrics` has it."""
    newer = aliased(ScoreRow)
    superseded = (
        select(newer.id)
        .where(newer.generation_id == ScoreRow.generation_id, newer.scorer == ScoreRow.scorer, newer.id > ScoreRow.id)
        .exists()
    )
    last = (
        select(func.max(ScoreRow.id))
        .join_from(GenerationRow, ScoreRow, ScoreRow.generation_id == GenerationRow.id)
        .where(GenerationRow.run_id.in_(ids), ScoreRow.scorer == "judge_correct")
        .group_by(GenerationRow.run_id)
    )
    judges = (
        select(GenerationRow.run_id, ScoreRow.version)
        .join_from(GenerationRow, ScoreRow, ScoreRow.generation_id == GenerationRow.id)
        .where(ScoreRow.id.in_(last))
    )
    # A reply without a readable choice is no right answer; a judgement that would not parse is unknown.
    value = case((ScoreRow.scorer == "choice", func.coalesce(ScoreRow.value, 0.0)), else_=ScoreRow.value)
    by_item = (
        select(GenerationRow.run_id, ScoreRow.scorer, func.avg(value).label("mean"))
        .join_from(GenerationRow, ScoreRow, ScoreRow.generation_id == GenerationRow.id)
        .where(GenerationRow.run_id.in_(ids), ScoreRow.scorer.in_(_HEADLINES.values()), ~superseded)
        .where(or_(ScoreRow.scorer != "judge_correct", tuple_(GenerationRow.run_id, ScoreRow.version).in_(judges)))
        .group_by(GenerationRow.run_id, GenerationRow.item_id, ScoreRow.scorer)
        .subquery()
    )
    by_run = select(by_item.c.run_id, by_item.c.scorer, func.avg(by_item.c.mean)).group_by(
        by_item.c.run_id, by_item.c.scorer
    )
    metrics = {scorer: metric for metric, scorer in _HEADLINES.items()}
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for run_id, scorer, mean in session.execute(by_run):
        if mean is not None:
            found[run_id][metrics[scorer]] = float(mean)
    return found
