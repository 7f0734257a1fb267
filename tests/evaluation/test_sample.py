"""The benchmark and the predictions that the project ships: whole, balanced, and each row in its language."""

import json
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import regex

from app.languages import LANGUAGES, get_language
from evaluation.benchmarks.registry import SAMPLE_FILE, load_benchmark
from evaluation.predictions import load_predictions

ROOT = Path(__file__).resolve().parents[2]
FOLDER = SAMPLE_FILE.parent

SUBJECTS = {"diagnosis", "etiology", "medical knowledge", "prognosis", "treatment"}
SYSTEMS = {"Western", "Ayurveda", "Homoeopathy", "Siddha", "Unani", "Yoga"}
LARGEST_SHARE_OF_A_LETTER = 0.35

SCRIPTS = {
    "Latn": r"\p{Latin}",
    "Deva": r"\p{Devanagari}",
    "Beng": r"\p{Bengali}",
    "Ethi": r"\p{Ethiopic}",
    "Thai": r"\p{Thai}",
    "Kore": r"\p{Hangul}",
    "Jpan": r"[\p{Hiragana}\p{Katakana}\p{Han}ー]",
}
# Names of tests, vaccines, vitamins and units that are written in Latin letters in every script.
NEUTRAL = regex.compile(r"(?<![A-Za-z])(?:HbA1c|CD4|ORS|BCG|Rh|mmHg|AB|[A-Z]\d{0,2})(?![A-Za-z])")
# What every text of a language written in Latin letters has: its own letters, or words that no sentence does without.
MARKS = {
    "en": r"\b(?:the|of|is|in|which)\b",
    "es": r"\b(?:los|las|el|la|del|durante|de)\b|[¿ñ]",
    "fr": r"\b(?:le|la|les|est|une|des|du)\b",
    "ha": r"\b(?:da|ya|ne|ce|yana|yake|jiki|ruwa)\b|[ɓɗƙ]",
    "sw": r"\b(?:na|ni|wa|ya|kwa|ndizo|maji|mwili)\b",
    "tr": r"[ığşİ]|\bve\b",
    "vi": r"[ăơưđạảấầẩậắặẹẻếềểệỉịọỏốồổộớờởợụủứừửự]",
    "yo": r"\p{L}*[ẹọṣ]",
}


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


ROWS = read_lines(SAMPLE_FILE)
CHOICES = [row for row in ROWS if row["type"] == "MCQ"]
PREDICTIONS = read_lines(FOLDER / "predictions.jsonl")


def row_id(row: dict[str, Any]) -> str:
    return str(row["id"])


def share_in_script(text: str, language: str) -> float:
    """Share of the letters, neutral terms aside, that are in the language's script."""
    letters = regex.findall(r"\p{L}", NEUTRAL.sub(" ", text))
    script = regex.compile(SCRIPTS[get_language(language).script])
    return sum(script.match(letter) is not None for letter in letters) / len(letters)


def by_number(rows: Iterable[dict[str, Any]]) -> dict[int, list[dict[str, Any]]]:
    translations = defaultdict(list)
    for row in rows:
        translations[row["number"]].append(row)
    return translations


@pytest.mark.parametrize("row", ROWS, ids=row_id)
def test_row_has_every_field_and_no_other(row: dict[str, Any]) -> None:
    fields = {"id", "number", "language", "type", "system", "subject", "question", "answer", "reasoning", "source"}
    assert set(row) == (fields | {"options"} if row["type"] == "MCQ" else fields)
    assert row["type"] in {"MCQ", "QA"}
    assert row["subject"] in SUBJECTS
    assert row["system"] in SYSTEMS
    assert isinstance(row["number"], int)
    assert row["id"].endswith("-" + get_language(row["language"]).code)
    for field in ("question", "answer", "reasoning", "source"):
        assert row[field] == row[field].strip() != ""


@pytest.mark.parametrize("row", CHOICES, ids=row_id)
def test_options_are_four_or_five_different_texts_and_hold_the_gold(row: dict[str, Any]) -> None:
    letters, texts = list(row["options"]), list(row["options"].values())
    assert letters in (list("ABCD"), list("ABCDE"))
    assert row["answer"] in row["options"]
    assert len({text.casefold() for text in texts}) == len(texts)
    assert all(text == text.strip() != "" for text in texts)


def test_ids_and_questions_are_unique() -> None:
    assert len({row["id"] for row in ROWS}) == len(ROWS)
    assert len({row["question"] for row in ROWS}) == len(ROWS)
    assert len({(row["language"], row["number"]) for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("language", [language.english for language in LANGUAGES])
def test_every_language_has_choices_and_open_questions(language: str) -> None:
    assert {row["type"] for row in ROWS if row["language"] == language} == {"MCQ", "QA"}


@pytest.mark.parametrize("rows", [CHOICES, [row for row in CHOICES if row["language"] == "Hindi"]], ids=["all", "hi"])
def test_no_letter_is_right_too_often(rows: list[dict[str, Any]]) -> None:
    golds = Counter(row["answer"] for row in rows)
    assert set(golds) == set("ABCDE")
    assert max(golds.values()) / len(rows) <= LARGEST_SHARE_OF_A_LETTER


def test_the_longest_option_is_no_better_than_a_guess() -> None:
    hits = sum(max(row["options"], key=lambda letter: len(row["options"][letter])) == row["answer"] for row in CHOICES)
    assert hits / len(CHOICES) <= LARGEST_SHARE_OF_A_LETTER


@pytest.mark.parametrize("row", ROWS, ids=row_id)
def test_text_is_in_the_script_of_its_language(row: dict[str, Any]) -> None:
    texts = [row["question"], row["reasoning"]] + ([row["answer"]] if row["type"] == "QA" else [])
    for text in texts:
        assert share_in_script(text, row["language"]) == 1.0, text
    for text in row.get("options", {}).values():
        # An option may be a bare value (37 °C) and hold no letter of any script.
        if regex.search(r"\p{L}", NEUTRAL.sub(" ", text)):
            assert share_in_script(text, row["language"]) == 1.0, text


@pytest.mark.parametrize("code", sorted(MARKS))
def test_texts_in_latin_letters_bear_the_marks_of_their_language(code: str) -> None:
    for row in ROWS:
        if get_language(row["language"]).code == code:
            text = " ".join((row["question"], row["reasoning"])).lower()
            assert regex.search(MARKS[code], text), row["id"]


def test_files_are_in_unicode_normal_form_c() -> None:
    for name in ("himed-sample.jsonl", "predictions.jsonl"):
        text = (FOLDER / name).read_text(encoding="utf-8")
        assert unicodedata.is_normalized("NFC", text)
        assert text.endswith("\n")


def test_translations_agree_in_kind_options_gold_groups_and_source() -> None:
    for rows in by_number(ROWS).values():
        shapes = {
            (
                row["id"].rpartition("-")[0],
                row["type"],
                len(row.get("options", {})),
                row["answer"] if row["type"] == "MCQ" else None,
                row["subject"],
                row["system"],
                row["source"],
            )
            for row in rows
        }
        assert len(shapes) == 1, rows[0]["id"]


def test_twelve_english_choices_stand_in_hindi_too() -> None:
    pairs = [rows for rows in by_number(CHOICES).values() if {"English", "Hindi"} <= {row["language"] for row in rows}]
    assert len(pairs) >= 12


def test_every_source_is_listed_with_its_facts() -> None:
    lines = (FOLDER / "SOURCES.md").read_text(encoding="utf-8").splitlines()
    listed = {
        (source.strip(), fact.strip())
        for source, facts in (line.strip("|").split("|") for line in lines if line.startswith("|"))
        for fact in facts.split(",")
    } - {("source", "facts taken"), ("source", "by id"), ("---", "---")}
    assert listed == {(row["source"], row["id"].rpartition("-")[0]) for row in ROWS}


def test_the_loader_takes_every_row() -> None:
    benchmark = load_benchmark("sample")
    assert len(benchmark.items) == len(ROWS)
    assert benchmark.invalid == ()
    assert benchmark.duplicates == 0
    golds = [(row["answer"] if row["type"] == "MCQ" else None) for row in ROWS]
    assert [item.gold for item in benchmark.items] == golds
    pairs = {item.number for item in benchmark.items if item.language == "en"}
    assert len(pairs & {item.number for item in benchmark.items if item.language == "hi"}) == 15


def test_predictions_name_one_item_each_by_id_or_exact_question() -> None:
    ids = {row["id"]: row for row in ROWS}
    questions = {row["question"]: row for row in ROWS}
    named = [ids[row["id"]] if "id" in row else questions[row["question"]] for row in PREDICTIONS]
    assert [row["language"] for row in named] == [row["language"] for row in PREDICTIONS]
    assert len({row["id"] for row in named}) == len(PREDICTIONS)
    assert {"id" in row for row in PREDICTIONS} == {True, False}
    assert all(("id" in row) != ("question" in row) for row in PREDICTIONS)
    open_ones = {row["language"] for row in named if row["type"] == "QA"}
    assert open_ones == {language.english for language in LANGUAGES}


def test_predictions_hold_every_case_that_a_report_shows() -> None:
    for row in PREDICTIONS:
        assert set(row) - {"id", "question"} == {
            "language",
            "response",
            "judge_language",
            "judge_correct",
            "finish_reason",
        }
        assert row["finish_reason"] in {"stop", "length"}
        assert row["response"].strip()
    for field in ("judge_language", "judge_correct"):
        assert {row[field] for row in PREDICTIONS} == {True, False, None}
        assert sum(row[field] for row in PREDICTIONS if row[field] is not None) > len(PREDICTIONS) / 2
    cut_off = [row for row in PREDICTIONS if row["finish_reason"] == "length"]
    assert cut_off
    assert not any(row["response"].endswith((".", "।", "。")) for row in cut_off)


def test_the_importer_takes_every_prediction() -> None:
    benchmark = load_benchmark("sample")
    questions = {row["id"]: row["question"] for row in ROWS}
    predictions = load_predictions(FOLDER / "predictions.jsonl", benchmark)
    assert predictions.invalid == ()
    assert predictions.unread == ()
    # Matched to the very items: in order of the benchmark, each with its own text.
    texts = {row.get("question") or questions[row["id"]]: row["response"] for row in PREDICTIONS}
    found = {benchmark.by_id[row.item_id].question: row.text for row in predictions.rows}
    assert found == texts


def test_the_licence_is_apache_2_with_the_authors_named() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert "The himed authors" in text
