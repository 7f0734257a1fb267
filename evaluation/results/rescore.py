"""Scoring a run again from its stored generations: after a scorer has changed, or for one that was not there yet."""

from collections import Counter
from collections.abc import Sequence
from typing import cast

from sqlalchemy import Engine

from app.database import open_session
from app.errors import InputError
from app.formats import Format
from app.tables import RunRow
from evaluation.progress import RunProgress
from evaluation.results.owner import is_worked_on
from evaluation.results.records import load_records
from evaluation.results.writer import replace_scores
from evaluation.scorers import SCORERS, score_generation
from evaluation.scorers.base import Scorer


def choose_scorers(names: Sequence[str]) -> tuple[Scorer, ...]:
    """The scorers of these names; all of them for no name.

    Raises:
        InputError: a name is unknown, or the judge's, who needs an endpoint.
    """
    known = {scorer.name: scorer for scorer in SCORERS}
    for name in names:
        if name.startswith("judge_"):
            raise InputError(
                f"{name} is the judge's",
                remedy="repeat the run's himed-eval command with --judge-endpoint and --judge-model",
            )
        if name not in known:
            raise InputError(f"unknown scorer {name!r}", remedy=f"use one of {', '.join(known)}")
    return tuple(known[name] for name in dict.fromkeys(names)) or SCORERS


def rescore(engine: Engine, run: RunRow, scorers: tuple[Scorer, ...] = SCORERS) -> Counter[str]:
    """Score every stored generation of a run; the new scores stand. Returns the number of scores by scorer.

    All or nothing: they are written in one transaction at the end. Scores of other versions and other scorers stay.

    Raises:
        InputError: a process works on the run.
    """
    if is_worked_on(run):
        raise InputError(f"run {run.id} is being worked on by {run.owner or 'a process'}", remedy="wait for it")
    with open_session(engine) as session:
        records = load_records(session, run)
    format = cast(Format, run.model.format)
    scores = []
    with RunProgress("scoring", sum(len(record.generations) for record in records)) as progress:
        for record in records:
            for generation in record.generations:
                found = score_generation(record.item, generation, format, scorers)
                scores += [(generation, score) for score in found]
                progress.advance()
    with engine.begin() as connection:
        replace_scores(connection, scores)
    return Counter(score.scorer for _, score in scores)
