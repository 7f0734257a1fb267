"""The one writer of a run: generations, scores and verdicts, committed in batches."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Connection, Engine, delete, insert, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import OperationalError

from app.errors import InputError
from app.tables import GenerationRow, RunRow, ScoreRow, VerdictRow, utc_now
from evaluation.results.records import Generation, Score, Verdict

_FLUSH_SECONDS = 0.5
_ATTEMPTS, _WAIT_SECONDS = 20, 1.0
_DELETE_CHUNK = 200  # SQLite bounds the variables of a statement


@dataclass(slots=True)
class _Batch:
    generations: list[tuple[str, Generation]] = field(default_factory=list)  # with their item's id
    scores: list[tuple[Generation, Score]] = field(default_factory=list)  # theirs
    later_scores: list[tuple[Generation, Score]] = field(default_factory=list)  # of generations stored before
    verdicts: list[Verdict] = field(default_factory=list)


class RunWriter:
    """Collects what arrives and commits it every half second: a killed process loses no more than that.

    A generation and its scores share one transaction: no generation is ever stored without them. A database that is
    locked or away for a moment is waited for; when it stays away, the next thing added raises its error.
    """

    def __init__(self, engine: Engine, run_id: str) -> None:
        self.engine, self.run_id = engine, run_id
        self._batch = _Batch()
        self._flusher: asyncio.Task[None] | None = None
        name = engine.url.database if engine.dialect.name == "sqlite" else None
        self._file = Path(name) if name and name != ":memory:" else None
        self._inode = self._file.stat().st_ino if self._file else None

    async def __aenter__(self) -> Self:
        self._flusher = asyncio.create_task(self._flush_regularly())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._flusher is not None
        self._flusher.cancel()
        with suppress(asyncio.CancelledError):
            await self._flusher
        await self._flush_patiently()

    def add_generation(
        self, item_id: str, generation: Generation, scores: Iterable[Score], verdicts: Iterable[Verdict] = ()
    ) -> None:
        """Store a generation with its scores; one that failed earlier for the same item and sample is replaced."""
        self._batch.generations.append((item_id, generation))
        self._add(self._batch.scores, generation, scores, verdicts)

    def add_scores(self, generation: Generation, scores: Iterable[Score], verdicts: Iterable[Verdict] = ()) -> None:
        """Store scores, and the verdicts behind them, of a generation that was added before."""
        self._add(self._batch.later_scores, generation, scores, verdicts)

    def _add(
        self,
        to: list[tuple[Generation, Score]],
        generation: Generation,
        scores: Iterable[Score],
        verdicts: Iterable[Verdict],
    ) -> None:
        for score in scores:
            generation.scores[score.scorer] = score
            to.append((generation, score))
        self._batch.verdicts.extend(verdicts)
        if self._flusher is not None and self._flusher.done():
            self._flusher.result()  # raises what ended it

    def flush(self) -> None:
        """Commit everything that was added; what cannot be committed is kept.

        Raises:
            InputError: the SQLite file is not the one that was opened.
            sqlalchemy.exc.OperationalError: the database is locked, full or away.
        """
        if self._file is not None and (not self._file.exists() or self._file.stat().st_ino != self._inode):
            raise InputError(
                "the database was removed or replaced during the run", file=self._file, remedy="put it back"
            )
        with self.engine.begin() as connection:
            self._write_generations(connection, self._batch.generations)
            insert_scores(connection, self._batch.scores)
            replace_scores(connection, self._batch.later_scores)
            write_verdicts(connection, self._batch.verdicts)
            connection.execute(update(RunRow).where(RunRow.id == self.run_id).values(heartbeat=utc_now()))
        self._batch = _Batch()

    async def _flush_patiently(self) -> None:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                # In this thread: a batch takes milliseconds, and nothing may be added to it half-way.
                self.flush()
            except OperationalError:
                if attempt == _ATTEMPTS:
                    raise
                await asyncio.sleep(_WAIT_SECONDS)
            else:
                return

    async def _flush_regularly(self) -> None:
        while True:
            await asyncio.sleep(_FLUSH_SECONDS)
            await self._flush_patiently()

    def _write_generations(self, connection: Connection, generations: Sequence[tuple[str, Generation]]) -> None:
        if not generations:
            return
        keys = [(item_id, generation.sample) for item_id, generation in generations]
        for start in range(0, len(keys), _DELETE_CHUNK):
            connection.execute(
                delete(GenerationRow).where(
                    GenerationRow.run_id == self.run_id,
                    GenerationRow.text.is_(None),
                    tuple_(GenerationRow.item_id, GenerationRow.sample).in_(keys[start : start + _DELETE_CHUNK]),
                )
            )
        now = utc_now()
        rows = [
            {"run_id": self.run_id, "item_id": item_id, "created": now, **_generation_columns(generation)}
            for item_id, generation in generations
        ]
        ids = connection.scalars(
            insert(GenerationRow.__table__).returning(GenerationRow.id, sort_by_parameter_order=True),  # type: ignore[arg-type]
            rows,
        )
        for (_, generation), id in zip(generations, ids, strict=True):
            generation.id = id


_GENERATION_COLUMNS = tuple(name for name in Generation.__slots__ if name not in ("id", "scores"))


def _generation_columns(generation: Generation) -> dict[str, Any]:
    return {name: _storable(getattr(generation, name)) for name in _GENERATION_COLUMNS}


def _storable(value: Any) -> Any:
    # PostgreSQL's text has no NUL; a model may well say one.
    return value.replace("\0", "\ufffd") if isinstance(value, str) else value


def insert_scores(connection: Connection, scores: Sequence[tuple[Generation, Score]]) -> None:
    """Insert scores of stored generations."""
    if scores:
        connection.execute(
            insert(ScoreRow),
            [
                {"generation_id": generation.id, **{name: getattr(score, name) for name in Score.__slots__}}
                for generation, score in scores
            ],
        )


def replace_scores(connection: Connection, scores: Sequence[tuple[Generation, Score]]) -> None:
    """Insert scores in place of those of the same scorer and version.

    Deleted and not updated: of several versions the score with the highest id stands.
    """
    by_scorer: defaultdict[tuple[str, str], list[int | None]] = defaultdict(list)
    for generation, score in scores:
        by_scorer[score.scorer, score.version].append(generation.id)
    for (scorer, version), ids in by_scorer.items():
        for start in range(0, len(ids), _DELETE_CHUNK):
            connection.execute(
                delete(ScoreRow).where(
                    ScoreRow.scorer == scorer,
                    ScoreRow.version == version,
                    ScoreRow.generation_id.in_(ids[start : start + _DELETE_CHUNK]),
                )
            )
    insert_scores(connection, scores)


def write_verdicts(connection: Connection, verdicts: Sequence[Verdict]) -> None:
    """Insert verdicts; one that stands already for its judge and prompt stays."""
    if not verdicts:
        return
    now = utc_now()
    # SQLAlchemy has the conflict clause only in its dialects' inserts.
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    connection.execute(
        dialect.insert(VerdictRow).on_conflict_do_nothing(),
        [{**asdict(verdict), "reply": _storable(verdict.reply), "created": now} for verdict in verdicts],
    )
