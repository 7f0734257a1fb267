"""Answers of other people's models, imported and matched to a benchmark's items."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from app.data_files import data_files, language_of_name
from app.errors import InputError
from app.options import fold_space, split_inline, split_lines
from app.questions import QUESTION_FIELDS
from app.row_fields import row_language
from app.rows import InvalidRow, Row, RowError, RowFile, check_storable, describe, first_field, read_rows, read_text
from evaluation.benchmarks.item import Benchmark, Item

ID_FIELDS = ("id", "question_number", "number")
# CURE-Med's CSV calls the reference "Response" and the model's answer "Test Response".
RESPONSE_FIELDS = ("response", "Test Response")
LANGUAGE_VERDICT_FIELDS = ("judge_language", "Language_Score")
CORRECT_VERDICT_FIELDS = ("judge_correct", "Logic_Score")

_VERDICTS: dict[str, bool | None] = {"": None, "true": True, "1": True, "1.0": True}
_VERDICTS |= {"false": False, "0": False, "0.0": False}


@dataclass(frozen=True, slots=True)
class Prediction:
    """One imported answer. ``text`` None means that there is no generation, "" that the model said nothing.

    The verdicts are the file's own judge's; None where it gave none. There is one answer an item: ``sample`` is 0.
    """

    item_id: str
    sample: int
    text: str | None
    finish_reason: str | None = None
    judge_language: bool | None = None
    judge_correct: bool | None = None


@dataclass(frozen=True)
class Predictions:
    """A file's answers in order of the benchmark's items, one an item.

    ``invalid`` are the rows that were set aside, ``unread`` the verdicts that could not be read (their rows count,
    with None as the verdict), ``missing`` the items without a row. ``has_judge_language`` and ``has_judge_correct``
    tell a file with a judge from one without.
    """

    rows: tuple[Prediction, ...]
    invalid: tuple[InvalidRow, ...]
    unread: tuple[InvalidRow, ...]
    missing: tuple[Item, ...]
    has_judge_language: bool
    has_judge_correct: bool


def load_predictions(path: Path, benchmark: Benchmark) -> Predictions:
    """Read a file of answers, or a folder of them (CURE-Med has a CSV for each language).

    A row is matched by its id (an item's id, or the number that the benchmark's file gives), else by the question's
    exact text, white space aside; the language tells apart what either leaves open. The k-th row of a question that
    stands several times is the answer to the k-th item with it. A row that matches no item or one that has its
    answer already, or has no response, is set aside. A null response, or a CSV's empty cell, is no generation.

    Raises:
        InputError: a file cannot be used as a whole, or no row matches.
    """
    matcher = _Matcher(benchmark.items)
    found: dict[str, Prediction] = {}
    invalid: list[InvalidRow] = []
    unread: list[InvalidRow] = []
    columns: set[str] = set()
    for file in _read_files(path):
        bad = list(file.invalid)
        file_language = language_of_name(file.path)
        for row in file.rows:
            columns.update(row.fields)
            notes: list[RowError] = []
            try:
                text = _response(file, row)
                finish_reason = _finish_reason(row.fields)
                item = matcher.take(row.fields, file_language)
            except RowError as error:
                bad.append(InvalidRow(file.path.name, row.number, error.field, error.reason))
                continue
            found[item.id] = Prediction(
                item.id,
                0,
                text,
                finish_reason,
                _verdict(row.fields, LANGUAGE_VERDICT_FIELDS, notes),
                _verdict(row.fields, CORRECT_VERDICT_FIELDS, notes),
            )
            unread += [InvalidRow(file.path.name, row.number, note.field, note.reason) for note in notes]
        invalid += sorted(bad, key=lambda row: row.row)
    if not found:
        raise _nothing_matched(path, benchmark, invalid)
    return Predictions(
        rows=tuple(found[item.id] for item in benchmark.items if item.id in found),
        invalid=tuple(invalid),
        unread=tuple(unread),
        missing=tuple(item for item in benchmark.items if item.id not in found),
        has_judge_language=not columns.isdisjoint(LANGUAGE_VERDICT_FIELDS),
        has_judge_correct=not columns.isdisjoint(CORRECT_VERDICT_FIELDS),
    )


class _Matcher:
    """Finds the item of a row, and hands every item out once."""

    def __init__(self, items: Iterable[Item]) -> None:
        self._by_id: dict[str, list[Item]] = defaultdict(list)
        self._by_question: dict[str, list[Item]] = defaultdict(list)
        self._taken: set[str] = set()
        for item in items:
            self._by_id[item.id].append(item)
            for name in {item.number, item.own_id} - {None, item.id}:
                self._by_id[name or ""].append(item)
            self._by_question[fold_space(item.question)].append(item)

    def take(self, fields: Mapping[str, object], file_language: str | None) -> Item:
        """The item that a row answers.

        Raises:
            RowError: it matches none, or one that was taken before.
        """
        language = row_language(fields, file_language)
        question_field = first_field(fields, QUESTION_FIELDS)
        question = read_text(fields, question_field) if question_field else ""
        asked = self._asked(question) if question else []
        id_fields = [name for name in ID_FIELDS if name in fields]
        for id_field in id_fields:
            named = self._by_id.get(read_text(fields, id_field, numbers=True), [])
            if named and question:
                named = [item for item in named if item in asked]
                if not named:
                    raise RowError(id_field, f"the item of id {fields[id_field]} has another question")
            if named:
                return self._hand_out(named, id_field, language)
        if question_field and question:
            return self._hand_out(asked, question_field, language)
        if not id_fields:
            raise RowError("question", "the row has neither a question nor an id")
        raise RowError(id_fields[0], f"no item has the id {fields[id_fields[0]]}")

    def _asked(self, question: str) -> list[Item]:
        """The items with a question, also when the row's text still has the options behind it."""
        for text in (question, split_lines(question)[0], split_inline(question)[0]):
            if items := self._by_question.get(fold_space(text)):
                return items
        return []

    def _hand_out(self, candidates: list[Item], field: str, language: str | None) -> Item:
        if not candidates:
            raise RowError(field, "no item has this question")
        if language is not None:
            candidates = [item for item in candidates if item.language == language]
            if not candidates:
                raise RowError("language", f"no item with this {field} is in the language {language}")
        if field in ID_FIELDS and len({item.question for item in candidates}) > 1:
            raise RowError(field, f"the id stands for {len(candidates)} items: give the question too")
        for item in candidates:
            if item.id not in self._taken:
                self._taken.add(item.id)
                return item
        count = "the item" if len(candidates) == 1 else f"each of the {len(candidates)} items"
        raise RowError(field, f"{count} with this {field} has an answer from an earlier row")


def _read_files(path: Path) -> list[RowFile]:
    if not path.exists():
        raise InputError("there is no such file", file=path, remedy="correct --predictions")
    paths = [file for file in data_files(path) if file.parent == path] if path.is_dir() else [path]
    if not paths:
        raise InputError("the folder holds no predictions", file=path, remedy="put .jsonl or .csv files there")
    files = [read_rows(path) for path in paths]
    for file in files:
        _check_columns(file)
    return files


def _check_columns(file: RowFile) -> None:
    if file.columns is None:
        return
    names = dict.fromkeys(file.columns)
    for wanted, name in ((RESPONSE_FIELDS, "Test Response"), (QUESTION_FIELDS + ID_FIELDS, "Question")):
        if first_field(names, wanted) is None:
            problem = f"no such column among {', '.join(file.columns)}"
            remedy = "a CSV of predictions has the columns Question and Test Response"
            raise InputError(problem, file=file.path, field=name, remedy=remedy)


def _response(file: RowFile, row: Row) -> str | None:
    name = first_field(row.fields, RESPONSE_FIELDS)
    if name is None:
        raise RowError("response", "the response is missing")
    value = row.fields[name]
    # A CSV writes null and "" alike: an answer that is not there is unknown, not an empty answer.
    if value is None or (file.columns is not None and value == ""):
        return None
    if not isinstance(value, str):
        raise RowError(name, f"the response is {describe(value)}, not text")
    try:
        check_storable(value)
    except ValueError as error:
        raise RowError(name, str(error)) from None
    return value


def _finish_reason(fields: Mapping[str, object]) -> str | None:
    return (read_text(fields, "finish_reason") or None) if "finish_reason" in fields else None


def _verdict(fields: Mapping[str, object], names: Iterable[str], notes: list[RowError]) -> bool | None:
    """True, False, or None for none; a verdict that cannot be read is None with a note, never False."""
    name = first_field(fields, names)
    if name is None:
        return None
    value = fields[name]
    text = "" if value is None else str(value).strip().casefold()
    if isinstance(value, list | dict) or text not in _VERDICTS:
        notes.append(RowError(name, f"the verdict {str(value)[:40]!r} is neither true nor false"))
        return None
    return _VERDICTS[text]


def _nothing_matched(path: Path, benchmark: Benchmark, invalid: list[InvalidRow]) -> InputError:
    if not invalid:
        return InputError("the file holds no rows", file=path, remedy="give a file with one answer a row")
    first = invalid[0]
    problem = f"none of its {len(invalid)} rows answers an item of {benchmark.name}: {first.reason}"
    return InputError(problem, file=path, row=first.row, field=first.field, remedy="check --bench and --predictions")
