"""Scores that a judge has given, by the hash of what it was asked: in memory and, if a file is named, in SQLite."""

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from app.errors import InputError

_LOCK_WAIT_S = 60.0  # several processes of one run share the file
_CHUNK = 500  # below SQLite's limit on parameters


def prompt_hash(model: str, messages: Sequence[Mapping[str, str]]) -> str:
    """SHA-256 of a judge's name and its prompt. Another wording is another key."""
    return hashlib.sha256(json.dumps([model, list(messages)], sort_keys=True).encode()).hexdigest()


class ScoreCache:
    """Scores by `prompt_hash`. The file is an SQLite database with one table, ``score (key, value)``.

    Failures are never stored: a later step asks again.

    Raises:
        InputError: the file cannot be opened or is no such database.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._scores: dict[str, float] = {}
        self._run("CREATE TABLE IF NOT EXISTS score (key TEXT PRIMARY KEY, value REAL NOT NULL) WITHOUT ROWID")

    def find(self, keys: Iterable[str]) -> dict[str, float]:
        """The scores that are known."""
        keys = list(dict.fromkeys(keys))
        unknown = [key for key in keys if key not in self._scores]
        for start in range(0, len(unknown), _CHUNK):
            part = unknown[start : start + _CHUNK]
            places = ",".join("?" * len(part))
            self._scores.update(self._run(f"SELECT key, value FROM score WHERE key IN ({places})", [part]))  # noqa: S608
        return {key: self._scores[key] for key in keys if key in self._scores}

    def add(self, scores: Mapping[str, float]) -> None:
        """Keep new scores."""
        self._scores.update(scores)
        if scores:
            self._run("INSERT OR IGNORE INTO score VALUES (?, ?)", list(scores.items()))

    def _run(self, statement: str, rows: Sequence[Sequence[object]] = ((),)) -> list[tuple[str, float]]:
        """Run a statement for every row of parameters; nothing without a file.

        A connection for each call: the trainer's event loop runs in another thread than the one that built the reward.
        """
        if self._file is None:
            return []
        try:
            with closing(sqlite3.connect(self._file, timeout=_LOCK_WAIT_S)) as connection, connection:
                found: list[tuple[str, float]] = []
                for row in rows:
                    found += connection.execute(statement, tuple(row)).fetchall()
                return found
        except sqlite3.Error as error:
            raise InputError(
                f"the judge's cache cannot be used ({error})", file=self._file, remedy="name another file"
            ) from None
