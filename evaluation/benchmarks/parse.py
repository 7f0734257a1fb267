"""Rows to items: field names, options inside a question, gold answers, languages, duplicates."""

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from app.errors import InputError
from app.languages import find_language
from evaluation.benchmarks.item import InvalidRow, Item, Kind, content_id
from evaluation.benchmarks.options import find_gold, own_options, split_inline, split_lines
from evaluation.benchmarks.rows import RowFile, check_storable, describe

QUESTION_FIELDS = ("question", "Question", "prompt")
ANSWER_FIELDS = ("answer", "Response", "ground_truth")
# A number goes before an id: parallel benchmarks number the same question alike in every language.
NUMBER_FIELDS = ("question_number", "number", "id")
GROUP_FIELDS = ("system", "type", "subject", "source")

_KINDS: dict[str, Kind] = {"mcq": "mcq", "qa": "qa", "dialogue": "dialogue"}


class RowError(Exception):
    """A row that cannot be used: the field and the reason of its `InvalidRow`."""

    def __init__(self, field: str, reason: str) -> None:
        self.field, self.reason = field, reason
        super().__init__(f"{field}: {reason}")


def parse_items(
    file: RowFile, *, language: str | None = None, default_language: str | None = None
) -> tuple[list[Item], list[InvalidRow]]:
    """The items of one file and the rows that are none, each in file order.

    ``language`` is every item's ISO 639-1 code whatever the rows say, ``default_language`` the one of rows that say
    nothing. Ids are not yet unique among copies: see `mark_duplicates`.

    Raises:
        InputError: no row can be used, a CSV lacks a column, or the language is known from nowhere.
    """
    _check_columns(file)
    unnamed = language is None and default_language is None
    if unnamed and file.rows and not any(row.fields.get("language") for row in file.rows):
        problem = "the rows name no language"
        raise InputError(problem, file=file.path, field="language", remedy="name it with --language")
    items: list[Item] = []
    invalid = list(file.invalid)
    for row in file.rows:
        try:
            code = language or _language(row.fields, default_language)
            items.append(_parse_row(row.number, row.fields, code))
        except RowError as error:
            invalid.append(InvalidRow(file.path.name, row.number, error.field, error.reason))
    invalid.sort(key=lambda row: row.row)
    if not items:
        raise _nothing_usable(file.path, invalid)
    return items, invalid


def mark_duplicates(items: Iterable[Item]) -> tuple[Item, ...]:
    """Give copies their own ids and name the item that they repeat.

    A duplicate repeats language, question, options and right answer, in whatever order its options stand: HiMed-West
    asks 94 questions twice with the same options in another order. Only a copy with the same order has the same
    content id, and then a number behind it.
    """
    copies: Counter[str] = Counter()
    first: dict[tuple[object, ...], str] = {}
    marked = []
    for item in items:
        copies[item.id] += 1
        own_id = item.id if copies[item.id] == 1 else f"{item.id}-{copies[item.id]}"
        texts = tuple(sorted(item.options.values())) if item.options is not None else None
        content = (item.kind, item.language, item.question, texts, item.reference)
        original = first.setdefault(content, own_id)
        marked.append(replace(item, id=own_id, duplicate_of=None if original == own_id else original))
    return tuple(marked)


def cluster_of(question: str) -> str:
    """16 hexadecimal digits that questions share when they differ in case, white space or outer punctuation only.

    Combining characters (vowel signs, the virama) are letters here: without them Hindi words would fall together.
    """
    text = unicodedata.normalize("NFC", unicodedata.normalize("NFC", question).casefold())
    text = " ".join(text.split())
    start, end = 0, len(text)
    while start < end and _is_edge(text[start]):
        start += 1
    while end > start and _is_edge(text[end - 1]):
        end -= 1
    return hashlib.sha256(text[start:end].encode()).hexdigest()[:16]


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


def first_field(fields: Mapping[str, object], names: Iterable[str]) -> str | None:
    """The first of the names that the row has."""
    return next((name for name in names if name in fields), None)


def _parse_row(number: int, fields: Mapping[str, object], language: str) -> Item:
    question_field = first_field(fields, QUESTION_FIELDS)
    if question_field is None:
        raise RowError("question", "the question is missing")
    question = read_text(fields, question_field)
    if not question:
        raise RowError(question_field, "the question is empty")
    answer_field = first_field(fields, ANSWER_FIELDS)
    if answer_field is None:
        raise RowError("answer", "the gold answer is missing")
    answer = read_text(fields, answer_field, numbers=True)
    if not answer:
        raise RowError(answer_field, "the gold answer is empty")
    groups = _groups(fields)
    stated = _KINDS.get(groups.get("type", "").casefold())
    question, options, gold = _options(fields, stated, question, answer_field, answer)
    kind = "mcq" if options is not None else stated or _open_kind(question)
    reference = answer if options is None or gold is None else options[gold]
    return Item(
        id=content_id(kind, language, question, options, gold, reference),
        row=number,
        number=_number(fields),
        own_id=read_text(fields, "id", numbers=True) or None if "id" in fields else None,
        kind=kind,
        question=question,
        options=options,
        gold=gold,
        reference=reference,
        language=language,
        groups=groups,
        cluster=cluster_of(question),
    )


def _options(
    fields: Mapping[str, object], stated: Kind | None, question: str, answer_field: str, answer: str
) -> tuple[str, dict[str, str] | None, str | None]:
    """The question without its options, the options and the right letter; None and None for an open question."""
    try:
        options = own_options(fields["options"]) if fields.get("options") else None
    except ValueError as error:
        raise RowError("options", str(error)) from None
    if options is None and stated in (None, "mcq"):
        question, options = split_lines(question)
        if options is None:
            return _inline_options(stated, question, answer_field, answer)
    if options is None:
        return question, None, None
    if not question:
        raise RowError("question", "the question is empty but for its options")
    if len(options) < 2:
        raise RowError("options", f"the question has {len(options)} option, not 2 or more")
    if empty := [letter for letter, text in options.items() if not text]:
        raise RowError("options", f"option {empty[0]} is empty")
    try:
        return question, options, find_gold(answer, options)
    except ValueError as error:
        raise RowError(answer_field, str(error)) from None


def _inline_options(
    stated: Kind | None, question: str, answer_field: str, answer: str
) -> tuple[str, dict[str, str] | None, str | None]:
    # "A. x B. y" in running text may be a list of anything: it is taken for options only when the gold is one of
    # them, or when the row itself says that it is multiple choice.
    stem, options = split_inline(question)
    if options is not None and stem:
        try:
            return stem, options, find_gold(answer, options)
        except ValueError as error:
            if stated == "mcq":
                raise RowError(answer_field, str(error)) from None
    if stated == "mcq":
        raise RowError("options", "the question has no options, neither in the field nor as its last lines")
    return question, None, None


def _open_kind(question: str) -> Kind:
    return "dialogue" if question.startswith("User:") and "Assistant:" in question else "qa"


def _groups(fields: Mapping[str, object]) -> dict[str, str]:
    groups = {name: read_text(fields, name, numbers=True) for name in GROUP_FIELDS if name in fields}
    return {name: value for name, value in groups.items() if value}


def _number(fields: Mapping[str, object]) -> str | None:
    name = first_field(fields, NUMBER_FIELDS)
    return (read_text(fields, name, numbers=True) or None) if name is not None else None


def _language(fields: Mapping[str, object], default: str | None) -> str:
    named = read_text(fields, "language") if "language" in fields else ""
    if not named:
        if default is None:
            raise RowError("language", "the language is missing")
        return default
    found = find_language(named)
    if found is None:
        raise RowError("language", f"unknown language {named!r}")
    return found.code


def _is_edge(character: str) -> bool:
    return character.isspace() or unicodedata.category(character).startswith("P")


def _check_columns(file: RowFile) -> None:
    if file.columns is None:
        return
    for names in (QUESTION_FIELDS, ANSWER_FIELDS):
        if first_field(dict.fromkeys(file.columns), names) is None:
            problem = f"no such column among {', '.join(file.columns)}"
            remedy = "a CSV benchmark has the columns Question and Response"
            raise InputError(problem, file=file.path, field=names[1], remedy=remedy)


def _nothing_usable(path: Path, invalid: list[InvalidRow]) -> InputError:
    remedy = "a row needs a question, an answer and, for multiple choice, options"
    if not invalid:
        return InputError("the file holds no rows", file=path, remedy=remedy)
    first = invalid[0]
    problem = f"none of its {len(invalid)} rows can be used: {first.reason}"
    return InputError(problem, file=path, row=first.row, field=first.field, remedy=remedy)
