"""HiMed's items, once the writer has written them: checked, and put as the corpus has them."""

from dataclasses import dataclass, field
from typing import Any, Final

from app.questions import normalise_question
from training.corpus.calls import Unusable
from training.corpus.instances.checks import (
    check_language,
    check_no_reference,
    check_no_tags,
    check_parts,
    check_text,
)
from training.corpus.instances.mcq import Letters, check_mcq
from training.corpus.instances.shapes import DialogueItem, Item, McqItem, QaItem, Turn

LANGUAGE: Final = "hi"  # of all of HiMed's instances
_ROLES: Final = ("User", "Assistant")


@dataclass(slots=True)
class Passed:
    """Takes one passage's items after another's; what a whole book has in common is in ``letters``."""

    letters: Letters
    _asked: set[str] = field(default_factory=set)

    def begin(self) -> None:
        """Another passage: its questions may ask what another one's do."""
        self._asked.clear()

    def take(self, instance_id: str, item: Item) -> dict[str, str]:
        """The fields ``question``, ``answer`` and ``cot`` of an item.

        Raises:
            Unusable: it cannot be kept; with the reason.
        """
        item = _stripped(item)
        question, texts = _texts(item)
        check_text([*texts, item.answer, item.reasoning])
        check_no_tags([*texts, item.answer, item.reasoning])
        check_no_reference([*texts, item.answer, item.reasoning], LANGUAGE)
        if isinstance(item, McqItem):
            check_mcq(item)
        elif isinstance(item, DialogueItem):
            _check_dialogue(item.turns)
        asked = normalise_question(question)
        if asked in self._asked:
            raise Unusable("repeated question")
        check_language("\n".join(texts), LANGUAGE)
        if not isinstance(item, McqItem):
            check_language(item.answer, LANGUAGE)
        check_language(item.reasoning, LANGUAGE, "reasoning")
        answer = item.answer
        if isinstance(item, McqItem):
            check_parts(item.reasoning, "A", "himed")
            question, answer = self.letters.place(instance_id, item)
        else:
            check_parts(item.reasoning, answer, "himed")
        self._asked.add(asked)
        return {"question": question, "answer": answer, "cot": item.reasoning}


def _stripped(item: Item) -> Item:
    """The item without white space around its texts."""
    changes: dict[str, Any] = {"answer": item.answer.strip(), "reasoning": item.reasoning.strip()}
    if isinstance(item, DialogueItem):
        changes["turns"] = tuple(Turn(role=turn.role, text=turn.text.strip()) for turn in item.turns)
    else:
        changes["question"] = item.question.strip()
    if isinstance(item, McqItem):
        changes["distractors"] = tuple(text.strip() for text in item.distractors)
    return item.model_copy(update=changes)


def _texts(item: Item) -> tuple[str, list[str]]:
    """The question without options, and all texts that belong to it: its options too, or a dialogue's turns."""
    if isinstance(item, DialogueItem):
        # As the releases have it, one line a turn.
        question = "\n".join(f"{turn.role.capitalize()}: {turn.text}" for turn in item.turns)
        return question, [turn.text for turn in item.turns]
    if isinstance(item, QaItem):
        return item.question, [item.question]
    return item.question, [item.question, item.answer, *item.distractors]


def _check_dialogue(turns: tuple[Turn, ...]) -> None:
    """User and assistant in turns, the user first and last and at least twice; no turn speaks for another.

    Raises:
        Unusable: ``no dialogue``.
    """
    if len(turns) < 3 or len(turns) % 2 == 0:
        raise Unusable("no dialogue", f"{len(turns)} turns")
    for number, turn in enumerate(turns):
        if turn.role != _ROLES[number % 2].casefold():
            raise Unusable("no dialogue", "the turns do not alternate")
        if any(line.strip().casefold().startswith((f"{role.casefold()}:", f"{role.casefold()} :"))
               for line in turn.text.splitlines() for role in _ROLES):  # fmt: skip
            raise Unusable("no dialogue", "a turn names a speaker")
