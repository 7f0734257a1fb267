"""The request log: what is written, what is deleted, and a database that goes away."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, delete, select, text
from sqlalchemy.exc import OperationalError

from app.database import open_session
from app.schema import open_database
from app.tables import RequestLogRow, utc_now
from server import store as store_module
from server.config import RequestLogConfig
from server.record import Record
from server.store import Store


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = open_database(database_url)
    yield engine
    engine.dispose()


def record(number: int, **more: Any) -> Record:
    return Record(f"id-{number}", "POST", "/v1/medical/answer", model="himed", status=200, **more)


def logged(engine: Engine) -> list[RequestLogRow]:
    with open_session(engine) as session:
        return list(session.scalars(select(RequestLogRow).order_by(RequestLogRow.id)))


def hide(engine: Engine, *, away: bool) -> None:
    """Let the table go away and come back: to the server the same as its database."""
    old, new = ("request_log", "hidden") if away else ("hidden", "request_log")
    with engine.begin() as connection:
        connection.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))


@pytest.mark.parametrize("bodies", [False, True])
async def test_bodies_are_written_only_when_asked_for(engine: Engine, bodies: bool) -> None:
    store = Store(engine)
    asked, answered = {"question": "क्या\u0000?"}, {"answer": "हाँ"}
    store.log(record(1, request=asked, response=answered, prompt_tokens=3, key_name="clinic"), bodies=bodies)
    await store.flush()
    (row,) = logged(engine)
    assert (row.request_id, row.model, row.status, row.key_name, row.prompt_tokens) == (
        "id-1",
        "himed",
        200,
        "clinic",
        3,
    )
    assert (row.request, row.response) == ((asked, answered) if bodies else (None, None))
    assert row.path == "/v1/medical/answer"
    assert row.duration_s is not None
    assert row.duration_s >= 0


async def test_rows_older_than_the_retention_time_are_deleted(engine: Engine) -> None:
    with open_session(engine) as session:
        for days in (1, 6.9, 7.1, 400):
            row = RequestLogRow(request_id=f"{days}", key_name="-", model="m", status=200)
            row.created = utc_now() - timedelta(days=days)
            session.add(row)
    store = Store(engine)
    writer = asyncio.create_task(store.run(lambda: RequestLogConfig(keep_days=7)))
    try:
        for _ in range(500):
            if len(logged(engine)) == 2:
                break
            await asyncio.sleep(0.01)
    finally:
        writer.cancel()
    assert [row.request_id for row in logged(engine)] == ["1", "6.9"]


async def test_the_writer_writes_every_second_and_outlives_a_database_that_is_away(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "_WRITE_S", 0.01)
    store = Store(engine)
    hide(engine, away=True)
    writer = asyncio.create_task(store.run(RequestLogConfig))
    try:
        for number in range(5):
            store.log(record(number), bodies=False)
            await asyncio.sleep(0.03)
        assert not writer.done()
        hide(engine, away=False)
        for _ in range(500):
            if len(logged(engine)) == 5:
                break
            await asyncio.sleep(0.01)
    finally:
        writer.cancel()
    assert [row.request_id for row in logged(engine)] == [f"id-{number}" for number in range(5)]


async def test_of_more_than_ten_thousand_waiting_rows_the_newest_are_kept(engine: Engine) -> None:
    store = Store(engine)
    hide(engine, away=True)
    for number in range(10_000):
        store.log(record(number), bodies=False)
    await asyncio.gather(store.flush(), _log_while_writing(store, range(10_000, 10_500)))
    hide(engine, away=False)
    await store.flush()
    numbers = [int(row.request_id.removeprefix("id-")) for row in logged(engine)]
    assert numbers == list(range(500, 10_500))


async def _log_while_writing(store: Store, numbers: range) -> None:
    for number in numbers:
        store.log(record(number), bodies=False)


async def test_a_write_whose_confirmation_was_lost_is_not_written_twice(engine: Engine) -> None:
    store = Store(engine)
    store.log(record(1), bodies=False)
    await store.flush()
    for number in (1, 2):
        store.log(record(number), bodies=False)
    await store.flush()
    assert [row.request_id for row in logged(engine)] == ["id-1", "id-2"]
    await store.flush()  # nothing waits any more
    assert len(logged(engine)) == 2


async def test_a_row_that_cannot_be_written_does_not_hold_the_others_up(engine: Engine) -> None:
    store = Store(engine)
    store.log(record(1), bodies=True)
    store.log(record(2, request={"question": object()}), bodies=True)
    store.log(record(3), bodies=True)
    store.log(record(4, prompt_tokens=2**70), bodies=True)
    store.log(record(5, key_name=None), bodies=True)
    await store.flush()
    assert [row.request_id for row in logged(engine)] == ["id-1", "id-3"]


async def test_a_flush_that_is_cancelled_loses_nothing(engine: Engine) -> None:
    store = Store(engine)
    for number in range(100):
        store.log(record(number), bodies=False)
    flushing = asyncio.create_task(store.flush())
    await asyncio.sleep(0)
    flushing.cancel()
    await asyncio.gather(flushing, return_exceptions=True)
    await store.flush()
    assert len(logged(engine)) == 100


async def test_a_session_commits_or_rolls_back(engine: Engine) -> None:
    store = Store(engine)

    def add(session: Any) -> str:
        session.add(RequestLogRow(request_id="x", key_name="-", model="m", status=200))
        return "added"

    def fail(session: Any) -> None:
        session.execute(delete(RequestLogRow))
        raise OperationalError("", None, Exception())

    assert await store.run_in_session(add) == "added"
    with pytest.raises(OperationalError):
        await store.run_in_session(fail)
    assert len(logged(engine)) == 1
