"""Corrupt rows of a lexicon."""

from collections import Counter
from pathlib import Path

import pytest

from app.lexicon import read_lexicon_rows
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


def test_the_real_lexicon(shared_data: Path) -> None:
    rows = list(read_lexicon_rows(shared_data / "himed" / "lexicon_en_hi.xlsx"))
    assert len(rows) == 45_915
    assert Counter(fault for _row, english, hindi in rows for fault in row_faults(english, hindi)) == {
        "letters of a third script": 44,
        "English words in the Hindi": 6,
        "no Hindi": 4,
        "zero-width space": 2,
        "sign without a letter": 2,
        "broken characters": 2,
        "Hindi without Devanagari": 1,
        "markup": 1,
    }
