"""Files of JSON objects, one a line, as a step before has written them."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import orjson

from training.corpus.unit import SourceError


def read_objects(file: Path, remedy: str) -> Generator[tuple[int, dict[str, Any]], None, None]:
    """The objects of a file with the numbers of their lines; blank lines hold none.

    Raises:
        SourceError: the file cannot be read, or a line is no object; with the remedy.
    """
    try:
        with file.open("rb") as stream:
            for number, line in enumerate(stream, 1):
                if not line.strip():
                    continue
                try:
                    row = orjson.loads(line)
                except orjson.JSONDecodeError as error:
                    raise SourceError(f"is no JSON ({error})", file=file, row=number, remedy=remedy) from None
                if not isinstance(row, dict):
                    raise SourceError("is no JSON object", file=file, row=number, remedy=remedy)
                yield number, row
    except OSError as error:
        raise SourceError(f"cannot be read ({error.strerror})", again=True, file=file, remedy=remedy) from None


def count_lines(file: Path) -> int:
    """How many lines say something; 0 for a file that cannot be read, which `read_objects` gives the reason of."""
    try:
        with file.open("rb") as stream:
            return sum(1 for line in stream if line.strip())
    except OSError:
        return 0
