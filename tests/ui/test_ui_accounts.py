"""Accounts, passwords, sessions and the throttle, without the page."""

import asyncio
import hashlib
from base64 import b64encode
from datetime import timedelta
from time import perf_counter

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.errors import InputError
from app.tables import AccountRow, AccountSessionRow, utc_now
from ui.accounts.passwords import check_password, hash_password, is_right
from ui.accounts.sessions import Sessions
from ui.accounts.store import AccountStore, hash_token
from ui.accounts.throttle import TRIES, TRIES_OF_ADDRESS, TRIES_OF_NAME, WINDOW_S, Throttle

PASSWORD = "मेरा लंबा पासवर्ड"


@pytest.fixture
def store(engine: Engine) -> AccountStore:
    store = AccountStore(engine)
    store.add("डॉ. राव", PASSWORD)
    return store


def _stored(engine: Engine) -> list[str]:
    with Session(engine) as session:
        return list(session.scalars(select(AccountSessionRow.hash)))


def test_a_password_is_stored_as_a_salted_scrypt_hash_that_says_how_it_was_made() -> None:
    first, second = hash_password(PASSWORD), hash_password(PASSWORD)
    assert first != second
    assert first.startswith("scrypt$32768$8$3$")
    assert is_right(PASSWORD, first)
    assert not is_right(PASSWORD + " ", first)


def test_an_older_hash_with_other_parameters_is_still_read() -> None:
    hashed = hashlib.scrypt(b"long enough", salt=b"salt", n=1024, r=4, p=1, dklen=16)
    assert is_right("long enough", f"scrypt$1024$4$1${b64encode(b'salt').decode()}${b64encode(hashed).decode()}")
    with pytest.raises(ValueError, match="scheme 'md5'"):
        is_right("long enough", "md5$1024$4$1$c2FsdA==$c2FsdA==")


def test_the_same_letters_typed_on_another_keyboard_are_the_same_password() -> None:
    assert is_right("\u095bमीन और आसमान", hash_password("\u091c\u093cमीन और आसमान"))


@pytest.mark.parametrize(
    ("password", "problem"), [("short", "at least 10"), ("x" * 1001, "1,000"), ("Dr. Sharma", "name")]
)
def test_a_bad_password_is_refused_without_repeating_it(password: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem) as refused:
        check_password(password, "dr. sharma")
    assert password not in str(refused.value)


def test_signing_in_gives_a_token_that_the_database_does_not_hold(store: AccountStore, engine: Engine) -> None:
    token = store.sign_in("डॉ. राव", PASSWORD)
    assert token is not None
    assert len(token) == 43
    assert _stored(engine) == [hash_token(token)]
    visit = store.find(token)
    assert visit is not None
    assert visit.name == "डॉ. राव"
    assert timedelta(hours=11, minutes=59) < visit.expires - utc_now() <= timedelta(hours=12)
    with Session(engine) as session:
        assert PASSWORD not in session.scalars(select(AccountRow.password)).one()
    store.sign_out(token)
    assert store.find(token) is None
    assert _stored(engine) == []


@pytest.mark.parametrize("name", ["nobody", "डॉ. राव ", "x" * 5000, "", "\0", "\ud800"])
def test_an_unknown_name_is_refused_and_takes_as_long_as_a_wrong_password(store: AccountStore, name: str) -> None:
    begin = perf_counter()
    assert store.sign_in("डॉ. राव", "wrong password") is None
    wrong = perf_counter() - begin
    begin = perf_counter()
    assert store.sign_in(name, PASSWORD) is None
    assert 0.3 < (perf_counter() - begin) / wrong < 3  # without the hash it would be a hundredth


def test_a_name_is_taken_once_and_must_be_one(store: AccountStore) -> None:
    with pytest.raises(InputError, match=r"an account named 'डॉ\. राव' already"):
        store.add("डॉ. राव", PASSWORD)
    for name in ("", " Rao", "x" * 101, "a\nb", "\ud800"):
        with pytest.raises(InputError, match="1 to 100 printable"):
            store.add(name, PASSWORD)
    with pytest.raises(InputError, match="at least 10"):
        store.add("Rao", "short")
    assert [row.name for row in store.list()] == ["डॉ. राव"]


def test_a_disabled_account_is_out_at_once_and_comes_back_with_its_password(store: AccountStore) -> None:
    token = store.sign_in("डॉ. राव", PASSWORD)
    assert token is not None
    store.disable("डॉ. राव")
    since = store.get("डॉ. राव").disabled
    store.disable("डॉ. राव")
    assert store.get("डॉ. राव").disabled == since
    assert not store.anybody()
    assert store.find(token) is None
    assert store.sign_in("डॉ. राव", PASSWORD) is None
    store.enable("डॉ. राव")
    assert store.anybody()
    assert store.find(token) is None
    assert store.sign_in("डॉ. राव", PASSWORD) is not None


def test_another_password_ends_what_the_old_one_opened(store: AccountStore, engine: Engine) -> None:
    store.sign_in("डॉ. राव", PASSWORD)
    with pytest.raises(InputError, match="at least 10"):
        store.set_password("डॉ. राव", "short")
    assert len(_stored(engine)) == 1
    store.set_password("डॉ. राव", "another password")
    assert _stored(engine) == []
    assert store.sign_in("डॉ. राव", PASSWORD) is None
    assert store.sign_in("डॉ. राव", "another password") is not None


def test_a_removed_account_takes_its_sessions_with_it(store: AccountStore, engine: Engine) -> None:
    store.sign_in("डॉ. राव", PASSWORD)
    store.remove("डॉ. राव")
    assert _stored(engine) == []
    assert store.list() == []
    for change in (store.remove, store.disable, store.enable, store.get):
        with pytest.raises(InputError, match=r"no account named 'डॉ\. राव'; see himed-ui users list"):
            change("डॉ. राव")
    with pytest.raises(InputError, match="no account"):
        store.set_password("\0", "another password")


def test_a_session_that_is_over_opens_nothing_and_is_deleted_when_somebody_signs_in(engine: Engine) -> None:
    brief, long = AccountStore(engine, timedelta(0)), AccountStore(engine)
    brief.add("Rao", PASSWORD)
    over = brief.sign_in("Rao", PASSWORD)
    assert over is not None
    assert brief.find(over) is None
    token = long.sign_in("Rao", PASSWORD)
    assert token is not None
    assert _stored(engine) == [hash_token(token)]


class Counting(AccountStore):
    """A store that counts how often it is asked, and may be away."""

    asked, away = 0, False

    def find(self, token: str) -> object:  # type: ignore[override]
        self.asked += 1
        if self.away:
            raise OperationalError("", {}, Exception("away"))
        return super().find(token)


@pytest.fixture
def counting(store: AccountStore, engine: Engine) -> Counting:
    return Counting(engine)


async def test_a_hundred_requests_of_a_page_ask_the_database_once(counting: Counting) -> None:
    sessions = Sessions(counting)
    token = counting.sign_in("डॉ. राव", PASSWORD)
    names = await asyncio.gather(*(sessions.name_of(token) for _ in range(100)))
    assert set(names) == {"डॉ. राव"}
    assert counting.asked == 1


async def test_what_is_no_token_does_not_reach_the_database(counting: Counting) -> None:
    sessions = Sessions(counting)
    for token in (None, "", "x", "x" * 44, "é" * 43, "' OR 1=1" + "x" * 35):
        assert await sessions.name_of(token) is None
    assert counting.asked == 0
    assert await sessions.name_of("x" * 43) is None
    assert counting.asked == 1


async def test_signing_out_ends_it_at_once_and_disabling_within_the_caches_time(counting: Counting) -> None:
    sessions = Sessions(counting, cache_s=0.5)
    token = counting.sign_in("डॉ. राव", PASSWORD)
    assert token is not None
    assert await sessions.name_of(token)
    counting.sign_out(token)
    sessions.forget(token)
    assert await sessions.name_of(token) is None
    token = counting.sign_in("डॉ. राव", PASSWORD)
    assert await sessions.name_of(token)
    counting.disable("डॉ. राव")
    await asyncio.sleep(0.5)
    assert await sessions.name_of(token) is None


async def test_a_look_up_on_its_way_does_not_bring_a_signed_out_token_back(counting: Counting) -> None:
    sessions = Sessions(counting)
    token = counting.sign_in("डॉ. राव", PASSWORD)
    assert token is not None
    looking = asyncio.create_task(sessions.name_of(token))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    sessions.forget(token)
    await looking
    counting.sign_out(token)
    assert await sessions.name_of(token) is None


async def test_a_database_that_is_away_is_no_refusal_and_is_asked_again(counting: Counting) -> None:
    sessions = Sessions(counting)
    token = counting.sign_in("डॉ. राव", PASSWORD)
    counting.away = True
    with pytest.raises(OperationalError):
        await sessions.name_of(token)
    counting.away = False
    assert await sessions.name_of(token) == "डॉ. राव"


class Clock:
    """A time that tests set."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("address", ["10.0.0.{}", "2001:db8:1:2::{}", "::ffff:10.0.0.{}"])
def test_tries_of_a_name_are_slowed_down_in_the_network_they_come_from(address: str) -> None:
    clock = Clock()
    throttle = Throttle(clock)
    for number in range(TRIES):
        assert throttle.begin("Rao", address.format(number)) == 0
        clock.now += 1
    assert throttle.begin("RAO", address.format(99)) == WINDOW_S - TRIES
    assert throttle.begin("Sharma", address.format(99)) == 0
    assert throttle.begin("Rao", "10.0.1.1") == 0  # whose name it is gets in from elsewhere
    clock.now += WINDOW_S - TRIES
    assert throttle.begin("Rao", address.format(99)) == 0  # the first try is out of the window, the others are not
    assert throttle.begin("Rao", address.format(99)) == 1


def test_tries_of_a_name_from_everywhere_are_slowed_down_at_last() -> None:
    throttle = Throttle(Clock())
    for number in range(TRIES_OF_NAME):
        assert throttle.begin("Rao", f"10.0.{number}.1") == 0
    assert throttle.begin("rao", "192.0.2.1") == WINDOW_S
    assert throttle.begin("Sharma", "192.0.2.1") == 0


@pytest.mark.parametrize("address", ["10.0.0.1", "2001:db8:1:2:{}::1", "unix socket"])
def test_tries_of_an_address_are_slowed_down_whatever_name_they_are_of(address: str) -> None:
    throttle = Throttle(Clock())
    for number in range(TRIES_OF_ADDRESS):
        assert throttle.begin(f"name {number}", address.format(number)) == 0
    assert throttle.begin("Rao", address.format(99)) == WINDOW_S
    assert throttle.begin("Rao", "2001:db8:1:3::1") == 0


def test_who_gets_it_right_begins_anew() -> None:
    throttle = Throttle(Clock())
    for _ in range(3 * TRIES_OF_ADDRESS):
        assert throttle.begin("Rao", "10.0.0.1") == 0
        throttle.succeeded("Rao", "10.0.0.1")
    for _ in range(TRIES):
        assert throttle.begin("Rao", "10.0.0.1") == 0
    assert throttle.begin("Rao", "10.0.0.1") > 0


def test_names_made_up_by_the_thousand_do_not_fill_the_memory() -> None:
    throttle = Throttle(Clock())
    for number in range(20_000):
        throttle.begin(f"name {number}", f"10.0.{number >> 8}.{number & 255}")
    assert len(throttle._tries) == 30_000
