"""Whether a corrected passage is still the same passage: little was changed, and no number, dose or unit."""

import unicodedata
from typing import Final

import regex

# Digits of any script; "1.5", "1,000", "2/3", "120/80", "10-15", "3:30" are one number each.
_DIGITS: Final = r"\d+(?:[.,/:\-–]\d+)*"
# Numbers as words, of Hindi and English: spellings of one value stand together.
_WORDS: Final = {
    word: words.split()[0]
    for words in (
        "एक one", "दो two", "तीन three", "चार four", "पांच पाँच five", "छह छः छ: six", "सात seven", "आठ eight",
        "नौ nine", "दस ten", "बारह twelve", "पंद्रह पन्द्रह", "बीस twenty", "तीस thirty", "पचास fifty", "सौ hundred",
        "हजार हज़ार thousand", "आधा आधी आधे half", "पौन पौना", "सवा", "डेढ़", "ढाई", "चौथाई quarter", "तिहाई",
        "दोगुना दुगना दुगुना twice", "तिगुना",
    )
    for word in unicodedata.normalize("NFC", words).split()
}  # fmt: skip
_UNITS: Final = unicodedata.normalize(
    "NFC",
    "mg g gm gms kg mcg ug µg μg ng ml l dl cl cc iu units mmol mol meq mmhg hg cm mm m mv bpm kcal cal kj hz mhz ppm "
    "min mins minutes hr hrs hours h day days week weeks month months year years tsp tbsp drops drachm grain grains oz "
    "lb tola मिग्रा मिलीग्राम ग्रा ग्राम किग्रा किलोग्राम किलो माइक्रोग्राम मिली मिलीलीटर लीटर ली सेमी मिमी मीटर इकाई "
    "यूनिट मिनट घंटे घंटा घण्टे घण्टा दिन सप्ताह माह महीने महीना वर्ष साल बार बूंद बूँद चम्मच तोला तोले माशा माशे रत्ती डिग्री प्रतिशत",
).split()
_LETTER: Final = r"[\p{L}\p{M}]"
# A unit may be written with dots and blanks: "मि. ग्रा.", "m.g.".
_UNIT: Final = "|".join(r"[.\s]{0,2}".join(map(regex.escape, unit)) for unit in sorted(_UNITS, key=len, reverse=True))
_SIGN: Final = r"%|‰|°\s*[CF]?|℃|℉"
_MEASURE = regex.compile(
    rf"(?P<number>{_DIGITS}|(?<!{_LETTER})(?:{'|'.join(map(regex.escape, _WORDS))})(?!{_LETTER}))"
    rf"(?:\s*(?P<unit>{_SIGN}|(?:{_UNIT})(?!{_LETTER})(?:\.?\s*/\s*(?:{_UNIT})(?!{_LETTER}))?))?",
    regex.IGNORECASE,
)


def reason_to_refuse(original: str, correction: str, max_change: float) -> str | None:
    """Why a correction is not taken; None for one that is.

    The same number in digits of another script is the same number; a unit is one of those known here. A dose may have
    been misread, but the model may as well have made one up: where two readings disagree, people have to look.

    Args:
        original: the passage's text.
        correction: what the model would have it be.
        max_change: largest share of the original's characters that may change, in [0, 1].
    """
    original, correction = (unicodedata.normalize("NFC", text) for text in (original, correction))
    most = max_change * len(original)
    if abs(len(original) - len(correction)) > most or edit_distance(original, correction) > most:
        return "changes too much"
    if measures(original) != measures(correction):
        return "changes a number"
    return None


def measures(text: str) -> list[tuple[str, str]]:
    """The numbers of a text in order, each with the unit behind it or nothing.

    Numbers are digits of any script, given in ASCII, and the number words of Hindi and English.
    """
    found = []
    for match in _MEASURE.finditer(unicodedata.normalize("NFC", text)):
        number = match["number"].casefold().replace("–", "-")
        number = _WORDS.get(number) or "".join(str(unicodedata.digit(sign, sign)) for sign in number)
        found.append((number, regex.sub(r"[.\s]", "", match["unit"] or "").casefold()))
    return found


def edit_distance(first: str, second: str) -> int:
    """Fewest insertions, deletions and replacements of characters that make one text of the other.

    A column of the table is two whole numbers of as many bits as the first text has characters (Myers 1999, Hyyrö
    2003), so that two texts of 2,000 characters take milliseconds.
    """
    if not first:
        return len(second)
    places: dict[str, int] = {}
    for index, letter in enumerate(first):
        places[letter] = places.get(letter, 0) | 1 << index
    every, last = (1 << len(first)) - 1, 1 << (len(first) - 1)
    up, down, distance = every, 0, len(first)  # where a column grows by one from a row to the next, and where it falls
    for letter in second:
        same = places.get(letter, 0)
        diagonal = (((same & up) + up) ^ up) | same | down
        right_up = down | ~(diagonal | up) & every
        right_down = up & diagonal
        distance += bool(right_up & last) - bool(right_down & last)
        right_up = right_up << 1 | 1
        right_down <<= 1
        up = (right_down | ~(diagonal | right_up)) & every
        down = right_up & diagonal & every
    return distance
