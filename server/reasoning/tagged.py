"""CURE-Med's tags: which part of a completion a piece of text belongs to."""

from typing import Literal

from server.reasoning.blocks import Opening, Part
from server.reasoning.markers import Marker

_State = Literal["unmarked", "reasoning", "steps ended", "after reasoning", "answer", "outside"]


class CureMedBlocks:
    """CURE-Med's blocks. What stands before an answer block or a closing tag alone is the reasoning.

    Reasoning goes on until it is closed. An answer tag in it may be a mere mention, or the answer where the closing tag
    was forgotten: that shows when something, or nothing, follows the answer's block, and so long it is held back.
    """

    def __init__(self, reasoning: Part, answer: Part) -> None:
        self._reasoning, self._answer = reasoning, answer
        self._opening = Opening(reasoning, answer)
        self._state: _State = "unmarked"
        self._by_steps = False  # steps without a thinking tag around them
        self._length_before = reasoning.length
        self._held: list[str] = []  # an answer block within the reasoning
        self._held_end = 0  # the place of its closing tag in what is held

    def text(self, text: str) -> None:
        """More text."""
        match self._state:
            case "reasoning":
                self._reason(text)
            case "steps ended":
                if text.strip():
                    self._open_answer("after reasoning")
                    self._answer.add(text)
                else:
                    self._reasoning.add(text)
            case "unmarked":
                self._opening.add(text)
            case "after reasoning" | "answer":
                self._answer.add(text)
            case "outside":
                pass

    def marker(self, marker: Marker) -> None:
        """A tag."""
        match self._state:
            case "reasoning":
                self._in_reasoning(marker)
            case "answer":
                if marker.name != "answer":
                    self._answer.add(marker.raw)
                else:
                    self._answer_tag(marker)
            case _:
                self._settle_opening(marker)
                self._between_blocks(marker)

    def end_thought(self) -> None:
        """What is held back was the thought."""
        self._opening.is_reasoning()
        self._release()

    def finish(self) -> None:
        """The text has ended: without a tag all of it is the answer, and so is an answer block that it ends with."""
        self._opening.is_answer()
        if self._held_end:
            self._answer.open()
            self._answer.add("".join(self._held[1 : self._held_end]))
        else:
            self._release()

    def _settle_opening(self, marker: Marker) -> None:
        if marker.name == "answer" and marker.closes:
            self._opening.is_answer()
        elif marker.name == "answer" or (marker.name == "thinking" and marker.closes):
            self._opening.is_reasoning()
        else:
            self._opening.drop()

    def _in_reasoning(self, marker: Marker) -> None:
        if marker.name == "thinking" and marker.closes:
            self._release()
            self._open_answer("after reasoning")
        elif marker.name == "answer" and not marker.closes:
            self._release()
            self._held.append(marker.raw)
        elif marker.name == "answer" and self._held and not self._held_end:
            self._held_end = len(self._held)
            self._held.append(marker.raw)
        else:
            self._reason(marker.raw)
            if marker.name == "step" and marker.closes and self._by_steps and not self._held:
                self._state = "steps ended"

    def _between_blocks(self, marker: Marker) -> None:
        if marker.name == "answer":
            self._answer_tag(marker)
        elif marker.name == "step":
            self._step(marker)
        elif not marker.closes:
            if self._reasoned:
                self._state = "outside"  # the first block is the reasoning
            else:
                self._open_reasoning(by_steps=False)
        elif self._state != "outside":
            self._open_answer("after reasoning")

    def _answer_tag(self, marker: Marker) -> None:
        if marker.closes:
            self._state = "outside"
        else:
            self._open_answer("answer")

    def _step(self, marker: Marker) -> None:
        if self._state == "unmarked" or (self._state == "after reasoning" and self._by_steps):
            self._open_reasoning(by_steps=True)
        elif self._state == "after reasoning":
            self._answer.add(marker.raw)
            return
        elif self._state == "outside":
            return
        self._reasoning.add(marker.raw)
        self._state = "steps ended" if marker.closes else "reasoning"

    @property
    def _reasoned(self) -> bool:
        return self._reasoning.length > self._length_before

    def _open_reasoning(self, *, by_steps: bool) -> None:
        self._reasoning.open()
        self._state, self._by_steps = "reasoning", by_steps

    def _open_answer(self, state: _State) -> None:
        self._answer.open()
        self._state = state

    def _reason(self, text: str) -> None:
        if self._held and not (self._held_end and text.strip()):
            self._held.append(text)
            return
        self._release()
        self._reasoning.add(text)

    def _release(self) -> None:
        """What was held back is reasoning."""
        for text in self._held:
            self._reasoning.add(text)
        self._held.clear()
        self._held_end = 0
