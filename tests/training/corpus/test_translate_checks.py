"""What a translation must say again, and what is none."""

import pytest

from training.corpus.translation.checks import Refused, check_translation
from training.corpus.translation.numbers import (
    check_quantities,
    is_verbatim,
    numbers_of,
    option_letters,
    restore_letters,
    units_of,
)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("5 mg, 5 mg and 0.50 mL", ["5", "5", "0.5"]),
        ("५ से १०", ["5", "10"]),
        ("338,000 or 3,38,000", ["338000", "338000"]),
        ("1,2,3", ["1", "2", "3"]),
        ("60-120", ["60", "120"]),
        ("−5 and (-3)", ["-5", "-3"]),
        ("10⁹ = 10^9", ["10", "10", "^9", "^9"]),
        ("10⁻³", ["10", "^-3"]),
        ("CO₂, B12, SPINK1", ["2", "12", "1"]),
        (".5", ["0.5"]),
        ("none.", []),
    ],
)
def test_numbers(text: str, numbers: list[str]) -> None:
    assert sorted(numbers_of(text).elements()) == sorted(numbers)


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("5 mg/dL", ["mg", "dL"]),
        ("5 मिलीग्राम/डेसीलीटर", ["mg", "dL"]),
        ("5 मिलीग्राम प्रति डेसीलीटर", ["mg", "dL"]),
        ("120/80 mmHg", ["mmHg"]),
        ("37.5 डिग्री सेल्सियस", ["°C"]),
        ("40%", ["%"]),
        ("४० प्रतिशत", ["%"]),
        ("5000 IU", ["IU"]),
        ("a 5-mg dose", ["mg"]),
        ("97 μm^3", ["µm"]),
        ("5 children and L for mg", []),
        ("5 mgs", []),
    ],
)
def test_units(text: str, units: list[str]) -> None:
    assert sorted(units_of(text).elements()) == sorted(units)


@pytest.mark.parametrize(
    ("source", "target", "problem"),
    [
        ("Give 5 mg", "5 मिलीग्राम दें", None),
        ("Give 5 mg", "5 ग्राम दें", "unit mg is lost"),
        ("Give 5 mg", "5 दें", "unit mg is lost"),
        ("Give 5 and 5", "5 दें", "number 5 is lost"),
        ("Give 5", "5 और 6 दें", "number 6 is added"),
        ("10^9 cells", "109 कोशिकाएँ", "number 10 is lost"),
        ("pH of -5", "5 का पीएच", "number -5 is lost"),
    ],
)
def test_quantities(source: str, target: str, problem: str | None) -> None:
    assert check_quantities(source, target) == problem


@pytest.mark.parametrize(
    ("text", "verbatim"), [("5 mg", True), ("1994", True), ("B12", False), ("IgA", False), ("", False)]
)
def test_what_stays_as_it_is(text: str, verbatim: bool) -> None:
    assert is_verbatim(text) is verbatim


def test_option_letters() -> None:
    assert sorted(option_letters("Both A and B")) == ["A", "B"]
    assert sorted(option_letters("A, C & D are correct")) == ["A", "C", "D"]
    assert sorted(option_letters("see option (C)")) == ["C"]
    assert not option_letters("A man and E. coli in vitamin D")
    assert restore_letters("Both A and B", "ए और बी दोनों") == "A और B दोनों"
    assert restore_letters("Both A and B", "A और बी दोनों") == "A और B दोनों"
    assert restore_letters("Both A and B", "दोनों") is None


@pytest.mark.parametrize(
    ("source", "target", "kept"),
    [
        ("Heart", " हृदय\n", "हृदय"),
        ("HLA-B27", "HLA-B27", "HLA-B27"),
        ("IgA (DNA)", "IgA (DNA)", "IgA (DNA)"),
        ("Both A and B", "ए और बी दोनों", "A और B दोनों"),
        ("It is called Wilson disease.", "इसे Wilson रोग कहते हैं।", "इसे Wilson रोग कहते हैं।"),
        ("Heart", "ह्रद\u095c", "ह्रद\u0921\u093c"),
    ],
)
def test_kept(source: str, target: str, kept: str) -> None:
    assert check_translation(source, target) == kept


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("", "empty"),
        ("।", "empty"),
        ("ि हृदय", "broken letters"),
        ("हृदय ⁇ है", "broken letters"),
        ("हृदय का हृदय का हृदय का हृदय का हृदय का", "looping"),
        (" ".join(first + last for first in "कखगघचछज" for last in "टठडढणतथदधन"), "too long"),
        ("The heart has four chambers.", "English left"),
        ("heart chambers", "not in Hindi"),
        ("हृदय में 4 कक्ष होते हैं।", "numbers differ"),
    ],
)
def test_refused(target: str, reason: str) -> None:
    with pytest.raises(Refused) as refused:
        check_translation("The heart has four chambers.", target)
    assert refused.value.reason == reason


def test_option_letters_that_are_lost_are_refused() -> None:
    with pytest.raises(Refused, match="option letters differ"):
        check_translation("Both A and B", "दोनों ही सही")
    with pytest.raises(Refused, match="too short"):
        check_translation("The heart of the patient beats faster than that of others.", "हृदय।")
