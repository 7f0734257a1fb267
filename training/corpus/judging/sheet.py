"""Tables that people fill in with a spreadsheet program: CSV that it shows as it is and that can be read back.

UTF-8 with a byte order mark, without which Excel shows Hindi as other letters. A text that a program would turn into a
formula, a date, a number or a truth value gets a ``'`` before it, which reading takes away again.
"""

import csv
import io
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from app.errors import InputError

# The last four are the full-width signs of = + - @, which some programs read alike.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
# 5-10, 1e5, (3), 12 December 2024, SEPT2, May 5: shown as numbers, dates and amounts of money.
_NUMBER_OR_DATE: Final = re.compile(r"[\W_]*\d.*|[^\W\d_]{1,9}[\W\d_]*\d[\W\d_]*")
_LONGEST_NUMBER_OR_DATE: Final = 20
_LONGEST_CELL: Final = 1 << 27  # the csv module's own limit, 128 KiB, is shorter than a long dialogue


def protect(text: str) -> str:
    """The text as it is written into a cell."""
    return f"'{text}" if _is_taken_for_something_else(text) else text


def unprotect(cell: str) -> str:
    """The text of a cell that `protect` made; others stay as they are, for a program may have taken the ``'`` away."""
    return cell[1:] if cell.startswith("'") and _is_taken_for_something_else(cell) else cell


def _is_taken_for_something_else(text: str) -> bool:
    bare = text.lstrip(
        "'"
    )  # so that a ' that stands there from the beginning gets another, and taking one away is exact
    if bare.startswith(_FORMULA) or bare.casefold() in ("true", "false"):
        return True
    return len(bare) <= _LONGEST_NUMBER_OR_DATE and _NUMBER_OR_DATE.fullmatch(bare) is not None


@contextmanager
def write_stream(file: Path) -> Iterator[IO[bytes]]:
    """A file that is there when the block has ended, and only then.

    Raises:
        InputError: it cannot be written.
    """
    part = file.with_name(f".{file.name}.part")
    try:
        with part.open("wb") as stream:
            yield stream
        os.replace(part, file)
    except OSError as error:
        raise InputError(f"cannot be written ({error.strerror})", file=file, remedy="check the folder") from None
    finally:
        part.unlink(missing_ok=True)


def write_sheet(file: Path, columns: Sequence[str], rows: Iterable[Sequence[str | float | None]]) -> None:
    """Write a table, whole. None is an empty cell.

    Raises:
        InputError: the file cannot be written.
    """
    with write_stream(file) as stream, io.TextIOWrapper(stream, encoding="utf-8-sig", newline="") as text:
        writer = csv.writer(text)  # whose lines end so that it puts a text with any kind of line break in quotes
        writer.writerow(columns)
        for row in rows:
            writer.writerow([protect(cell) if isinstance(cell, str) else cell for cell in row])


def read_sheet(file: Path, columns: Sequence[str]) -> Iterator[tuple[int, Mapping[str, str]]]:
    """The rows of a table with their numbers, counted from 1 without the header; rows of empty cells are left out.

    Columns may stand in another order and further ones beside them. Cells may be divided by commas, semicolons or
    tabs: programs write what is usual in their country.

    Raises:
        InputError: the file cannot be read, is no such table, or lacks a column.
    """
    csv.field_size_limit(_LONGEST_CELL)
    number = 0
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            delimiter = _delimiter(stream.readline())
            stream.seek(0)
            reader = csv.reader(stream, delimiter=delimiter, strict=True)
            header = [name.strip() for name in next(reader, [])]
            _check_header(file, header, columns)
            for number, cells in enumerate((cells for cells in reader if cells), 1):
                if any(cells[len(header) :]):
                    raise InputError(
                        f"the row has {len(cells)} cells under {len(header)} columns",
                        file=file,
                        row=number,
                        remedy="remove what stands beside the table",
                    )
                cells += [""] * (len(header) - len(cells))  # some programs leave out the empty cells at the end
                if any(cell.strip() for cell in cells):
                    named = dict(zip(header, cells, strict=False))
                    yield number, {name: unprotect(named[name]) for name in columns}
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", file=file, remedy="check the path") from None
    except UnicodeDecodeError:
        raise InputError("is no UTF-8 text", file=file, remedy="save it as CSV in UTF-8") from None
    except csv.Error as error:
        raise InputError(
            f"is no valid CSV ({error})", file=file, row=number + 1, remedy="save it again as CSV in UTF-8"
        ) from None


def _delimiter(header: str) -> str:
    return max(",;\t", key=header.count)


def _check_header(file: Path, header: Sequence[str], columns: Sequence[str]) -> None:
    for name in columns:
        if header.count(name) != 1:
            problem = "the column is missing" if name not in header else "the column stands twice"
            raise InputError(problem, file=file, field=name, remedy="keep the columns of the file that was given out")
