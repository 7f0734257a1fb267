"""API keys in the database, and the commands that make, list and revoke them."""

import json
import re
import sys
from functools import partial
from hashlib import sha256

import pytest
from sqlalchemy import Engine, select

from app.command import run_main
from app.database import open_session
from app.errors import InputError
from app.schema import open_database
from app.tables import ApiKeyRow
from server.access.cli import app
from server.access.keys import KeyStore


@pytest.fixture
def engine(database_url: str) -> Engine:
    return open_database(database_url)


@pytest.fixture
def store(engine: Engine) -> KeyStore:
    return KeyStore(engine)


def test_a_key_is_stored_by_its_hash_alone(store: KeyStore, engine: Engine) -> None:
    key = store.add("Dr. शर्मा", ["feedback", "chat", "chat"], 60, 4)
    assert re.fullmatch(r"himed-[a-z2-7]{12}-[0-9A-Za-z]{43}", key)
    _, id, secret = key.split("-")
    (row,) = store.list()
    assert (row.id, row.name, row.scopes, row.per_minute, row.concurrency, row.revoked) == (
        id,
        "Dr. शर्मा",
        ["chat", "feedback"],
        60,
        4,
        None,
    )
    assert row.hash == sha256(key.encode()).hexdigest()
    with engine.connect() as connection:
        assert secret not in str(connection.execute(select(ApiKeyRow.__table__)).all())


def test_keys_differ_and_are_found_by_their_id(store: KeyStore) -> None:
    keys = [store.add(f"key {number}", ["chat"]) for number in range(20)]
    assert len({key.split("-")[1] for key in keys}) == len({key.split("-")[2] for key in keys}) == 20
    found = store.find(keys[7].split("-")[1])
    assert found is not None
    assert found.name == "key 7"
    assert store.find("nobody") is None


def test_a_key_is_revoked_by_name_or_id_and_stays_so(store: KeyStore) -> None:
    store.add("by name", ["chat"])
    id = store.add("by id", ["chat"]).split("-")[1]
    revoked = store.revoke("by name").revoked
    assert revoked is not None
    assert store.revoke("by name").revoked == revoked  # the first date stays
    assert store.revoke(id).name == "by id"
    assert all(row.revoked for row in store.list())


def test_a_name_goes_before_an_id(store: KeyStore) -> None:
    id = store.add("first", ["chat"]).split("-")[1]
    store.add(id, ["chat"])
    assert store.revoke(id).name == id
    assert [row.revoked is None for row in store.list()] == [True, False]


def test_a_name_is_never_given_twice(store: KeyStore) -> None:
    store.add("a", ["chat"])
    with pytest.raises(InputError, match="there is a key named 'a' already; take another name, or revoke that key"):
        store.add("a", ["chat"])
    store.revoke("a")
    with pytest.raises(InputError, match="the name 'a' belongs to a revoked key; take another"):
        store.add("a", ["chat"])
    assert len(store.list()) == 1


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\x1b[2J", "a\u202eb", " a", "a ", "x" * 101, "\udcff"])
def test_names_that_would_spoil_a_log_are_refused(store: KeyStore, name: str) -> None:
    with pytest.raises(InputError, match="1 to 100 printable characters"):
        store.add(name, ["chat"])


def test_a_key_given_for_a_name_is_refused_without_showing_it(store: KeyStore) -> None:
    key = store.add("a", ["chat"])
    for call in (lambda: store.add(key, ["chat"]), lambda: store.add(f"x {key}", ["chat"]), lambda: store.revoke(key)):
        with pytest.raises(InputError) as raised:
            call()
        assert key.split("-")[2] not in str(raised.value)


@pytest.mark.parametrize(
    ("scopes", "per_minute", "concurrency", "message"),
    [
        ([], None, None, "a key needs a scope; use chat, feedback, admin"),
        (["chat", "root"], None, None, "unknown scope 'root'; use chat, feedback, admin"),
        (["chat"], 0, None, "field 'per_minute': 0 is out of range"),
        (["chat"], None, -1, "field 'concurrency': -1 is out of range"),
        (["chat"], 1 << 40, None, "out of range"),
    ],
)
def test_scopes_and_limits_are_checked(
    store: KeyStore, scopes: list[str], per_minute: int | None, concurrency: int | None, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        store.add("a", scopes, per_minute, concurrency)
    assert store.list() == []


class Keys:
    """Runs ``himed-serve keys``: exit code, stdout, stderr."""

    def __init__(self, patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._patch, self._capsys = patch, capsys

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        self._patch.setattr(sys, "argv", ["himed-serve", *arguments])
        with pytest.raises(SystemExit) as raised:
            run_main(partial(app, prog_name="himed-serve keys"), "himed-serve")
        out, err = self._capsys.readouterr()
        return int(raised.value.code or 0), out, err


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Keys:
    return Keys(monkeypatch, capsys)


def test_the_commands_make_list_and_revoke(
    keys: Keys, engine: Engine, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIMED_DB", database_url)
    assert keys("list") == (0, "no keys\n", "")
    code, key, said = keys("add", "Dr. Sharma", "--per-minute", "60", "--concurrency", "4")
    assert code == 0
    assert re.fullmatch(r"himed-[a-z2-7]{12}-[0-9A-Za-z]{43}\n", key)  # alone: it can be piped
    assert "shown only now" in said
    _, id, secret = key.strip().split("-")
    assert secret not in said
    assert keys("add", "prometheus", "--scope", "admin", "--scope", "chat", "--db", database_url)[0] == 0
    with open_session(engine) as session:
        hashes = session.scalars(select(ApiKeyRow.hash)).all()
    code, table, _ = keys("list")
    assert code == 0
    assert re.search(rf"{id} +Dr\. Sharma +chat, feedback +60 +4 +\d\d\d\d-\S+ \S+ UTC +- ", table)
    assert re.search(r"prometheus +chat, admin +- +- ", table)
    code, text, _ = keys("list", "--json")
    listed = json.loads(text)
    assert [sorted(row) for row in listed] == [
        ["concurrency", "created", "id", "name", "per_minute", "revoked", "scopes"]
    ] * 2
    assert listed[0]["per_minute"] == 60
    assert listed[1]["concurrency"] is None
    code, revoked, _ = keys("revoke", "Dr. Sharma")
    assert (code, revoked) == (0, f"the key {id} of Dr. Sharma is revoked; running servers refuse it within 5 s\n")
    assert json.loads(keys("list", "--json")[1])[0]["revoked"] is not None
    for shown in (table, text, revoked):
        assert secret not in shown
        assert not any(hash in shown for hash in hashes)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("revoke", "nobody"), "there is no key of this name or id; see himed-serve keys list"),
        (("revoke", "\udcff"), "there is no key of this name or id"),
        (("add", "a", "--scope", "root"), "unknown scope 'root'"),
        (("add", "a", "--per-minute", "0"), "field 'per_minute'"),
    ],
)
def test_bad_input_is_one_line(
    keys: Keys, engine: Engine, database_url: str, arguments: tuple[str, ...], message: str
) -> None:
    code, out, err = keys(*arguments, "--db", database_url)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err
