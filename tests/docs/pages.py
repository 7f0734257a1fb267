"""Reads the documentation: pages, their blocks of commands, and each command's words."""

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")
PROSE = " ".join(re.sub(r"^```.*?^```$", "", GUIDE, flags=re.MULTILINE | re.DOTALL).split())
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])

_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?:^\n|\A)((?:^ {4}.*\n|^\n)+)", re.MULTILINE)
_COMMENT = re.compile(r"(?:^|\s+)#\s.*$")
_NEEDS = re.compile(r"#\s*(GPU|hub)\b")
_ENDS_WITH = re.compile(r"# ends with (\d)")
_STOPS = ("|", ">", "<", "&", "&&", ";", ">>", "||")


@dataclass(frozen=True)
class Command:
    """A command of a page as it stands there, without its comment.

    Attributes:
        page: where it stands.
        text: the command.
        needs: ``GPU`` or ``hub`` where its comment begins so, else empty.
        code: the exit code that its comment tells, ``# ends with 1``.
    """

    page: Path
    text: str
    needs: str
    code: int

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}: {self.text}"

    @property
    def words(self) -> list[str]:
        """Its words, without variables before it and whatever follows it in a pipe."""
        lexer = shlex.shlex(self.text, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words = list(lexer)
        end = next((place for place, word in enumerate(words) if word in _STOPS), len(words))
        words = words[:end]
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            words = words[1:]
        return words


def blocks(page: Path, language: str) -> list[str]:
    """The page's fenced blocks of a language."""
    return [text for kind, text in _FENCED.findall(page.read_text(encoding="utf-8")) if kind == language]


def commands(page: Path) -> Iterator[Command]:
    """All commands of a page's blocks, fenced (bash) and indented, that are not inside a here-document."""
    text = page.read_text(encoding="utf-8")
    yield from (command for block in blocks(page, "bash") for command in of_block(page, block))
    for indented in _INDENTED.findall(_FENCED.sub("", text)):
        yield from of_block(page, indented)


def of_block(page: Path, block: str) -> Iterator[Command]:
    """The commands of one block; a line that ends in a backslash goes on."""
    for line in re.sub(r"\\\n\s*", " ", block).splitlines():
        needs, ends = _NEEDS.search(line), _ENDS_WITH.search(line)
        command = _COMMENT.sub("", line).strip()
        if command and not command.startswith("#"):
            yield Command(page, command, needs[1] if needs else "", int(ends[1]) if ends else 0)


def told_blocks(page: str, language: str) -> list[tuple[str, str]]:
    """The fenced blocks of a language, each with the text before it, back to the block before."""
    parts = re.split(r"^```(\w*)\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    return [(parts[at - 1], parts[at + 1]) for at in range(1, len(parts), 3) if parts[at] == language]


def write_lines(file: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """Rows as a JSONL file."""
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file
