"""Options of a multiple-choice question in every form, and the gold among them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.options import find_gold, own_options, split_inline, split_lines


@pytest.mark.parametrize(
    ("text", "stem", "options"),
    [
        ("Q?\nA. x\nB. y", "Q?", {"A": "x", "B": "y"}),
        ("Q?\n(A) x\n(B) y", "Q?", {"A": "x", "B": "y"}),
        ("Q?\n A) x\n B) y\n\nC) z\n", "Q?", {"A": "x", "B": "y", "C": "z"}),
        ("Q?\nA.वात\nB.1990", "Q?", {"A": "वात", "B": "1990"}),
        ("Q?\nA. one\nand more\nB. two", "Q?", {"A": "one\nand more", "B": "two"}),
        ("Q?\nA. x\nB. E. coli\nC. y", "Q?", {"A": "x", "B": "E. coli", "C": "y"}),
        ("Q?\nA. x\nB. y\nC. z\nD. the germ\nE. coli", "Q?", {"A": "x", "B": "y", "C": "z", "D": "the germ\nE. coli"}),
        ("List:\nA. p\nB. q\nWhich?\nA. both\nB. none", "List:\nA. p\nB. q\nWhich?", {"A": "both", "B": "none"}),
        ("विटामिन\nA. कहाँ नहीं?\nA. x\nB. y", "विटामिन\nA. कहाँ नहीं?", {"A": "x", "B": "y"}),
        ("Q?\nA. x\nB. first\nA. stays\nC. z", "Q?", {"A": "x", "B": "first\nA. stays", "C": "z"}),
        ("Q?\nA.S.O. titre\nB. y", "Q?\nA.S.O. titre\nB. y", None),
        ("E. coli\nis what?", "E. coli\nis what?", None),
        ("Q?\nB. x\nC. y", "Q?\nB. x\nC. y", None),
        ("Q?\nA. alone", "Q?\nA. alone", None),
        ("Q A. x\nB. y", "Q A. x\nB. y", None),
        ("Q?\na. x\nb. y", "Q?\na. x\nb. y", None),
    ],
)
def test_option_lines(text: str, stem: str, options: dict[str, str] | None) -> None:
    assert split_lines(text) == (stem, options)


@pytest.mark.parametrize(
    ("text", "stem", "options"),
    [
        ("Q? A. x B. y C. z w", "Q?", {"A": "x", "B": "y", "C": "z w"}),
        ("Q?\n(A) x  (B) y\n(C) z  (D) w", "Q?", {"A": "x", "B": "y", "C": "z", "D": "w"}),
        ("Q? A. E. coli B. S. aureus", "Q?", {"A": "E. coli", "B": "S. aureus"}),
        ("विटामिन A. और B. की कमी? A. x B. y", "विटामिन A. और B. की कमी? A. x B. y", None),
        ("Q? A. x C. y", "Q? A. x C. y", None),
        ("Q? A. x", "Q? A. x", None),
    ],
)
def test_inline_options(text: str, stem: str, options: dict[str, str] | None) -> None:
    assert split_inline(text) == (stem, options)


@pytest.mark.parametrize(
    ("value", "options"),
    [
        ({"A": "x", "B": 5, "C": 0.5}, {"A": "x", "B": "5", "C": "0.5"}),
        ({"b": "y", "a": " x "}, {"A": "x", "B": "y"}),
        (["x", "y"], {"A": "x", "B": "y"}),
        (["A. x", "(B) y"], {"A": "x", "B": "y"}),
        (["A. x", "y"], {"A": "A. x", "B": "y"}),
    ],
)
def test_options_of_a_field(value: object, options: dict[str, str]) -> None:
    assert own_options(value) == options


@pytest.mark.parametrize(
    ("answer", "letter"),
    [
        ("B", "B"), ("b", "B"), ("(B)", "B"), ("B.", "B"), ("B)", "B"), ("B. E. coli", "B"), ("(B) anything", "B"),
        ("B: other words", "B"), ("E. coli", "B"), ("two  words", "C"), ("D. S. aureus", "D"),
    ],
)  # fmt: skip
def test_golds(answer: str, letter: str) -> None:
    options = {"A": "x", "B": "E. coli", "C": "two words", "D": "S. aureus", "E": "yeast"}

    assert find_gold(answer, options) == letter


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("F", "the gold answer 'F' is not among the options A, B, C"),
        ("other", "the gold answer 'other' is not among the options A, B, C"),
        ("same", "the gold answer is the text of the options A and B"),
        ("A. other one", "the gold answer names option A but gives the text of option C"),
    ],
)
def test_golds_that_name_no_option_or_two(answer: str, reason: str) -> None:
    with pytest.raises(ValueError, match=f"^{reason}$"):
        find_gold(answer, {"A": "same", "B": "same", "C": "other one"})


def test_a_letter_goes_before_an_option_that_reads_like_it() -> None:
    assert find_gold("A", {"A": "B", "B": "A"}) == "A"


@given(st.lists(st.text(alphabet="xyzकखग 1", min_size=1).filter(str.strip), min_size=2, max_size=26))
def test_any_options_written_as_lines_are_read_back(texts: list[str]) -> None:
    lines = "\n".join(f"{chr(65 + i)}. {text}" for i, text in enumerate(texts))

    stem, options = split_lines(f"Question?\n{lines}")

    assert stem == "Question?"
    assert options is not None
    assert list(options.values()) == [text.strip() for text in texts]
