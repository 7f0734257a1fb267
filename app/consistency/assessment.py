"""`assess`: is a text in the language that it should be in?"""

import re
import unicodedata
from bisect import bisect_right
from dataclasses import dataclass
from typing import Literal

from app.consistency import latin_targets, script_targets
from app.consistency.cleaning import blank_markup
from app.consistency.latin_words import WORD, is_list
from app.consistency.pieces import Piece
from app.consistency.scripts import letters
from app.languages import get_language

Verdict = Literal["consistent", "mixed", "inconsistent", "undetermined"]

# Below this share of target letters a text is in another language and quotes the target at most.
_MIXED_FROM = 0.1
# One letter is the letter of an option.
_FEWEST_LETTERS = 2
# Latin words from which a text without one letter of its target's script is not too short to tell.
_TELLING_WORDS = 12
_TOKEN = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class ForeignSpan:
    """A stretch of another language: its text, its place in the original text, and the language if it can be told.

    ``language`` is an ISO 639 code, ``hi-Latn`` for romanised Hindi, or None.
    """

    text: str
    start: int
    end: int
    language: str | None


@dataclass(frozen=True, slots=True)
class Assessment:
    """Whether a text is in its target language.

    ``target_share`` is the share of target letters among the letters that could be judged, from 0 to 1; names, terms
    and abbreviations are left out of both. None when the text is too short to tell (verdict ``undetermined``).
    """

    verdict: Verdict
    target_share: float | None
    foreign: tuple[ForeignSpan, ...]


def assess(text: str, language: str, question: str | None = None) -> Assessment:
    """Judge whether ``text`` is in ``language``, sentence by sentence.

    ``language`` is anything that `app.languages.get_language` knows. Phrases that stand word for word in ``question``
    are neutral beside text in the target language: an answer may quote what it was asked.

    Raises:
        InputError: ``language`` is none of the fourteen.
    """
    target = get_language(language)
    composed = unicodedata.normalize("NFC", text)
    prose = blank_markup(composed)
    if target.script == "Latn":
        pieces = latin_targets.judge(prose, target.code)
    else:
        pieces = script_targets.judge(prose, target.code, target.script)
    own = sum(piece.letters for piece in pieces if piece.kind == "target")
    foreign = [piece for piece in pieces if piece.kind == "foreign"]
    if own and foreign and question:
        asked = _tokens(question)
        foreign = [piece for piece in foreign if _tokens(composed[piece.start : piece.end]) not in asked]
    if not own and not foreign and target.script != "Latn" and not letters(target.script).search(prose):
        foreign = _all_latin(prose, pieces)
    other = sum(piece.letters for piece in foreign)
    if own + other < _FEWEST_LETTERS:
        return Assessment("undetermined", None, ())
    share = own / (own + other)
    verdict: Verdict = "consistent" if not foreign else "mixed" if share >= _MIXED_FROM else "inconsistent"
    return Assessment(verdict, share, _spans(text, composed, foreign))


def _tokens(text: str) -> str:
    """The words of a text, folded, each between blanks, so that whole phrases can be looked up in it."""
    return f" {' '.join(_TOKEN.findall(unicodedata.normalize('NFC', text).casefold()))} "


def _all_latin(prose: str, pieces: list[Piece]) -> list[Piece]:
    """The neutral pieces, if they are many words without one letter of the target's script, and no list of terms."""
    neutral = [piece for piece in pieces if piece.kind == "neutral"]
    words = [word for piece in neutral for word in WORD.findall(prose, piece.start, piece.end) if len(word) > 2]
    if len(words) < _TELLING_WORDS or is_list(prose, words):
        return []
    return [Piece(piece.start, piece.end, piece.letters, "foreign") for piece in neutral]


def _spans(text: str, composed: str, pieces: list[Piece]) -> tuple[ForeignSpan, ...]:
    """The pieces in reading order as spans of the original text; neighbours of one language are one span."""
    joined: list[tuple[int, int, str | None]] = []
    for piece in sorted(pieces, key=lambda piece: piece.start):
        if joined and piece.language == joined[-1][2] and not _TOKEN.search(composed, joined[-1][1], piece.start):
            joined[-1] = (joined[-1][0], max(joined[-1][1], piece.end), piece.language)
        else:
            joined.append((piece.start, piece.end, piece.language))
    spans = []
    for start, end, language in joined:
        start, end = _original_offset(text, composed, start), _original_offset(text, composed, end)
        stretch = text[start:end].strip()
        start += len(text[start:end]) - len(text[start:end].lstrip())
        spans.append(ForeignSpan(stretch, start, start + len(stretch), language))
    return tuple(spans)


def _original_offset(text: str, composed: str, offset: int) -> int:
    """The place in ``text`` of a place in its NFC form."""
    if text == composed:
        return offset
    # The longest prefix that composes to so many characters: marks after its last letter belong to that letter.
    sizes = range(len(text) + 1)
    return bisect_right(sizes, offset, key=lambda size: len(unicodedata.normalize("NFC", text[:size]))) - 1
