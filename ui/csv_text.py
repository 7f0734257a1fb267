"""CSV for people: tables that a spreadsheet opens without taking anybody's words for a formula."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final

# What begins a formula in a spreadsheet; the last four are the full-width signs of = + - @, which some read alike.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table as CSV, lines ending in ``\\r\\n``; None is an empty cell.

    A text that a spreadsheet would take for a formula gets a ``'`` before it. Numbers stay as they are.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer)  # whose lines end so that it puts a text with any kind of line break in quotes
    writer.writerow([_harmless(name) for name in header])
    writer.writerows([_harmless(cell) for cell in row] for row in rows)
    return buffer.getvalue()


def _harmless(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
