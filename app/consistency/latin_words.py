"""Words in Latin letters: what language their function words speak for."""

import re
import unicodedata
from collections.abc import Sequence, Set

from app.consistency.scripts import LATIN, MARKS
from app.consistency.words import ENGLISH, ENGLISH_CLAUSE, HINGLISH, LATIN_SCRIPT

WORD = re.compile(f"[{LATIN}][{LATIN}{MARKS}]*")
ROMANISED_HINDI = "hi-Latn"


def fold(words: Sequence[str]) -> list[str]:
    """The words in lower case, without abbreviations in capitals: WHO, IT and US are no function words."""
    if len(words) >= 5 and all(word.isupper() for word in words):
        return [word.lower() for word in words]
    return [word.lower() for word in words if len(word) == 1 or not word.isupper()]


def hits(words: Sequence[str], table: Set[str]) -> int:
    """How many of the folded words stand in the table."""
    return sum(word in table for word in words)


def function_words(words: Sequence[str], language: str) -> int:
    """How many of the folded words are function words of a language in Latin letters (an ISO 639-1 code)."""
    if language == "yo":
        words = [_without_marks(word) for word in words]
    return hits(words, LATIN_SCRIPT[language])


def _without_marks(word: str) -> str:
    if word.isascii():
        return word
    return "".join(char for char in unicodedata.normalize("NFD", word) if not unicodedata.combining(char))


def is_title(words: Sequence[str]) -> bool:
    """Whether it reads as a name: every word but the function words begins with a capital letter."""
    return all(word[0].isupper() or word in ENGLISH for word in words)


def is_list(text: str, words: Sequence[str]) -> bool:
    """Whether the text lists terms: a comma for every third word or more."""
    return 3 * sum(map(text.count, ",;،、，")) >= len(words)


def is_english_clause(words: Sequence[str], *, link_words: int) -> bool:
    """Whether English words are more than a noun phrase.

    A word that makes a clause tells. Joining words also stand in noun phrases (coarctation of the aorta) and in names
    (Food and Drug Administration): one tells among ``link_words`` words or more, unless they are a name.
    """
    folded = [word for word in fold(words) if len(word) > 1 or word == "a"]
    return hits(folded, ENGLISH_CLAUSE) >= 1 or (
        len(words) >= link_words and hits(folded, ENGLISH) >= 1 and not is_title(words)
    )


def clause_language(text: str, *, bracketed: bool) -> str | None:
    """The language of a clause of 5 or more Latin words inside a sentence of another script; None for a noun phrase.

    ``bracketed`` words are a gloss, which may be longer before it counts as a clause.
    """
    words = _words(text)
    if len(words) < (7 if bracketed else 5):
        return None
    language, found = _best_language(words)
    if language == "en":
        return "en" if is_english_clause(words, link_words=12 if bracketed else 8) else None
    return language if found >= 2 and found * 5 >= len(words) and not is_list(text, words) else None


def sentence_language(text: str) -> str | None:
    """The language of a whole sentence in Latin letters, by its function words; None where they do not tell."""
    words = _words(text)
    language, found = _best_language(words)
    if not found or len(words) < 3:
        return None
    if language == "en":
        return "en" if is_english_clause(words, link_words=7) else None
    return language if (found >= 2 or len(words) <= 4) and not is_list(text, words) else None


def _words(text: str) -> list[str]:
    """The words of two letters and more: one letter is a symbol among other scripts."""
    return [word for word in WORD.findall(text) if len(word) > 1]


def _best_language(words: Sequence[str]) -> tuple[str, int]:
    """The language with most function words among the words, and how many; English wins a tie."""
    folded = fold(words)
    counts = {language: function_words(folded, language) for language in LATIN_SCRIPT}
    counts[ROMANISED_HINDI] = hits(folded, HINGLISH)
    language = max(counts, key=lambda name: counts[name])
    return language, counts[language]
