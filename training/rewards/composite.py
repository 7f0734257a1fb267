"""CURE-Med's reward: accuracy, language and format of a completion, weighed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from app.answers import Completion as ParsedCompletion
from app.answers import parse_completion
from app.consistency import assess
from app.errors import InputError
from app.matching import normalise_answer
from training.rewards.base import Completion, LogExtra, LogMetric, completion_text, read_column
from training.rewards.judge import Judge, accuracy_prompt, language_prompt
from training.rewards.parts import Part, RewardParts


@dataclass(frozen=True, slots=True)
class Row:
    """A question with its reference, and the completion to be rewarded."""

    question: str
    language: str
    reference_reasoning: str | None
    reference_answer: str
    completion: ParsedCompletion


@dataclass(frozen=True, slots=True)
class CompositeWeights:
    """Weights of the three parts, CURE-Med's by default (https://arxiv.org/abs/2601.13262).

    Raises:
        InputError: a weight is negative, or they do not add up to 1.
    """

    accuracy: float = 0.65
    language: float = 0.30
    format: float = 0.05

    def __post_init__(self) -> None:
        weights = (self.accuracy, self.language, self.format)
        if min(weights) < 0 or not math.isclose(sum(weights), 1, abs_tol=1e-6):
            raise InputError(f"the weights are {weights}", remedy="use weights from 0 on that add up to 1")


class Accuracy(Protocol):
    """Says how right answers are."""

    async def scores(self, rows: Sequence[Row], log_metric: LogMetric | None) -> list[float | None]:
        """From 0 to 1 per row; every row has an answer. None where it cannot be told."""
        ...


class JudgedAccuracy:
    """By a judge, against the reference reasoning and answer."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge

    async def scores(self, rows: Sequence[Row], log_metric: LogMetric | None) -> list[float | None]:
        """The judge's scores.

        Raises:
            JudgeError: the judge fails too often.
        """
        prompts = [
            accuracy_prompt(
                row.question,
                row.language,
                reference_reasoning=row.reference_reasoning,
                reference_answer=row.reference_answer,
                reasoning=row.completion.reasoning,
                answer=row.completion.answer or "",
            )
            for row in rows
        ]
        return await self.judge.scores(prompts, log_metric=log_metric)


class MatchedAccuracy:
    """1 where the answer is the reference answer but for case, punctuation and white space, else 0; needs no judge."""

    async def scores(self, rows: Sequence[Row], log_metric: LogMetric | None) -> list[float | None]:
        """1 or 0 per row."""
        return [
            float(normalise_answer(row.completion.answer or "") == normalise_answer(row.reference_answer))
            for row in rows
        ]


class CureMedReward:
    """0.65·accuracy + 0.30·language + 0.05·format, as an asynchronous reward function of TRL.

    Needs the columns ``question``, ``language``, ``reference_reasoning`` (may hold None) and ``reference_answer``.

    - accuracy: by ``accuracy``; unknown where the judge failed, and then the whole reward is unknown.
    - language: of the answer, in the question's language. `app.consistency`: consistent 1, mixed and inconsistent 0,
      undetermined unknown, and then accuracy and format share its weight: a correct "12 mg" is neither punished nor
      held for Hindi. With ``language_judge``: the judge's score.
    - format: 1 for exactly one thinking and one answer block, else 0.

    A completion without an answer (empty, or cut off inside its reasoning) has accuracy and language 0 and nobody is
    asked: to evaluation such a completion is unknown, but a model must not be spared for what it failed to write.
    Raw rewards, weights and weighted sums are logged apart (`RewardParts.log`).
    """

    def __init__(
        self,
        accuracy: Accuracy,
        *,
        language_judge: Judge | None = None,
        weights: CompositeWeights | None = None,
    ) -> None:
        self.accuracy, self.language_judge, self.weights = accuracy, language_judge, weights or CompositeWeights()

    async def __call__(
        self,
        *,
        completions: Sequence[Completion],
        log_metric: LogMetric | None = None,
        log_extra: LogExtra | None = None,
        **columns: Any,
    ) -> list[float | None]:
        """One weighted reward per completion; None where its accuracy is unknown.

        Raises:
            InputError: a column is missing, or holds an unknown language or no reference answer.
            JudgeError: the judge fails too often.
        """
        rows = _read_rows(completions, columns)
        answered = [number for number, row in enumerate(rows) if row.completion.answer is not None]
        asked = [rows[number] for number in answered]
        accuracy: list[float | None] = [0.0] * len(rows)
        language: list[float | None] = [0.0] * len(rows)
        accuracies = await self.accuracy.scores(asked, log_metric)
        languages = await self._languages(asked, log_metric)
        for number, right, own in zip(answered, accuracies, languages, strict=True):
            accuracy[number], language[number] = right, own
        parts = RewardParts(
            (
                Part("accuracy", self.weights.accuracy, accuracy),
                Part("language", self.weights.language, language),
                Part("format", self.weights.format, [float(row.completion.well_formed) for row in rows]),
            )
        )
        parts.log(log_metric, log_extra)
        return parts.totals()

    async def _languages(self, rows: Sequence[Row], log_metric: LogMetric | None) -> list[float | None]:
        if self.language_judge is None:
            return [language_score(row.completion.answer or "", row.language, row.question) for row in rows]
        prompts = [language_prompt(row.completion.answer or "", row.language) for row in rows]
        return await self.language_judge.scores(prompts, log_metric=log_metric)


def language_score(answer: str, language: str, question: str | None = None) -> float | None:
    """1 for an answer in its language, 0 for one that is not or only partly, None where it is too short to tell.

    Raises:
        InputError: the language is unknown.
    """
    verdict = assess(answer, language, question).verdict
    return None if verdict == "undetermined" else float(verdict == "consistent")


def _read_rows(completions: Sequence[Completion], columns: dict[str, Any]) -> list[Row]:
    names = ("question", "language", "reference_reasoning", "reference_answer")
    question, language, reasoning, answer = (read_column(columns, name, len(completions)) for name in names)
    parsed = [parse_completion(completion_text(completion), "cure-med") for completion in completions]
    rows = [Row(*row) for row in zip(question, language, reasoning, answer, parsed, strict=True)]
    if not all(row.reference_answer and row.reference_answer.strip() for row in rows):
        raise InputError("a reference is empty", field="reference_answer", remedy="leave such rows out of the prompts")
    return rows
