"""Requests and replies of one unit of work, by the hash of the request: what a killed run goes on from."""

import hashlib
import sqlite3
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import orjson

from app.endpoint.reply import Reply
from app.errors import InputError

_LOCK_WAIT_S = 10.0  # of a process that was killed a moment ago
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS call (
    key TEXT PRIMARY KEY,
    purpose TEXT NOT NULL,
    model TEXT NOT NULL,
    request BLOB NOT NULL,
    reply TEXT NOT NULL,
    reasoning TEXT,
    finish_reason TEXT,
    prompt_tokens INTEGER,
    completion_tokens INTEGER,
    latency_s REAL NOT NULL
) WITHOUT ROWID
"""


@dataclass(frozen=True, slots=True)
class Spent:
    """What calls have cost; tokens as the endpoint counted them.

    Attributes:
        calls: replies that were received.
        prompt_tokens, completion_tokens: their tokens.
        uncounted: replies whose tokens the endpoint did not count.
    """

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    uncounted: int = 0

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.uncounted + other.uncounted,
        )


def call_key(request: bytes) -> str:
    """SHA-256 of a request's body: model, prompt and settings. Another wording is another key."""
    return hashlib.sha256(request).hexdigest()


class CallStore:
    """The calls of one unit in an SQLite file, which one process has open at a time.

    A reply is on the disk's way before it is used, so that a killed process loses none. Images in requests are kept as
    their hashes.

    Raises:
        InputError: the file cannot be opened, is no such database, or another process works on it.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(file, timeout=_LOCK_WAIT_S, isolation_level=None)
            # Exclusive before WAL: then SQLite needs no shared memory, which network file systems lack.
            self._connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.execute(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise self._fault(error) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def find(self, key: str) -> Reply | None:
        """The reply to a request that was made before."""
        rows = self._run(
            "SELECT reply, reasoning, finish_reason, prompt_tokens, completion_tokens, latency_s FROM call "
            "WHERE key = ?",
            (key,),
        )
        return Reply(*rows[0]) if rows else None

    def add(self, key: str, purpose: str, request: bytes, reply: Reply) -> Reply:
        """Keep a reply. Of two to one request the first counts: it is given back, and the other is forgotten."""
        body = orjson.loads(request)
        self._run(
            "INSERT OR IGNORE INTO call VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                key,
                purpose,
                body["model"],
                zlib.compress(orjson.dumps(_without_images(body))),
                reply.text,
                reply.reasoning,
                reply.finish_reason,
                reply.prompt_tokens,
                reply.completion_tokens,
                reply.latency_s,
            ),
        )
        return self.find(key) or reply

    def spent(self) -> dict[str, Spent]:
        """What the unit has cost so far, by purpose."""
        rows = self._run(
            "SELECT purpose, count(*), coalesce(sum(prompt_tokens), 0), coalesce(sum(completion_tokens), 0), "
            "sum(prompt_tokens IS NULL OR completion_tokens IS NULL) FROM call GROUP BY purpose ORDER BY purpose",
        )
        return {purpose: Spent(*counts) for purpose, *counts in rows}

    def calls(self) -> Iterator[dict[str, Any]]:
        """All that is kept, one dict a call."""
        cursor = self._connection.execute("SELECT * FROM call ORDER BY purpose, key")
        names = [column[0] for column in cursor.description]
        for row in cursor:
            call = dict(zip(names, row, strict=True))
            yield call | {"request": orjson.loads(zlib.decompress(call["request"]))}

    def _run(self, statement: str, values: tuple[object, ...] = ()) -> list[Any]:
        try:
            return self._connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise self._fault(error) from None

    def _fault(self, error: Exception) -> InputError:
        if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
            return InputError("another process works on this unit", file=self._file, remedy="wait for it, or end it")
        return InputError(
            f"the calls cannot be kept ({error})", file=self._file, remedy="check the disk, or remove the file"
        )


def _without_images(value: Any) -> Any:
    """The request with data URLs as their hashes: a page's picture is larger than all else in the file."""
    if isinstance(value, dict):
        return {name: _without_images(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_without_images(part) for part in value]
    if isinstance(value, str) and value.startswith("data:image/"):
        return f"sha256:{hashlib.sha256(value.encode()).hexdigest()}"
    return value
