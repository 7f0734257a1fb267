"""Language of answers and of reasoning. Truncation is another scorer's: see `form`."""

from app.consistency import Assessment, assess, langdetect_agrees
from evaluation.benchmarks.item import Item
from evaluation.results.records import Score
from evaluation.scorers.base import Attempt


class LanguageScorer:
    """Is the answer in the item's language? The label is the verdict, the value the share of target letters."""

    name = "language"
    version = "1"

    def score(self, attempt: Attempt) -> Score | None:
        """Score the answer; label ``no answer`` without one."""
        answer = attempt.completion.answer
        if answer is None:
            return Score(self.name, self.version, None, "no answer")
        return _as_score(self, assess(answer, attempt.item.language, question=_shown(attempt.item)))


class ReasoningLanguageScorer:
    """The same of the reasoning, where there is one."""

    name = "reasoning_language"
    version = "1"

    def score(self, attempt: Attempt) -> Score | None:
        """Score the reasoning; None without one."""
        reasoning = attempt.completion.reasoning
        if reasoning is None:
            return None
        return _as_score(self, assess(reasoning, attempt.item.language, question=_shown(attempt.item)))


class LangdetectScorer:
    """Does langdetect, seeded, name the item's language? Unknown for the languages that it does not know."""

    name = "langdetect"
    version = "1"

    def score(self, attempt: Attempt) -> Score | None:
        """Score the answer."""
        answer = attempt.completion.answer
        agrees = langdetect_agrees(answer, attempt.item.language) if answer is not None else None
        return Score(self.name, self.version, None if agrees is None else float(agrees))


def _shown(item: Item) -> str:
    # What the answer may quote: the question and its options.
    return "\n".join([item.question, *(item.options or {}).values()])


def _as_score(scorer: LanguageScorer | ReasoningLanguageScorer, assessment: Assessment) -> Score:
    spans = [[span.text, span.start, span.end, span.language] for span in assessment.foreign]
    detail = {"foreign": spans} if spans else None
    return Score(scorer.name, scorer.version, assessment.target_share, assessment.verdict, detail)
