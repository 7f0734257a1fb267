"""Passages, and what is known of them: yes, no, or not known."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

Flag = bool | None
"""True, False, or None where nobody could say."""

Grade = Literal["good", "middle", "bad", "unknown"]


def any_of(flags: Iterable[Flag]) -> Flag:
    """True where one is; else unknown where one is; else False."""
    seen = set(flags)
    return True if True in seen else None if None in seen else False


def all_of(flags: Iterable[Flag]) -> Flag:
    """False where one is; else unknown where one is; else True."""
    seen = set(flags)
    return False if False in seen else None if None in seen else True


@dataclass(frozen=True, slots=True)
class Flags:
    """What is known of a passage.

    Attributes:
        is_hindi: it is in one of the corpus's languages, by default Hindi.
        is_medical: it tells something of health or medicine.
        has_ambiguity: it cannot be understood without what stands before it.
        is_title_or_heading: it only names what follows.
    """

    is_hindi: Flag = None
    is_medical: Flag = None
    has_ambiguity: Flag = None
    is_title_or_heading: Flag = None

    def as_json(self) -> dict[str, Flag]:
        """For a row."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a book that instances may be written from.

    Attributes:
        text: cleaned; parts that were joined stand on lines of their own.
        pages: numbers of the PDF's pages that it stands on, from 1, in order, each once.
        number: its position among the book's passages before any was combined or left out, from 1.
        flags: what is known of it.
        grade: how well instances can be written from it; unknown until somebody has said so.
        trouble: why something is unknown that was asked for.
    """

    text: str
    pages: tuple[int, ...]
    number: int
    flags: Flags = Flags()
    grade: Grade = "unknown"
    trouble: str = ""

    def as_row(self, unit: str, source: str) -> dict[str, Any]:
        """A line of the step's output.

        Args:
            unit: id of the book.
            source: name of the book's file.
        """
        return {
            "id": passage_id(unit, self.number),
            "text": self.text,
            "pages": list(self.pages),
            "source": source,
            "flags": self.flags.as_json(),
            "grade": self.grade,
        }


def passage_id(unit: str, number: int) -> str:
    """The id of a passage, unique over all books."""
    return f"{unit}-p{number:05d}"
