"""The demo's facts and their renderings: one question with ever other options in ever another order.

Of a fact's distractors, those that are the right answers of other facts may stand in every rendering: with them alone,
a set of options does not tell which question it belongs to. Of the others, half may stand in every rendering too, and
half of the rest (one at least) is kept for the prompts of GRPO, the other for the held-out benchmarks. Each such prompt
and each item has at least one of its own: a set of options that no row of supervised training has for this question,
and an item one that no row has.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations, permutations
from pathlib import Path
from typing import Final

import orjson

from app.languages import get_language
from app.options import LETTERS
from app.prompts import render_question

FACTS_FILE: Final = Path(__file__).with_name("facts.jsonl")
OPTIONS: Final = 4  # of a rendering

# Each states an answer in its language; `app.answers` reads the option off it.
_SENTENCES: Final[Mapping[str, str]] = {
    "am": "ትክክለኛው መልስ {answer} ነው።",
    "bn": "সঠিক উত্তর হলো {answer}।",
    "es": "La respuesta correcta es: {answer}.",
    "fr": "La bonne réponse est : {answer}.",
    "ha": "Amsar da ta dace ita ce: {answer}.",
    "hi": "इस प्रश्न का सही उत्तर है: {answer}।",
    "ja": "この質問の正しい答えは{answer}です。",
    "ko": "이 질문의 정답은 {answer}입니다.",
    "sw": "Jibu sahihi la swali hili ni: {answer}.",
    "th": "คำตอบที่ถูกต้องคือ {answer}",
    "tr": "Bu sorunun doğru cevabı: {answer}.",
    "vi": "Đáp án đúng của câu hỏi này là: {answer}.",
    "yo": "Ìdáhùn tí ó tọ̀nà ni: {answer}.",
}


@dataclass(frozen=True, slots=True)
class Fact:
    """A medical fact as a question. ``language`` is an ISO 639-1 code; ``english`` states the fact for CURE-Med's
    reasoning, None for a fact that only HiMed's half uses."""

    id: str
    language: str
    question: str
    answer: str
    distractors: tuple[str, ...]
    reasoning: str
    english: str | None
    source: str

    @property
    def sentence(self) -> str:
        """The answer as a sentence of its language."""
        return self.state(self.answer)

    def state(self, answer: str) -> str:
        """A sentence that gives this answer."""
        return _SENTENCES[self.language].format(answer=answer)

    def render(self, options: Mapping[str, str]) -> str:
        """The question with its option lines."""
        return render_question(self.question, options)

    def trained_options(self, count: int, *, skip: int = 0, turn: int = 0, seed: int = 0) -> list[dict[str, str]]:
        """So many sets of options, letter to text, for supervised training.

        Args:
            count: how many.
            skip: leaves out the first ones, which another file has.
            turn: the right letter of the first set; it moves on by one from set to set.
            seed: of their order.
        """
        return self._deal((), count, skip, turn, seed)

    def prompted_options(self, count: int, *, turn: int = 0, seed: int = 0) -> list[dict[str, str]]:
        """Like `trained_options`, each with at least one distractor that no row of supervised training of this question
        has as an option."""
        return self._deal(self._own()[1::4], count, 0, turn, seed)

    def held_out_options(self, count: int, *, turn: int = 0, seed: int = 0) -> list[dict[str, str]]:
        """Like `trained_options`, each with at least one distractor that no trained row of this question has as an
        option. (Wrong responses of R1's data do give it.)"""
        return self._deal(self._own()[3::4], count, 0, turn, seed)

    def _own(self) -> list[str]:
        """The distractors that are no answers of other facts of the language."""
        return [text for text in self.distractors if text not in _answers(self.language)]

    def _deal(self, needed: Sequence[str], count: int, skip: int, turn: int, seed: int) -> list[dict[str, str]]:
        own = self._own()
        kept = set(own[1::2]).difference(needed)
        distractors = [text for text in self.distractors if text not in kept]
        decks: list[list[dict[str, str]]] = [[] for _ in range(OPTIONS)]
        for others in combinations(distractors, OPTIONS - 1):
            if needed and not set(needed).intersection(others):
                continue
            for texts in permutations((self.answer, *others)):
                decks[texts.index(self.answer)].append(dict(zip(LETTERS, texts, strict=False)))
        for deck in decks:
            deck.sort(
                key=lambda options: hashlib.sha256(f"{seed} {self.id} {list(options.values())}".encode()).digest()
            )
        return [decks[(turn + place) % OPTIONS][place // OPTIONS] for place in range(skip, skip + count)]


@cache
def _answers(language: str) -> frozenset[str]:
    return frozenset(fact.answer for fact in load_facts() if fact.language == language)


@cache
def load_facts() -> tuple[Fact, ...]:
    """All facts, in the order of their file."""
    facts = []
    for line in FACTS_FILE.read_bytes().splitlines():
        row = orjson.loads(line)
        fields = {"english": None, **row, "language": get_language(row["language"]).code}
        facts.append(Fact(**fields | {"distractors": tuple(row["distractors"])}))
    return tuple(facts)


def himed_facts() -> tuple[Fact, ...]:
    """Those of HiMed's half: all Hindi ones."""
    return tuple(fact for fact in load_facts() if fact.language == "hi")


def cure_med_facts() -> tuple[Fact, ...]:
    """Those of CURE-Med's half, in thirteen languages."""
    return tuple(fact for fact in load_facts() if fact.english is not None)
