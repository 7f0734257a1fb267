"""Accuracy of multiple choice."""

from app.answers import extract_choice
from evaluation.results.records import Score
from evaluation.scorers.base import Attempt


class ChoiceScorer:
    """Is the chosen option the gold one? 1 or 0; unknown (label ``unparsed``) when no choice could be read.

    ``detail`` holds how the choice was found, or why none was.
    """

    name = "choice"
    version = "1"

    def score(self, attempt: Attempt) -> Score | None:
        """Score an MCQ; None for an open question."""
        item = attempt.item
        if item.options is None or item.gold is None:
            return None
        if attempt.completion.answer is None:
            return Score(self.name, self.version, None, "unparsed", {"tier": "no answer"})
        choice = extract_choice(attempt.completion.answer, item.options)
        if choice.letter is None:
            return Score(self.name, self.version, None, "unparsed", {"tier": choice.tier})
        return Score(self.name, self.version, float(choice.letter == item.gold), choice.letter, {"tier": choice.tier})
