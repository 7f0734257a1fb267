"""What optical character recognition leaves at the edges and brackets of a block, taken away."""

import re
from collections import Counter
from dataclasses import dataclass
from typing import Final

_CLOSING: Final = {"(": ")", "[": "]", "{": "}", "（": "）", "【": "】"}
_OPENING: Final = {closing: opening for opening, closing in _CLOSING.items()}

_BLANKS = re.compile(r"[^\S\n]+")
_AROUND_LINE_END = re.compile(r"[^\S\n]*\n\s*")
_NUMBER = r"[-+−]?(?:[0-9०-९]+(?:[.,][0-9०-९]+)?|∞|\\infty)"
# Formulas are left as they are; their brackets are TeX's.
_FORMULA = re.compile(  # none is longer: a recognition that has run wild opens thousands and closes none
    r"\\\(.{1,1000}?\\\)|\\\[.{1,1000}?\\\]|\$\$.{1,1000}?\$\$|\$[^$\n]{1,1000}?\$", re.DOTALL
)
_INTERVAL = re.compile(rf"([\[(\]])\s*({_NUMBER})\s*([,;])\s*({_NUMBER})\s*([\])\[])")
# "1)", "iv)", "b)", "क)" at the beginning, behind a blank or an opening bracket.
_ENUMERATOR = re.compile(r"(?:^|(?<=[\s(\[]))(?:[0-9]{1,3}|[०-९]{1,3}|[ivxlcIVXLC]{1,5}|[A-Za-z]|[अ-ह])\)")


@dataclass(frozen=True, slots=True)
class _Brackets:
    """Where the brackets of a text stand: those in pairs, those that are kept alone, and those without a partner."""

    opening: set[int]
    closing: set[int]
    lost: set[int]


def clean_text(text: str) -> str:
    """The text without ``#`` and white space at its edges, lone brackets, blanks inside brackets and runs of blanks.

    Line ends stay, one for each run of them. Enumerators (``1)``), intervals (``(0, 1]``) and formulas between ``$``,
    ``\\(`` or ``\\[`` keep their brackets.
    """
    before = None
    while before != text:  # taking one thing away can bring the next to the edge
        before, text = text, _clean_once(text)
    return text


def _clean_once(text: str) -> str:
    text = _AROUND_LINE_END.sub("\n", _BLANKS.sub(" ", text)).strip("# \n")
    formulas = _positions(_FORMULA, text)
    text = _INTERVAL.sub(lambda found: found[0] if found.start() in formulas else _even(found), text)
    kept = _positions(_FORMULA, text) | _positions(_INTERVAL, text)
    brackets = _find_brackets(text, kept)
    out: list[str] = []
    for position, character in enumerate(text):
        if position in brackets.lost:
            continue
        if character == " " and position not in kept:
            if out and position - 1 in brackets.opening:
                continue
            if position + 1 in brackets.closing:
                continue
        out.append(character)
    return "".join(out)


def _even(interval: re.Match[str]) -> str:
    opening, low, comma, high, closing = interval.groups()
    return f"{opening}{low}{comma} {high}{closing}"


def _positions(pattern: re.Pattern[str], text: str) -> set[int]:
    return {position for match in pattern.finditer(text) for position in range(*match.span())}


def _find_brackets(text: str, kept: set[int]) -> _Brackets:
    found = _Brackets(set(), set(), set())
    enumerators = {match.end() - 1 for match in _ENUMERATOR.finditer(text)}
    open_at: list[int] = []
    open_of = Counter[str]()
    for position, character in enumerate(text):
        if position in kept:
            continue
        if character in _CLOSING:
            open_at.append(position)
            open_of[character] += 1
        elif character in _OPENING:
            opening = _OPENING[character]
            if not open_of[opening]:
                if position not in enumerators:
                    found.lost.add(position)
                continue
            while text[open_at[-1]] != opening:
                open_of[text[open_at[-1]]] -= 1
                found.lost.add(open_at.pop())
            open_of[opening] -= 1
            found.opening.add(open_at.pop())
            found.closing.add(position)
    found.lost.update(open_at)
    return found
