"""Rows of instances as the judge and the reviewers read them, and the groups that are judged together."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from types import NoneType
from typing import Any, Final

from app.languages import find_language
from training.corpus.instances.lines import read_objects
from training.corpus.unit import SourceError

GROUP_AT_MOST: Final = 12  # a subject's three kinds at three levels, and some room: the scores must fit into one reply
HIMED_LANGUAGE: Final = "hi"  # HiMed's rows state none
ITEM: Final = "item"  # what an item is called before its number, in questions and replies
_REMEDY: Final = "let the step that made it write it anew"


@dataclass(frozen=True, slots=True)
class Item:
    """An instance.

    Attributes:
        row: as it stands in the file.
        id: unique over all books.
        passage_id: of the passage that it was written from.
        passage: that passage's text.
        question, reasoning, answer: as in the row, with the tags that stand there.
        reasoning_field: ``cot`` (HiMed) or ``reasoning`` (CURE-Med).
        kind: ``MCQ``, ``QA`` or ``Dialogue``; "" for CURE-Med's, which are open questions.
        language: ISO 639-1.
    """

    row: dict[str, Any]
    id: str
    passage_id: str
    passage: str
    question: str
    reasoning: str
    answer: str
    reasoning_field: str
    kind: str
    language: str

    @property
    def group(self) -> tuple[str, ...]:
        """What items have in common that are judged with one question."""
        return self.passage_id, str(self.row.get("subject", "")), self.language, self.passage


def read_items(file: Path) -> Iterator[Item]:
    """The instances of a file, one after the other.

    Raises:
        SourceError: the file cannot be read, or a line is no instance.
    """
    for number, row in read_objects(file, _REMEDY):
        yield _item(file, number, row)


def groups_of(items: Iterable[Item]) -> Iterator[tuple[Item, ...]]:
    """Neighbours of one passage and subject, or passage and language; `GROUP_AT_MOST` at once."""
    for _key, members in groupby(items, key=lambda item: item.group):
        while group := tuple(islice(members, GROUP_AT_MOST)):
            yield group


def blank(reasoning_field: str, kind: str = "") -> Item:
    """An item without texts, for the wording of the questions about items."""
    return Item({}, "", "", "", "", "", "", reasoning_field, kind, HIMED_LANGUAGE)


def _item(file: Path, number: int, row: dict[str, Any]) -> Item:
    def fault(problem: str, field: str) -> SourceError:
        return SourceError(problem, file=file, row=number, field=field, remedy=_REMEDY)

    reasoning_field = "cot" if "cot" in row else "reasoning"
    texts: dict[str, str] = {}
    for field in ("id", "passage_id", "context", "question", reasoning_field, "answer"):
        text = row.get(field)
        if not isinstance(text, str) or not text.strip():
            raise fault("is no text, or an empty one", field)
        texts[field] = text
    language = find_language(str(row.get("language") or HIMED_LANGUAGE))
    if language is None:
        raise fault("is no known language", "language")
    if not _has_values(row.get("scores"), (int, float, NoneType)):
        raise fault("is no object of numbers", "scores")
    if not _has_values(row.get("back_translation"), (str,)):
        raise fault("is no object of texts", "back_translation")
    return Item(
        row=row,
        id=texts["id"],
        passage_id=texts["passage_id"],
        passage=texts["context"],
        question=texts["question"],
        reasoning=texts[reasoning_field],
        answer=texts["answer"],
        reasoning_field=reasoning_field,
        kind=str(row.get("type") or ""),
        language=language.code,
    )


def _has_values(value: object, kinds: tuple[type, ...]) -> bool:
    """Whether it is missing, or an object with values of these types alone."""
    return value is None or (isinstance(value, dict) and all(type(each) in kinds for each in value.values()))
