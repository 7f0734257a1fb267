"""The edges and brackets of a recognised text."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.corpus.passages import clean_text


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("  ## ज्वर का उपचार ##  ", "ज्वर का उपचार"),
        ("# # x", "x"),
        ("a  \t b\u00a0c", "a b c"),
        ("a  \n\n  b", "a\nb"),
        ("ज्वर ( बुखार ) में", "ज्वर (बुखार) में"),
        ("ज्वर (बुखार में", "ज्वर बुखार में"),
        ("ज्वर बुखार) में", "ज्वर बुखार में"),
        ("a ([b) c]", "a (b) c"),
        ("( [ x ] )", "([x])"),
        ("x ) y ( z", "x y z"),
        ("#(", ""),
        ("(#x", "x"),
    ],
)
def test_what_is_taken_away(text: str, cleaned: str) -> None:
    assert clean_text(text) == cleaned


@pytest.mark.parametrize(
    "text",
    [
        "1) ज्वर 2) खाँसी",
        "a) x b) y",
        "iv) x",
        "क) पहला ख) दूसरा",
        "१) एक",
        "(1) x (a) y",
        "सीमा (0, 1] और [0.5, 2) में",
        "(-5, +5]",
        "]0, 1[",
        "(see 1) here",
        r"\( x \) और \[ 0,1 ) \]",
        "$f( x$ है",
        "C# नहीं",
        "5 mg (2 × 3) [4]",
    ],
)
def test_what_survives(text: str) -> None:
    assert clean_text(text) == text


@pytest.mark.parametrize("run_wild", ["(]", "# (", "\\(", "[[[[}}}}"])
def test_a_recognition_that_has_run_wild_takes_no_minutes(run_wild: str) -> None:
    started = time.process_time()
    clean_text(run_wild * (14_000 // len(run_wild)))
    assert time.process_time() - started < 1


def test_an_interval_is_set_evenly() -> None:
    assert clean_text("[ 0 ,1 )") == "[0, 1)"


def test_an_enumerator_does_not_take_another_bracket_with_it() -> None:
    assert clean_text("1) ज्वर) y") == "1) ज्वर y"


@given(st.text(alphabet="()[]{}# \n\t1ax,।क$\\", max_size=40))
def test_a_second_cleaning_changes_nothing_and_no_letter_is_lost(text: str) -> None:
    cleaned = clean_text(text)
    assert clean_text(cleaned) == cleaned
    letters = [character for character in text if character in "1axक"]
    assert [character for character in cleaned if character in "1axक"] == letters
