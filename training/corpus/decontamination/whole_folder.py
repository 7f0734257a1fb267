"""A folder that is whole or not there."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.errors import InputError


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """A hidden folder beside ``out`` to write to; it becomes ``out`` when all went well, else it goes.

    What a killed run left of it is removed first.

    Raises:
        InputError: ``out`` holds something, cannot be written, or another process writes it.
    """
    out = out.absolute()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError("exists already", file=out, remedy="name a new folder")
    part = out.with_name(f".{out.name}.part")
    try:
        part.mkdir(parents=True, exist_ok=True)
        lock = os.open(part, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise InputError(f"cannot be written ({error.strerror})", file=out, remedy="check the folder") from None
    try:
        if not _locked(lock, part):
            raise InputError("another process writes it", file=out, remedy="wait for it, or name another")
        try:
            _empty(part)
            yield part
            os.replace(part, out)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    finally:
        os.close(lock)


def _locked(lock: int, part: Path) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Another one may have finished, and moved the folder away, since it was opened.
        return os.path.samestat(os.fstat(lock), part.stat())
    except (BlockingIOError, FileNotFoundError):
        return False


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
