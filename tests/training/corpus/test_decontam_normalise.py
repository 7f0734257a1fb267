"""What two questions must share to be the same: nothing of Hindi is lost, and nothing of the surface counts."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.corpus.decontamination.normalise import compared_form, fold_numbers, normalise, part_words, read_texts

DEVANAGARI = st.text(st.characters(min_codepoint=0x0900, max_codepoint=0x097F) | st.sampled_from(" .,"), max_size=60)
ANY = st.text(st.characters(exclude_categories=("Cs",)), max_size=60)


def marks(text: str) -> list[str]:
    return [c for c in unicodedata.normalize("NFC", text) if unicodedata.category(c).startswith("M")]


@given(DEVANAGARI)
def test_every_vowel_sign_virama_and_nukta_stays(text: str) -> None:
    letters = [c for c in unicodedata.normalize("NFC", text) if unicodedata.category(c)[0] in "LM"]

    if any(unicodedata.category(c).startswith("L") for c in letters):
        assert [c for c in normalise(text) if unicodedata.category(c)[0] in "LM"] == letters
    assert marks(normalise(text)) == marks(text)


@given(ANY)
def test_normalising_twice_changes_nothing_more(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)
    assert normalise(unicodedata.normalize("NFD", text)) == normalise(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("कला क्या है?", "काला क्या है?"),
        ("कि", "की"),
        ("राम्", "राम"),
        ("पढ़ना", "पढना"),
        ("क़लम", "कलम"),
    ],
)
def test_words_that_differ_by_a_sign_are_told_apart(one: str, other: str) -> None:
    assert normalise(one) != normalise(other)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("ज्वर का कारण क्या है?", "ज्वर का कारण क्या है"),
        ("ज्वर है। कारण?", "ज्वर है . कारण"),
        ("क्\u200dया  है", "क्या\u00a0है"),
        ("दवा\u200bकब", "दवा कब"),
        ("\ufeffज्वर", "ज्वर"),
        ("पढ़", "पढ\u093c"),
        ("४५ वर्ष", "45 वर्ष"),
        ("What IS Sjögren’s?", "what is sjo\u0308gren s"),
        ("B.P. 120/80", "b p 120 80"),
    ],
)
def test_the_surface_does_not_count(text: str, same: str) -> None:
    assert normalise(text) == normalise(same)


def test_a_text_without_letters_keeps_its_signs() -> None:
    assert normalise("((-7 * 2) - 5) =") == "((-7 * 2) - 5) ="
    assert normalise("((-7 * 2) - 5) =") != normalise("((7 + 2) - 5) =")


@pytest.mark.parametrize(
    ("text", "folded"),
    [("45 वर्ष", "0 वर्ष"), ("4 5 mg b12 2", "0 mg b12 0"), ("b12", "b12"), ("", ""), ("वर्ष 3", "वर्ष 0")],
)
def test_numbers_are_words_of_their_own(text: str, folded: str) -> None:
    assert fold_numbers(text) == folded


def test_a_short_question_is_told_by_its_number() -> None:
    assert compared_form("कारक 8 की कमी") != compared_form("कारक 9 की कमी")
    long = "एक {} वर्षीय रोगी को तीन दिन से तेज बुखार और सिर दर्द है"
    assert compared_form(long.format(45)) == compared_form(long.format(62))


def test_scripts_without_blanks_have_words() -> None:
    assert part_words("熱の原因") == "熱 の 原 因"
    assert part_words("ที่นี่") == "ที่ นี่"
    assert part_words("ज्वर का कारण") == "ज्वर का कारण"


OPTIONS = {"A": "वात", "B": "पित्त", "C": "कफ"}
STEM = "ज्वर किस दोष से होता है?"


@pytest.mark.parametrize(
    "row",
    [
        {"question": STEM, "options": OPTIONS},
        {"question": STEM, "options": ["कफ", "वात", "पित्त।"]},
        {"question": f"{STEM}\nA. कफ\nB. पित्त\nC. वात", "type": "MCQ", "answer": "A"},
        {"prompt": f"{STEM}<br>(A) पित्त<br>(B) कफ<br>(C) वात", "ground_truth": "A. पित्त"},
        {"question": f"{STEM} A. कफ B. पित्त C. वात", "type": "MCQ"},
    ],
)
def test_options_in_any_order_and_layout_are_the_same(row: dict[str, object]) -> None:
    texts = read_texts(row)

    assert texts.stem == "ज्वर किस दोष से होता है"
    assert texts.options == ("कफ", "पित्त", "वात")


def test_an_open_question_has_no_options() -> None:
    texts = read_texts({"id": "b-p1-q1", "passage_id": "b-p1", "context": "  ", "question": STEM, "answer": "पित्त।"})

    assert (texts.whole, texts.options, texts.answer) == (texts.stem, (), "पित्त")
    assert (texts.id, texts.passage, texts.context) == ("b-p1-q1", "b-p1", None)


def test_options_that_cannot_be_used_do_not_hide_the_question() -> None:
    assert read_texts({"question": STEM, "options": 7}).stem == normalise(STEM)
    assert read_texts({"response": "x"}).stem == ""
