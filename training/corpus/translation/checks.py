"""Which translations cannot be used: nothing, loops, English, lost numbers. They stay missing."""

import unicodedata
from typing import Final

import regex

from training.corpus.translation.numbers import check_quantities, restore_letters

_DEVANAGARI: Final = regex.compile(r"(?:\p{L}|\p{M})(?<=\p{Script=Devanagari})")
_LETTER: Final = regex.compile(r"\p{L}|\p{M}")
_UNKNOWN: Final = regex.compile(r"⁇|<unk>|\ufffd|▁")
_BROKEN: Final = regex.compile(r"(?<![\p{L}\p{M}\u200c\u200d])[\p{M}&&\p{Script=Devanagari}]", regex.V1)
_ENGLISH: Final = regex.compile(r"(?<!\p{L})[A-Za-z]{2,}(?:[\s,'’-]+[A-Za-z]+){4,}")
# What may stay in Latin letters: a single letter, and words with a digit, a Greek letter or two capitals.
_SYMBOL: Final = regex.compile(r"\W*(?:\p{L}|\S*(?:\d|\p{Greek}|\p{Lu}\S*\p{Lu})\S*)\W*")
_WORD: Final = regex.compile(r"[\p{L}\p{M}\p{N}]+")
_LOOP: Final = regex.compile(r"(.{2,60}?)\1{3,}", regex.DOTALL)
_LONGER: Final = 4.0  # Hindi takes up to about 1.5 times the characters
_SLACK: Final = 40  # characters
_SHORTER: Final = 0.25
_SHORT: Final = 40


class Refused(Exception):  # noqa: N818  # an outcome, not a fault of ours
    """A translation that cannot be used. ``reason`` is what counts are grouped by."""

    def __init__(self, reason: str, detail: str = "") -> None:
        self.reason, self.detail = reason, detail
        super().__init__(f"{reason}: {detail}" if detail else reason)


def check_translation(source: str, target: str, least_target: float = 0.5) -> str:
    """The translation as it is kept: NFC, one line, with the source's option letters.

    Args:
        source: the English segment.
        target: what a translator has made of it.
        least_target: least share of Devanagari among its letters.

    Raises:
        Refused: it is empty, broken, a loop, too long or short, not in Hindi, or has lost or added a number or unit.
    """
    target = " ".join(unicodedata.normalize("NFC", target).split())
    if not _WORD.search(target):
        raise Refused("empty")
    if _UNKNOWN.search(target) or _BROKEN.search(target):
        raise Refused("broken letters", target[:80])
    if _loops(target) and not _loops(source):
        raise Refused("looping", target[:80])
    if len(target) > _LONGER * len(source) + _SLACK:
        raise Refused("too long", f"{len(target)} characters for {len(source)}")
    if len(source) > _SHORT and len(target) < _SHORTER * len(source):
        raise Refused("too short", f"{len(target)} characters for {len(source)}")
    _check_language(source, target, least_target)
    if problem := check_quantities(source, target):
        raise Refused("numbers differ", problem)
    restored = restore_letters(source, target)
    if restored is None:
        raise Refused("option letters differ", target[:80])
    return restored


def _check_language(source: str, target: str, least_target: float) -> None:
    if english := _ENGLISH.search(target):
        raise Refused("English left", english[0][:80])
    letters = len(_LETTER.findall(target))
    share = len(_DEVANAGARI.findall(target)) / letters if letters else 0.0
    if share >= least_target:
        return
    if all(_SYMBOL.fullmatch(word) for word in source.split() if regex.search(r"\p{L}", word)):
        return  # "HLA-B27", "pH": Hindi writes them so too
    raise Refused("not in Hindi", f"{100 * share:.0f} % of the letters: {target[:80]}")


def _loops(text: str) -> bool:
    """Whether a text says the same again and again, at once or over all of it."""
    words = _WORD.findall(text)
    if len(words) >= 24 and len(set(words)) < len(words) / 4:
        return True
    # Runs of points or dashes are no loop.
    return any(_WORD.search(found[1]) and not found[1].isdigit() for found in _LOOP.finditer(text))
