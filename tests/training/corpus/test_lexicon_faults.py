"""Corrupt rows of a lexicon."""

import pytest

from training.corpus.lexicon_faults import row_faults


@pytest.mark.parametrize(
    ("english", "hindi", "faults"),
    [
        ("heart", "हृदय", []),
        ("ebola", "ebola", ["Hindi without Devanagari"]),
        ("x", "", ["no Hindi"]),
        ("", "हृदय", ["no English"]),
        ("ami否 acid", "अम्ल", ["letters of a third script"]),
        ("a", "ि", ["sign without a letter"]),
        ("b", "क\ufffd", ["broken characters"]),
        ("b", "#NAME? क", ["broken characters"]),
        ("हृदय", "हृदय", ["Devanagari in the English"]),
        ("clotting time", "clotting काल", ["English words in the Hindi"]),
    ],
)
def test_what_is_wrong_with_a_row(english: str, hindi: str, faults: list[str]) -> None:
    assert row_faults(english, hindi) == faults
