"""Finds a format's markers in a text that comes piece by piece, wherever it is cut.

`app.answers.completion` reads the same markers in whole completions; here blanks within a marker are bounded, so that
little is ever held back.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

import regex

from app.formats import ANSWER_TAG, STEP_TAG, THINKING_TAG, Format

MarkerName = Literal["think", "thinking", "response", "answer", "step"]

_THINK = "<(?P<close>/)?(?P<name>think)>"
# Words behind a heading's colon are its block's first; the quantifiers are possessive, as a match must not change when
# more text comes.
_HEADING = (
    r"^[ \t]{0,32}#{1,6}[ \t]{0,32}[*_]{0,8}(?P<name>thinking|response)[*_]{0,8}[ \t]{0,32}"
    r"(?:\n|:[*_]{0,8}+[^\S\n]{0,32}+(?:\n|(?P<inline>(?=\S))))"
)
_TAG = rf"<(?P<close>/)?\s{{0,32}}(?P<name>{THINKING_TAG}|{ANSWER_TAG})\s{{0,32}}>"
_STEP = rf"<(?P<close>/)?(?P<name>{STEP_TAG})\d{{0,32}}>"
_FLAGS = regex.IGNORECASE | regex.MULTILINE
_PATTERNS: Final = {
    "plain": regex.compile(_THINK, _FLAGS),
    "himed": regex.compile(f"{_THINK}|{_HEADING}", _FLAGS),
    "cure-med": regex.compile(f"{_THINK}|{_TAG}|{_STEP}", _FLAGS),
}


@dataclass(frozen=True, slots=True)
class Marker:
    """A tag or a heading.

    Attributes:
        name: ``thinking`` and ``response`` for HiMed's headings.
        raw: as it stands in the text.
        closes: whether it is a closing tag.
        inline: whether a heading has its block's first words on its line.
    """

    name: MarkerName
    raw: str
    closes: bool = False
    inline: bool = False


class MarkerScanner:
    """Cuts a stream into text and markers. Only what may still become a marker is held back."""

    def __init__(self, format: Format) -> None:
        self._pattern = _PATTERNS[format]
        self._before = ""  # the character before what is held: headings begin lines
        self._held = ""
        self._new_text = False

    def feed(self, text: str) -> Iterator[str | Marker]:
        """What can be told of the text so far. To be read to its end."""
        buffer, place = self._before + self._held + text, len(self._before)
        while (match := self._pattern.search(buffer, place, partial=True)) and not match.partial:
            if match.start() > place:
                yield buffer[place : match.start()]
            yield _marker(match)
            place = match.end()
            if self._new_text:
                buffer, place, self._new_text = buffer[place:], 0, False
        end = match.start() if match else len(buffer)
        if end > place:
            yield buffer[place:end]
        self._before, self._held = buffer[max(end - 1, 0) : end], buffer[end:]

    def begin_text(self) -> None:
        """Take what follows the marker just read for the beginning of a text."""
        self._new_text = True

    def finish(self) -> Iterator[str | Marker]:
        """What was held back, now that nothing follows."""
        held, self._held = self._held, ""
        # A heading ends with its line or with the text.
        if match := self._pattern.fullmatch(held + "\n"):
            yield _marker(match)
        elif held:
            yield held


def _marker(match: Any) -> Marker:
    found = match.groupdict()
    name = found["name"].lower()
    return Marker(name, match[0], found.get("close") is not None, found.get("inline") is not None)
