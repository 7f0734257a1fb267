"""The audit of the releases' files: what is known to be wrong with them is found."""

from pathlib import Path

import pytest

from training.corpus.auditing import FileAudit, Finding, audit


def _find(file: FileAudit, name: str) -> Finding:
    return next(finding for finding in file.findings if finding.name == name)


def _himed(shared_data: Path, name: str) -> FileAudit:
    (file,) = audit([shared_data / "himed" / name]).files
    return file


def test_himed_west_bench(shared_data: Path) -> None:
    file = _himed(shared_data, "HiMed-West_Bench.json")
    constant = _find(file, "gold-constant")
    assert (constant.title, constant.count, constant.of) == ("All golds of source GPQA-med are D", 249, 249)
    double = _find(file, "question-and-options-repeated")
    assert (double.count, double.of, double.note) == (94, 1784, "0 of them with the options in the same order")
    assert _find(file, "question-repeated").count == 219
    assert _find(file, "question-near").count == 9
    assert _find(file, "gold-letter").share == pytest.approx(0.2377, abs=1e-4)
    longest = _find(file, "gold-longest")
    assert (longest.count, longest.of, longest.level) == (423, 1520, "warning")


def test_himed_trad_sample(shared_data: Path) -> None:
    file = _himed(shared_data, "HiMed-Trad_Corpus_sample.json")
    lines = _find(file, "options-without-lines")
    assert (lines.count, lines.of) == (11, 164)
    assert lines.note == "8 in running text; 1 behind <br>; 2 without any option"
    assert _find(file, "question-only-options").examples[0].row == 451


def test_himed_west_sample(shared_data: Path) -> None:
    file = _himed(shared_data, "HiMed-West_Corpus_sample.json")
    disagree = _find(file, "gold-disagrees")
    # Others count 61: the last line of a letter that stands twice, case and punctuation aside.
    assert (disagree.count, disagree.of) == (64, 355)
    glosses = _find(file, "gloss-before-vowel-sign")
    assert (glosses.level, glosses.count, glosses.of) == ("fault", 301, 18_183)
    assert "(block)ों" in glosses.examples[0].text
    assert _find(file, "reasoning-empty").count == 45


def test_the_lexicon(shared_data: Path) -> None:
    file = _himed(shared_data, "lexicon_en_hi.xlsx")
    assert file.rows == 45_915
    assert {finding.title.removeprefix("Corrupt rows: "): finding.count for finding in file.of_level("fault")} == {
        "letters of a third script": 44,
        "English words in the Hindi": 6,
        "no Hindi": 4,
        "zero-width space": 2,
        "sign without a letter": 2,
        "broken characters": 2,
        "Hindi without Devanagari": 1,
        "markup": 1,
    }
