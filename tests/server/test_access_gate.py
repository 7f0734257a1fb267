"""Who is let in by the keys in the database, and what happens when it is away."""

import asyncio
import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, text

from app.schema import open_database
from app.tables import ApiKeyRow
from server.access import KeyStoreGate, Principal, gate
from server.access.key_text import make_key
from server.access.keys import KeyStore
from server.errors import ApiError


class CountingStore(KeyStore):
    """Notes the ids that it is asked for."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.asked: list[str] = []

    def find(self, id: str) -> ApiKeyRow | None:
        self.asked.append(id)
        return super().find(id)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = open_database(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def store(engine: Engine) -> CountingStore:
    return CountingStore(engine)


def bearer(key: str) -> bytes:
    return f"Bearer {key}".encode()


async def refusal(gate: KeyStoreGate, authorization: bytes | None) -> ApiError:
    with pytest.raises(ApiError) as raised:
        await gate.admit(authorization)
    return raised.value


@contextmanager
def without_keys(engine: Engine) -> Iterator[None]:
    """The table is away for the time of the block."""
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE api_key RENAME TO api_key_away"))
    try:
        yield
    finally:
        with engine.begin() as connection:
            connection.execute(text("ALTER TABLE api_key_away RENAME TO api_key"))


async def test_a_key_lets_its_holder_in(store: CountingStore) -> None:
    key = store.add("Dr. Sharma", ["chat", "admin"], 60, 4)
    expected = Principal(key.split("-")[1], "Dr. Sharma", frozenset(("chat", "admin")), 60, 4)
    gate = KeyStoreGate(store)
    for header in (bearer(key), f"bearer {key}".encode(), f"BEARER   {key}".encode()):
        assert await gate.admit(header) == expected


async def test_unknown_wrong_and_revoked_keys_are_told_the_same(store: CountingStore) -> None:
    right, revoked = store.add("a", ["chat"]), store.add("b", ["chat"])
    store.revoke("b")
    wrong = right[:-1] + ("a" if right[-1] != "a" else "b")
    gate = KeyStoreGate(store)
    for key in (make_key()[1], wrong, revoked, "", "sk-123", right + "x", right.upper(), right[:-1], f"{right} "):
        error = await refusal(gate, bearer(key))
        assert (error.status, error.code) == (401, "invalid_api_key")
        assert error.message == "this API key is wrong or was revoked"
    assert (await gate.admit(bearer(right))).name == "a"


@pytest.mark.parametrize("header", [None, b"", b"Basic dXNlcjpwYXNz", b"Bearer", b"himed-x"])
async def test_what_is_no_bearer_key_is_told_how_to_send_one(store: CountingStore, header: bytes | None) -> None:
    error = await refusal(KeyStoreGate(store), header)
    assert (error.status, error.code) == (401, "missing_api_key")
    assert "Authorization: Bearer KEY" in error.message
    assert (b"www-authenticate", b"Bearer") in error.headers
    assert store.asked == []


async def test_what_cannot_be_a_key_costs_no_lookup(store: CountingStore) -> None:
    key = store.add("a", ["chat"])
    gate = KeyStoreGate(store)
    for header in (
        bearer("x" * 60_000),
        b"Bearer" + b" " * 60_000 + key.encode(),
        b"Bearer \xff\x00",
        bearer("himed-"),
    ):
        assert (await refusal(gate, header)).code == "invalid_api_key"
    assert store.asked == []


async def test_a_lookup_serves_all_who_wait_and_those_that_come_soon(store: CountingStore) -> None:
    good, made_up = store.add("a", ["chat"]), make_key()[1]
    gate = KeyStoreGate(store, cache_s=1.0)
    holders = await asyncio.gather(*(gate.admit(bearer(good)) for _ in range(50)))
    assert {holder.name for holder in holders} == {"a"}
    for _ in range(10):
        await gate.admit(bearer(good))
        await refusal(gate, bearer(made_up))
    assert store.asked == [good.split("-")[1], made_up.split("-")[1]]
    await asyncio.sleep(1.0)
    await gate.admit(bearer(good))
    assert len(store.asked) == 3


async def test_a_revoked_key_goes_on_no_longer_than_promised(store: CountingStore) -> None:
    key = store.add("a", ["chat"])
    gate = KeyStoreGate(store, cache_s=1.0)
    await gate.admit(bearer(key))
    store.revoke("a")
    await gate.admit(bearer(key))
    await asyncio.sleep(1.0)
    assert (await refusal(gate, bearer(key))).code == "invalid_api_key"


async def test_made_up_keys_fill_no_memory_and_push_no_known_one_out(
    store: CountingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "_MOST_CACHED", 3)
    good, made_up = store.add("a", ["chat"]), [make_key()[1] for _ in range(5)]
    keys = KeyStoreGate(store, cache_s=60)
    await keys.admit(bearer(good))
    for key in made_up:
        await refusal(keys, bearer(key))
    assert len(store.asked) == 6
    await keys.admit(bearer(good))
    for key in made_up[2:]:
        await refusal(keys, bearer(key))
    assert len(store.asked) == 6
    await refusal(keys, bearer(made_up[0]))  # forgotten
    assert len(store.asked) == 7


async def test_known_keys_go_on_for_their_time_without_the_database(
    store: CountingStore, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    key, other = store.add("a", ["chat"]), store.add("b", ["chat"])
    gate = KeyStoreGate(store, cache_s=1.5)
    await gate.admit(bearer(key))
    with without_keys(engine), caplog.at_level(logging.INFO, "server.access"):
        errors = [await refusal(gate, bearer(other)) for _ in range(3)]
        assert (await gate.admit(bearer(key))).name == "a"
        await asyncio.sleep(1.5)
        errors.append(await refusal(gate, bearer(key)))
    for error in errors:
        assert (error.status, error.code) == (503, "keys_unavailable")
        assert "the database of the keys does not answer; try again soon" in error.message
        assert (b"retry-after", b"2") in error.headers
        shown = "".join(traceback.format_exception(error))
        assert not any(part in shown for part in (*key.split("-")[1:], *other.split("-")[1:]))
    with caplog.at_level(logging.INFO, "server.access"):
        assert [(await gate.admit(bearer(found))).name for found in (key, other)] == ["a", "b"]
    assert [record.getMessage() for record in caplog.records] == ["keys cannot be checked", "keys can be checked again"]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_database_that_hangs_holds_nobody_for_long(
    store: CountingStore, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "_DATABASE_S", 0.3)
    monkeypatch.setattr(gate, "_MOST_WAITING", 6)
    key, known = store.add("a", ["chat"]), store.add("b", ["chat"])
    keys = KeyStoreGate(store, cache_s=0.1)
    await keys.admit(bearer(known))
    await asyncio.sleep(0.1)
    store.asked.clear()
    with engine.begin() as connection:
        connection.execute(text("LOCK TABLE api_key IN ACCESS EXCLUSIVE MODE"))
        made_up = [bearer(make_key()[1]) for _ in range(20)]
        errors = await asyncio.gather(*(refusal(keys, header) for header in (*made_up, bearer(known), bearer(key))))
        assert [error.status for error in errors] == [503] * 22
        too_many = ["too many keys are being checked" in error.message for error in errors]
        assert too_many == [False] * 6 + [True] * 14 + [False, True]  # a known key waits whoever else does
        assert len(store.asked) == 4  # threads
    while True:
        try:
            assert (await keys.admit(bearer(key))).name == "a"
            break
        except ApiError:
            await asyncio.sleep(0.05)
