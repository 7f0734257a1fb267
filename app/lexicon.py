"""The English-Hindi medical lexicon: finds its English terms in a text and masks them (HiMed's scaffold reward).

The published system matches with one regular expression of all the terms. This module gives the same spans from a hash
index on each term's first run of characters, because a match between word boundaries always covers whole runs.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from app.errors import InputError

_COLUMNS = ("English", "Hindi")
_MIN_TERM_LENGTH = 2

_SPACES = re.compile(r"\s+")
_HYPHENS = re.compile(r"[-_]+")
_RUN = re.compile(r"\w+|\W+")

# Lower-case letters that `re.IGNORECASE` takes for one another because their upper case is the same (CPython's
# re/_casefix.py), onto one of each. Left out: U+0345, which equals iota there, but is no letter to `\b`.
# Escapes, because an editor that normalises to NFC would change some of them.
_SAME_LETTER = str.maketrans(
    "\u0131\u017f\u00b5\u1fbe\u1fd3\u1fe3\u03d0\u03f5\u03d1\u03f0\u03d6\u03f1\u03c2\u03d5"
    "\u1c80\u1c81\u1c82\u1c83\u1c84\u1c85\u1c86\u1c87\u1c88\u1e9b\ufb05",
    "is\u03bc\u03b9\u0390\u03b0\u03b2\u03b5\u03b8\u03ba\u03c0\u03c1\u03c3\u03c6"
    "\u0432\u0434\u043e\u0441\u0442\u0442\u044a\u0463\ua64b\u1e61\ufb06",
)
_HAS_SAME_LETTER = re.compile(f"[{''.join(map(chr, _SAME_LETTER))}]")


@dataclass(frozen=True, slots=True)
class Match:
    """A term in a text: ``text[start:end]``, and its key in `Lexicon.entries`."""

    start: int
    end: int
    term: str


class Lexicon:
    """English terms with their Hindi translations.

    ``entries`` maps a normalised English term onto its translations in file order, each once; ``skipped`` counts the
    rows that hold something but no English term. Terms of one character are dropped: they would match everywhere.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Build the index from pairs of English and Hindi."""
        self.skipped = 0
        entries: dict[str, dict[str, None]] = {}
        for english, hindi in pairs:
            term = normalise_term(english)
            if not term:
                self.skipped += 1
            elif len(term) >= _MIN_TERM_LENGTH:
                translations = entries.setdefault(term, {})
                if hindi := hindi.strip():
                    translations[hindi] = None
        self.entries: Mapping[str, tuple[str, ...]] = {term: tuple(hindi) for term, hindi in entries.items()}
        # Terms that are spelled otherwise than they are looked for.
        self._spelling = {fold_case(term): term for term in reversed(entries) if fold_case(term) not in entries}
        # First run of a term -> the terms that begin with it, longest first.
        self._by_first_run: dict[str, list[str]] = {}
        for term in sorted({fold_case(term) for term in entries}, key=len, reverse=True):
            first = _RUN.match(term)
            assert first  # a term is never empty
            self._by_first_run.setdefault(first.group(), []).append(term)
        self._candidate = _candidate_pattern(self._by_first_run)

    @classmethod
    def load(cls, path: Path | str) -> "Lexicon":
        """Read an ``.xlsx`` file (its first sheet) or a ``.csv`` file with the columns ``English`` and ``Hindi``.

        Raises:
            InputError: the file is missing, cannot be read, lacks a column or holds no term.
        """
        path = Path(path)
        lexicon = cls((english, hindi) for _, english, hindi in read_lexicon_rows(path))
        if not lexicon.entries:
            raise InputError(
                f"the lexicon holds no English term of {_MIN_TERM_LENGTH} or more characters",
                file=path,
                field="English",
                remedy="fill the column, one term per row",
            )
        return lexicon

    def __len__(self) -> int:
        """The number of distinct English terms."""
        return len(self.entries)

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where terms stand in the text, as (start, end) offsets in order, never overlapping or touching.

        A term matches case-insensitively between word boundaries, leftmost first, longest term first. A match grows
        over white space and then one ``(`` to its left, over white space and then one ``)`` to its right.
        """
        spans: list[tuple[int, int]] = []
        for start, end in self._matches(fold_case(text)):
            start, end = _grow(text, start, end)
            if spans and start <= spans[-1][1]:
                spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
            else:
                spans.append((start, end))
        return spans

    def matches(self, text: str) -> list[Match]:
        """The terms in the text by the same rule, in order, without what a span grows over; they never overlap."""
        folded = fold_case(text)
        return [
            Match(start, end, self._spelling.get(folded[start:end], folded[start:end]))
            for start, end in self._matches(folded)
        ]

    def mask(self, text: str) -> str:
        """The text without its terms: spans cut out, the blanks around them trimmed, white space folded."""
        kept, end = [], 0
        for start, next_end in self.spans(text):
            kept.append(text[end:start].strip())
            end = next_end
        kept.append(text[end:].strip())
        return " ".join("".join(kept).split())

    def _matches(self, folded: str) -> Iterator[tuple[int, int]]:
        end = 0
        for candidate in self._candidate.finditer(folded):
            start = candidate.start()
            if start < end:
                continue
            for term in self._by_first_run.get(candidate.group(), ()):
                if folded.startswith(term, start) and _is_boundary(folded, start + len(term)):
                    end = start + len(term)
                    yield start, end
                    break


def read_lexicon_rows(path: Path) -> Iterator[tuple[int, str, str]]:
    """The rows of a lexicon file that hold something, as (number, English, Hindi), just as they stand.

    Raises:
        InputError: as of `Lexicon.load`.
    """
    if not path.is_file():
        raise InputError("the lexicon does not exist", file=path, remedy="give the path of an .xlsx or .csv file")
    suffix = path.suffix.lower()
    if suffix not in (".xlsx", ".csv"):
        raise InputError("unknown kind of lexicon file", file=path, remedy="give an .xlsx or .csv file")
    yield from _numbered_pairs(_xlsx_rows(path) if suffix == ".xlsx" else _csv_rows(path), path)


def normalise_term(term: str) -> str:
    """Lower case, stripped; runs of white space become one blank, runs of ``-`` and ``_`` one ``-``."""
    return _HYPHENS.sub("-", _SPACES.sub(" ", term.lower().strip()))


def fold_case(text: str) -> str:
    """The text with equal letters for what `re.IGNORECASE` takes as equal, character by character: same length."""
    # U+0130 is the only character whose lower case has two; `re` takes the first.
    folded = text.replace("İ", "i").lower()
    return folded.translate(_SAME_LETTER) if _HAS_SAME_LETTER.search(folded) else folded


def _candidate_pattern(first_runs: Iterable[str]) -> re.Pattern[str]:
    """Finds whole runs of word characters, or of others, that begin like one of the first runs."""
    starts = {run[0] for run in first_runs}
    words = "".join(re.escape(start) for start in sorted(starts) if _is_word(start))
    others = "".join(re.escape(start) for start in sorted(starts) if not _is_word(start))
    kinds = ([rf"[{words}]\w*"] if words else []) + ([rf"[{others}]\W*"] if others else [])
    return re.compile(rf"\b(?:{'|'.join(kinds)})" if kinds else r"(?!)")


def _is_word(character: str) -> bool:
    """Like ``\\w``."""
    return character.isalnum() or character == "_"


def _is_boundary(text: str, position: int) -> bool:
    """Like ``\\b`` at a position behind the first character."""
    return _is_word(text[position - 1]) != (position < len(text) and _is_word(text[position]))


def _grow(text: str, start: int, end: int) -> tuple[int, int]:
    while start > 0 and text[start - 1].isspace():
        start -= 1
    if start > 0 and text[start - 1] == "(":
        start -= 1
    while end < len(text) and text[end].isspace():
        end += 1
    if end < len(text) and text[end] == ")":
        end += 1
    return start, end


def _numbered_pairs(rows: Iterator[list[str]], path: Path) -> Iterator[tuple[int, str, str]]:
    """The rows behind the heading as (number, English, Hindi); the heading is row 1."""
    heading = [cell.strip().casefold() for cell in next(rows, [])]
    for column in _COLUMNS:
        if column.casefold() not in heading:
            found = ", ".join(filter(None, heading)) or "none"
            raise InputError(
                "the lexicon lacks this column",
                file=path,
                row=1,
                field=column,
                remedy=f"name the columns English and Hindi in the first row (found: {found})",
            )
    english, hindi = (heading.index(column.casefold()) for column in _COLUMNS)
    for number, row in enumerate(rows, start=2):
        cells = row + [""] * (len(heading) - len(row))
        if any(cell.strip() for cell in cells):
            yield number, cells[english], cells[hindi]


def _xlsx_rows(path: Path) -> Iterator[list[str]]:
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        rows = CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python(skip_empty_area=False)
    except (CalamineError, OSError) as error:
        raise InputError(
            f"the workbook cannot be read ({error})", file=path, remedy="save it again as .xlsx, or give a .csv file"
        ) from None
    # A workbook keeps whole numbers as floats: the term is "12", not "12.0".
    return ([str(int(cell) if isinstance(cell, float) and cell.is_integer() else cell) for cell in row] for row in rows)


def _csv_rows(path: Path) -> Iterator[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            yield from reader
        except (csv.Error, UnicodeDecodeError) as error:
            raise InputError(
                f"the file cannot be read ({error})", file=path, row=reader.line_num + 1, remedy="save it as UTF-8 CSV"
            ) from None
