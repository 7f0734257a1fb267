"""Files that are whole or not there."""

import os
import tempfile
from pathlib import Path

from app.errors import InputError


def check_writable(file: Path) -> None:
    """Find out before long work that `write_whole` would fail after it.

    Raises:
        InputError: the file's folder does not exist or cannot be written, or the file is a folder.
    """
    folder = file.absolute().parent
    if not folder.is_dir():
        raise InputError("its folder does not exist", file=file, remedy="create it first")
    if file.is_dir() or not os.access(folder, os.W_OK):
        raise InputError("cannot be written", file=file, remedy="name another file")


def write_whole(file: Path, content: str | bytes) -> None:
    """Write a file so that a reader, or a crash, never finds half of it.

    Raises:
        InputError: its folder does not exist or cannot be written.
    """
    data = content.encode() if isinstance(content, str) else content
    try:
        handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
            umask = os.umask(0)
            os.umask(umask)
            os.chmod(temporary, 0o666 & ~umask)  # mkstemp's files are private; a report is not
            os.replace(temporary, file)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise InputError(f"cannot be written ({error.strerror})", file=file, remedy="check the folder") from None
