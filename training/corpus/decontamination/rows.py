"""Rows of large files one after another, each as its own bytes: a file is never in memory as a whole.

JSON lines stay what they are. A list, or ``{"questions": [...]}``, is read element by element. Other files (CSV, a
JSON object of another shape) are small ones, and are read whole by `app.rows`.
"""

import codecs
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from app.errors import InputError
from app.rows import RowError, read_rows

_AT_ONCE: Final = 1 << 20
_LONGEST: Final = 1 << 26  # characters of one row of a list
_BLANK: Final = " \t\r\n"
_QUESTIONS = re.compile(r'\{\s*"questions"\s*:\s*\[')
_REMEDY: Final = "the file may be cut off: get it again"


@dataclass(frozen=True, slots=True)
class RawRow:
    """A row as it stands in its file: number from 1 (a line, or a place in a list), and the JSON of it or its fault."""

    number: int
    data: bytes
    fault: str = ""


def raw_rows(path: Path, hashed: Callable[[bytes], None] = lambda _: None) -> Iterator[RawRow]:
    """The rows of a file; ``hashed`` is given the file's bytes as they are read.

    Raises:
        InputError: the file cannot be read as a whole.
    """
    kind = _kind(path)
    if kind == "lines":
        return _lines(path, hashed)
    if kind == "list":
        return _elements(path, hashed)
    return _whole(path, hashed)


def parse_row(row: RawRow) -> dict[str, Any]:
    """The row's fields.

    Raises:
        RowError: it is no JSON object, or has a field twice.
    """
    if row.fault:
        raise RowError("row", row.fault)
    try:
        value = json.loads(row.data.decode(), object_pairs_hook=_fields)
    except UnicodeDecodeError:
        raise RowError("row", "no UTF-8 text") from None
    except (ValueError, RecursionError) as error:
        raise RowError("row", f"not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise RowError("row", "the row is no object")
    return value


def _fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        raise RowError("row", f"the field '{next(name for name in names if names.count(name) > 1)}' stands twice")
    return fields


def as_line(row: RawRow, lines: bool) -> bytes:
    """The row as one line: as it stands in a file of lines, else on one line."""
    if lines:
        return row.data + b"\n"
    value = json.loads(row.data)
    try:
        return json.dumps(value, ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError:  # half of a surrogate pair can only be spelled
        return json.dumps(value).encode() + b"\n"


def has_lines(path: Path) -> bool:
    """Whether the file's rows stand one a line already."""
    return _kind(path) == "lines"


def hashing() -> tuple[Any, Callable[[bytes], None]]:
    """A SHA-256 and what feeds it."""
    sha256 = hashlib.sha256()
    return sha256, sha256.update


def _kind(path: Path) -> str:
    """``lines``, ``list``, or ``whole`` for what `read_rows` must look at, if only to say what is wrong with it."""
    suffix = path.suffix.lower()
    try:
        with path.open("rb") as stream:
            head = stream.read(4096)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=path, remedy="check the path") from None
    text = head.decode("utf-8-sig", "replace").lstrip(_BLANK)
    if suffix == ".jsonl" and text.startswith("{"):
        return "lines"
    if suffix == ".json" and (text.startswith("[") or _QUESTIONS.match(text)):
        return "list"
    return "whole"


def _lines(path: Path, hashed: Callable[[bytes], None]) -> Iterator[RawRow]:
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            hashed(line)
            data = line.removesuffix(b"\n")
            if number == 1:
                data = data.removeprefix(codecs.BOM_UTF8)
            if data.strip():
                yield RawRow(number, data)


def _whole(path: Path, hashed: Callable[[bytes], None]) -> Iterator[RawRow]:
    file = read_rows(path)
    hashed(path.read_bytes())
    rows = [RawRow(row.number, json.dumps(row.fields).encode()) for row in file.rows]
    rows += [RawRow(row.row, b"", row.reason) for row in file.invalid]
    return iter(sorted(rows, key=lambda row: row.number))


class _Buffer:
    """The text of a file from a place on that moves."""

    def __init__(self, stream: IO[bytes], path: Path, hashed: Callable[[bytes], None]) -> None:
        self._stream, self._path, self._hashed = stream, path, hashed
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self.text, self.at, self.ended = "", 0, False

    def more(self) -> None:
        """Read on; what was passed is dropped."""
        data = self._stream.read(max(_AT_ONCE, len(self.text) - self.at))
        self._hashed(data)
        self.ended = not data
        try:
            self.text = self.text[self.at :] + self._decoder.decode(data, final=self.ended)
        except UnicodeDecodeError:
            raise InputError("the file is no UTF-8 text", file=self._path, remedy="save it as UTF-8") from None
        self.at = 0

    def next(self) -> str:
        """The next character that is no blank, not passed yet; "" at the end."""
        while True:
            while self.at < len(self.text) and self.text[self.at] in _BLANK:
                self.at += 1
            if self.at < len(self.text) or self.ended:
                return self.text[self.at : self.at + 1]
            self.more()


def _elements(path: Path, hashed: Callable[[bytes], None]) -> Iterator[RawRow]:
    with path.open("rb") as stream:
        buffer = _Buffer(stream, path, hashed)
        questions = buffer.next() == "{"
        while (opened := buffer.text.find("[", buffer.at)) < 0:
            buffer.more()
        buffer.at = opened + 1
        number = 0
        while buffer.next() != "]":
            number += 1
            yield RawRow(number, _element(buffer, path, number).encode("utf-8", "surrogatepass"))
            following = buffer.next()
            if following == ",":
                buffer.at += 1
                if buffer.next() == "]":
                    raise InputError("not valid JSON: a comma before ']'", file=path, row=number, remedy=_REMEDY)
            elif following != "]":
                raise InputError("not valid JSON: ',' or ']' expected", file=path, row=number, remedy=_REMEDY)
        _check_rest(buffer, path, questions)
    if not number:
        raise InputError("the file has no rows", file=path, remedy="get it again")


def _element(buffer: _Buffer, path: Path, number: int) -> str:
    scan = json.JSONDecoder().raw_decode
    while True:
        try:
            _, end = scan(buffer.text, buffer.at)
            # A number may go on behind the buffer's end.
            if end < len(buffer.text) or buffer.ended:
                element, buffer.at = buffer.text[buffer.at : end], end
                return element
        except (ValueError, RecursionError) as error:
            if buffer.ended or len(buffer.text) - buffer.at > _LONGEST or isinstance(error, RecursionError):
                raise InputError(f"not valid JSON: {error}", file=path, row=number, remedy=_REMEDY) from None
        buffer.more()


def _check_rest(buffer: _Buffer, path: Path, questions: bool) -> None:
    while not buffer.ended:
        buffer.more()
    rest = buffer.text[buffer.at :]
    try:
        value = json.loads(f'{{"questions": []{rest[1:]}' if questions else f"[{rest}", object_pairs_hook=list)
    except ValueError as error:
        raise InputError(f"not valid JSON behind the rows: {error}", file=path, remedy=_REMEDY) from None
    if questions and [name for name, _ in value].count("questions") > 1:
        raise InputError("the field stands twice", file=path, field="questions", remedy="keep one list")
