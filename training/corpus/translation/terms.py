"""Terms of the lexicon in a translation: the English in parentheses behind its Hindi."""

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import regex

from app.lexicon import Lexicon
from training.corpus.lexicon_faults import row_faults

# Terms of the lexicon that are everyday words too: a gloss would explain nothing.
GENERAL_WORDS: Final = frozenset(
    """
    act age aid aim air an and any are as at be bed box by can case cause change common condition cry day do effect end
    few fit for form from go good group had has have he her high him his how if in increase is it its lie life line long
    low man may men mid more most net new no not number of off on one or order other our out part people place point pre
    present pro range rate result run set she short should side sign small so state than that the their them then these
    they this time to true two type up us use was way we were what when which who will with work year you young
    """.split()
)
_SHORTEST: Final = 3  # characters of a term in lower case; "pH" and other terms with capitals may be shorter
_SENSES: Final = regex.compile(r"[,;/।|\n]|\(\s*[\d०-९]+\s*\)|(?<!\S)[\d०-९]+[.)]")
_IN_PARENTHESES: Final = regex.compile(r"\s*\([^()]*\)")
_ZERO_WIDTH: Final = regex.compile("[\u200b\u200c\u200d\ufeff]")
_DEVANAGARI: Final = regex.compile(r"\p{Script=Devanagari}")

_BEFORE: Final = r"(?<![\p{L}\p{M}\p{N}_\u200c\u200d\-])"
# A gloss must not part a word from its vowel sign or joiner, nor stand inside a compound or another gloss.
_BEHIND: Final = r"(?![\p{L}\p{M}\p{N}_\u200c\u200d\-])"


def senses_of(translations: Iterable[str]) -> list[str]:
    """The senses of a term: each translation as a whole, then its parts between commas, numbers and strokes.

    Corrupt ones are left out; the same text stands once, in NFC, without zero-width characters.
    """
    senses: dict[str, None] = {}
    for whole in translations:
        if any(kind != "zero-width space" for kind in row_faults("term", whole)):
            continue
        for text in (whole, *_SENSES.split(whole)):
            for form in (text, _IN_PARENTHESES.sub("", text)):
                sense = " ".join(_plain(form).split()).strip(" -:.()")
                if len(_DEVANAGARI.findall(sense)) >= 2 and not regex.search(r"[,;/()]", sense):
                    senses[sense] = None
    return list(senses)


@dataclass(frozen=True, slots=True)
class Term:
    """A term in a sentence: as it is written there, and its senses in the lexicon's order."""

    english: str
    senses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Glossed:
    """A translation with its glosses.

    Attributes:
        text: with ``हृदय (heart)`` for every term whose sense it holds, once.
        glossed: terms with a gloss.
        unglossed: terms none of whose senses stands in the translation as a word.
    """

    text: str
    glossed: tuple[str, ...]
    unglossed: tuple[str, ...]


@dataclass(slots=True)
class Glosser:
    """Finds a sentence's terms, and puts them behind their Hindi.

    Attributes:
        lexicon: of English and Hindi.
        skip: terms that are never glossed, beside general words and terms of two letters in lower case.
    """

    lexicon: Lexicon
    skip: frozenset[str] = frozenset()
    _senses: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def terms(self, english: str) -> list[Term]:
        """The terms of a sentence that are worth a gloss, in order, each once."""
        found: dict[str, Term] = {}
        for match in self.lexicon.matches(english):
            written = english[match.start : match.end].strip()
            if match.term in found or self._is_general(match.term, written):
                continue
            if match.term not in self._senses:
                self._senses[match.term] = tuple(senses_of(self.lexicon.entries[match.term]))
            found[match.term] = Term(written, self._senses[match.term])
        return list(found.values())

    def gloss(self, english: str, hindi: str) -> Glossed:
        """A translation with the terms of its source, each behind the first place of one of its senses.

        The longest sense that stands there as a word or words of its own is taken; of equally long ones the first.
        No gloss stands inside a word, behind a word that has one already, or inside another's Hindi.
        """
        terms = self.terms(english)
        hindi = unicodedata.normalize("NFC", hindi)
        taken = [found.span() for found in regex.finditer(r"\([^()]*\)", hindi)]
        places: dict[int, str] = {}
        glossed: dict[str, None] = {}
        by_length = [(sense, term) for term in terms for sense in sorted(term.senses, key=lambda sense: -len(sense))]
        for sense, term in sorted(by_length, key=lambda pair: -len(pair[0])):
            if term.english in glossed:
                continue
            span = _find(hindi, sense, taken)
            if span is None:
                continue
            taken.append(span)
            glossed[term.english] = None
            there = regex.compile(r"\s*\(([^()]*)\)").match(hindi, span[1])
            if there is None or there[1].strip().casefold() != term.english.casefold():
                places[span[1]] = term.english
        parts, start = [], 0
        for place in sorted(places):
            parts.append(f"{hindi[start:place]} ({places[place]})")
            start = place
        text = "".join(parts) + hindi[start:]
        order = [term.english for term in terms]
        return Glossed(
            text,
            tuple(term for term in order if term in glossed),
            tuple(term for term in order if term not in glossed),
        )

    def glossary(self, english: str) -> Mapping[str, tuple[str, ...]]:
        """The terms of a sentence and their senses, for a translator that can be told them."""
        return {term.english: term.senses for term in self.terms(english) if term.senses}

    def _is_general(self, term: str, written: str) -> bool:
        if term in self.skip or term in GENERAL_WORDS:
            return True
        return len(term) < _SHORTEST and written == written.lower()


def _find(hindi: str, sense: str, taken: Iterable[tuple[int, int]]) -> tuple[int, int] | None:
    """The first place of a sense as words of their own that nothing has taken."""
    if sense not in hindi:
        return None
    for found in regex.finditer(_BEFORE + regex.escape(sense) + _BEHIND, hindi):
        start, end = found.span()
        if all(end <= other_start or start >= other_end for other_start, other_end in taken):
            return start, end
    return None


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", _ZERO_WIDTH.sub("", text))
