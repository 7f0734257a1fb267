"""What a scorer is given and what it is."""

from dataclasses import dataclass
from typing import Protocol

from app.answers import Completion, parse_completion
from app.formats import Format
from evaluation.benchmarks.item import Item
from evaluation.results.records import Generation, Score


@dataclass(frozen=True, slots=True)
class Attempt:
    """An item, one generation of it, and the generation read in the model's format."""

    item: Item
    generation: Generation
    completion: Completion


def read_attempt(item: Item, generation: Generation, format: Format) -> Attempt:
    """Parse a generation that has a text.

    An endpoint with a reasoning parser returns the reasoning apart; its text is then the answer as it stands.
    """
    assert generation.text is not None
    if generation.reasoning is None:
        completion = parse_completion(generation.text, format)
    else:
        answer = generation.text.strip() or None
        completion = Completion(generation.reasoning.strip() or None, answer, well_formed=answer is not None)
    return Attempt(item, generation, completion)


class Scorer(Protocol):
    """One metric. ``version`` changes whenever the same generation could get another score."""

    name: str
    version: str

    def score(self, attempt: Attempt) -> Score | None:
        """The score, with value None where it is unknown; None where the scorer does not apply to the item."""
        ...
