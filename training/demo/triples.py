"""Right and wrong responses for the demo's reward model, built from the facts.

A response is right when it reaches the fact's answer, in whatever words. Wrong ones give a distractor after the right
reasoning or after one of their own, answer another question, stop before they answer, or repeat themselves. All are
worded from the same few phrases, so that only what they say tells them apart.
"""

import hashlib
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Final, TypeVar

from app.formats import RESPONSE_HEADING, himed_completion
from training.demo.facts import Fact

Value = TypeVar("Value")

# {reasoning} and {answer} of the fact; the first of each is what the model is taught to write.
_THOUGHTS: Final = (
    "{reasoning}",
    "पहले प्रश्न को समझें। {reasoning}",
    "{reasoning} इसलिए उत्तर स्पष्ट है।",
    "विकल्पों की तुलना करें। {reasoning}",
)
_ANSWERS: Final = (
    "इस प्रश्न का सही उत्तर है: {answer}।",
    "सही उत्तर: {answer}",
    "अतः सही विकल्प है: {answer}।",
    "उत्तर है: {answer}।",
)
_CLAIMS: Final = ("यहाँ {answer} ही सबसे उचित है।", "इसका संबंध सीधे इससे है: {answer}।")
# Of a fact: distractors that wrong rows give after the right reasoning, and after one of their own.
_DISTRACTORS, _CLAIMED = 8, 6


def make_triples(facts: Sequence[Fact], seed: int = 0) -> Iterator[tuple[Fact, str, bool]]:
    """Facts with a response in HiMed's format and whether it is right; each response once per fact."""
    for fact in facts:
        rows = [*_right(fact), *_wrong(fact, _unlike(fact, facts), seed)]
        for response, correct in dict(rows).items():
            yield fact, response, correct


def _right(fact: Fact) -> Iterator[tuple[str, bool]]:
    for thought, answer in _forms():
        yield _response(thought, answer, fact.reasoning, fact.answer), True


def _wrong(fact: Fact, others: Sequence[Fact], seed: int) -> Iterator[tuple[str, bool]]:
    # Each form is as often wrong as right, or the form itself would tell.
    forms = iter(_drawn(_forms(), fact, "wrong", seed))
    distractors = _drawn(fact.distractors, fact, "distractor", seed)
    for wrong in distractors[:_DISTRACTORS]:
        yield _response(*next(forms), fact.reasoning, wrong), False
    for wrong in distractors[:_CLAIMED]:
        thought, answer = next(forms)
        claim = fact.reasoning.replace(fact.answer, wrong)
        if claim == fact.reasoning:
            claim = _drawn(_CLAIMS, fact, f"words {wrong}", seed)[0].format(answer=wrong)
        yield _response(thought, answer, claim, wrong), False
    other = _drawn(others, fact, "other", seed)[0]
    yield _response(*next(forms), other.reasoning, other.answer), False
    whole = _response(*_forms()[0], fact.reasoning, fact.answer)
    before_answer = whole.index(RESPONSE_HEADING)
    yield whole[:before_answer].rstrip(), False
    # Two words without end: of the reasoning where an answer is due, of the question in place of one.
    yield whole[:before_answer] + " ".join(fact.reasoning.split()[:2] * 6), False
    yield himed_completion(" ".join([fact.reasoning] * 3), " ".join(fact.question.split()[:2] * 4)), False


def _forms() -> list[tuple[str, str]]:
    return list(product(_THOUGHTS, _ANSWERS))


def _unlike(fact: Fact, facts: Sequence[Fact]) -> list[Fact]:
    """The facts whose answer is another than this one's."""
    return [other for other in facts if fact.answer not in other.answer and other.answer not in fact.answer]


def _response(thought: str, answer: str, reasoning: str, text: str) -> str:
    return himed_completion(thought.format(reasoning=reasoning), answer.format(answer=text))


def _drawn(values: Sequence[Value], fact: Fact, use: str, seed: int) -> list[Value]:
    """The values in an order that follows from the fact, the use and the seed alone."""

    def rank(value: Value) -> bytes:
        return hashlib.sha256(f"{seed} {fact.id} {use} {value}".encode()).digest()

    return sorted(values, key=rank)
