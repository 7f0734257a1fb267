"""Files that are whole or not there."""

import os
import tempfile
from pathlib import Path

from app.errors import InputError


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
