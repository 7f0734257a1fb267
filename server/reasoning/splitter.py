"""Splits a completion into reasoning and answer while it comes."""

from app.formats import Format
from server.reasoning.blocks import Blocks, HimedBlocks, Part, PlainBlocks
from server.reasoning.markers import Marker, MarkerScanner
from server.reasoning.tagged import CureMedBlocks

_BLOCKS: dict[Format, type[PlainBlocks] | type[HimedBlocks] | type[CureMedBlocks]] = {
    "plain": PlainBlocks,
    "himed": HimedBlocks,
    "cure-med": CureMedBlocks,
}


class Splitter:
    """`app.answers.parse_completion` for a stream: what has been said stays said. Held back are what may still become
    a marker and, in `himed` and `cure-med`, up to 2,000 characters before the first marker, for that shows whether they
    are the reasoning. JSON is not held back.

    The parts, joined, are those that `parse_completion` finds in the whole text (empty for None) wherever the format
    is kept, and where reasoning was opened and never closed. A text without any marker passes untouched, blanks at its
    ends included. What cannot be known before it comes is read otherwise:

    - A longer text before the first marker goes to the answer, where `parse_completion` may take it for reasoning, or
      drop it; in `plain` a text of any length before a lone ``</think>``.
    - Text between the reasoning and an answer tag, and between steps without a thinking tag around them, does, too.
    - A text that stands before an answer is the reasoning, also where a thinking block comes behind the answer.
    - Of several answer blocks all come, an empty line between them, where `parse_completion` keeps the last one; a
      thought in think tags comes before other reasoning, where it is dropped; a heading with words behind its colon
      counts, unless one of its name stood alone on a line before (not after) it.
    """

    def __init__(self, format: Format) -> None:
        self._format = format
        self._scanner = MarkerScanner(format)
        self._reasoning, self._answer = Part(), Part()
        self._blocks: Blocks = _BLOCKS[format](self._reasoning, self._answer)
        self._begun = False  # whether more than blanks has come
        self._marked = False
        self._in_thought = False
        self._thought_tags_count = True  # until one has been read

    def feed(self, text: str) -> tuple[str, str]:
        """What the text adds to the reasoning and to the answer."""
        for token in self._scanner.feed(text):
            self._read(token)
        return self._reasoning.take(), self._answer.take()

    def finish(self) -> tuple[str, str]:
        """What was held back, now that the text has ended. To be called once."""
        for token in self._scanner.finish():
            self._read(token)
        self._blocks.finish()
        if not self._marked:
            self._answer.keep_blanks()
        return self._reasoning.take(), self._answer.take()

    @property
    def answering(self) -> bool:
        """Whether some of the answer has come."""
        return self._answer.length > 0

    def _read(self, token: str | Marker) -> None:
        if isinstance(token, Marker) and token.name == "think":
            self._read_think(token)
            return
        self._begun = self._begun or isinstance(token, Marker) or not token.isspace()
        if self._in_thought:
            self._reasoning.add(token.raw if isinstance(token, Marker) else token)
        elif isinstance(token, Marker):
            self._marked = True
            self._blocks.marker(token)
        else:
            self._blocks.text(token)

    def _read_think(self, tag: Marker) -> None:
        """A thought stands first; a tag named in the middle of an answer opens nothing."""
        if tag.closes and (self._in_thought or self._thought_tags_count):
            if not self._in_thought:
                self._blocks.end_thought()
            self._in_thought, self._thought_tags_count, self._marked = False, False, True
            self._scanner.begin_text()
            self._blocks = _BLOCKS[self._format](self._reasoning, self._answer)
            self._answer.open()
        elif self._thought_tags_count and not self._begun:
            self._in_thought, self._thought_tags_count, self._marked = True, False, True
            self._reasoning.open()
        elif self._in_thought:
            self._reasoning.add(tag.raw)
        else:
            self._thought_tags_count, self._begun = False, True
            self._blocks.text(tag.raw)
