"""Exact and normalised match of open answers with their reference."""

from app.matching import normalise_answer
from evaluation.results.records import Score
from evaluation.scorers.base import Attempt


class ExactMatchScorer:
    """1 where the answer equals the reference but for white space at the ends."""

    name = "exact_match"
    version = "1"

    def score(self, attempt: Attempt) -> Score | None:
        """Score an open question that has a reference."""
        item, answer = attempt.item, attempt.completion.answer
        if item.options is not None or item.reference is None:
            return None
        if answer is None:
            return Score(self.name, self.version, None, "no answer")
        return Score(self.name, self.version, float(answer.strip() == item.reference.strip()))


class NormalisedMatchScorer:
    """1 where answer and reference are equal after `app.matching.normalise_answer`."""

    name = "normalised_match"
    version = "1"

    def score(self, attempt: Attempt) -> Score | None:
        """Score an open question that has a reference."""
        item, answer = attempt.item, attempt.completion.answer
        if item.options is not None or item.reference is None:
            return None
        if answer is None:
            return Score(self.name, self.version, None, "no answer")
        return Score(self.name, self.version, float(normalise_answer(answer) == normalise_answer(item.reference)))
