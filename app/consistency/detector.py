"""Detectors that were trained on text: py3langid for sentences in Latin letters, langdetect as the second metric.

Both are loaded at first use. py3langid: https://github.com/adbar/py3langid (Lui and Baldwin 2012,
https://aclanthology.org/P12-3005/).
"""

import math
from functools import cache
from typing import Any, Literal

from app.languages import get_language

# The eight targets in Latin letters, what is near them, and Latin, which takes the names of species and diseases.
_LATIN_CANDIDATES = frozenset(
    "en fr es vi tr sw ha yo pt it ca ro de nl sv pl cs hr hu id az so om rw lg zu sn ig la".split()
)
_DEVANAGARI_CANDIDATES = frozenset("hi mr ne sa".split())
# On a letter or two langdetect draws lots, a thousand times over.
_LANGDETECT_MIN_LETTERS = 10
_LANGDETECT_KNOWS = frozenset("bn en es fr hi ja ko sw th tr vi".split())


@cache
def _identifier() -> Any:
    import numpy as np
    from py3langid import langid

    identifier = langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE)
    identifier.set_languages(sorted(_LATIN_CANDIDATES | _DEVANAGARI_CANDIDATES))
    # Half precision on disk; a fifth of the time goes on the conversion if it is left to each call.
    identifier.nb_ptc = np.ascontiguousarray(identifier.nb_ptc, dtype=np.float32)
    return identifier


def rank(sentence: str, script: Literal["Latn", "Deva"] = "Latn") -> tuple[dict[str, float], str]:
    """How likely each candidate language of the script is, and the likeliest.

    The scores are log posteriors divided by the square root of the length in bytes, so that one difference means about
    the same in a short and in a long sentence.
    """
    candidates = _LATIN_CANDIDATES if script == "Latn" else _DEVANAGARI_CANDIDATES
    scale = 1 / math.sqrt(len(sentence.encode()) or 1)
    # Best first, so the likeliest is the first key.
    scores = {language: score * scale for language, score in _identifier().rank(sentence) if language in candidates}
    return scores, next(iter(scores))


def langdetect_agrees(text: str, language: str) -> bool | None:
    """Whether ``langdetect`` (seeded) finds ``text`` to be in ``language``; the metric that other work reports.

    None where it cannot know: it has no profile of the language (Amharic, Hausa, Yoruba), or the text gives it nothing
    to go by (digits, an address, fewer than ten letters).

    Raises:
        InputError: ``language`` is none of the fourteen.
    """
    code = get_language(language).code
    if code not in _LANGDETECT_KNOWS or sum(map(str.isalpha, text)) < _LANGDETECT_MIN_LETTERS:
        return None
    from langdetect import DetectorFactory, LangDetectException, detect

    # It draws at random: without a seed it changes its mind between runs.
    DetectorFactory.seed = 0
    try:
        found = detect(text)
    except LangDetectException:
        return None
    return None if found == "unknown" else bool(found == code)
