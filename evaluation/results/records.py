"""A run's results as plain objects: items with their generations and scores."""

from dataclasses import dataclass, field
from typing import Any

from evaluation.benchmarks.item import Item


@dataclass(frozen=True, slots=True)
class Score:
    """One metric of one generation. ``value`` None means unknown, and ``label`` says why or what was found."""

    scorer: str
    version: str
    value: float | None
    label: str | None = None
    detail: dict[str, Any] | None = None


@dataclass(slots=True)
class Generation:
    """One completion of one item. ``text`` None means that the item failed for good, with ``error``."""

    sample: int
    text: str | None
    reasoning: str | None = None  # when the endpoint returned it apart
    finish_reason: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    latency_s: float | None = None
    error: str | None = None
    messages: list[dict[str, str]] | None = None
    id: int | None = None
    scores: dict[str, Score] = field(default_factory=dict)  # by scorer


@dataclass(slots=True)
class Record:
    """An item of a run, its options and gold as they were shown, and its generations in order of sample number."""

    item: Item
    generations: list[Generation] = field(default_factory=list)
