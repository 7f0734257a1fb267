"""Numbers, units and option letters of a sentence: what a translation must say again, neither more nor less.

They are not replaced by placeholders, which neural translation loses or doubles, but compared after it.
"""

from collections import Counter
from decimal import Decimal
from typing import Final

import regex

from training.corpus.translation.prompt import HINDI_LETTERS

# One line a unit: how it is counted, then how else it is written. Case counts for names of one or two letters.
_UNITS: Final = """
mg|milligram|milligrams|मिलीग्राम|मिग्रा|मि.ग्रा.|मि.ग्रा|एमजी
µg|μg|mcg|ug|microgram|micrograms|माइक्रोग्राम
ng|nanogram|nanograms|नैनोग्राम
pg|picogram|picograms|पिकोग्राम
kg|kgs|kilogram|kilograms|किलोग्राम|किग्रा|कि.ग्रा.|कि.ग्रा|केजी
g|gm|gms|gram|grams|ग्राम
mL|ml|milliliter|milliliters|millilitre|millilitres|मिलीलीटर|मिली|मि.ली.|मि.ली|एमएल
dL|dl|deciliter|deciliters|decilitre|decilitres|डेसीलीटर|डेसिलीटर|डीएल
µL|μL|µl|μl|uL|microliter|microliters|microlitre|microlitres|माइक्रोलीटर
L|liter|liters|litre|litres|लीटर|एल
fL|fl|femtoliter|femtoliters|फेम्टोलीटर
mm|millimeter|millimeters|millimetre|millimetres|मिलीमीटर|मिमी|मि.मी.|मि.मी|एमएम
cm|cms|centimeter|centimeters|centimetre|centimetres|सेंटीमीटर|सेमी|से.मी.|से.मी
km|kilometer|kilometers|kilometre|kilometres|किलोमीटर|किमी
nm|nanometer|nanometers|nanometre|nanometres|नैनोमीटर
µm|μm|um|micrometer|micrometers|micron|microns|माइक्रोमीटर|माइक्रोन
m|meter|meters|metre|metres|मीटर
mmHg|mm Hg|mm of Hg|millimeters of mercury|मिमी एचजी|एमएमएचजी|मिमीएचजी|मिमी पारा|मिलीमीटर पारा
cmH2O|cm H2O|cm of water|सेमी पानी|सेमी जल
kPa|किलोपास्कल
°C|° C|degrees Celsius|degree Celsius|degrees C|डिग्री सेल्सियस|डिग्री सेंटीग्रेड|डिग्री सी|°सेल्सियस|° सेल्सियस
°F|° F|degrees Fahrenheit|degree Fahrenheit|degrees F|डिग्री फ़ारेनहाइट|डिग्री फारेनहाइट|डिग्री एफ|°फ़ारेनहाइट|°फारेनहाइट
°|degree|degrees|डिग्री
IU|I.U.|international units|international unit|अंतरराष्ट्रीय इकाई|अंतर्राष्ट्रीय इकाई|आईयू
mIU|एमआईयू
U|unit|units|यूनिट|इकाई|इकाइयाँ|इकाइयां|यू
mEq|meq|milliequivalent|milliequivalents|मिलीइक्विवेलेंट|एमईक्यू
mmol|millimole|millimoles|मिलीमोल|मिमोल
µmol|μmol|umol|micromole|micromoles|माइक्रोमोल
nmol|nanomole|nanomoles|नैनोमोल
pmol|पिकोमोल
mol|moles|मोल
mOsm|mosm|मिलीऑस्मोल
kcal|kilocalorie|kilocalories|किलोकैलोरी
cal|calories|calorie|कैलोरी
kJ|kilojoule|kilojoules|किलोजूल
J|joule|joules|जूल
Hz|hertz|हर्ट्ज़|हर्ट्ज
kHz|किलोहर्ट्ज़|किलोहर्ट्ज
MHz|मेगाहर्ट्ज़|मेगाहर्ट्ज
bpm|beats per minute|बीपीएम|धड़कन प्रति मिनट
Gy|gray|ग्रे
mSv|मिलीसीवर्ट
kV|किलोवोल्ट
mV|millivolt|millivolts|मिलीवोल्ट
mA|milliampere|मिलीएम्पियर
kDa|kilodalton|kilodaltons|किलोडाल्टन
Da|dalton|daltons|डाल्टन
bp|base pairs|बेस पेयर
ppm|पीपीएम
%|percent|per cent|प्रतिशत|फीसदी|फ़ीसदी
‰|per mille
"""
_SAME: Final = {
    alias: names[0] for names in (line.split("|") for line in _UNITS.split("\n") if line.strip()) for alias in names
}
# What is long enough to be no other word is taken in any case.
_ANY_CASE: Final = {alias.casefold(): unit for alias, unit in _SAME.items() if len(alias) > 2}


def _pattern(alias: str) -> str:
    return rf"(?i:{regex.escape(alias)})" if len(alias) > 2 else regex.escape(alias)


_ALIASES: Final = "|".join(_pattern(alias) for alias in sorted(_SAME, key=len, reverse=True))
# A unit stands behind a number, a stroke or "per"; "L" or "m" alone may be anything.
_UNIT: Final = regex.compile(
    rf"(?<=\d\s?[-‐]?\s?|\d\s?[-–—]\s?|[/·]\s?|\bper\s|प्रति\s|\^-?\d+\s?)({_ALIASES})(?![\p{{L}}\p{{M}}])"
)

_DIGITS: Final = str.maketrans("०१२३४५६७८९₀₁₂₃₄₅₆₇₈₉−–", "01234567890123456789--")
_RAISED: Final = regex.compile("[⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_LOWERED: Final = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-", "⁺")
_NUMBER: Final = regex.compile(
    r"(?P<sign>(?:(?<=^|[\s(\[=<>:≤≥±])-|\^\{?-?))?"
    r"(?P<value>(?:\d{1,3}(?:,\d{3})+|\d{1,2}(?:,\d{2})+,\d{3})(?!,?\d)(?:\.\d+)?|\d+(?:\.\d+)?|(?<![\d\w])\.\d+)"
)

_LETTER_LIST: Final = regex.compile(
    r"(?<![\w-])[A-H](?:\s*(?:,|&|/|\+|\band\b|\bor\b)\s*(?:(?:and|or)\s+)?[A-H](?![\w-]))+"
)
_LETTER_NAMED: Final = regex.compile(
    r"(?i:\b(?:options?|choices?|answers?|both|either|neither|letter))\s+\(?([A-H])(?![\w-])"
)
_LETTER: Final = regex.compile(r"(?<![\p{L}\p{M}\p{N}])[A-H](?![\p{L}\p{M}\p{N}])")


def numbers_of(text: str) -> Counter[str]:
    """The numbers of a text by value: digits of either script, grouped or not, with sign; exponents as ``^9``."""
    found: Counter[str] = Counter()
    for number in _NUMBER.finditer(_plain(text)):
        sign = number["sign"] or ""
        value = Decimal(number["value"].replace(",", ""))
        written = f"{value.normalize():f}"
        found[("^" if sign.startswith("^") else "") + ("-" if sign.endswith("-") and value else "") + written] += 1
    return found


def units_of(text: str) -> Counter[str]:
    """The units of a text behind its numbers, strokes and "per", under one name each in either language."""
    plain = _plain(text)
    return Counter(_SAME.get(found[1]) or _ANY_CASE[found[1].casefold()] for found in _UNIT.finditer(plain))


def check_quantities(source: str, target: str) -> str | None:
    """What a translation has lost or added, in words; None where all numbers and units are there as often."""
    for what, of in (("number", numbers_of), ("unit", units_of)):
        wanted, said = of(source), of(target)
        if lost := sorted((wanted - said).elements()):
            return f"{what} {lost[0]} is lost"
        if added := sorted((said - wanted).elements()):
            return f"{what} {added[0]} is added"
    return None


def is_verbatim(text: str) -> bool:
    """Whether a text is numbers, units and signs only: it stays as it is in every language."""
    plain = _plain(text)
    return bool(numbers_of(plain)) and not regex.search(r"\p{L}", _UNIT.sub("", plain))


def option_letters(text: str) -> Counter[str]:
    """Letters that a text names options by: "both A and B", "option C"."""
    found: Counter[str] = Counter(named[1] for named in _LETTER_NAMED.finditer(text))
    for several in _LETTER_LIST.finditer(text):
        listed = Counter(_LETTER.findall(several[0]))
        found |= listed
    return found


def restore_letters(source: str, target: str) -> str | None:
    """The translation with the source's option letters, where Hindi has spelled them out; None where one is lost."""
    wanted = option_letters(source)
    said = Counter(_LETTER.findall(target))
    for letter in sorted((wanted - said).elements()):
        name = rf"(?<![\p{{L}}\p{{M}}\p{{N}}]){HINDI_LETTERS[letter]}(?![\p{{L}}\p{{M}}\p{{N}}])"
        target, changed = regex.subn(name, letter, target, count=1)
        if not changed:
            return None
    return target


def _plain(text: str) -> str:
    """The text with digits, signs and exponents written in one way."""
    return _RAISED.sub(lambda raised: "^" + raised[0].translate(_LOWERED), text).translate(_DIGITS)
