"""A judged stretch of a text."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["target", "foreign", "neutral"]


@dataclass(frozen=True, slots=True)
class Piece:
    """One stretch: where it stands, how many letters it was judged by, and what they are.

    ``neutral`` says nothing for or against the target: names of drugs, abbreviations, units, too few words.
    ``language`` is the guess for a foreign piece, an ISO 639-1 code, ``hi-Latn`` for romanised Hindi, or None.
    """

    start: int
    end: int
    letters: int
    kind: Kind
    language: str | None = None
