"""Opening, creating and upgrading the results database."""

import json
import multiprocessing
import shutil
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from results_sample import RUN_A, RUN_B, RUN_EN, fill_database
from sqlalchemy import JSON, DateTime, MetaData, Table, func, select, text
from sqlalchemy.orm import Session

from app.database import open_engine
from app.errors import InputError
from app.schema import HEAD, MIGRATIONS, open_database
from app.tables import Base, FeedbackRow, RunRow
from evaluation.results.records import load_records, load_run

OLD_SCHEMAS = [Path(__file__).parent / "data" / f"{ordinal}-schema.db" for ordinal in ("first", "second")]


def test_the_version_written_down_is_alembics_newest() -> None:
    config = Config()
    config.set_main_option("script_location", MIGRATIONS)
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_migrations_make_exactly_the_tables_of_the_code(database_url: str) -> None:
    engine = open_database(database_url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all() == [HEAD]
    engine.dispose()


def test_opening_again_changes_nothing(database_url: str) -> None:
    engine = open_database(database_url)
    fill_database(engine)
    engine.dispose()
    engine = open_database(database_url)
    with Session(engine) as session:
        assert session.scalar(select(func.count()).select_from(RunRow)) == 3
    engine.dispose()


def _open(url: str, together: "multiprocessing.synchronize.Barrier") -> None:
    together.wait()
    open_database(url).dispose()


def test_many_processes_may_open_a_new_database_at_once(database_url: str) -> None:
    context = multiprocessing.get_context("fork")  # so that they are ready at the same moment
    together = context.Barrier(5)
    processes = [context.Process(target=_open, args=(database_url, together)) for _ in range(5)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=60)
    assert [process.exitcode for process in processes] == [0] * 5
    engine = open_database(database_url)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM alembic_version")).scalar() == 1
        assert connection.execute(text("SELECT count(*) FROM run")).scalar() == 0
    engine.dispose()


def test_an_upgrade_that_is_broken_off_leaves_nothing_behind(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_after_upgrade(*_: object) -> None:
        upgrade(*_)
        raise KeyboardInterrupt

    upgrade = command.upgrade
    monkeypatch.setattr(command, "upgrade", fail_after_upgrade)
    with pytest.raises(KeyboardInterrupt):
        open_database(database_url)
    monkeypatch.undo()
    engine = open_database(database_url)  # would find the tables taken
    fill_database(engine)
    engine.dispose()


def test_a_current_database_opens_without_alembic(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'results.db'}"
    open_database(url).dispose()
    code = (
        f"import sys; from app.schema import open_database; open_database({url!r}); sys.exit('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("old", OLD_SCHEMAS, ids=lambda old: old.stem)
def test_a_database_of_an_earlier_schema_is_upgraded_with_all_its_rows(old: Path, tmp_path: Path) -> None:
    shutil.copy(old, tmp_path / "old.db")
    engine = open_database(f"sqlite:///{tmp_path / 'old.db'}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
        assert connection.execute(text("PRAGMA foreign_key_check")).all() == []
    with Session(engine) as session:
        assert set(session.scalars(select(RunRow.id))) == {RUN_A, RUN_B, RUN_EN}
        records = load_records(session, load_run(session, RUN_A))
        assert [len(record.generations) for record in records] == [2, 2, 2, 2]
        assert records[0].item.options == {"A": "स्कर्वी", "B": "रिकेट्स"}
        assert records[3].generations[0].scores["judge_correct"].label == "true"
        assert session.scalars(select(FeedbackRow.who)).all() == ["Dr Rao"]
    engine.dispose()


@pytest.mark.parametrize("old", OLD_SCHEMAS, ids=lambda old: old.stem)
def test_what_a_schema_could_hold_is_upgraded_on_both_databases(old: Path, database_url: str) -> None:
    revision, tables = _read(old)
    engine = open_engine(database_url)
    config = Config()
    config.set_main_option("script_location", MIGRATIONS)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        then = MetaData()
        then.reflect(connection)
        for table in then.sorted_tables:
            for row in tables.get(table.name, []):
                connection.execute(table.insert().values(_typed(table, row)))
    engine.dispose()
    engine = open_database(database_url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
        for name, rows in tables.items():
            assert connection.execute(text(f'SELECT count(*) FROM "{name}"')).scalar() == len(rows), name
    engine.dispose()


def _read(old: Path) -> tuple[str, dict[str, list[dict[str, Any]]]]:
    """The revision of a SQLite file, and its rows by table."""
    connection = sqlite3.connect(f"file:{old}?mode=ro&immutable=1", uri=True)
    connection.row_factory = sqlite3.Row
    (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    rows = {name: [dict(row) for row in connection.execute(f'SELECT * FROM "{name}"')] for name in names}
    connection.close()
    del rows["alembic_version"]
    return revision, rows


def _typed(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    """A row as SQLite holds it, with JSON and times read."""

    def read(name: str, value: Any) -> Any:
        kind = table.c[name].type
        if isinstance(kind, JSON):
            return json.loads(value)
        return datetime.fromisoformat(value).replace(tzinfo=UTC) if isinstance(kind, DateTime) else value

    return {name: read(name, value) for name, value in row.items() if value is not None}


@pytest.mark.parametrize(("old", "revision"), [*zip(OLD_SCHEMAS, ["0001", "0002"], strict=True)])
def test_the_old_files_are_of_the_old_schemas(old: Path, revision: str) -> None:
    assert _read(old)[0] == revision


def test_a_newer_database_is_refused(database_url: str) -> None:
    engine = open_database(database_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(InputError, match=r"schema 9999 .* is newer .* upgrade himed"):
        open_database(database_url)


def test_a_database_of_another_program_is_refused_and_left_alone(database_url: str) -> None:
    engine = open_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE run (km INTEGER)"))
    with pytest.raises(InputError, match="holds other tables of the name run"):
        open_database(database_url)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM run")).scalar() == 0
    engine.dispose()


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, " * 100)
    with pytest.raises(InputError, match=r"notes\.txt: this file is no SQLite database"):
        open_database(f"sqlite:///{path}")
    assert path.read_text() == "not a database, " * 100


def test_a_missing_file_is_made_only_where_that_is_meant(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no results database; run himed-eval first"):
        open_database(f"sqlite:///{tmp_path / 'none.db'}", must_exist=True)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_away_is_no_new_database() -> None:
    with pytest.raises(InputError, match=r"cannot be opened .*; check that it is there"):
        open_database("postgresql://someone@127.0.0.1:1/none")


def test_absent_json_is_null_in_sql(database_url: str) -> None:
    engine = open_database(database_url)
    fill_database(engine)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM item WHERE options IS NULL")).scalar() == 2
    engine.dispose()
