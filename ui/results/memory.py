"""A few built things, kept while nothing that they were built from has changed."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Final, Generic, TypeVar

T = TypeVar("T")

# What is built keeps a core busy and holds a session of the database: more at once would only take turns, and leave
# others of the page without a session. Not to be taken again by who holds it.
building: Final = threading.BoundedSemaphore(2)


class Memory(Generic[T]):
    """The last few values by key; several people who ask for one value at once build it once."""

    def __init__(self, size: int) -> None:
        self._size, self._kept = size, OrderedDict[Hashable, T]()
        self._awaited: dict[Hashable, Future[T]] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, build: Callable[[], T]) -> T:
        """The value of a key, built when it is not there; what ``build`` raises is passed on and nothing is kept.

        May wait for others for as long as a build takes: hold no session meanwhile, ``build`` opens its own.
        """
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            awaited = self._awaited.get(key)
            if awaited is None:
                mine = self._awaited[key] = Future[T]()
        if awaited is not None:
            return awaited.result()
        try:
            with building:
                value = build()
        except BaseException as error:
            with self._lock:
                del self._awaited[key]
            mine.set_exception(error)
            raise
        with self._lock:
            del self._awaited[key]
            self._kept[key] = value
            if len(self._kept) > self._size:
                self._kept.popitem(last=False)
        mine.set_result(value)
        return value
