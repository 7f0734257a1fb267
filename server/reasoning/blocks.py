"""Which part of a completion, reasoning or answer, a piece of text belongs to, by the markers before it."""

from typing import Protocol

from server.reasoning.markers import Marker

_BETWEEN_BLOCKS = "\n\n"
_LONGEST_OPENING = 2_000  # characters; what a model says at length without a marker is its answer
_STRUCTURED = ("{", "[")  # the beginning of JSON, which has no markers


class Part:
    """One part of a completion on its way out, stripped like `parse_completion` strips it."""

    def __init__(self) -> None:
        self.length = 0  # characters sent
        self._out: list[str] = []
        self._blank = ""  # sent when more follows
        self._fresh = False

    def open(self) -> None:
        """Begin a block: the blanks around it are dropped, and an empty line parts it from one before."""
        self._blank = _BETWEEN_BLOCKS if self.length else ""
        self._fresh = True

    def add(self, text: str) -> None:
        """More of the block."""
        if self._fresh and not (text := text.lstrip()):
            return
        self._fresh = False
        kept = text.rstrip()
        if not kept:
            self._blank += text
            return
        self._send(self._blank + kept)
        self._blank = text[len(kept) :]

    def keep_blanks(self) -> None:
        """Send the blanks at the end too."""
        self._send(self._blank)
        self._blank = ""

    def take(self) -> str:
        """What has come since the last call."""
        taken = "".join(self._out)
        self._out.clear()
        return taken

    def _send(self, text: str) -> None:
        self._out.append(text)
        self.length += len(text)


class Opening:
    """The text before the first marker, held back: only the marker shows whether it is reasoning or the answer.

    JSON, and what is too long to be held, goes to the answer as it comes.
    """

    def __init__(self, reasoning: Part, answer: Part) -> None:
        self._reasoning, self._answer = reasoning, answer
        self._held = ""
        self._passing = False

    def add(self, text: str) -> None:
        """More of it."""
        self._held += text
        self._passing |= len(self._held) > _LONGEST_OPENING or self._held.lstrip().startswith(_STRUCTURED)
        if self._passing:
            self.is_answer()

    def is_reasoning(self) -> None:
        """It was reasoning."""
        if self._held:
            self._reasoning.open()
            self._reasoning.add(self._held)
            self._held = ""

    def is_answer(self) -> None:
        """It is the answer, or its beginning."""
        self._answer.add(self._held)
        self._held = ""

    def drop(self) -> None:
        """It was neither."""
        self._held = ""


class Blocks(Protocol):
    """A format's blocks."""

    def text(self, text: str) -> None:
        """More text."""

    def marker(self, marker: Marker) -> None:
        """A marker of the format."""

    def end_thought(self) -> None:
        """A thought that nobody opened has ended: what is held back was part of it."""

    def finish(self) -> None:
        """The text has ended."""


class PlainBlocks:
    """All is answer."""

    def __init__(self, _reasoning: Part, answer: Part) -> None:
        self._answer = answer

    def text(self, text: str) -> None:
        """More of the answer."""
        self._answer.add(text)

    def marker(self, marker: Marker) -> None:
        """None is one here."""
        self.text(marker.raw)

    def end_thought(self) -> None:
        """Nothing is held back: a plain model's answer comes as it is written."""

    def finish(self) -> None:
        """Nothing is held back."""


class HimedBlocks:
    """HiMed's headings. What stands before them is the reasoning if no thinking block holds any."""

    def __init__(self, reasoning: Part, answer: Part) -> None:
        self._reasoning, self._answer = reasoning, answer
        self._opening = Opening(reasoning, answer)
        self._now: Part | Opening | None = self._opening
        self._alone: set[str] = set()  # headings that stood alone on their line
        self._length_before = reasoning.length

    def text(self, text: str) -> None:
        """More of the block that is open."""
        if self._now is not None:
            self._now.add(text)

    def marker(self, marker: Marker) -> None:
        """A heading. The first thinking block that is not empty is the reasoning."""
        if marker.inline and marker.name in self._alone:
            self.text(marker.raw)
            return
        if not marker.inline:
            self._alone.add(marker.name)
        if marker.name == "response":
            self._settle_opening()
            self._open(self._answer)
        elif self._reasoned:
            self._now = None
        else:
            self._open(self._reasoning)

    def end_thought(self) -> None:
        """The opening was the thought."""
        self._opening.is_reasoning()

    def finish(self) -> None:
        """The text has ended: without a heading all of it is the answer."""
        if self._now is self._opening:
            self._opening.is_answer()
        else:
            self._settle_opening()

    @property
    def _reasoned(self) -> bool:
        return self._reasoning.length > self._length_before

    def _open(self, part: Part) -> None:
        part.open()
        self._now = part

    def _settle_opening(self) -> None:
        if self._reasoned:
            self._opening.drop()
        else:
            self._opening.is_reasoning()
