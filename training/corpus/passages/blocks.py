"""Recognised pages (`.mmd`) to blocks: paragraphs, headings, list items and tables, each with its page."""

import re
from dataclasses import dataclass, field
from typing import Final, Literal

from app.options import EPITHETS

PAGE_MARK: Final = "<--- Page Split --->"

BlockKind = Literal["paragraph", "heading", "list_item", "table"]

_HEADING = re.compile(r"#{1,6}(?:\s|$)")
# "- x", "• x", "1. x", "(a) x", "iv) x", "क) x", "१. x": a bullet or an enumerator, then a blank, then something;
# but no "E. coli".
_LIST_ITEM = re.compile(
    r"(?:[-*+•▪◦‣·–●○■]|\(?(?:[0-9]{1,3}|[०-९]{1,3}|[ivxIVX]{1,5}|[A-Za-z]|[अ-ह])[.)])[ \t]+"
    rf"(?=\S)(?!(?:{EPITHETS})\b)"
)
_IMAGE = r"!\[[^\]]*\]\([^)]*\)|<img\b[^>]*>"
_ONLY_IMAGES = re.compile(rf"\s*(?:(?:{_IMAGE})\s*)+")
_PIPE_ROW = re.compile(r"\|.*\|\s*")
_TABLE_OPENS = re.compile(r"<table\b", re.IGNORECASE)
_TABLE_ENDS = re.compile(r"</table\s*>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a book that stands by itself.

    Attributes:
        text: as recognised; the lines of a paragraph or list item are joined by blanks, a table keeps its lines.
        page: the number of the page in the PDF that it begins on, from 1.
        more_pages: further pages, where blocks of several pages were merged.
        kind: what it looks like.
    """

    text: str
    page: int
    more_pages: tuple[int, ...] = ()
    kind: BlockKind = field(default="paragraph", compare=False)

    @property
    def pages(self) -> tuple[int, ...]:
        """All its pages."""
        return (self.page, *self.more_pages)


def parse_mmd(text: str) -> list[Block]:
    """The blocks of a recognised book, in order.

    Every page ends with `PAGE_MARK` (the last one may lack it), an empty page too, so that a block's page is the PDF's.
    A blank line, a heading, a list item, a table and the end of the page end a paragraph; lines that hold nothing but
    images are left out.
    """
    pages = text.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff").split(PAGE_MARK)
    return [block for number, page in enumerate(pages, 1) for block in _Page(number).read(page)]


def is_list_item(text: str) -> bool:
    """Whether the text begins like an item of a list."""
    return _LIST_ITEM.match(text) is not None


class _Page:
    """Collects the lines of one page into blocks."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._blocks: list[Block] = []
        self._lines: list[str] = []
        self._kind: BlockKind = "paragraph"
        self._in_table = False

    def read(self, text: str) -> list[Block]:
        for line in text.split("\n"):
            self._add(line.strip())
        self._end()
        return self._blocks

    def _add(self, line: str) -> None:
        if self._in_table:
            self._add_to_table(line)
        elif not line:
            self._end()
        elif _ONLY_IMAGES.fullmatch(line):
            return
        elif opened := _TABLE_OPENS.search(line):
            self._add_table(line, opened.start())
        elif _PIPE_ROW.fullmatch(line):
            self._go_on("table", line)
        elif _HEADING.match(line):
            self._begin("heading", line)
            self._end()
        elif is_list_item(line):
            self._begin("list_item", line)
        elif self._kind == "table":
            self._begin("paragraph", line)
        else:
            self._lines.append(line)

    def _add_table(self, line: str, start: int) -> None:
        if before := line[:start].strip():
            self._lines.append(before)
        self._begin("table", "")
        self._in_table = True
        self._add_to_table(line[start:])

    def _add_to_table(self, line: str) -> None:
        *_, last = [0, *(match.end() for match in _TABLE_ENDS.finditer(line))]
        self._lines.append(line[:last] if last else line)
        if last:
            self._end()
            if behind := line[last:].strip():
                self._add(behind)

    def _begin(self, kind: BlockKind, line: str) -> None:
        self._end()
        self._kind = kind
        self._lines.append(line)

    def _go_on(self, kind: BlockKind, line: str) -> None:
        if self._kind == kind and self._lines:
            self._lines.append(line)
        else:
            self._begin(kind, line)

    def _end(self) -> None:
        text = ("\n" if self._kind == "table" else " ").join(filter(None, self._lines))
        if text:
            self._blocks.append(Block(text, self._number, kind=self._kind))
        self._lines, self._kind, self._in_table = [], "paragraph", False
