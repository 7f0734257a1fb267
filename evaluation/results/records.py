"""A run's results as plain objects: items with their generations and scores."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app.errors import InputError
from app.tables import GenerationRow, ItemRow, RunItemRow, RunRow, ScoreRow
from evaluation.benchmarks.item import Item, Kind

_LAST = re.compile(r"last(?:~(\d{1,6}))?")
_LISTED = 5  # runs named in an error


@dataclass(frozen=True, slots=True)
class Score:
    """One metric of one generation. ``value`` None means unknown, and ``label`` says why or what was found."""

    scorer: str
    version: str
    value: float | None
    label: str | None = None
    detail: dict[str, Any] | None = None


JudgeKind = Literal["correct", "language"]
Outcome = Literal["true", "false", "unparsed"]
JUDGE_SCORERS = ("judge_correct", "judge_language")
IMPORTED_JUDGE = "imported:"  # before the model's name: the judge of a file of predictions


def is_imported(version: str) -> bool:
    """Is a score of this version an imported verdict?"""
    return version.partition(":")[2].startswith(IMPORTED_JUDGE)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A judge's verdict and its raw reply; unique per judge model and prompt hash."""

    judge_model: str
    prompt_hash: str
    kind: JudgeKind
    verdict: Outcome
    reply: str


@dataclass(slots=True)
class Generation:
    """One completion of one item. ``text`` None means that the item failed for good, with ``error``."""

    sample: int
    text: str | None
    reasoning: str | None = None  # when the endpoint returned it apart
    finish_reason: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    latency_s: float | None = None
    error: str | None = None
    messages: list[dict[str, str]] | None = None
    id: int | None = None
    scores: dict[str, Score] = field(default_factory=dict)  # by scorer


@dataclass(slots=True)
class Record:
    """An item of a run, its options and gold as they were shown, and its generations in order of sample number."""

    item: Item
    generations: list[Generation] = field(default_factory=list)


def load_run(session: Session, run: str) -> RunRow:
    """The run of an id, of the start of an id that no other run shares (in any case), or of the word ``last``;
    ``last~1`` is the one before it, ``last~2`` the one before that.

    Raises:
        InputError: no run, or more than one, fits; the message names the newest of those in question.
    """
    newest = select(RunRow).order_by(RunRow.started.desc(), RunRow.id.desc())
    if (counted := _LAST.fullmatch(run)) is not None:
        found: Sequence[RunRow] = session.scalars(newest.offset(int(counted[1] or 0)).limit(1)).all()
    else:
        fitting = newest.where(RunRow.id.startswith(run.upper(), autoescape=True))
        found = session.scalars(fitting).all() if run else []
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(f"{len(found)} runs start with {run!r}: {_name_runs(found)}", remedy="give more of the id")
    recent = session.scalars(newest.limit(_LISTED)).all()
    if not recent:
        raise InputError("the results database holds no run", remedy="make one with himed-eval")
    raise InputError(f"no run {run!r}", remedy=f"the newest are {_name_runs(recent)}")


def _name_runs(runs: Sequence[RunRow]) -> str:
    named = [f"{run.id} ({run.benchmark.name}, {run.model.name})" for run in runs[:_LISTED]]
    return ", ".join(named + ["..."] * (len(runs) > _LISTED))


def load_records(session: Session, run: RunRow) -> list[Record]:
    """All items of a run in its order, each with its generations and their scores, in three queries.

    Options and gold are those shown in the run. Where several versions of a scorer have scored a generation, the
    score that was written last stands. A figure never mixes two judges: of several, only the one that gave the last
    verdict of the run counts.
    """
    records: dict[str, Record] = {}
    for row in session.execute(_items_query(run)):
        shown = Item(
            id=row.id,
            row=row.row,
            number=row.number,
            kind=cast(Kind, row.kind),
            question=row.question,
            options=row.options,
            gold=row.gold,
            reference=row.reference,
            language=row.language,
            groups=row.groups,
            cluster=row.cluster,
            duplicate_of=row.duplicate_of,
        )
        records[row.id] = Record(shown)

    generations: dict[int, Generation] = {}
    for row in session.execute(_generations_query(run)):
        generation = Generation(
            sample=row.sample,
            text=row.text,
            reasoning=row.reasoning,
            finish_reason=row.finish_reason,
            prompt_tokens=row.prompt_tokens,
            completion_tokens=row.completion_tokens,
            latency_s=row.latency_s,
            error=row.error,
            messages=row.messages,
            id=row.id,
        )
        generations[row.id] = generation
        record = records[row.item_id]
        if record.generations and generation.messages is None:
            generation.messages = record.generations[0].messages  # stored once for all samples of an item
        record.generations.append(generation)

    scores = session.execute(_scores_query(run)).all()
    judges = {row.scorer: row.version for row in scores if row.scorer in JUDGE_SCORERS}  # in order: the last one stays
    for row in scores:
        if judges.get(row.scorer, row.version) != row.version:
            continue
        # A run that is going on may have stored a generation since the query before.
        if (scored := generations.get(row.generation_id)) is not None:
            scored.scores[row.scorer] = Score(row.scorer, row.version, row.value, row.label, row.detail)
    return list(records.values())


def _items_query(run: RunRow) -> Select[Any]:
    item = ItemRow.__table__.c
    shown = RunItemRow.__table__.c
    own = [column for column in item if column.name not in {"options", "gold", "position", "benchmark_id"}]
    return (
        select(*own, shown.options, shown.gold)
        .join_from(RunItemRow, ItemRow, item.id == shown.item_id)
        .where(shown.run_id == run.id, item.benchmark_id == run.benchmark_id)
        .order_by(shown.position)
    )


def _generations_query(run: RunRow) -> Select[Any]:
    generation = GenerationRow.__table__.c
    columns = [column for column in generation if column.name not in {"run_id", "created"}]
    return select(*columns).where(generation.run_id == run.id).order_by(generation.sample)


def _scores_query(run: RunRow) -> Select[Any]:
    score = ScoreRow.__table__.c
    return (
        select(score.generation_id, score.scorer, score.version, score.value, score.label, score.detail)
        .join_from(ScoreRow, GenerationRow, GenerationRow.id == score.generation_id)
        .where(GenerationRow.run_id == run.id)
        .order_by(score.id)
    )
