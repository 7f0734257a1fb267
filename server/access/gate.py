"""Lets a request in, by its key."""

import asyncio
import logging
import re
from collections import OrderedDict
from dataclasses import dataclass
from hmac import compare_digest
from time import monotonic
from typing import TYPE_CHECKING, Final, Protocol

from server.access.key_text import hash_key, read_id
from server.access.principal import EVERYBODY, Principal
from server.errors import ApiError

if TYPE_CHECKING:
    from server.access.keys import KeyStore

logger = logging.getLogger(__name__)

CACHE_S: Final = 5.0
_BEARER = re.compile(rb"bearer +", re.IGNORECASE)
_LONGEST_HEADER = 256  # bytes; a key and its scheme have 69
_MOST_CACHED = 10_000
_DATABASE_S = 5.0
_MOST_READERS = 4  # threads; the event loop's pool has more, and its other work must not wait for the database
_MOST_WAITING = 256
_NO_HASH = hash_key(b"")


class Gate(Protocol):
    """Tells who a request comes from."""

    async def admit(self, authorization: bytes | None) -> Principal:
        """The holder of the key in an ``Authorization`` header.

        Raises:
            ApiError: no key, or one that is wrong or revoked (401); keys cannot be checked now (503).
        """
        ...


class OpenGate:
    """Lets everybody in: on the loopback interface of one's own machine."""

    async def admit(self, authorization: bytes | None) -> Principal:
        """Everybody, whatever they show."""
        return EVERYBODY


@dataclass(frozen=True, slots=True)
class _Holder:
    hash: str
    principal: Principal


@dataclass(frozen=True, slots=True)
class _Entry:
    """What the database said of an id; None for one that is unknown or revoked."""

    holder: _Holder | None
    expires: float


class _Cache:
    """Entries by id, of which the oldest go when there are too many."""

    def __init__(self) -> None:
        self._entries: OrderedDict[str, _Entry] = OrderedDict()

    def __contains__(self, id: str) -> bool:
        return id in self._entries

    def get(self, id: str) -> _Entry | None:
        """The entry, if its time is not over."""
        entry = self._entries.get(id)
        return entry if entry is not None and monotonic() < entry.expires else None

    def put(self, id: str, entry: _Entry) -> None:
        """Add or replace an entry."""
        self._entries[id] = entry
        self._entries.move_to_end(id)
        if len(self._entries) > _MOST_CACHED:
            self._entries.popitem(last=False)

    def drop(self, id: str) -> None:
        """Take an entry out, if there is one."""
        self._entries.pop(id, None)


class KeyStoreGate:
    """Lets the holders of the keys in the database in.

    What the database says of an id holds for ``cache_s`` seconds, so that this is how long a revoked key goes on and
    how long known keys go on without the database.
    """

    def __init__(self, store: "KeyStore", cache_s: float = CACHE_S) -> None:
        self._store, self._cache_s = store, cache_s
        self._known, self._unknown = _Cache(), _Cache()  # apart: made-up ids must not push known ones out
        self._lookups: dict[str, asyncio.Task[_Holder | None]] = {}
        self._readers = asyncio.Semaphore(_MOST_READERS)
        self._away = False

    async def admit(self, authorization: bytes | None) -> Principal:
        """The holder of the key in an ``Authorization`` header.

        Raises:
            ApiError: no key, or one that is wrong or revoked (401); the database cannot be asked (503).
        """
        scheme = _BEARER.match(authorization) if authorization is not None else None
        if authorization is None or scheme is None:
            raise _missing()
        if len(authorization) > _LONGEST_HEADER:
            raise _invalid()
        key = authorization[scheme.end() :]
        id = read_id(key)
        if id is None:
            raise _invalid()
        holder = await self._holder(id)
        # An unknown id is compared too: how long a refusal takes tells nothing of its reason.
        right = compare_digest(hash_key(key), _NO_HASH if holder is None else holder.hash)
        if holder is None or not right:
            raise _invalid()
        return holder.principal

    async def _holder(self, id: str) -> _Holder | None:
        entry = self._known.get(id) or self._unknown.get(id)
        return await self._look_up(id) if entry is None else entry.holder

    async def _look_up(self, id: str) -> _Holder | None:
        """Ask the database, once for all requests that wait for the same id."""
        from sqlalchemy.exc import SQLAlchemyError

        lookup = self._lookups.get(id)
        if lookup is None:
            if len(self._lookups) >= _MOST_WAITING and id not in self._known:
                raise _unchecked("too many keys are being checked")
            lookup = self._lookups[id] = asyncio.create_task(self._read(id))
            lookup.add_done_callback(lambda task: self._ended(id, task))
        try:
            async with asyncio.timeout(_DATABASE_S):
                return await asyncio.shield(lookup)
        except (SQLAlchemyError, TimeoutError) as error:
            if not self._away:
                logger.error("keys cannot be checked", extra={"reason": type(error).__name__})
            self._away = True
            raise _unchecked("the database of the keys does not answer") from None

    def _ended(self, id: str, lookup: "asyncio.Task[_Holder | None]") -> None:
        del self._lookups[id]
        if not lookup.cancelled():
            lookup.exception()  # seen, should nobody have waited for it

    async def _read(self, id: str) -> _Holder | None:
        async with self._readers:
            expires = monotonic() + self._cache_s  # from before the database is read: never longer than promised
            row = await asyncio.to_thread(self._store.find, id)
        if self._away:
            logger.info("keys can be checked again")
            self._away = False
        if row is None or row.revoked is not None:
            self._known.drop(id)
            self._unknown.put(id, _Entry(None, expires))
            return None
        principal = Principal(row.id, row.name, frozenset(row.scopes), row.per_minute, row.concurrency)
        holder = _Holder(row.hash, principal)
        self._unknown.drop(id)
        self._known.put(id, _Entry(holder, expires))
        return holder


def _missing() -> ApiError:
    return ApiError(401, "no API key was given: send it as `Authorization: Bearer KEY`", code="missing_api_key")


def _invalid() -> ApiError:
    """The same for an unknown, a wrong and a revoked key."""
    return ApiError(401, "this API key is wrong or was revoked", code="invalid_api_key")


def _unchecked(reason: str) -> ApiError:
    return ApiError(
        503, f"API keys cannot be checked: {reason}; try again soon", code="keys_unavailable", retry_after_s=2
    )
