"""Who a request comes from, by its cookie, without asking the database each time."""

import asyncio
import re
from collections import OrderedDict
from dataclasses import dataclass
from time import monotonic
from typing import Final

from app.tables import utc_now
from ui.accounts.store import AccountStore, Visit, hash_token

# A page asks for a hundred files when it is opened. This is also how long a disabled account goes on.
CACHE_S: Final = 5.0
_TOKEN = re.compile(r"[\w-]{43}", re.ASCII)
_MOST_CACHED = 10_000
_MOST_READERS = 4  # threads; the event loop's pool has more, and its other work must not wait for the database
_DATABASE_S = 10.0


@dataclass(frozen=True, slots=True)
class _Entry:
    visit: Visit
    until: float


class Sessions:
    """Looks tokens up; what the database says of a good one holds for some seconds."""

    def __init__(self, store: AccountStore, cache_s: float = CACHE_S) -> None:
        self._store, self._cache_s = store, cache_s
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._lookups: dict[str, asyncio.Task[Visit | None]] = {}
        self._readers = asyncio.Semaphore(_MOST_READERS)

    async def name_of(self, token: str | None) -> str | None:
        """The name of the account that a token belongs to; None for nobody's.

        Raises:
            SQLAlchemyError: the database cannot be asked.
            TimeoutError: it does not answer.
        """
        if token is None or not _TOKEN.fullmatch(token):
            return None
        key = hash_token(token)  # no token lies about in memory
        entry = self._entries.get(key)
        if entry is not None and monotonic() < entry.until and utc_now() < entry.visit.expires:
            return entry.visit.name
        visit = await self._look_up(key, token)
        return None if visit is None else visit.name

    def forget(self, token: str) -> None:
        """Ask the database again next time: the token was signed out."""
        key = hash_token(token)
        self._entries.pop(key, None)
        self._lookups.pop(key, None)  # what is on its way is older

    async def _look_up(self, key: str, token: str) -> Visit | None:
        """Ask the database, once for all requests that wait for the same token."""
        lookup = self._lookups.get(key)
        if lookup is None:
            lookup = self._lookups[key] = asyncio.create_task(self._read(key, token))
            lookup.add_done_callback(lambda task: self._ended(key, task))
        async with asyncio.timeout(_DATABASE_S):
            return await asyncio.shield(lookup)

    async def _read(self, key: str, token: str) -> Visit | None:
        async with self._readers:
            until = monotonic() + self._cache_s  # from before the database is read: never longer than promised
            visit = await asyncio.to_thread(self._store.find, token)
        self._entries.pop(key, None)
        if visit is not None and self._lookups.get(key) is asyncio.current_task():
            self._entries[key] = _Entry(visit, until)
            if len(self._entries) > _MOST_CACHED:
                self._entries.popitem(last=False)
        return visit

    def _ended(self, key: str, lookup: "asyncio.Task[Visit | None]") -> None:
        if self._lookups.get(key) is lookup:
            del self._lookups[key]
        if not lookup.cancelled():
            lookup.exception()  # seen, should nobody have waited for it
