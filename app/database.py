"""The database's engine and session: SQLite in WAL mode by default, PostgreSQL by URL."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import Session

from app.errors import InputError

_BUSY_TIMEOUT_MS = 30_000
_CONNECT_S = 10


def _dump(value: Any) -> str:
    return orjson.dumps(value).decode()


# Prompts and options are stored by the thousand; and as the text that they are, where json would write escapes.
# Statements in an error show no values: those are prompts and answers.
_OPTIONS: dict[str, Any] = {"json_serializer": _dump, "json_deserializer": orjson.loads, "hide_parameters": True}


def open_engine(url: str) -> Engine:
    """An engine for ``sqlite:///FILE`` or ``postgresql://USER@HOST/NAME`` (psycopg 3).

    Raises:
        InputError: the URL cannot be read, names another kind of database, or a folder that does not exist.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise InputError(
            "the database URL cannot be read", remedy="write it like sqlite:///himed.db or postgresql://user@host/name"
        ) from None
    backend = parsed.get_backend_name()
    if backend == "postgresql":
        return create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            pool_pre_ping=True,
            connect_args={} if "connect_timeout" in parsed.query else {"connect_timeout": _CONNECT_S},
            **_OPTIONS,
        )
    if backend != "sqlite":
        raise InputError(f"unsupported database {backend!r}", remedy="use sqlite:/// or postgresql://")
    if parsed.database and parsed.database != ":memory:" and not Path(parsed.database).resolve().parent.is_dir():
        raise InputError("the database's folder does not exist", file=parsed.database, remedy="create it first")
    engine = create_engine(parsed, **_OPTIONS)
    event.listen(engine, "connect", _set_pragmas)
    return engine


def _set_pragmas(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}")
    _use_wal(cursor)
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _use_wal(cursor: Any) -> None:
    """Readers (the results page) do not wait for a run's writer. With synchronous=NORMAL it is durable against a killed
    process. The change of a new database's mode does not wait for others that make it too, whatever the timeout."""
    end = time.monotonic() + _BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(0.02)
        else:
            return


def take_lock(session: Session, key: int) -> None:
    """Make others who take the same lock wait until this session's transaction ends.

    On PostgreSQL an advisory lock of the 64-bit key; SQLite has one lock for all writers, taken here before anything
    is read, so that nothing read can change under it.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})
    else:
        session.execute(text("BEGIN IMMEDIATE"))


@contextmanager
def open_session(engine: Engine) -> Iterator[Session]:
    """A session that commits at the end, or rolls back when the block raises."""
    with Session(engine, expire_on_commit=False) as session, session.begin():
        yield session
