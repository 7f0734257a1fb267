"""Corrections that are taken, and those that are not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.corpus.passages.corrections import edit_distance, measures, reason_to_refuse

TEXT = "मलेरिया में तेज ज्वर, कपकपी और पसीना आता है। क्लोरोक्वीन ५०० मि. ग्रा. दिन में दो बार दें।"


@pytest.mark.parametrize(
    ("correction", "reason"),
    [
        (TEXT, None),
        (TEXT.replace("कपकपी", "कँपकँपी"), None),
        (TEXT.replace("५००", "500"), None),
        (TEXT.replace("मि. ग्रा.", "मिग्रा"), None),
        (TEXT.replace("५००", "५०"), "changes a number"),
        (TEXT.replace("मि. ग्रा.", "ग्रा."), "changes a number"),
        (TEXT.replace("दो बार", "तीन बार"), "changes a number"),
        (TEXT.replace("५०० मि. ग्रा. ", ""), "changes a number"),
        (TEXT[: len(TEXT) // 2], "changes too much"),
        (TEXT + " यह और बहुत कुछ, जो इस पृष्ठ पर आगे लिखा है", "changes too much"),
        (TEXT[::-1], "changes too much"),
        ("", "changes too much"),
    ],
)
def test_what_a_correction_may_change(correction: str, reason: str | None) -> None:
    assert reason_to_refuse(TEXT, correction, 0.2) == reason


def test_the_largest_share_itself_is_taken() -> None:
    assert reason_to_refuse("कखगघङ", "कखगघच", 0.2) is None
    assert reason_to_refuse("कखगघङ", "कखगचछ", 0.2) == "changes too much"
    assert reason_to_refuse("कखगघङ", "कखगघङ", 0.0) is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("१.५ ग्राम", [("1.5", "ग्राम")]),
        ("120/80 mmHg, 37 °C, 5 %", [("120/80", "mmhg"), ("37", "°c"), ("5", "%")]),
        ("10–15 mg/kg और 10-15 m.g. / kg", [("10-15", "mg/kg"), ("10-15", "mg/kg")]),
        ("विटामिन B12", [("12", "")]),
        ("पाँच दिन, पांच दिन, five", [("पांच", "दिन"), ("पांच", "दिन"), ("पांच", "")]),
        ("5 gold, दोष, onerous", [("5", "")]),
    ],
)
def test_numbers_and_their_units(text: str, found: list[tuple[str, str]]) -> None:
    assert measures(text) == found


def plain_distance(first: str, second: str) -> int:
    row = list(range(len(second) + 1))
    for index, letter in enumerate(first, 1):
        above, row = row, [index]
        for place, other in enumerate(second, 1):
            row.append(min(row[-1] + 1, above[place] + 1, above[place - 1] + (letter != other)))
    return row[-1]


@given(st.text("कखिa ", max_size=12), st.text("कखिa ", max_size=12))
def test_the_distance_is_that_of_the_table(first: str, second: str) -> None:
    assert edit_distance(first, second) == plain_distance(first, second)


def test_the_distance_of_long_texts() -> None:
    assert edit_distance("ज्वर " * 800, "ज्वार " * 800) == 800
