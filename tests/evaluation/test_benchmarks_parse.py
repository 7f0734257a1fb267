"""Rows to items: every layout of the releases, options in every form, golds in every form, ids and clusters."""

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.benchmarks import Benchmark, Item, load_benchmark
from evaluation.benchmarks.options import find_gold, own_options, split_inline, split_lines
from evaluation.benchmarks.parse import cluster_of

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


def test_inline_options_count_only_when_the_gold_is_one_of_them(load: Any) -> None:
    question = "कौन? A. वात B. पित्त"

    assert only_item(load({"question": question, "answer": "पित्त"})).gold == "B"
    open_item = only_item(load({"question": question, "answer": "पित्त अधिक है।"}))
    assert (open_item.kind, open_item.question) == ("qa", question)


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


@given(st.lists(st.text(alphabet="xyzकखग 1", min_size=1).filter(str.strip), min_size=2, max_size=26))
def test_any_options_written_as_lines_are_read_back(texts: list[str]) -> None:
    lines = "\n".join(f"{chr(65 + i)}. {text}" for i, text in enumerate(texts))

    stem, options = split_lines(f"Question?\n{lines}")

    assert stem == "Question?"
    assert options is not None
    assert list(options.values()) == [text.strip() for text in texts]
