"""The scaffold reward: how much of a completion is Hindi, medical terms of the lexicon aside (HiMed's DSR-RL)."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.errors import InputError
from app.lexicon import Lexicon
from training.rewards.base import Completion, completion_text

_DEVANAGARI = re.compile("[\u0900-\u097f]+")


def hindi_share(text: str, lexicon: Lexicon | None) -> float:
    """The share of Devanagari (U+0900 to U+097F) among the characters that are no white space, from 0 to 1.

    The lexicon's English terms are masked first (`Lexicon.mask`), so they count neither for nor against the text; 0
    without any Devanagari. Source: HiMed, https://arxiv.org/abs/2605.24635.

    Raises:
        InputError: no lexicon.
    """
    masked = _required(lexicon).mask(text)
    devanagari = sum(map(len, _DEVANAGARI.findall(masked)))
    return devanagari / len("".join(masked.split())) if devanagari else 0.0


class ScaffoldReward:
    """`hindi_share` of every completion, as a reward function of TRL.

    Raises:
        InputError: no lexicon. The published code then masks nothing and goes on in silence.
    """

    def __init__(self, lexicon: Lexicon | None) -> None:
        self.lexicon = _required(lexicon)

    @classmethod
    def load(cls, path: Path | str | None) -> "ScaffoldReward":
        """With the lexicon of a file (`Lexicon.load`).

        Raises:
            InputError: no path, or no usable lexicon there.
        """
        return cls(None if path is None else Lexicon.load(path))

    def __call__(self, *, completions: Sequence[Completion], **_columns: Any) -> list[float | None]:
        """One share per completion."""
        return [hindi_share(completion_text(completion), self.lexicon) for completion in completions]


def _required(lexicon: Lexicon | None) -> Lexicon:
    if lexicon is None or not lexicon.entries:
        raise InputError(
            "the scaffold reward has no lexicon",
            field="lexicon",
            remedy="name the .xlsx or .csv file with the columns English and Hindi",
        )
    return lexicon
