"""Brings a text and the options' texts into one form, in which equal things look equal.

One form of letters, digits, brackets, dashes and quotes, no invisible characters, no Markdown, HTML or LaTeX wrappers,
no accents on Latin words. Case stays, because ``D`` is an option letter and ``d`` often is not.
"""

import re
import unicodedata
from collections.abc import Mapping
from functools import cache, lru_cache

_KEYS_KEPT = 65_536  # options recur: a benchmark's items are read once per run, sample and scorer

# Letters, digits and the marks that belong to a word, for the inside of a character class. Python's \w leaves out the
# vowel signs of the Indic scripts and of Thai: a boundary would fall into the middle of a word.
WORD = (
    r"\w\u0300-\u036F\u0900-\u0903\u093A-\u094F\u0951-\u0957\u0962\u0963\u0981-\u0983\u09BC-\u09CD\u09D7\u09E2\u09E3"
    r"\u0E31-\u0E3A\u0E47-\u0E4E"
)
# Scripts that write words without blanks, or hang their particles on the word.
UNSPACED = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3"
LATIN_WORD = r"0-9A-Za-z_\u00C0-\u024F\u0300-\u036F\u1E00-\u1EFF"

_SAME = {
    "-": "\u2010\u2011\u2212",
    "—": "\u2012\u2013\u2015\u2e3a\ufe58",
    "'": "\u2018\u2019\u201a\u201b\u02bc\u02b9\u2032\u00b4",
    '"': "\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033",
    "(": "\u3010\u3014\u3016\u300c\u300e\u3008\u300a",
    ")": "\u3011\u3015\u3017\u300d\u300f\u3009\u300b",
    "→": "\u21d2\u27f9\u2794\u279c\u27a1",
    " ": "\u00a0\u3000\u1680\u202f\u205f" + "".join(map(chr, range(0x2000, 0x200B))),
    ":": "\u1361\u1365\u1366",  # the Ethiopic word space and colons stand where others write a colon
    ",": "\u1363",
    ";": "\u1364",
    "i": "\u0130",  # the one letter whose lower case is two characters
    "\u00b5": "\u03bc",
}


@cache
def _characters() -> Mapping[int, str | None]:
    invisible = [0xAD, 0x34F, 0x61C, 0x180E, 0xFEFF, *range(0x200B, 0x2010), *range(0x202A, 0x202F)]
    invisible += [*range(0x2060, 0x2070), *range(0xFE00, 0xFE10)]
    table: dict[int, str | None] = dict.fromkeys(invisible)
    table |= {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}  # full-width forms
    for start in (0x24B6, 0x249C, 0x1F110, 0x1F130, 0x1F150, 0x1F170):  # letters in circles, brackets and squares
        table |= {start + i: f"({chr(65 + i)})" for i in range(26)}
    table |= {0x24D0 + i: f"({chr(97 + i)})" for i in range(26)}
    # Bold, italic and script letters and digits of mathematics. NFKC on everything would make 10² the number 102.
    table |= {code: unicodedata.normalize("NFKC", chr(code)) for code in range(0x1D400, 0x1D800)}
    for zero in (0x660, 0x6F0, 0x966, 0x9E6, 0xE50):  # Arabic, Persian, Devanagari, Bengali and Thai digits
        table |= {zero + i: str(i) for i in range(10)}
    # Half a surrogate pair is what JSON holds of a character that was cut in two.
    table |= dict.fromkeys(range(0xD800, 0xE000), "\ufffd")
    return table | {ord(one): to for to, several in _SAME.items() for one in several}


_ACCENTED = re.compile(r"[\u00C0-\u024F\u0250-\u026F\u0300-\u036F\u1E00-\u1EFF]")
_LATIN_RUN = re.compile(r"[A-Za-z\u00C0-\u024F\u0250-\u026F\u0300-\u036F\u1E00-\u1EFF]{2,}")
_MARKS = re.compile(r"[\u0300-\u036F]+")
_HOOKED = str.maketrans("ıđĐɓɗƙƴƁƊƘƳøØłŁ", "idDbdkyBDKYoOlL")


def _plain_word(match: re.Match[str]) -> str:
    word = match[0]
    if word.isascii():
        return word
    # One accented letter is a word of its own in many languages (à, ọ, é): it must not turn into an option letter.
    if len(unicodedata.normalize("NFC", word)) == 1:
        return word
    return _MARKS.sub("", unicodedata.normalize("NFD", word)).translate(_HOOKED)


_STRUCK = re.compile(r"~~[^~\n]{1,200}~~")
_TAG = re.compile(r"</[A-Za-z][^<>\n]{0,60}>|<[a-z][^<>\n]{0,60}>|<br\s?/?>")
_LINE_MARKER = re.compile(r"^[ \t]*(?:#{1,6}[ \t]+|>[ \t]?|[-+•●▪◦][ \t]+)+", re.MULTILINE)
_LATEX = re.compile(r"\\(?:text(?:bf|rm|it|sf|tt)?|math(?:bf|rm|it|sf|tt)|mbox|bf|rm)\s?(?=\{)|\\[()\[\],;!]|\$")
_EMPHASIS = re.compile(rf"[*`]+|(?<![{WORD}])_+|_+(?![{WORD}])|__+")
_SPECIAL = re.compile(r"[*`~<$\\#>_•●▪◦]|^[ \t]*[-+] ", re.MULTILINE)


def normalise(text: str) -> str:
    """The text in the one form; lines stay lines, empty ones go, runs of blanks become one.

    Its lower case has the same length. ``\\boxed`` stays, and the braces of ``\\text{…}``: brackets to the reader.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFC", text.translate(_characters()))
        text = text.replace("\u0e4d\u0e32", "\u0e33")  # Thai sara am in two characters
        if _ACCENTED.search(text):
            text = _LATIN_RUN.sub(_plain_word, text)
    if _SPECIAL.search(text):
        text = _TAG.sub(" ", _STRUCK.sub(" ", text))
        text = _EMPHASIS.sub("", _LATEX.sub("", text))
        text = _LINE_MARKER.sub("", text)
    return "\n".join(line for line in map(" ".join, map(str.split, text.splitlines())) if line)


def trim(text: str) -> str:
    """Without the quotes around it and the full stop behind it. A point before it may belong to a number (".5")."""
    return text.rstrip(" \n\"'.।॥።。,;:、").lstrip(" \n\"'")


@lru_cache(maxsize=_KEYS_KEPT)
def option_key(text: str) -> str:
    """An option's text in the one form, on one line and trimmed. Case stays."""
    return trim(normalise(text).replace("\n", " "))
