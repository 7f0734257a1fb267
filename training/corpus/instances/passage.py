"""Passages as the step before has written them, one line at a time."""

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.corpus.instances.lines import read_objects
from training.corpus.unit import SourceError

_REMEDY = "make the passages again"


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage of a book.

    Attributes:
        id: begins with the unit's; instances begin with it.
        pages: numbers of its pages; empty for a source without pages.
        source: name of the book's file.
    """

    id: str
    text: str
    pages: tuple[int, ...]
    source: str

    def origin(self, instance_id: str) -> dict[str, Any]:
        """The first fields of an instance's row: its id, and what it was written from."""
        return {
            "id": instance_id,
            "passage_id": self.id,
            "pages": list(self.pages),
            "source": self.source,
            "context": self.text,
        }


def read_passages(source: Path) -> Generator[Passage, None, None]:
    """The passages of a file in order.

    Raises:
        SourceError: the file cannot be read, a line is no passage, or an id stands twice.
    """
    seen: set[str] = set()
    for number, row in read_objects(source, _REMEDY):
        passage = _passage(row, source, number)
        if passage.id in seen:
            raise SourceError("the id stands twice", file=source, row=number, field="id", remedy=_REMEDY)
        seen.add(passage.id)
        yield passage


def _passage(row: dict[str, Any], source: Path, number: int) -> Passage:
    for name in ("id", "text", "source"):
        if not isinstance(row.get(name), str) or not row[name].strip():
            raise SourceError("is missing, empty or no text", file=source, row=number, field=name, remedy=_REMEDY)
    pages = row.get("pages")
    if not isinstance(pages, list) or not all(type(page) is int for page in pages):
        raise SourceError("is no list of numbers", file=source, row=number, field="pages", remedy=_REMEDY)
    return Passage(row["id"], row["text"], tuple(pages), row["source"])
