"""The protocol of translators, and what they have in common."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import regex

_CLAUSE: Final = regex.compile(r"(?<=\p{L}{3}[;:,]|\))\s+(?=\S)|\s+(?=\()|(?<=\s)[–—]\s+")
_SHORTEST: Final = 20  # characters of a clause that is worth a translation of its own


@dataclass(frozen=True, slots=True)
class Failed:
    """A segment without a translation, and why.

    Attributes:
        reason: a short phrase that counts are grouped by.
        again: whether another run may do better: the endpoint failed, and nothing was kept.
    """

    reason: str
    detail: str = ""
    again: bool = False


class Engine(Protocol):
    """Translates segments."""

    @property
    def keeps(self) -> bool:
        """Whether it keeps what it was answered itself; else the caller does."""

    @property
    def window(self) -> int:
        """Batches that may be under way at once."""

    def batches(self, segments: Sequence[str], attempt: int) -> Iterable[list[str]]:
        """The segments in batches of one ``translate`` each; those of about one length come together."""

    async def translate(self, segments: Sequence[str], attempt: int = 0) -> list[str | Failed]:
        """Their translations, in the same order. A later attempt goes another way, if the engine knows one.

        Raises:
            EndpointAwayError: nothing more can be done now.
        """


def split_clauses(segment: str) -> list[str]:
    """A segment in parts at its commas, colons and parentheses: a translator loses fewer numbers of short ones."""
    parts: list[str] = []
    start = 0
    for found in _CLAUSE.finditer(segment):
        if found.start() - start >= _SHORTEST and len(segment) - found.end() >= _SHORTEST:
            parts.append(segment[start : found.start()].strip())
            start = found.end()
    return [*parts, segment[start:].strip()]


def batch_by_length(lengths: Sequence[int], most: int) -> list[list[int]]:
    """Places of sequences in batches of at most ``most`` tokens with padding, the longest first.

    What would not fit into memory so fails at once and not after hours. Equal lengths keep their order.
    """
    batches: list[list[int]] = []
    longest = 0
    for place in sorted(range(len(lengths)), key=lambda place: (-lengths[place], place)):
        if not batches or longest * (len(batches[-1]) + 1) > most:
            batches.append([])
            longest = max(1, lengths[place])
        batches[-1].append(place)
    return batches
