"""Which part of a completion, reasoning or answer, a piece of text belongs to, by the markers before it."""

from typing import Protocol

from server.reasoning.markers import Marker

_BETWEEN_BLOCKS = "\n\n"


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


class Blocks(Protocol):
    """A format's blocks."""

    def text(self, text: str) -> None:
        """More text."""

    def marker(self, marker: Marker) -> None:
        """A marker of the format."""

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

    def finish(self) -> None:
        """Nothing is held back."""


class HimedBlocks:
    """HiMed's headings. What stands before the first goes to the answer: there may never be one."""

    def __init__(self, reasoning: Part, answer: Part) -> None:
        self._reasoning, self._answer = reasoning, answer
        self._now: Part | None = answer
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
            self._now = self._answer
        else:
            self._now = None if self._reasoning.length > self._length_before else self._reasoning
        if self._now is not None:
            self._now.open()

    def finish(self) -> None:
        """Nothing is held back."""
