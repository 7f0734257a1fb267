"""Rates and numbers of open requests: in one process, and over several that share a table."""

import logging
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Thread
from time import monotonic
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.access import Limiter, Principal, SharedTable
from server.access.quota import next_due
from server.errors import ApiError


def holder(id: str = "abcdefghijkl", *, per_minute: int | None = None, concurrency: int | None = None) -> Principal:
    return Principal(id, id, frozenset(("chat",)), per_minute, concurrency)


@pytest.fixture
def table() -> Iterator[SharedTable]:
    table = SharedTable.create(workers=3)
    yield table
    table.close()


@pytest.fixture(params=["own", "shared"])
def limiter(request: pytest.FixtureRequest, table: SharedTable) -> Limiter:
    return Limiter(table) if request.param == "shared" else Limiter()


def is_let_in(limiter: Limiter, principal: Principal) -> bool:
    try:
        with limiter.request(principal):
            return True
    except ApiError:
        return False


def hold(limiter: Limiter, principal: Principal, stack: ExitStack, tries: int) -> int:
    """How many of the tries are let in; they stay open as long as the stack."""
    let_in = 0
    for _ in range(tries):
        try:
            stack.enter_context(limiter.request(principal))
        except ApiError:
            continue
        let_in += 1
    return let_in


def test_open_requests_are_limited_by_key(limiter: Limiter) -> None:
    principal = holder(concurrency=2)
    with limiter.request(principal), limiter.request(principal):
        with pytest.raises(ApiError, match="may have 2 open requests") as raised, limiter.request(principal):
            pass
        assert is_let_in(limiter, holder("another", concurrency=2))
    assert (raised.value.status, raised.value.code) == (429, "concurrency_limit")
    assert (b"retry-after", b"1") in raised.value.headers
    with pytest.raises(RuntimeError), limiter.request(principal):
        raise RuntimeError
    with ExitStack() as stack:
        assert hold(limiter, principal, stack, 5) == 2


def test_a_minute_of_requests_may_come_at_once_and_no_more(limiter: Limiter) -> None:
    principal = holder(per_minute=7)
    assert [is_let_in(limiter, principal) for _ in range(9)] == [True] * 7 + [False] * 2
    with (
        pytest.raises(ApiError, match=r"7 requests a minute; try again in [89] s") as raised,
        limiter.request(principal),
    ):
        pass
    assert (raised.value.status, raised.value.code) == (429, "rate_limit_exceeded")
    assert {(b"retry-after", b"8"), (b"retry-after", b"9")} & set(raised.value.headers)
    assert is_let_in(limiter, holder("another", per_minute=7))


def test_a_refused_request_costs_nothing(limiter: Limiter) -> None:
    principal = holder(per_minute=2, concurrency=1)
    with limiter.request(principal):
        assert not is_let_in(limiter, principal)  # too many open: takes nothing of the rate
    assert is_let_in(limiter, principal)
    assert not is_let_in(limiter, principal)  # too fast: takes no place
    with pytest.raises(ApiError) as raised, limiter.request(principal):
        pass
    assert raised.value.code == "rate_limit_exceeded"


def test_no_limit_is_no_limit(limiter: Limiter) -> None:
    with ExitStack() as stack:
        assert hold(limiter, holder(), stack, 1000) == 1000


@given(
    per_minute=st.integers(1, 20),
    waits=st.lists(st.floats(0, 40, allow_nan=False), min_size=1, max_size=60),
    start=st.floats(0, 1e7),
)
def test_a_rate_holds_over_every_time_and_the_time_told_is_right(
    per_minute: int, waits: list[float], start: float
) -> None:
    principal, now, due = holder(per_minute=per_minute), start, 0.0
    came: list[float] = []
    for wait in waits:
        now += wait
        try:
            due = next_due(principal, 0, due, now)
        except ApiError as error:
            told = error.retry_after_s or 0
            assert 0 < told <= 60 / per_minute + 1e-3
            next_due(principal, 0, due, now + told)
            with pytest.raises(ApiError):
                next_due(principal, 0, due, now + told - 1e-3 * told)
        else:
            came.append(now)
    for first, begin in enumerate(came):
        for count, end in enumerate(came[first:], 1):
            assert count <= per_minute * (1 + (end - begin) / 60) + 1e-3


def test_keys_of_the_same_hash_are_counted_apart(table: SharedTable) -> None:
    ids = [id for id in (f"k{n}" for n in range(60_000)) if crc32(id.encode().ljust(16, b"\0")) % 4096 == 0][:8]
    assert len(ids) == 8
    with ExitStack() as stack:
        for id in ids:
            assert hold(Limiter(table), holder(id, concurrency=3), stack, 5) == 3


def test_a_full_table_is_told_once_and_processes_count_alone(
    table: SharedTable, caplog: pytest.LogCaptureFixture
) -> None:
    limiter = Limiter(table)
    with caplog.at_level(logging.WARNING), ExitStack() as stack:
        for number in range(5000):
            assert hold(limiter, holder(f"k{number}", concurrency=1), stack, 2) == 1
    assert [record.getMessage() for record in caplog.records] == [
        "the shared table of limits is full: each process counts the keys left over by itself"
    ]


def test_keys_that_are_idle_make_room(table: SharedTable, caplog: pytest.LogCaptureFixture) -> None:
    limiter = Limiter(table)
    for number in range(12_000):
        with ExitStack() as stack:
            assert hold(limiter, holder(f"k{number}", concurrency=2), stack, 3) == 2
    assert not caplog.records


def test_a_worker_has_its_number(table: SharedTable) -> None:
    with pytest.raises(ValueError, match="no worker 3 among 3"):
        SharedTable.open(table.fileno(), worker=3)


WORKER = """
import sys
from contextlib import ExitStack
from server.access import Limiter, Principal, SharedTable
from server.errors import ApiError

fd, worker, per_minute, concurrency, tries = map(int, sys.argv[1:6])
table = SharedTable.open(fd, worker)
limiter = Limiter(table)
principal = Principal("abcdefghijkl", "n", frozenset(), per_minute or None, concurrency or None)
print("ready", flush=True)
sys.stdin.readline()
if sys.argv[6] == "lock":
    with table._locked():
        print(0, flush=True)
        sys.stdin.readline()
let_in = 0
with ExitStack() as stack:
    for _ in range(tries):
        try:
            if sys.argv[6] == "hold":
                stack.enter_context(limiter.request(principal))
            else:
                with limiter.request(principal):
                    pass
            let_in += 1
        except ApiError:
            pass
    print(let_in, flush=True)
    sys.stdin.readline()
"""


class Worker:
    """Another process that makes requests when told to, and then waits."""

    def __init__(
        self, table: SharedTable, worker: int, *, per_minute: int = 0, concurrency: int = 0, tries: int, how: str
    ) -> None:
        numbers = map(str, (table.fileno(), worker, per_minute, concurrency, tries))
        self._process = subprocess.Popen(
            [sys.executable, "-c", WORKER, *numbers, how],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[table.fileno()],
            text=True,
        )
        assert self.read() == "ready"

    def read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def go_on(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()

    def end(self) -> None:
        self.go_on()
        self._process.communicate()
        assert self._process.returncode == 0


@contextmanager
def ended(*workers: Worker) -> Iterator[None]:
    try:
        yield
    finally:
        for worker in workers:
            worker.kill()


def test_open_requests_are_counted_over_processes_and_a_dead_ones_forgotten(table: SharedTable) -> None:
    workers = [Worker(table, number, concurrency=150, tries=100, how="hold") for number in (1, 2)]
    with ended(*workers):
        for worker in workers:
            worker.go_on()
        let_in = [int(worker.read()) for worker in workers]
        assert sum(let_in) == 150
        limiter, principal = Limiter(table), holder(concurrency=150)
        assert not is_let_in(limiter, principal)
        workers[0].kill()
        assert not is_let_in(limiter, principal)  # nobody has said so yet
        table.clear_worker(1)
        with ExitStack() as stack:
            assert hold(limiter, principal, stack, 200) == let_in[0]
        workers[1].end()
        with ExitStack() as stack:
            assert hold(limiter, principal, stack, 200) == 150


def test_a_rate_holds_over_processes(table: SharedTable) -> None:
    begun = monotonic()
    workers = [Worker(table, number, per_minute=60, tries=50, how="pass") for number in (1, 2)]
    with ended(*workers):
        for worker in workers:
            worker.go_on()
        let_in = [int(worker.read()) for worker in workers]
    assert 60 <= sum(let_in) <= 60 + monotonic() - begun  # one comes back every second


def test_no_count_is_lost_between_processes(table: SharedTable) -> None:
    workers = [Worker(table, number, concurrency=2, tries=5000, how="pass") for number in (1, 2)]
    with ended(*workers):
        for worker in workers:
            worker.go_on()
        assert [int(worker.read()) for worker in workers] == [5000, 5000]  # two places for two: never refused
        with ExitStack() as stack:
            assert hold(Limiter(table), holder(concurrency=2), stack, 5) == 2


def test_a_worker_killed_with_the_lock_gives_it_back(table: SharedTable) -> None:
    worker = Worker(table, 1, concurrency=1, tries=0, how="lock")
    with ended(worker):
        worker.go_on()
        assert worker.read() == "0"
        let_in: list[bool] = []
        waiting = Thread(target=lambda: let_in.append(is_let_in(Limiter(table), holder(concurrency=1))))
        waiting.start()
        waiting.join(0.2)
        assert waiting.is_alive()
        worker.kill()
        waiting.join(10)
        assert let_in == [True]
