"""Rows of any layout as an audit reads them: everything that stands there, also where training would set it aside."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import regex

from app.consistency import detect_language
from app.data_files import language_of_name
from app.errors import InputError
from app.languages import find_language
from app.options import find_gold, own_options, split_inline, split_lines
from app.row_fields import GROUP_FIELDS
from app.rows import Row, RowFile, first_field, read_rows
from training.corpus.auditing.findings import encodable, evenly, printable
from training.data.layouts import Layout, find_layout

Placed = Literal["field", "lines", "breaks", "running text"]

ID_FIELDS: Final = ("id", "question_number", "number")
_QUESTION: Final = ("prompt", "question", "Question")
_ANSWER: Final = ("ground_truth", "answer", "Response", "reference")
_REASONING: Final = ("Complex_CoT", "cot", "reasoning")
_OTHER_TEXTS: Final = ("context", "response")
# Of a file that is none of these layouts every text is looked at, but for what names things.
_NO_TEXT: Final = frozenset({*GROUP_FIELDS, *ID_FIELDS, "language", "level", "grade", "passage_id", "answer"})
_BREAK: Final = regex.compile(r"<br ?/?>")
_DETECTED_ROWS: Final = 100
_DETECTED_SHARE: Final = 0.8


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One row as it stands, with nothing refused.

    ``stem`` is the question without its options. ``answer`` and ``reasoning`` are None where the row has no such field,
    "" where it is empty. ``options_fault`` says why a field ``options`` could not be read. ``texts`` maps the field's
    name onto the text to be looked at: the stem, the options, the answer unless it only repeats an option.
    """

    number: int
    kind: str | None
    question: str | None
    question_field: str
    stem: str
    options: Mapping[str, str] | None
    placed: Placed | None
    options_fault: str | None
    answer: str | None
    answer_field: str
    reasoning: str | None
    reasoning_field: str
    language: str | None
    groups: Mapping[str, str]
    texts: Mapping[str, str]
    row: Row

    @property
    def is_choice(self) -> bool:
        """Whether the row says that it is multiple choice, or is."""
        return self.kind == "mcq" or self.options is not None or self.options_fault is not None


@dataclass(frozen=True, slots=True)
class Source:
    """A file with its rows. ``layout`` is a training layout, ``benchmark`` (options in a field) or ``texts``."""

    file: RowFile
    layout: str
    training_layout: Layout | None
    rows: tuple[AuditRow, ...]
    language: str | None
    language_from: str


def read_source(path: Path, language: str | None = None) -> Source:
    """Read a file; ``language`` is the code of rows that name none, where the file's name says nothing.

    Without one the rows' own questions tell: the language that at least 80 % of 100 of them are in, else unknown.

    Raises:
        InputError: the file cannot be read as a whole.
    """
    file = read_rows(path)
    layout: Layout | None
    try:
        layout = find_layout(file)
    except InputError:
        layout = None
    name: str = "texts" if layout is None else layout
    if layout == "questions" and any(row.fields.get("options") for row in file.rows):
        name = "benchmark"
    default, origin = _language(file, path, language)
    rows = tuple(_read_row(row, layout, default) for row in file.rows)
    return Source(file, name, layout, rows, default, origin)


def _language(file: RowFile, path: Path, stated: str | None) -> tuple[str | None, str]:
    if file.rows and all(row.fields.get("language") for row in file.rows):
        return None, "the rows"
    if named := language_of_name(path):
        return named, "the file's name"
    if stated:
        return stated, "--language"
    questions = []
    for i in evenly(len(file.rows), _DETECTED_ROWS):
        field = first_field(file.rows[i].fields, (*_QUESTION, "text", "context"))
        if field and (text := _text(file.rows[i].fields[field])):
            questions.append(encodable(text))
    found = Counter(detect_language(text) for text in questions).most_common(1)
    if found and found[0][0] and found[0][1] >= _DETECTED_SHARE * len(questions):
        return found[0][0], f"{found[0][1]} of {len(questions)} questions looked at"
    return None, "nowhere"


def _read_row(row: Row, layout: Layout | None, default: str | None) -> AuditRow:
    fields = row.fields
    groups = {name: printable(text) for name in GROUP_FIELDS if (text := _text(fields.get(name)))}
    named = _text(fields.get("language"))
    found = find_language(named) if named else None
    language = found.code if found else None if named else default
    kind = groups.get("type", "").casefold() or None
    question_field, answer_field, reasoning_field = (
        first_field(fields, names) or names[1] for names in (_QUESTION, _ANSWER, _REASONING)
    )
    known = layout is not None
    question = _text(fields.get(question_field)) if known and question_field in fields else None
    answer = _text(fields.get(answer_field)) if known and answer_field in fields else None
    reasoning = _text(fields.get(reasoning_field)) if known and reasoning_field in fields else None
    stem = question or ""
    options: Mapping[str, str] | None = None
    placed: Placed | None = None
    fault: str | None = None
    if fields.get("options"):
        try:
            options, placed = own_options(fields["options"]), "field"
        except ValueError as error:
            fault = str(error)
    elif question and (kind == "mcq" or (kind is None and layout in ("himed-west", "himed-trad"))):
        stem, options, placed = _inside(question, kind, answer or "")
    texts = {} if known else _all_texts(fields)
    if question:
        texts[question_field] = stem or question
    if options:
        texts["options"] = "\n".join(options.values())
    if answer and options is None:
        texts[answer_field] = answer
    if reasoning:
        texts[reasoning_field] = reasoning
    texts |= {name: text for name in _OTHER_TEXTS if (text := _text(fields.get(name)))}
    return AuditRow(
        number=row.number,
        kind=kind,
        question=question,
        question_field=question_field,
        stem=stem,
        options=options,
        placed=placed,
        options_fault=fault,
        answer=answer,
        answer_field=answer_field,
        reasoning=reasoning,
        reasoning_field=reasoning_field,
        language=language,
        groups=groups,
        texts=texts,
        row=row,
    )


def _inside(question: str, kind: str | None, answer: str) -> tuple[str, dict[str, str] | None, Placed | None]:
    """The options inside a question, and how they stand there: on lines, behind ``<br>``, or in running text."""
    stem, options = split_lines(question)
    if options is not None:
        only_breaks = _BREAK.search(question) and split_lines(_BREAK.sub(" ", question))[1] is None
        return stem, options, "breaks" if only_breaks else "lines"
    stem, options = split_inline(question)
    if options is None:
        return question, None, None
    if kind != "mcq":
        # "A. x B. y" may be a list of anything: options only where the gold is one of them.
        try:
            find_gold(answer, options)
        except ValueError:
            return question, None, None
    return stem, options, "running text"


def _all_texts(fields: Mapping[str, object]) -> dict[str, str]:
    return {
        printable(name): value
        for name, value in fields.items()
        if isinstance(value, str) and value.strip() and name not in _NO_TEXT
    }


def _text(value: object) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value.strip() if isinstance(value, str) else ""
