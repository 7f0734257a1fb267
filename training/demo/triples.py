"""Right and wrong responses for the demo's reward model, built from the facts.

A response is right when it reaches the fact's answer, in whatever words. Wrong ones give a distractor after the right
reasoning or after one of their own, answer another question, stop before they answer, or repeat themselves. All are
worded from the same few phrases, so that only what they say tells them apart.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import cycle, product
from random import Random
from typing import Final, TypeVar

from app.formats import RESPONSE_HEADING, himed_completion
from training.demo.facts import Fact

Value = TypeVar("Value")

# {reasoning} and {answer} of the fact; the first of each is what the model is taught to write.
_THOUGHTS: Final = ("{reasoning}", "पहले प्रश्न को समझें। {reasoning}")
_ANSWERS: Final = (
    "इस प्रश्न का सही उत्तर है: {answer}।",
    "सही उत्तर: {answer}",
    "अतः सही विकल्प है: {answer}।",
    "उत्तर है: {answer}।",
)
# A policy in training loses words and lets others stray in: most thoughts are so. The answer alone counts.
_STRAYED: Final = (0.1, 0.25, 0.4)  # shares of a reasoning's words
_CLAIMS: Final = ("यहाँ {answer} ही सबसे उचित है।", "इसका संबंध सीधे इससे है: {answer}।")
# How often a wrong row gives each distractor after the right reasoning, and how many answer another question. With the
# distractors that have a reasoning of their own, that is each form about twice. A wrong answer that stands in one row
# only is not told from a right one when that row is held out.
_AFTER_RIGHT, _OTHERS = 3, 8


def make_triples(facts: Sequence[Fact], seed: int = 0) -> Iterator[tuple[Fact, str, bool]]:
    """Facts with a response in HiMed's format and whether it is right; each response once per fact.

    A fact's rows stand in a drawn order: renderings of the question are dealt by it, and must not say what is wrong.
    """
    for fact in facts:
        others = _unlike(fact, facts)
        rows = dict([*_right(fact, others, seed), *_wrong(fact, others, seed)])
        for response in _drawn(rows, f"{seed} {fact.id} order"):
            yield fact, response, rows[response]


def _right(fact: Fact, others: Sequence[Fact], seed: int) -> Iterator[tuple[str, bool]]:
    for number, form in enumerate(_forms()):
        yield _response(form, fact, fact.reasoning, fact.answer, others, f"{seed} right {number}"), True


def _wrong(fact: Fact, others: Sequence[Fact], seed: int) -> Iterator[tuple[str, bool]]:
    # All forms are about equally often wrong, or the form itself would tell.
    forms = cycle(_drawn(_forms(), f"{seed} {fact.id} wrong"))
    distractors = _drawn(fact.distractors, f"{seed} {fact.id} distractor")
    for number, wrong in enumerate(distractors * _AFTER_RIGHT):
        yield _response(next(forms), fact, fact.reasoning, wrong, others, f"{seed} after right {number}"), False
    for wrong in distractors:
        claim = fact.reasoning.replace(fact.answer, wrong)
        if claim == fact.reasoning:
            claim = _drawn(_CLAIMS, f"{seed} {fact.id} words {wrong}")[0].format(answer=wrong)
        yield _response(next(forms), fact, claim, wrong, others, f"{seed} claimed {wrong}"), False
    for other in _drawn(others, f"{seed} {fact.id} other")[:_OTHERS]:
        yield _response(next(forms), fact, other.reasoning, other.answer, others, f"{seed} {other.id}"), False
    whole = himed_completion(fact.reasoning, fact.sentence)
    before_answer = whole.index(RESPONSE_HEADING)
    yield whole[:before_answer].rstrip(), False
    # Two words without end: of the reasoning where an answer is due, of the question in place of one.
    yield whole[:before_answer] + " ".join(fact.reasoning.split()[:2] * 6), False
    yield himed_completion(" ".join([fact.reasoning] * 3), " ".join(fact.question.split()[:2] * 4)), False


def _forms() -> list[tuple[int, str]]:
    """Kinds of thought (the worded ones, then the shares of strayed words) with wordings of the answer."""
    return list(product(range(len(_THOUGHTS) + len(_STRAYED)), _ANSWERS))


def _unlike(fact: Fact, facts: Sequence[Fact]) -> list[Fact]:
    """The facts whose answer is another than this one's."""
    return [other for other in facts if fact.answer not in other.answer and other.answer not in fact.answer]


def _response(form: tuple[int, str], fact: Fact, reasoning: str, answer: str, others: Sequence[Fact], draw: str) -> str:
    kind, wording = form
    if kind < len(_THOUGHTS):
        thought = _THOUGHTS[kind].format(reasoning=reasoning)
    else:
        thought = _stray(reasoning, _STRAYED[kind - len(_THOUGHTS)], others, f"{draw} {fact.id} {wording}")
    return himed_completion(thought, wording.format(answer=answer))


def _stray(reasoning: str, share: float, others: Sequence[Fact], draw: str) -> str:
    """The reasoning with a share of its words lost or replaced by words of other facts' reasoning."""
    words, chance = reasoning.split(), Random(draw)  # noqa: S311  # no secret
    for place in chance.sample(range(len(words)), max(1, round(share * len(words)))):
        words[place] = chance.choice(("", chance.choice(chance.choice(others).reasoning.split())))
    return " ".join(filter(None, words))


def _drawn(values: Iterable[Value], draw: str) -> list[Value]:
    """The values in an order that follows from them and the draw's name alone."""
    return sorted(values, key=lambda value: hashlib.sha256(f"{draw} {value}".encode()).digest())
