"""Runs in the database: created once, found again by their fingerprint, worked on by one process at a time."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Engine, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from ulid import ULID

from app.database import open_session, take_lock
from app.errors import InputError
from app.tables import BenchmarkRow, GenerationRow, ItemRow, ModelRow, RunItemRow, RunRow, utc_now
from app.version import code_version, package_versions
from evaluation.benchmarks.item import Benchmark, Item
from evaluation.results.owner import is_worked_on, this_process


def ensure_benchmark(engine: Engine, benchmark: Benchmark) -> int:
    """Id of the benchmark's row; writes it with all its items when this content was never evaluated here."""
    wanted = select(BenchmarkRow.id).where(BenchmarkRow.name == benchmark.name, BenchmarkRow.sha256 == benchmark.sha256)
    with open_session(engine) as session:
        if (found := session.scalar(wanted)) is not None:
            return found
    try:
        with open_session(engine) as session:
            return _insert_benchmark(session, benchmark)
    except IntegrityError:  # another process wrote the same benchmark in between
        with open_session(engine) as session:
            return session.scalars(wanted).one()


def _insert_benchmark(session: Session, benchmark: Benchmark) -> int:
    row = BenchmarkRow(
        name=benchmark.name,
        version=benchmark.version,
        sha256=benchmark.sha256,
        n=len(benchmark.items),
        duplicates=benchmark.duplicates,
        invalid=[asdict(invalid) for invalid in benchmark.invalid],
    )
    session.add(row)
    session.flush()
    session.execute(
        insert(ItemRow.__table__),  # type: ignore[arg-type]
        [
            {"benchmark_id": row.id, "position": position, **_columns(item)}
            for position, item in enumerate(benchmark.items)
        ],
    )
    return row.id


def _columns(item: Item) -> dict[str, Any]:
    return {name: getattr(item, name) for name in Item.__slots__ if name in ItemRow.__table__.columns}


def ensure_model(engine: Engine, name: str, revision: str, format: str) -> int:
    """Id of the model's row, written when it is new."""
    wanted = select(ModelRow.id).where(ModelRow.name == name, ModelRow.revision == revision, ModelRow.format == format)
    try:
        with open_session(engine) as session:
            if (found := session.scalar(wanted)) is not None:
                return found
            row = ModelRow(name=name, revision=revision, format=format)
            session.add(row)
            session.flush()
            return row.id
    except IntegrityError:
        with open_session(engine) as session:
            return session.scalars(wanted).one()


def open_run(
    engine: Engine,
    *,
    benchmark_id: int,
    model_id: int,
    fingerprint: str,
    source: str,
    settings: dict[str, Any],
    prompt_hash: str,
    items: Sequence[Item],
    samples: int,
    new: bool = False,
) -> tuple[RunRow, bool]:
    """The newest run of this fingerprint, or a new one with its items, owned by this process; and whether it is new.

    Of several processes with the same command at the same time one creates the run and the others find it.
    """
    with open_session(engine) as session:
        take_lock(session, int(fingerprint[:15], 16))
        found = session.scalars(
            select(RunRow).where(RunRow.fingerprint == fingerprint).order_by(RunRow.id.desc()).limit(1)
        ).first()
        if found is not None and not new:
            return found, False
        run = RunRow(
            id=str(ULID()),
            benchmark_id=benchmark_id,
            model_id=model_id,
            fingerprint=fingerprint,
            source=source,
            settings=settings,
            prompt_hash=prompt_hash,
            code_version=code_version(),
            packages=package_versions(),
            status="running",
            n=len(items),
            samples=samples,
            owner=this_process(),
        )
        session.add(run)
        session.flush()
        rows = [
            {"run_id": run.id, "item_id": item.id, "position": position, "options": item.options, "gold": item.gold}
            for position, item in enumerate(items)
        ]
        if rows:
            session.execute(insert(RunItemRow.__table__), rows)  # type: ignore[arg-type]
    with open_session(engine) as session:
        return session.get_one(RunRow, run.id), True


def count_stored(engine: Engine, run_id: str) -> int:
    """How many generations of a run the database holds, failed ones left out."""
    with open_session(engine) as session:
        stored = select(func.count()).select_from(GenerationRow)
        return session.scalar(stored.where(GenerationRow.run_id == run_id, GenerationRow.text.is_not(None))) or 0


def claim_run(engine: Engine, run: RunRow, settings: dict[str, Any]) -> None:
    """Take over an unfinished run whose process has ended.

    Raises:
        InputError: another process works on it.
    """
    if is_worked_on(run):
        raise InputError(
            f"run {run.id} is being worked on by another process ({run.owner})",
            remedy="wait for it, or start another run with --new",
        )
    with open_session(engine) as session:
        claimed = session.execute(
            update(RunRow)
            .where(RunRow.id == run.id, RunRow.owner.is_not_distinct_from(run.owner))
            .values(owner=this_process(), status="running", heartbeat=utc_now(), finished=None, settings=settings)
        )
        if claimed.rowcount != 1:  # type: ignore[attr-defined]
            raise InputError(f"run {run.id} was taken over by another process just now", remedy="wait for it")


def release_run(engine: Engine, run_id: str, status: str) -> RunRow:
    """End this process's work on a run: ``finished``, ``incomplete`` (items failed) or ``interrupted``."""
    now = utc_now()
    finished = now if status in ("finished", "incomplete") else None
    with open_session(engine) as session:
        session.execute(
            update(RunRow)
            .where(RunRow.id == run_id)
            .values(status=status, owner=None, heartbeat=now, finished=finished)
        )
        return session.get_one(RunRow, run_id)
