"""Rows to items: every layout of the releases, options in every form, golds in every form, ids and clusters."""

import json
from pathlib import Path
from typing import Any

import pytest

from evaluation.benchmarks import Benchmark, Item, load_benchmark

FOUR = {"A": "वात", "B": "पित्त", "C": "कफ", "D": "रक्त"}


@pytest.fixture
def load(tmp_path: Path) -> Any:
    """Loads rows as a benchmark file; Hindi unless told otherwise."""

    def load_rows(*rows: dict[str, Any], language: str | None = "hi") -> Benchmark:
        path = tmp_path / "rows.json"
        path.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
        return load_benchmark(str(path), language=language)

    return load_rows


def only_item(benchmark: Benchmark) -> Item:
    assert benchmark.invalid == ()
    assert len(benchmark.items) == 1
    return benchmark.items[0]


def test_a_west_bench_row(load: Any) -> None:
    row = {"question_number": 3, "question": " कौन? ", "options": FOUR, "answer": "C", "source": "GPQA-med"}

    item = only_item(load(row))

    assert (item.row, item.number, item.kind, item.question) == (1, "3", "mcq", "कौन?")
    assert (item.options, item.gold, item.reference) == (FOUR, "C", "कफ")
    assert (item.language, item.groups) == ("hi", {"source": "GPQA-med"})
    assert len(item.id) == 16


def test_a_trad_mcq_row_has_its_options_inside_the_question(load: Any) -> None:
    row = {
        "question_number": "01", "subject": "etiology", "type": "MCQ", "system": "Unani", "source": "HiMed-trad",
        "question": "कौन?\nA. वात \nB. पित्त\nC. कफ\nD. रक्त", "answer": "B", "cot": "क्योंकि",
    }  # fmt: skip

    item = only_item(load(row))

    assert (item.kind, item.question, item.options, item.gold) == ("mcq", "कौन?", FOUR, "B")
    assert item.groups == {"system": "Unani", "type": "MCQ", "subject": "etiology", "source": "HiMed-trad"}


def test_a_trad_row_with_html_line_breaks(load: Any) -> None:
    item = only_item(load({"type": "MCQ", "question": "कौन?<br>A. वात<br/>B. पित्त", "answer": "A"}))

    assert (item.question, item.options) == ("कौन?", {"A": "वात", "B": "पित्त"})


def test_a_trad_dialogue_row_keeps_its_turns(load: Any) -> None:
    turns = "User: एक? Assistant: हाँ। User: और?"

    assert only_item(load({"type": "Dialogue", "question": turns, "answer": "नहीं।"})).kind == "dialogue"
    unlabelled = only_item(load({"question": turns, "answer": "नहीं।"}))
    assert (unlabelled.kind, unlabelled.question, unlabelled.options) == ("dialogue", turns, None)


def test_a_qa_row_with_a_list_keeps_it_in_the_question(load: Any) -> None:
    question = "कौन सही है?\nA. वात\nB. पित्त"

    item = only_item(load({"type": "QA", "question": question, "answer": "A"}))

    assert (item.kind, item.question, item.options, item.gold, item.reference) == ("qa", question, None, None, "A")


def test_a_west_corpus_row(load: Any) -> None:
    row = {"prompt": "वर्ष?\nA. 1990\nB. 1994", "Complex_CoT": "…", "ground_truth": "B. 1994", "source": "MedMCQA"}

    item = only_item(load(row))

    assert (item.kind, item.question, item.gold, item.reference) == ("mcq", "वर्ष?", "B", "1994")


def test_a_curemed_row_names_its_language(load: Any) -> None:
    item = only_item(load({"question": "Kwa nini?", "answer": "Kwa sababu.", "language": "Swahili"}, language=None))

    assert (item.kind, item.language, item.reference) == ("qa", "sw", "Kwa sababu.")


def test_the_language_argument_goes_before_the_row(load: Any) -> None:
    row = {"question": "Why?", "answer": "Because.", "language": "Swahili"}

    assert only_item(load(row, language="English")).language == "en"


def test_the_row_goes_before_the_file_name(tmp_path: Path) -> None:
    rows = [{"question": "Q?", "answer": "A", "language": "fr"}, {"question": "R?", "answer": "A"}]
    path = tmp_path / "Hindi.json"
    path.write_text(json.dumps(rows))

    assert [item.language for item in load_benchmark(str(path)).items] == ["fr", "hi"]


def test_inline_options_count_only_when_the_gold_is_one_of_them(load: Any) -> None:
    question = "कौन? A. वात B. पित्त"

    assert only_item(load({"question": question, "answer": "पित्त"})).gold == "B"
    open_item = only_item(load({"question": question, "answer": "पित्त अधिक है।"}))
    assert (open_item.kind, open_item.question) == ("qa", question)


def test_options_with_the_same_text_are_kept(load: Any) -> None:
    item = only_item(load({"question": "कौन?", "options": {"A": "x", "B": "x", "C": "y"}, "answer": "A"}))

    assert item.gold == "A"


def test_copies_get_their_own_ids_and_name_the_first(load: Any) -> None:
    row = {"question": "कौन?", "options": FOUR, "answer": "A"}
    turned = row | {"options": {"A": "पित्त", "B": "वात", "C": "कफ", "D": "रक्त"}, "answer": "B"}
    other_gold = row | {"answer": "B"}
    fewer = row | {"options": {"A": "वात", "B": "कफ"}}

    first, second, third, *others = load(row, row, row | {"source": "X"}, turned, other_gold, fewer).items

    assert (first.duplicate_of, second.id, third.id) == (None, f"{first.id}-2", f"{first.id}-3")
    assert [item.duplicate_of for item in (second, third)] == [first.id, first.id]
    assert [item.duplicate_of for item in others] == [first.id, None, None]
    assert "-" not in others[0].id
    assert len({item.cluster for item in (first, second, third, *others)}) == 1


def test_ids_do_not_depend_on_the_order_of_the_file(load: Any) -> None:
    rows = [{"question": f"प्रश्न {i}?", "options": FOUR, "answer": "A"} for i in range(5)]

    assert {i.question: i.id for i in load(*rows).items} == {i.question: i.id for i in load(*reversed(rows)).items}
