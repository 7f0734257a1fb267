"""Data files by name: the ones of a folder, shards in order, and the language that a name holds."""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from app.errors import InputError
from app.languages import LANGUAGES

SUFFIXES = (".json", ".jsonl", ".csv")
MANIFEST = "manifest.json"  # of a folder that a command of ours made: it counts rows, and holds none

_SHARD = re.compile(r"(?P<stem>.+)\.part(?P<number>\d+)")
_LANGUAGE_OF_NAME = {language.english.casefold(): language.code for language in LANGUAGES}


def data_files(folder: Path) -> Iterator[Path]:
    """All data files under a folder in a fixed order; hidden folders (caches, notebook checkpoints) and manifests are
    left out."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and name != MANIFEST and name.lower().endswith(SUFFIXES):
                yield Path(parent, name)


def shard_of(path: Path) -> tuple[str, int | None]:
    """A file's stem and shard number: ``X.part0002.json`` is X's second; None for a file that is whole."""
    if match := _SHARD.fullmatch(path.stem):
        return match["stem"], int(match["number"])
    return path.stem, None


def order_shards(paths: Iterable[Path]) -> tuple[Path, ...]:
    """One benchmark's shards in order of number, or its one whole file.

    Raises:
        InputError: a shard is missing, or two have one number.
    """
    shards = sorted(paths, key=lambda path: (shard_of(path)[1] or 0, path.name))
    numbers = [shard_of(path)[1] for path in shards]
    if numbers == [None]:
        return tuple(shards)
    found = [number for number in numbers if number is not None]
    # Releases count their shards from 0 or from 1.
    first = 0 if found[0] == 0 else 1
    if found != list(range(first, first + len(numbers))):
        missing = sorted(set(range(first, found[-1] + 1)) - set(found))
        problem = f"shard {missing[0]:04d} is missing" if missing else "two files are the same shard"
        names = ", ".join(path.name for path in shards)
        raise InputError(f"{problem} among {names}", file=shards[0].parent, remedy="complete the shards")
    return tuple(shards)


def language_of_name(path: Path) -> str | None:
    """The language code that a file's name holds, as in ``Hindi.jsonl`` or ``amharic_test.csv``; else None."""
    words = re.split(r"[^a-z]+", path.stem.casefold())
    codes = {_LANGUAGE_OF_NAME[word] for word in words if word in _LANGUAGE_OF_NAME}
    return codes.pop() if len(codes) == 1 else None
