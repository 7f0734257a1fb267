"""Raw readers: JSON, JSONL and CSV files to numbered rows, before anything is made of them."""

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from app.data_files import SUFFIXES
from app.errors import InputError

_LFS_POINTER = "version https://git-lfs.github.com/"
# Neither UTF-8 nor a database stores these: NUL and halves of surrogate pairs, both of which JSON can spell.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
# The csv module's own limit, 128 KiB, is shorter than a model's answer that repeats itself.
_LONGEST_CELL = 1 << 27


class RepeatedFields(dict[str, object]):
    """A JSON object in which the field ``repeated`` stands more than once; it holds the last value of each."""

    repeated: str = ""


@dataclass(frozen=True, slots=True)
class InvalidRow:
    """A row that could not be used: left out of every denominator, shown in every report."""

    file: str
    row: int
    field: str
    reason: str


class RowError(Exception):
    """A row that cannot be used: the field and the reason of its `InvalidRow`."""

    def __init__(self, field: str, reason: str) -> None:
        self.field, self.reason = field, reason
        super().__init__(f"{field}: {reason}")


@dataclass(frozen=True, slots=True)
class Row:
    """One row. ``number`` counts from 1: a place in a JSON list or among a CSV's data rows, a JSONL file's line."""

    number: int
    fields: dict[str, object]


@dataclass(frozen=True, slots=True)
class RowFile:
    """A file's rows, those that are no rows, a CSV's columns (None otherwise), and the SHA-256 of its bytes."""

    path: Path
    rows: tuple[Row, ...]
    invalid: tuple[InvalidRow, ...]
    columns: tuple[str, ...] | None
    sha256: str


def read_rows(path: Path) -> RowFile:
    """Read ``{"questions": [...]}`` or a list (.json), one object a line (.jsonl), or a table with a header (.csv).

    A line or an element that is no JSON object is an invalid row; so is a CSV row with too many or too few cells.

    Raises:
        InputError: the file cannot be read, is empty, is no UTF-8, or has another shape as a whole.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"unknown kind of file {path.suffix!r}", file=path, remedy=f"use {', '.join(SUFFIXES)}")
    data = _read_bytes(path)
    text = _decode(path, data)
    sha256 = hashlib.sha256(data).hexdigest()
    if suffix == ".csv":
        return _read_csv(path, text, sha256)
    values = _json_lines(text) if suffix == ".jsonl" else _json_list(path, text)
    rows, invalid = [], []
    for number, value in values:
        if isinstance(value, dict) and not isinstance(value, RepeatedFields):
            rows.append(Row(number, value))
        else:
            invalid.append(InvalidRow(path.name, number, "row", _why_no_row(value)))
    return RowFile(path, tuple(rows), tuple(invalid), None, sha256)


def first_field(fields: Mapping[str, object], names: Iterable[str]) -> str | None:
    """The first of the names that the row has."""
    return next((name for name in names if name in fields), None)


def read_text(fields: Mapping[str, object], name: str, *, numbers: bool = False) -> str:
    """The field's text, stripped; "" for null. Numbers count as text where ``numbers`` says so.

    Raises:
        RowError: the value is no text, or a text that no database stores.
    """
    value = fields[name]
    if value is None:
        return ""
    if numbers and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise RowError(name, f"the field is {describe(value)}, not text")
    try:
        check_storable(value)
    except ValueError as error:
        raise RowError(name, str(error)) from None
    return value.strip()


def check_storable(text: str) -> None:
    """Refuse a text that no database stores.

    Raises:
        ValueError: it holds NUL or half of a surrogate pair.
    """
    if _UNSTORABLE.search(text):
        raise ValueError("the text holds NUL or half of a surrogate pair")


def describe(value: object) -> str:
    """What a JSON value is, in words."""
    if value is None:
        return "null"
    for kind, words in ((str, "text"), (bool, "a boolean"), (dict, "an object"), (list, "a list")):
        if isinstance(value, kind):
            return words
    return "a number"


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=path, remedy="check the path") from None


def _decode(path: Path, data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        utf16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
        what = "UTF-16 text" if utf16 else f"no UTF-8 text (byte 0x{data[error.start]:02x} at offset {error.start})"
        raise InputError(f"the file is {what}", file=path, remedy="save it as UTF-8") from None
    if not text.strip():
        raise InputError("the file is empty", file=path, remedy="get it again")
    if text.startswith(_LFS_POINTER):
        raise InputError("the file is a Git LFS pointer, not the data", file=path, remedy="run `git lfs pull`")
    return text


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) == len(pairs):
        return fields
    names = [name for name, _ in pairs]
    marked = RepeatedFields(fields)
    marked.repeated = next(name for name in names if names.count(name) > 1)
    return marked


def _json_list(path: Path, text: str) -> Iterable[tuple[int, object]]:
    try:
        value = json.loads(text, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        # Many JSONL files are called .json.
        if error.msg == "Extra data" and error.lineno > 1:
            return _json_lines(text)
        problem = f"not valid JSON: {_json_problem(error)} at line {error.lineno} column {error.colno}"
        raise InputError(problem, file=path, remedy="the file may be cut off: get it again") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"not readable as JSON: {_json_problem(error)}", file=path, remedy="correct it") from None
    remedy = 'give a list of items, or {"questions": [...]}'
    if isinstance(value, RepeatedFields):
        raise InputError("the field stands twice", file=path, field=value.repeated, remedy=remedy)
    if isinstance(value, dict):
        if "questions" not in value:
            raise InputError("the file is an object without a field 'questions'", file=path, remedy=remedy)
        value = value["questions"]
    if not isinstance(value, list):
        raise InputError(f"the items are {describe(value)}, not a list", file=path, remedy=remedy)
    return enumerate(value, start=1)


class _BrokenLine:
    """A JSONL line that is no JSON, and why."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


def _json_lines(text: str) -> Iterable[tuple[int, object]]:
    # Not splitlines(): it would also break inside texts that hold U+2028 or U+0085.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            yield number, json.loads(line, object_pairs_hook=_object)
        except json.JSONDecodeError as error:
            yield number, _BrokenLine(f"not valid JSON: {_json_problem(error)} at column {error.colno}")
        except (ValueError, RecursionError) as error:
            yield number, _BrokenLine(f"not readable as JSON: {_json_problem(error)}")


def _json_problem(error: ValueError | RecursionError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return error.msg.removesuffix(" starting at")
    # The other ValueError is a number of thousands of digits.
    return "nested too deeply" if isinstance(error, RecursionError) else "a number is too long"


def _why_no_row(value: object) -> str:
    if isinstance(value, _BrokenLine):
        return value.reason
    if isinstance(value, RepeatedFields):
        return f"the field '{value.repeated}' stands twice"
    return f"the row is {describe(value)}, not an object"


def _read_csv(path: Path, text: str, sha256: str) -> RowFile:
    csv.field_size_limit(_LONGEST_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    columns: list[str] = []
    rows: list[Row] = []
    invalid: list[InvalidRow] = []
    try:
        columns = [name.strip() for name in next(reader)]
        _check_columns(path, columns)
        for number, cells in enumerate((cells for cells in reader if cells), start=1):
            if len(cells) == len(columns):
                rows.append(Row(number, dict(zip(columns, cells, strict=True))))
            else:
                reason = f"the row has {len(cells)} cells under {len(columns)} columns"
                invalid.append(InvalidRow(path.name, number, "row", reason))
    except csv.Error as error:
        problem = f"not valid CSV: {error} (line {reader.line_num})"
        row = len(rows) + len(invalid) + 1 if columns else None
        raise InputError(problem, file=path, row=row, remedy="the file may be cut off: get it again") from None
    return RowFile(path, tuple(rows), tuple(invalid), tuple(columns), sha256)


def _check_columns(path: Path, columns: list[str]) -> None:
    for name in columns:
        if name and columns.count(name) > 1:
            raise InputError("the column stands twice", file=path, field=name, remedy="rename one of the two")
