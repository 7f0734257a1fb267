"""`detect_language`: which of the fourteen languages is a question in?"""

import unicodedata

from app.consistency.assessment import assess
from app.consistency.cleaning import blank_markup
from app.consistency.detector import rank
from app.consistency.latin_words import ROMANISED_HINDI, WORD, fold, function_words, sentence_language
from app.consistency.scripts import CLASSES, letters
from app.languages import LANGUAGES

_LONGEST = 2_000  # characters that are looked at: a language shows by then
_FEWEST_LETTERS = 2
# From this share of letters on, another script than the Latin one is the question's own, and Latin words in it are
# terms: a letter of Japanese or Hindi says more than one of English.
_OTHER_SCRIPT = 0.25
# Behind the likeliest language by more than this (`detector.rank`), none of ours is meant.
_TOO_FAR_BEHIND = 1.0

_OF_SCRIPT = {language.script: language.code for language in LANGUAGES if language.script != "Latn"}
_LATIN = tuple(language.code for language in LANGUAGES if language.script == "Latn")


def detect_language(text: str) -> str | None:
    """The ISO 639-1 code of the language that a text is in; None when it is none of the fourteen, or cannot be told.

    Scripts go first: a quarter of the letters in Devanagari makes a question with English terms a Hindi one, unless
    its words are Marathi's or Nepali's. Texts in Latin letters go by py3langid over whole texts, which is 99 % right
    on questions, and by function words where it finds a language that is none of ours. Hindi in Latin letters is Hindi.
    """
    prose = blank_markup(unicodedata.normalize("NFC", text[:_LONGEST]))
    counts = {script: sum(map(len, letters(script).findall(prose))) for script in CLASSES}
    total = sum(1 for char in prose if char.isalpha())
    if total < _FEWEST_LETTERS:
        return None
    other = max(_OF_SCRIPT, key=lambda script: counts[script])
    if counts[other] >= max(1, _OTHER_SCRIPT * total):
        code = _OF_SCRIPT[other]
        return None if assess(prose, code).verdict == "inconsistent" else code
    return _latin_language(prose) if counts["Latn"] * 2 > total else None


def _latin_language(prose: str) -> str | None:
    if sentence_language(prose) == ROMANISED_HINDI:
        return "hi"
    scores, likeliest = rank(prose)
    if likeliest in _LATIN:
        return likeliest
    words = fold(WORD.findall(prose))
    known = max(_LATIN, key=lambda code: (function_words(words, code), scores[code]))
    if function_words(words, known) and scores[likeliest] - scores[known] <= _TOO_FAR_BEHIND:
        return known
    return None
