"""Rows of an English-Hindi lexicon that are corrupt: what an audit tells, and what no translation may use."""

from typing import Final

import regex

_DEVANAGARI: Final = regex.compile(r"\p{Script=Devanagari}")
_LATIN_WORD_IN_HINDI: Final = regex.compile(r"(?=.*\p{Script=Devanagari}).*\b(?![ivxl]+\b)[A-Z]?[a-z]{4,}\b")

_FAULTS: Final = (
    ("no English", "english", regex.compile(r"\A\s*\Z")),
    ("no Hindi", "hindi", regex.compile(r"\A\s*\Z")),
    ("broken characters", "either", regex.compile(r"[\ufffd\p{Cc}]|#(?:NAME|REF|VALUE|N/A)|\\u[0-9a-fA-F]{4}")),
    ("mojibake", "either", regex.compile(r"[ÃÂ][\u0080-\u00bf]|à[¤¥]")),
    ("letters of a third script", "either", regex.compile(r"[\p{L}--\p{Latin}--\p{Greek}--\p{Devanagari}]", regex.V1)),
    ("markup", "either", regex.compile(r"\[\[|\]\]|</?[A-Za-z]+>|&[a-z]+;")),
    ("Devanagari in the English", "english", _DEVANAGARI),
    ("Hindi without Devanagari", "hindi", regex.compile(r"\A(?=.*\S)[^\p{Script=Devanagari}]*\Z", regex.DOTALL)),
    ("English words in the Hindi", "hindi", _LATIN_WORD_IN_HINDI),
    ("sign without a letter", "hindi", regex.compile(r"(?<![\p{L}\p{M}])[\p{M}&&\p{Script=Devanagari}]", regex.V1)),
    ("zero-width space", "either", regex.compile("[\u200b\ufeff]")),
)  # fmt: skip

KINDS: Final = tuple(kind for kind, _where, _pattern in _FAULTS)


def row_faults(english: str, hindi: str) -> list[str]:
    """What is wrong with a row, as kinds in the order of `KINDS`; with any but ``zero-width space`` it is no use."""
    texts = {"english": (english,), "hindi": (hindi,), "either": (english, hindi)}
    return [kind for kind, where, pattern in _FAULTS if any(pattern.search(text) for text in texts[where])]
