"""Opening, creating and upgrading the results database."""

import multiprocessing
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from results_sample import RUN_A, RUN_B, RUN_EN, fill_database
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from app.errors import InputError
from app.schema import HEAD, MIGRATIONS, open_database
from app.tables import Base, RunRow
from evaluation.results.records import load_records, load_run

FIRST_SCHEMA = Path(__file__).parent / "data" / "first-schema.db"


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

    from alembic import command

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


def test_a_database_of_the_first_schema_is_upgraded_with_all_its_rows(tmp_path: Path) -> None:
    shutil.copy(FIRST_SCHEMA, tmp_path / "old.db")
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
    engine.dispose()


def test_the_first_schema_file_is_of_the_first_schema() -> None:
    connection = sqlite3.connect(f"file:{FIRST_SCHEMA}?mode=ro&immutable=1", uri=True)
    assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("0001",)]
    connection.close()


def test_a_newer_database_is_refused(database_url: str) -> None:
    engine = open_database(database_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(InputError, match=r"schema 9999 .* is newer .* upgrade himed"):
        open_database(database_url)


def test_a_database_of_another_program_is_refused_and_left_alone(database_url: str) -> None:
    from app.database import open_engine

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
