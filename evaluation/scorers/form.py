"""Form of a completion: format, script, and whether it was cut off."""

import regex

from evaluation.results.records import Score
from evaluation.scorers.base import Attempt

_DEVANAGARI = regex.compile(r"[\u0900-\u097F]")
_NON_SPACE = regex.compile(r"\S")
# Closing quotes, brackets and Markdown may stand behind the end of the last sentence.
_TRAILING = regex.compile(r"[\s*_`~#|\p{Pe}\p{Pf}\p{Pi}\"']+\Z")
_SENTENCE_END = regex.compile(r"[\p{Sentence_Terminal}…]\Z")
_LETTER = regex.compile(r"[\p{L}\p{M}]")
_MIN_LETTERS = 20
# Thai marks the end of a sentence with a blank, so nothing is there to be missed at the end of a text.
_NO_SENTENCE_MARK = {"th"}


class WellFormedScorer:
    """1 where the completion keeps the model's format, by `app.answers.parse_completion`."""

    name = "format"
    version = "1"

    def score(self, attempt: Attempt) -> Score | None:
        """Score any completion."""
        return Score(self.name, self.version, float(attempt.completion.well_formed))


class DevanagariShareScorer:
    """Share of Devanagari (U+0900-097F) among the non-space characters of a Hindi item's answer."""

    name = "devanagari_share"
    version = "1"

    def score(self, attempt: Attempt) -> Score | None:
        """Score a Hindi item; None for other languages."""
        if attempt.item.language != "hi":
            return None
        answer = attempt.completion.answer or ""
        characters = len(_NON_SPACE.findall(answer))
        share = len(_DEVANAGARI.findall(answer)) / characters if characters else None
        return Score(self.name, self.version, share)


class CutOffScorer:
    """1 where the completion was cut off, else 0.

    By the finish reason (``length``) where there is one. Imported text often has none: then a text of at least 20
    letters whose last sentence has no end counts as cut off, and a shorter one, or a Thai one, is unknown.
    """

    name = "cut_off"
    version = "1"

    def score(self, attempt: Attempt) -> Score | None:
        """Score any completion."""
        generation = attempt.generation
        if generation.finish_reason is not None:
            return Score(self.name, self.version, float(generation.finish_reason == "length"), generation.finish_reason)
        text = _TRAILING.sub("", generation.text or "")
        if _SENTENCE_END.search(text):
            return Score(self.name, self.version, 0.0, "sentence end")
        if attempt.item.language in _NO_SENTENCE_MARK or len(_LETTER.findall(text)) < _MIN_LETTERS:
            return Score(self.name, self.version, None, "cannot tell")
        return Score(self.name, self.version, 1.0, "no sentence end")
