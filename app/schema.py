"""Opens the results database and brings its tables to the newest version."""

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import DatabaseError, OperationalError, ProgrammingError

from app.database import open_engine
from app.errors import InputError

if TYPE_CHECKING:
    from alembic.config import Config

# Alembic's newest revision. Written down here so that opening a current database does not have to import Alembic.
HEAD = "0003"

# Alembic's scripts. A percent sign in a path would be read as the start of a name.
MIGRATIONS = str(Path(__file__).parent / "migrations").replace("%", "%%")

_REVISION = text("SELECT version_num FROM alembic_version")
_LOCK = 0x68696D6564  # "himed": PostgreSQL's advisory locks are numbers


def open_database(url: str, *, must_exist: bool = False) -> Engine:
    """An engine on the database at ``url`` with all tables at version `HEAD`.

    Several processes may open the same new or old database at once: one upgrades it, the others wait.

    Args:
        url: ``sqlite:///FILE`` or ``postgresql://USER@HOST/NAME``.
        must_exist: refuse a SQLite file that is not there instead of creating it.

    Raises:
        InputError: the URL is wrong, the file is missing or no database, the server cannot be reached or refuses the
            user, or the tables are not ours or newer than this code.
    """
    engine = open_engine(url)
    if must_exist and not _exists(engine):
        raise InputError(
            "there is no results database",
            file=engine.url.database,
            remedy="run himed-eval first (for a server himed-serve keys add, for the page himed-ui users add), or name "
            "another with --db or HIMED_DB",
        )
    try:
        with engine.connect() as connection:
            current = _is_current(connection)
        if not current:
            _upgrade(engine)
    except DatabaseError as error:
        if isinstance(error.orig, sqlite3.DatabaseError) and "not a database" in str(error.orig):
            raise InputError(
                "this file is no SQLite database", file=engine.url.database, remedy="name another with --db or HIMED_DB"
            ) from None
        if isinstance(error, OperationalError):
            place = engine.url.render_as_string(hide_password=True)
            said = " ".join(str(error.orig).split())
            remedy = "check that it is there and may be written, or name another with --db or HIMED_DB"
            raise InputError(f"the database {place} cannot be opened ({said})", remedy=remedy) from None
        raise
    return engine


def _exists(engine: Engine) -> bool:
    name = engine.url.database
    return engine.dialect.name != "sqlite" or (name not in (None, "", ":memory:") and Path(name or "").exists())


def _is_current(connection: Connection) -> bool:
    try:
        return connection.execute(_REVISION).scalar() == HEAD
    except (OperationalError, ProgrammingError):
        return False  # a new database has no such table; should the reason be another, the upgrade meets it again


def _upgrade(engine: Engine) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", MIGRATIONS)
    with engine.connect() as connection:
        _begin_locked(connection)
        _check_ours(connection, config)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA foreign_keys=ON")


def _begin_locked(connection: Connection) -> None:
    """Start the one transaction in which the upgrade happens whole or not at all; others wait here."""
    if connection.dialect.name == "sqlite":
        # The driver's own BEGIN comes too late: it lets CREATE TABLE pass outside of any transaction.
        connection.execution_options(isolation_level="AUTOCOMMIT")
        # SQLite alters a table by copying and dropping it, which would delete every row that refers to it.
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def _check_ours(connection: Connection, config: "Config") -> None:
    from alembic.script import ScriptDirectory

    from app.tables import Base

    place = connection.engine.url.render_as_string(hide_password=True)
    tables = inspect(connection).get_table_names()
    revision = connection.execute(_REVISION).scalar() if "alembic_version" in tables else None
    if revision is None:
        if taken := sorted(set(Base.metadata.tables) & set(tables)):
            raise InputError(
                f"the database {place} holds other tables of the name {', '.join(taken)}",
                remedy="use a database of its own with --db or HIMED_DB",
            )
        return
    if revision not in {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}:
        raise InputError(
            f"the schema {revision} of the database {place} is newer than this version of himed, which knows {HEAD}",
            remedy="upgrade himed, or use another database with --db or HIMED_DB",
        )
