"""Glosses at word boundaries, senses, and a lexicon's corrupt rows."""

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from app.lexicon import Lexicon
from training.corpus.translation.terms import Glosser, senses_of

PAIRS = [
    ("heart", "हृदय"),
    ("heart disease", "हृदय रोग"),
    ("disease", "रोग"),
    ("patient", "रोगी"),
    ("drug", "औषध"),
    ("pain", "वेदना"),
    ("Pain", "व्यथा"),
    ("fit", "(१) योग्य (२) मूर्च्छा, दांती लागना"),
    ("diabetes mellitus", "मधुमेह मोलिटस, मधुमेह"),
    ("x-ray", "एक्स-रे"),
    ("ph", "पीएच"),
    ("man", "मनुष्य"),
    ("ebola", "ebola"),
]


INSIDE_A_WORD = regex.compile(r"\(\p{Latin}[^()\p{Script=Devanagari}]*\)[\p{L}\p{M}\u200c\u200d]")


@pytest.fixture(scope="module")
def glosser() -> Glosser:
    return Glosser(Lexicon(PAIRS), frozenset({"ebola"}))


@pytest.mark.parametrize(
    ("english", "hindi", "glossed"),
    [
        ("The heart", "हृदय", "हृदय (heart)"),
        ("Heart, heart", "हृदय, हृदय", "हृदय (Heart), हृदय"),
        ("heart disease", "हृदय रोग है", "हृदय रोग (heart disease) है"),
        ("the disease of the patient", "रोगी का रोग", "रोगी (patient) का रोग (disease)"),
        ("the drug", "औषधि और औषधों", "औषधि और औषधों"),
        ("the drug", "औषधि, औषध।", "औषधि, औषध (drug)।"),
        ("pain", "व्यथा", "व्यथा (pain)"),
        ("diabetes mellitus", "मधुमेह मोलिटस", "मधुमेह मोलिटस (diabetes mellitus)"),
        ("diabetes mellitus", "मधुमेह का", "मधुमेह (diabetes mellitus) का"),
        ("x-ray", "एक्स-रे", "एक्स-रे (x-ray)"),
        ("heart", "हृदय (heart) में हृदय", "हृदय (heart) में हृदय"),
        ("heart", "हृदय-गति", "हृदय-गति"),
        ("heart", "हृदय\u200dगति", "हृदय\u200dगति"),
        ("a man", "मनुष्य", "मनुष्य"),
        ("pH", "पीएच", "पीएच (pH)"),
        ("ph", "पीएच", "पीएच"),
        ("sweetheart", "हृदय", "हृदय"),
    ],
)
def test_gloss(english: str, hindi: str, glossed: str, glosser: Glosser) -> None:
    found = glosser.gloss(english, hindi)
    assert found.text == glossed
    assert not INSIDE_A_WORD.search(found.text)


def test_a_term_without_its_hindi_is_told_and_nothing_is_forced(glosser: Glosser) -> None:
    found = glosser.gloss("The heart of the patient", "दिल रोगी का")
    assert (found.text, found.glossed, found.unglossed) == ("दिल रोगी (patient) का", ("patient",), ("heart",))


@given(
    st.lists(st.sampled_from([english for english, _ in PAIRS] + ["and", "the"]), max_size=8),
    st.lists(
        st.sampled_from([*"हृदय रोग रोगी औषध ि ों व्यथा । - ( )".split(), " ", " ", "\u200d"]),
        max_size=20,
    ),
)
def test_no_gloss_is_ever_inside_a_word(english: list[str], hindi: list[str]) -> None:
    said = "".join(hindi)
    found = Glosser(Lexicon(PAIRS)).gloss(" ".join(english), said)
    assert not INSIDE_A_WORD.search(found.text)
    for term in dict.fromkeys(found.glossed):
        assert f"({term})" in found.text
    without = found.text
    for term in found.glossed:
        without = without.replace(f" ({term})", "", 1)
    assert without == said


def test_senses() -> None:
    assert senses_of(["मधुमेह मोलिटस, मधुमेह", "मधुमेह"]) == ["मधुमेह मोलिटस", "मधुमेह"]
    assert senses_of(["(१) योग्य (२) मूर्च्छा, दांती लागना"]) == ["योग्य", "मूर्च्छा", "दांती लागना"]
    assert senses_of(["हृद\u200bय"]) == ["हृदय"]
    assert senses_of(["", "ebola", "ऑसीयус", "कैल्सियम clotting काल"]) == []
