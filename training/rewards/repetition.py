"""How much a text repeats itself, and whether it is worth a reward at all."""

import re

from app.answers.text import UNSPACED

N = 4
REPEATED_FROM = 0.5  # see `repetition`
_FEWEST_TOKENS = 24

# A token is a word; in scripts that write words without blanks, and in a run too long for a word, it is a character.
_OTHER = rf"[^\s{UNSPACED}]"
_TOKEN = re.compile(rf"(?<!{_OTHER}){_OTHER}{{1,40}}(?!{_OTHER})|\S")


def repetition(text: str) -> float:
    """The share of a text's 4-grams that stand in it before, from 0 to 1.

    This is rep-n, 1 − distinct n-grams / n-grams, of Welleck et al. 2020 (https://arxiv.org/abs/1908.04319), over
    words, or over characters in scripts that write words without blanks. 0 below 24 tokens: a short text has no room
    to loop. A text that loops for the second half of its length has about 0.5; CURE-Med's 13,435 SFT completions in 13
    languages stay below 0.45.
    """
    tokens = _TOKEN.findall(text)
    if len(tokens) < _FEWEST_TOKENS:
        return 0.0
    grams = list(zip(*(tokens[start:] for start in range(N)), strict=False))
    return 1 - len(set(grams)) / len(grams)


def is_degenerate(text: str) -> bool:
    """Whether a text is empty, has no letter or digit, or mostly repeats itself (`repetition` of 0.5 or more)."""
    return not any(map(str.isalnum, text)) or repetition(text) >= REPEATED_FROM
