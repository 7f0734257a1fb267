"""The limits' counts in memory that the gateway processes of one machine share."""

import fcntl
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Final, Self
from zlib import crc32

from server.access.principal import Principal
from server.access.quota import next_due

_SLOTS: Final = 4096  # keys with limits that are in use at the same time
_WINDOW: Final = 64  # slots, from the one of its hash on, in which a key may be
_ID_BYTES: Final = 16  # as in the database
_DUES_AT: Final = _SLOTS * _ID_BYTES
_OPEN_AT: Final = _DUES_AT + _SLOTS * 8
_COLUMN_BYTES: Final = _SLOTS * 4


class SharedTable:
    """A slot for each key in use: its id, the time that its rate has reached, and its open requests by worker.

    The parent creates the table, starts each worker with the file descriptor (``pass_fds``), and clears the column of a
    worker that has died. A worker opens it by the descriptor and its number. There is no file of it to find or to leave
    behind. The kernel gives a dead worker's lock back.
    """

    def __init__(self, fd: int, worker: int) -> None:
        self._fd, self._worker = fd, worker
        # Locks go by opened file, which inheritance would share; and a dead parent's must not live on in its children.
        self._lock_fd = os.open(f"/proc/self/fd/{fd}", os.O_RDWR | os.O_CLOEXEC)
        self._map = mmap.mmap(fd, 0)
        workers = (len(self._map) - _OPEN_AT) // _COLUMN_BYTES
        if not 0 <= worker < workers:
            raise ValueError(f"there is no worker {worker} among {workers}")
        whole = memoryview(self._map)
        self._dues = whole[_DUES_AT:_OPEN_AT].cast("d")
        self._open = whole[_OPEN_AT:].cast("I")  # all slots of worker 0, then those of worker 1, ...
        self._slots: dict[bytes, int] = {}  # where a key was found last

    @classmethod
    def create(cls, workers: int) -> Self:
        """A new table for workers 0 to ``workers - 1``: the parent's."""
        fd = os.memfd_create("himed-limits")
        os.ftruncate(fd, _OPEN_AT + workers * _COLUMN_BYTES)
        return cls(fd, 0)

    @classmethod
    def open(cls, fd: int, worker: int) -> Self:
        """The table behind an inherited file descriptor, for the worker of this number."""
        return cls(fd, worker)

    def fileno(self) -> int:
        """The file descriptor to hand to workers."""
        return self._fd

    def enter(self, principal: Principal) -> int | None:
        """Count a request that begins.

        Returns:
            The key's slot, for `leave`; None where there is no room for the key.

        Raises:
            ApiError: the key is at one of its limits (429).
        """
        with self._locked():
            now = monotonic()  # one clock for all processes of the machine
            slot = self._slot_of(principal.id.encode().ljust(_ID_BYTES, b"\0"), now)
            if slot is None:
                return None
            self._dues[slot] = next_due(principal, sum(self._open[slot::_SLOTS]), self._dues[slot], now)
            self._open[self._worker * _SLOTS + slot] += 1
        return slot

    def leave(self, slot: int) -> None:
        """Count a request that has ended."""
        with self._locked():
            self._open[self._worker * _SLOTS + slot] -= 1

    def clear_worker(self, worker: int) -> None:
        """Forget the open requests of a worker that has died."""
        start = _OPEN_AT + worker * _COLUMN_BYTES
        with self._locked():
            self._map[start : start + _COLUMN_BYTES] = bytes(_COLUMN_BYTES)

    def close(self) -> None:
        """Let go of the memory; it is freed when no process has it any more."""
        self._dues.release()
        self._open.release()
        self._map.close()
        os.close(self._lock_fd)
        os.close(self._fd)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        fcntl.flock(self._lock_fd, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._lock_fd, fcntl.LOCK_UN)

    def _slot_of(self, id: bytes, now: float) -> int | None:
        """The slot that holds the key, else one that is made its own."""
        known = self._slots.get(id)
        if known is not None and self._id(known) == id:
            return known
        first = crc32(id)
        window = [(first + step) % _SLOTS for step in range(_WINDOW)]
        slot = next((slot for slot in window if self._id(slot) == id), None)
        if slot is None:
            # One without open requests and with a full bucket says no more than an empty one.
            slot = next((slot for slot in window if self._is_idle(slot, now)), None)
            if slot is None:
                return None
            self._map[slot * _ID_BYTES : (slot + 1) * _ID_BYTES] = id
        self._slots[id] = slot
        return slot

    def _id(self, slot: int) -> bytes:
        return self._map[slot * _ID_BYTES : (slot + 1) * _ID_BYTES]

    def _is_idle(self, slot: int, now: float) -> bool:
        return self._dues[slot] <= now and not any(self._open[slot::_SLOTS])
