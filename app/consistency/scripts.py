"""Unicode scripts as character classes for regular expressions, and what a script says about a language.

Ranges follow the Unicode Character Database (https://www.unicode.org/Public/UCD/latest/ucd/Scripts.txt). They hold the
letters and vowel signs of a script, not its digits and punctuation.
"""

import re
from functools import cache

LATIN = "A-Za-zªºÀ-ÖØ-öø-ʯḀ-ỿꜢ-ꟿﬀ-ﬆＡ-Ｚａ-ｚ"
# Marks that NFC leaves apart from their letter (Yoruba ọ̀), zero-width joiners inside words.
MARKS = "\u0300-\u036f"
KANA = "ぁ-ゖゝ-ゟァ-ヺー-ヿㇰ-ㇿｦ-ﾟ"
HAN = "\u3005-\u3007一-鿿㐀-䶿\U00020000-\U0003134f"

# Keys are ISO 15924 codes, as in `app.languages`.
CLASSES: dict[str, str] = {
    "Latn": LATIN,
    "Deva": "\u0900-\u0963\u0971-\u097f\ua8e0-\ua8ff",
    "Beng": "\u0980-\u09e3\u09f0\u09f1\u09fc\u09fe",
    "Ethi": "\u1200-\u135f\u1380-\u138f\u2d80-\u2ddf\uab00-\uab2f",
    "Thai": "\u0e01-\u0e3a\u0e40-\u0e4e",
    "Kore": "\uac00-\ud7a3\u1100-\u11ff\u3131-\u318e\ua960-\ua97c\ud7b0-\ud7fb",
    "Jpan": KANA + HAN,
}
# Scripts that none of the fourteen languages use. Greek is left out: its letters are symbols in medical text.
_OTHERS = (
    # Cyrillic to Arabic, Gurmukhi to Malayalam, Sinhala to Georgian, Cherokee to Rejang, and beyond the first plane.
    "\u0400-\u0587\u05d0-\u05ea\u0620-\u065f\u066e-\u06d3\u06d5\u06fa-\u08ff"
    "\u0a01-\u0a65\u0a70-\u0ae3\u0b01-\u0b65\u0b71-\u0be5\u0c00-\u0c65\u0c80-\u0ce5\u0d00-\u0d65"
    "\u0d81-\u0df3\u0e81-\u0ebd\u0ec0-\u0ecd\u0edc-\u0edf\u0f40-\u0fbc\u1000-\u103f\u1050-\u10ff"
    "\u13a0-\u1aad\u1b00-\u1c7f\u2c00-\u2c5f\u2d00-\u2d7f\ua000-\ua63f\ua800-\ua8df\ua900-\ua95f"
    "\ua980-\uaaff\uab70-\uabff\U00010280-\U00011fff\U0001e900-\U0001e94b"
)
# Scripts written without blanks between words: letters are counted instead of words.
UNSPACED = frozenset(("Jpan", "Thai"))

_LANGUAGE_OF_SCRIPT = {"Beng": "bn", "Ethi": "am", "Thai": "th", "Kore": "ko", "Deva": "hi"}


@cache
def letters(script: str) -> re.Pattern[str]:
    """Runs of letters of ``script``."""
    return re.compile(f"[{CLASSES[script]}]+")


@cache
def other_runs(script: str) -> re.Pattern[str]:
    """Stretches of letters that are neither of ``script`` nor Latin nor Greek, with what stands between them."""
    other = "".join(ranges for name, ranges in CLASSES.items() if name not in (script, "Latn")) + _OTHERS
    return re.compile(f"[{other}](?:[^{CLASSES[script]}{LATIN}]*[{other}])?")


@cache
def latin_runs(script: str) -> re.Pattern[str]:
    """Stretches of Latin letters inside a text of another ``script``; a bracket ends one, as does any other letter."""
    other = "".join(ranges for name, ranges in CLASSES.items() if name != "Latn") + _OTHERS
    return re.compile(f"[{LATIN}](?:[^{other}()\\[\\]（）]*[{LATIN}])?")


def script_of(text: str) -> str | None:
    """The ISO 15924 code of the script that has most letters in ``text``; None for a script of no language here."""
    counts = {name: sum(map(len, letters(name).findall(text))) for name in CLASSES}
    best = max(counts, key=lambda name: counts[name])
    return best if counts[best] else None


def language_of_script(script: str | None, text: str) -> str | None:
    """The language that a non-Latin script speaks for, by the script alone, as an ISO 639-1 code.

    Chinese characters are Japanese where kana stand among them and Chinese where none do.
    """
    if script == "Jpan":
        return "ja" if re.search(f"[{KANA}]", text) else "zh"
    return _LANGUAGE_OF_SCRIPT.get(script) if script else None
