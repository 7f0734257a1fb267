"""Stretches of a third script: neither the target's nor Latin."""

import re

from app.consistency.pieces import Piece
from app.consistency.relatives import LANGUAGE_WITHIN_SCRIPT
from app.consistency.scripts import UNSPACED, language_of_script, other_runs, script_of

_WORD = re.compile(r"[^\s\d.,;:()/-]+")
# A stretch counts from so many words, or letters where no blanks divide words; alone in its sentence, from fewer.
_WORDS, _WORDS_ALONE = 4, 2
_LETTERS, _LETTERS_ALONE = 8, 4


def other_script_pieces(sentence: str, offset: int, script: str, *, alone: bool) -> list[Piece]:
    """The stretches of scripts that are neither ``script`` nor Latin; ``alone`` in the sentence, two words do."""
    pieces = []
    for match in other_runs(script).finditer(sentence):
        run = match[0]
        other = script_of(run)
        words = _WORD.findall(run)
        size = sum(map(len, words))
        if other in UNSPACED:
            long_enough = size >= (_LETTERS_ALONE if alone else _LETTERS)
        else:
            long_enough = len(words) >= (_WORDS_ALONE if alone else _WORDS)
        if long_enough:
            guess = _language(other, run, size)
            pieces.append(Piece(offset + match.start(), offset + match.end(), size, "foreign", guess))
    return pieces


def _language(script: str | None, run: str, size: int) -> str | None:
    by_script = language_of_script(script, run)
    within = LANGUAGE_WITHIN_SCRIPT.get(by_script or "")
    return (within(run, size) or by_script) if within else by_script
