"""Scorers: each gives one metric of one generation, by name and version."""

from app.formats import Format
from evaluation.benchmarks.item import Item
from evaluation.results.records import Generation, Score
from evaluation.scorers.base import Scorer, read_attempt
from evaluation.scorers.choice import ChoiceScorer
from evaluation.scorers.form import CutOffScorer, DevanagariShareScorer, WellFormedScorer
from evaluation.scorers.language import LangdetectScorer, LanguageScorer, ReasoningLanguageScorer
from evaluation.scorers.match import ExactMatchScorer, NormalisedMatchScorer

# The judge is no part of this list: it needs an endpoint (see `judge`).
SCORERS: tuple[Scorer, ...] = (
    ChoiceScorer(),
    ExactMatchScorer(),
    NormalisedMatchScorer(),
    LanguageScorer(),
    ReasoningLanguageScorer(),
    LangdetectScorer(),
    WellFormedScorer(),
    DevanagariShareScorer(),
    CutOffScorer(),
)


def score_generation(
    item: Item, generation: Generation, format: Format, scorers: tuple[Scorer, ...] = SCORERS
) -> list[Score]:
    """The scores of all scorers that apply; none for a generation that failed."""
    if generation.text is None:
        return []
    attempt = read_attempt(item, generation, format)
    return [score for scorer in scorers if (score := scorer.score(attempt)) is not None]
