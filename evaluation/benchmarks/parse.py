"""Rows to items: field names, options inside a question, gold answers, languages, duplicates."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from app.errors import InputError
from app.options import read_options
from app.questions import ANSWER_FIELDS, QUESTION_FIELDS, cluster_of
from app.row_fields import row_groups, row_language
from app.rows import InvalidRow, RowError, RowFile, first_field, read_text
from evaluation.benchmarks.item import Item, Kind, content_id

# A number goes before an id: parallel benchmarks number the same question alike in every language.
NUMBER_FIELDS = ("question_number", "number", "id")

_KINDS: dict[str, Kind] = {"mcq": "mcq", "qa": "qa", "dialogue": "dialogue"}


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
            code = language or row_language(row.fields, default_language)
            if code is None:
                raise RowError("language", "the language is missing")
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
    groups = row_groups(fields)
    stated = _KINDS.get(groups.get("type", "").casefold())
    question, options, gold = read_options(fields, stated, question, answer_field, answer)
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


def _open_kind(question: str) -> Kind:
    return "dialogue" if question.startswith("User:") and "Assistant:" in question else "qa"


def _number(fields: Mapping[str, object]) -> str | None:
    name = first_field(fields, NUMBER_FIELDS)
    return (read_text(fields, name, numbers=True) or None) if name is not None else None


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
