"""Exact and normalised match of open answers with their reference."""

import unicodedata

import regex

from evaluation.results.records import Score
from evaluation.scorers.base import Attempt

# Punctuation and symbols go; marks stay: they are the vowel signs of Hindi and the tones of Yoruba.
_PUNCTUATION = regex.compile(r"[\p{P}\p{S}]+")


def normalise(text: str) -> str:
    """NFKC, case-folded, without punctuation and symbols, white space folded; combining marks are kept."""
    return " ".join(_PUNCTUATION.sub(" ", unicodedata.normalize("NFKC", text)).casefold().split())


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
    """1 where answer and reference are equal after `normalise`."""

    name = "normalised_match"
    version = "1"

    def score(self, attempt: Attempt) -> Score | None:
        """Score an open question that has a reference."""
        item, answer = attempt.item, attempt.completion.answer
        if item.options is not None or item.reference is None:
            return None
        if answer is None:
            return Score(self.name, self.version, None, "no answer")
        return Score(self.name, self.version, float(normalise(answer) == normalise(item.reference)))
