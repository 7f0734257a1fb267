"""Rows of instances as the judge and the reviewers read them, and the groups that are judged together."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import Any, Final

import orjson

from app.languages import find_language
from training.corpus.unit import SourceError

GROUP_AT_MOST: Final = 12  # a subject's three kinds at three levels, and some room: the scores must fit into one reply
HIMED_LANGUAGE: Final = "hi"  # HiMed's rows state none


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
    try:
        with file.open("rb") as stream:
            for number, line in enumerate(stream, 1):
                if line.strip():
                    yield _item(file, number, line)
    except OSError as error:
        raise SourceError(f"cannot be read ({error.strerror})", file=file, remedy="check the path") from None


def groups_of(items: Iterable[Item]) -> Iterator[tuple[Item, ...]]:
    """Neighbours of one passage and subject, or passage and language; `GROUP_AT_MOST` at once."""
    for _key, members in groupby(items, key=lambda item: item.group):
        while group := tuple(islice(members, GROUP_AT_MOST)):
            yield group


def _item(file: Path, number: int, line: bytes) -> Item:
    remedy = "let the step `instances` write it anew"
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise SourceError(f"is no JSON ({error.msg})", file=file, row=number, remedy=remedy) from None
    if not isinstance(row, dict):
        raise SourceError("is no object", file=file, row=number, remedy=remedy)
    reasoning_field = "cot" if "cot" in row else "reasoning"
    texts: dict[str, str] = {}
    for field in ("id", "passage_id", "context", "question", reasoning_field, "answer"):
        text = row.get(field)
        if not isinstance(text, str) or not text.strip():
            raise SourceError("is no text, or an empty one", file=file, row=number, field=field, remedy=remedy)
        texts[field] = text
    language = find_language(str(row.get("language") or HIMED_LANGUAGE))
    if language is None:
        raise SourceError("is no known language", file=file, row=number, field="language", remedy=remedy)
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
