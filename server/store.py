"""The server's sessions with the database, and the request log: written beside the requests, never in their way."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, TypeVar

from sqlalchemy import Engine, delete, insert
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError, StatementError
from sqlalchemy.orm import Session

from app.database import open_session
from app.tables import RequestLogRow, utc_now
from server.config import RequestLogConfig
from server.record import Record

logger = logging.getLogger(__name__)

_WRITE_S = 1.0
_CLEAN_S = 3600.0
_MOST_WAITING = 10_000  # rows; a database that is away must not fill the memory
_THREADS = 4
# Of a write: the database's, its driver's, and those of values that no column holds.
_FAILURES = (SQLAlchemyError, TypeError, ValueError, OverflowError)

T = TypeVar("T")


class Store:
    """The server's part of the database."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._waiting: deque[dict[str, Any]] = deque(maxlen=_MOST_WAITING)
        # Not the event loop's own threads: calls that hang on a database must not stop what else runs there.
        self._threads = ThreadPoolExecutor(_THREADS, "store")

    async def run_in_session(self, work: Callable[[Session], T]) -> T:
        """The result of ``work`` in a session that commits at its end, in a thread.

        Raises:
            SQLAlchemyError: the database is away, or refuses it.
        """

        def run() -> T:
            with open_session(self.engine) as session:
                return work(session)

        return await asyncio.get_running_loop().run_in_executor(self._threads, run)

    def log(self, record: Record, *, bodies: bool) -> None:
        """Keep a request for the next write."""
        self._waiting.append(
            {
                "request_id": record.request_id,
                "key_name": record.key_name,
                "model": record.model,
                "status": record.status,
                "request": record.request if bodies else None,
                "response": record.response if bodies else None,
                "created": utc_now(),
                "path": record.path,
                "duration_s": record.elapsed_s,
                "prompt_tokens": record.prompt_tokens,
                "completion_tokens": record.completion_tokens,
            }
        )

    async def run(self, config: Callable[[], RequestLogConfig]) -> None:
        """Write what waits every second, and delete what is older than the retention time every hour, for ever.

        ``config`` gives the settings of the moment. Rows of a time when the log was on are deleted when it is off too.
        """
        next_cleaning = 0.0
        while True:
            now = asyncio.get_running_loop().time()
            if now >= next_cleaning:
                await self._clean(config().keep_days)
                next_cleaning = now + _CLEAN_S
            await asyncio.sleep(_WRITE_S)
            await self.flush()

    async def flush(self) -> None:
        """Write what waits. While the database is away it waits on, the newest 10,000 rows at most."""
        if not self._waiting:
            return
        rows = list(self._waiting)
        self._waiting.clear()
        written = False
        try:
            written = await self._write(rows)
        finally:
            if not written:  # also when the server stops in the middle: the last flush then finds what is there
                self._put_back(rows)

    def _put_back(self, rows: list[dict[str, Any]]) -> None:
        newer = list(self._waiting)
        self._waiting.clear()
        self._waiting.extend(rows + newer)  # a full deque drops its oldest

    async def _write(self, rows: list[dict[str, Any]]) -> bool:
        """Whether the rows need no further try."""
        try:
            await self.run_in_session(lambda session: session.execute(insert(RequestLogRow), rows))
        except _FAILURES as error:
            if _is_refusal(error):
                return await self._write_singly(rows)
            _complain(error)
            return False
        return True

    async def _write_singly(self, rows: list[dict[str, Any]]) -> bool:
        """Leave out the rows that the database refuses, or has since a try whose confirmation was lost."""
        refused = 0

        def write(session: Session) -> None:
            nonlocal refused
            for row in rows:
                try:
                    with session.begin_nested():
                        session.execute(insert(RequestLogRow), row)
                except _FAILURES as error:
                    if not _is_refusal(error):
                        raise
                    refused += 1

        try:
            await self.run_in_session(write)
        except SQLAlchemyError as error:
            _complain(error)
            return False
        logger.error("the database refused rows of the request log", extra={"rows": refused})
        return True

    async def _clean(self, keep_days: float) -> None:
        oldest = utc_now() - timedelta(days=keep_days)
        statement = delete(RequestLogRow).where(RequestLogRow.created < oldest)
        try:
            await self.run_in_session(lambda session: session.execute(statement))
        except SQLAlchemyError as error:
            logger.error("the request log was not cleaned", extra={"reason": type(error).__name__})


def _complain(error: Exception) -> None:
    """Its name only: its text may hold what was to be written."""
    logger.error("the request log was not written", extra={"reason": type(error).__name__})


def _is_refusal(error: Exception) -> bool:
    """Whether a row is at fault and not the database, which would refuse it again."""
    if isinstance(error, DBAPIError):
        return isinstance(error, IntegrityError | DataError)
    return isinstance(error, StatementError) or not isinstance(error, SQLAlchemyError)
