"""Which questions are the same."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.questions import cluster_of


@pytest.mark.parametrize(
    ("one", "other"),
    [("कौन  सा?", "कौन सा"), ("WHICH is it?", "which is it"), ("«Pourquoi ?»", "pourquoi"), ("क़लम", "क\u093cलम")],
)
def test_questions_that_differ_on_the_surface_share_a_cluster(one: str, other: str) -> None:
    assert cluster_of(one) == cluster_of(other)


@pytest.mark.parametrize(
    ("one", "other"), [("कला", "काला"), ("दिन", "दीन"), ("कि", "क"), ("राम्", "राम"), ("1.5", "15")]
)
def test_vowel_signs_and_the_virama_tell_clusters_apart(one: str, other: str) -> None:
    assert cluster_of(one) != cluster_of(other)


@given(st.text())
def test_any_text_has_a_cluster_that_its_normal_forms_share(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        return
    assert cluster_of(unicodedata.normalize("NFD", text)) == cluster_of(unicodedata.normalize("NFC", text))
