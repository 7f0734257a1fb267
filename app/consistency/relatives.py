"""Languages that share a script with a target: Marathi and Nepali beside Hindi, Tigrinya, Chinese, Assamese.

Each function gets a sentence whose letters are of the target's script. It returns the language that the sentence is
in, or None when it holds too little to tell.
"""

import re
from collections.abc import Callable

from app.consistency.detector import rank
from app.consistency.scripts import CLASSES, KANA
from app.consistency.words import (
    AMHARIC,
    CHINESE_ONLY,
    CHINESE_PARTICLES,
    HINDI,
    MARATHI,
    MARATHI_ENDINGS,
    NEPALI,
    NEPALI_ENDINGS,
    TIGRINYA,
)

_DEVANAGARI_WORD = re.compile(f"[{CLASSES['Deva']}\u200c\u200d]+")
_MARATHI_ENDING = re.compile(rf"\w.*(?:{'|'.join(MARATHI_ENDINGS.split())})|.*ळ.*", re.DOTALL)
_NEPALI_ENDING = re.compile(rf"\w.*(?:{'|'.join(NEPALI_ENDINGS.split())})", re.DOTALL)
_ETHIOPIC_WORD = re.compile(f"[{CLASSES['Ethi']}]+")
# The row of ቐ, and forms that Amharic spells otherwise: ኣ at the start, ኸ and ሓ, pronouns and plurals in ኦም and ኦት.
_TIGRINYA_LETTER = re.compile("[ቐ-ቝ]")
_TIGRINYA_FORM = re.compile("^ኣ|.[ኸ-ዅሓ]|(?:[ዎኦ]ም|ኡ|ኦት)$")
_KANA = re.compile(f"[{KANA}]")
# Below so many letters a sentence without a telling word may be a term that the relatives share. An Ethiopic letter is
# a syllable.
_ENOUGH_LETTERS = 20
_ENOUGH_SYLLABLES = 12
# Lead over Hindi, as `rank` scales it, that one telling word needs beside it.
_LEAD = 1.0


def _hindi(sentence: str, letters: int) -> str | None:
    counts = {"hi": 0, "mr": 0, "ne": 0}
    for word in _DEVANAGARI_WORD.findall(sentence):
        if word in HINDI:
            counts["hi"] += 1
        elif word in MARATHI or _MARATHI_ENDING.fullmatch(word):
            counts["mr"] += 1
        elif word in NEPALI or _NEPALI_ENDING.fullmatch(word):
            counts["ne"] += 1
    relative = "mr" if counts["mr"] > counts["ne"] else "ne"
    if counts["hi"] > counts[relative]:
        return "hi"
    if counts[relative] > counts["hi"] and counts[relative] >= 2:
        return relative
    if letters < _ENOUGH_LETTERS and not counts[relative]:
        return None
    scores, likeliest = rank(sentence, "Deva")
    if likeliest == "hi":
        return "hi" if letters >= _ENOUGH_LETTERS else None
    # A list of terms has no function words, and Sanskrit stands in Hindi books as Latin does in Western ones.
    return likeliest if counts.get(likeliest) and scores[likeliest] - scores["hi"] >= _LEAD else None


def _amharic(sentence: str, letters: int) -> str | None:
    own = other = 0
    for word in _ETHIOPIC_WORD.findall(sentence):
        if word in AMHARIC:
            own += 1
        elif word in TIGRINYA or _TIGRINYA_LETTER.search(word):
            other += 2
        elif _TIGRINYA_FORM.search(word):
            other += 1
    if other >= 2 and other > 2 * own:
        return "ti"
    return "am" if own or (letters >= _ENOUGH_SYLLABLES and not other) else None


def _japanese(sentence: str, letters: int) -> str | None:
    if _KANA.search(sentence):
        return "ja"
    signs = sum(char in CHINESE_ONLY for char in sentence) + sum(map(_is_simplified, sentence))
    return "zh" if signs >= 2 or signs + sum(char in CHINESE_PARTICLES for char in sentence) >= 2 else None


def _is_simplified(char: str) -> bool:
    """Whether it is a Chinese character that the Japanese standard (JIS X 0208) lacks: mostly a simplified one."""
    return "\u4e00" <= char <= "\u9fff" and not char.encode("cp932", errors="ignore")


def _bengali(sentence: str, letters: int) -> str | None:
    # ৰ and ৱ are Assamese letters; Bengali writes র and has no letter for w.
    return "as" if sum(map(sentence.count, "ৰৱ")) >= 2 else "bn"


# Thai and Korean have their scripts to themselves.
LANGUAGE_WITHIN_SCRIPT: dict[str, Callable[[str, int], str | None]] = {
    "hi": _hindi,
    "am": _amharic,
    "ja": _japanese,
    "bn": _bengali,
}
