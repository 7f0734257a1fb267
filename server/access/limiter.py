"""How many requests a key may make in a minute, and have open at once."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic

from server.access.principal import Principal
from server.access.quota import next_due
from server.access.shared import SharedTable

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Count:
    open: int = 0
    due: float = 0.0


class Limiter:
    """Counts by key: in this process alone, or in a table that all gateway processes of the machine share."""

    def __init__(self, table: SharedTable | None = None) -> None:
        self._table = table
        self._own: dict[str, _Count] = {}  # as many as there are keys with limits
        self._told = False

    @contextmanager
    def request(self, principal: Principal) -> Iterator[None]:
        """A request, from its head to its answer's end.

        Raises:
            ApiError: the key has too many open, or made too many in the last minute (429, with the time to come back).
        """
        if principal.per_minute is None and principal.concurrency is None:
            yield
            return
        slot = self._take_slot(principal)
        count = self._take_own(principal) if slot is None else None
        try:
            yield
        finally:
            if count is not None:
                count.open -= 1
            elif self._table is not None and slot is not None:
                self._table.leave(slot)

    def _take_slot(self, principal: Principal) -> int | None:
        """The key's slot in the shared table, with the request counted; None without a table or a slot."""
        if self._table is None:
            return None
        slot = self._table.enter(principal)
        if slot is None and not self._told:
            self._told = True
            logger.warning("the shared table of limits is full: each process counts the keys left over by itself")
        return slot

    def _take_own(self, principal: Principal) -> _Count:
        count = self._own.setdefault(principal.id, _Count())
        count.due = next_due(principal, count.open, count.due, monotonic())
        count.open += 1
        return count
