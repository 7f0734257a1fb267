"""`extract_choice` over a table of real forms of answers, over arbitrary text, and over the published corpora."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest
from answer_cases import DRUGS, PLAIN, STATED
from answer_cases_hard import FINAL, NONE, SPECIAL
from hypothesis import given
from hypothesis import strategies as st

from app.answers import Choice, extract_choice
from app.languages import LANGUAGES
from app.prompts import INSTRUCTIONS


@pytest.mark.parametrize(("text", "letter"), PLAIN)
def test_a_bare_option_is_read(text: str, letter: str) -> None:
    assert extract_choice(text, DRUGS).letter == letter


@pytest.mark.parametrize(
    ("language", "text", "letter"), [(language, *case) for language, cases in STATED.items() for case in cases]
)
def test_a_statement_is_read(language: str, text: str, letter: str | None) -> None:
    assert extract_choice(text, DRUGS).letter == letter


@pytest.mark.parametrize(("language", "text"), [(language, text) for language, texts in NONE.items() for text in texts])
def test_what_is_no_single_answer_is_none(language: str, text: str) -> None:
    assert extract_choice(text, DRUGS).letter is None


@pytest.mark.parametrize(("text", "letter"), FINAL)
def test_the_final_statement_decides(text: str, letter: str | None) -> None:
    assert extract_choice(text, DRUGS).letter == letter


@pytest.mark.parametrize(("options", "text", "letter"), SPECIAL)
def test_options_that_look_like_answers(options: dict[str, str], text: str, letter: str | None) -> None:
    assert extract_choice(text, options).letter == letter


@pytest.mark.parametrize("language", [language.code for language in LANGUAGES])
def test_the_answer_line_that_the_prompts_ask_for_is_read(language: str) -> None:
    line = INSTRUCTIONS[language].answer_line
    assert {letter: extract_choice(line.format(letter=letter), DRUGS).letter for letter in DRUGS} == {
        letter: letter for letter in DRUGS
    }
    assert extract_choice(f"Aspirin, heparin.\n\n{line.format(letter='C')}", DRUGS) == Choice("C", "stated")


@pytest.mark.parametrize(
    ("text", "tier"),
    [
        (r"So it is \boxed{D}.", "boxed"),
        ("Answer: D", "stated"),
        ("D", "bare"),
        ("Clopidogrel", "option text"),
        ("Answer: clopidogrel", "option text"),
        ("The most likely drug is clopidogrel.", "quoted"),
        ("Answer: F", "no such option"),
        ("Answer: A or B", "ambiguous"),
        ("Answer: A\nAnswer: B", "ambiguous"),
        ("It depends.", "absent"),
    ],
)
def test_the_tier_says_how_the_letter_was_found(text: str, tier: str) -> None:
    assert extract_choice(text, DRUGS).tier == tier


def test_the_letter_is_the_key_as_the_options_have_it() -> None:
    assert extract_choice("Answer: B", {"a": "x", "b": "y"}).letter == "b"
    assert extract_choice("उत्तर: ख", {"P": "x", "Q": "y"}).letter == "Q"


PARTS = st.sampled_from(
    [
        *"ABCDEFZabd.,;:()[]{}*-—?!।\n \"'",
        *"A B C D I".split(),
        *" answer, Answer:, is, not, or, and, correct, option, because, wait, Aspirin, heparin, E. coli".split(","),
        *"उत्तर सही विकल्प है नहीं या क ख डी गलत 正解 は です 정답 은".split(),
        *"คำตอบ คือ መልስ ነው উত্তর cevap đáp án jibu ni amsa".split(),
        "\\boxed{",
        "\\boxed{D}",
        "\ud800",
        "\u200b",
        "１",
    ]
)
OPTIONS = st.dictionaries(
    st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    st.one_of(st.text(max_size=12), st.sampled_from(["A", "B", "Aspirin", "A and B", "है", "", "-4", "."])),
    min_size=2,
)


@given(
    text=st.one_of(st.text(), st.lists(PARTS, max_size=30).map("".join), st.lists(PARTS).map(" ".join)), options=OPTIONS
)
def test_any_text_is_read_and_no_letter_outside_the_options_returned(text: str, options: dict[str, str]) -> None:
    choice = extract_choice(text, options)
    assert choice.letter is None or choice.letter in options
    assert (choice.letter is None) == (choice.tier in ("absent", "ambiguous", "no such option"))


@given(options=OPTIONS, data=st.data())
def test_a_boxed_letter_is_that_letter_or_ambiguous(options: dict[str, str], data: st.DataObject) -> None:
    letter = data.draw(st.sampled_from(sorted(options)))
    assert extract_choice(f"\\boxed{{{letter}}}", options).letter in (letter, None)


@pytest.mark.parametrize(
    "piece",
    [*["A or ", "Answer: A. A is wrong. ", "correct option ", "\\boxed{", "(", "x", " ", "Aspirin "],
     *["D सही है। ", "答", "not ", "A) Aspirin\n", "~~a", "<a", "**"]],
)  # fmt: skip
def test_a_long_run_of_anything_is_read(piece: str) -> None:
    text = piece * (200_000 // len(piece))
    assert extract_choice(f"{text}\nCalled off. So the final answer is: C", DRUGS).letter in ("C", None)


def options_in(question: str) -> dict[str, str]:
    """The options that stand inside a question, on lines of their own or one after the other."""
    found = re.findall(r"(?:^|[\s>])\(?([A-J])[.)]\s*(.*?)(?=(?:<br>|\s)\(?[A-J][.)]\s|\Z)", question, re.DOTALL)
    options: dict[str, str] = {}
    for letter, text in found:
        options.setdefault(letter, text.replace("<br>", " ").strip())
    return options


def test_explanations_of_the_traditional_corpus_are_read_without_an_error(shared_data: Path) -> None:
    rows = json.loads((shared_data / "himed" / "HiMed-Trad_Corpus_sample.json").read_text(encoding="utf-8"))
    rows = [row for row in rows if row["type"] == "MCQ"]
    outcome: Counter[str] = Counter()
    for row in rows:
        letter = extract_choice(row["cot"], options_in(row["question"])).letter
        outcome["unread" if letter is None else "right" if letter == row["answer"] else "wrong"] += 1
    # Most of the unread explain the option in other words and never name it.
    assert outcome["wrong"] == 0
    assert outcome["right"] >= 78
    assert outcome.total() == 164


def test_the_western_corpus_answers_are_read(shared_data: Path) -> None:
    rows = json.loads((shared_data / "himed" / "HiMed-West_Corpus_sample.json").read_text(encoding="utf-8"))[
        "questions"
    ]
    outcome: Counter[str] = Counter()
    for row in rows:
        options, truth = options_in(row["prompt"]), row["ground_truth"] or ""
        gold = re.match(r"\s*\(?([A-J])[.)]", truth)
        if gold and len(options) > 1:
            choice = extract_choice(truth, options)
            outcome[choice.tier if choice.letter is None else "right" if choice.letter == gold[1] else "wrong"] += 1
    assert outcome["wrong"] == 0
    assert outcome["ambiguous"] == 2  # the letter and the text are two options': errors of the data
    assert outcome["right"] >= 345


@pytest.mark.parametrize(
    "form",
    ["{letter}", "({letter}) {text}", "{letter}. {text}", "सही उत्तर {letter}—{text} है।", "विकल्प {letter} सही है।",
     "{text}",
     "सही उत्तर है {text}।", "Answer: {letter}. {text}", "Answer: {letter}\n\n{all}", "{all}\n\nAnswer: {letter}"],
)  # fmt: skip
def test_no_option_of_the_western_benchmark_is_read_as_another(form: str, shared_data: Path) -> None:
    rows = json.loads((shared_data / "himed" / "HiMed-West_Bench.json").read_text(encoding="utf-8"))["questions"]
    read = 0
    for place, row in enumerate(rows):
        options = row["options"]
        letter = sorted(options)[place % len(options)]
        listed = "\n".join(f"{one}. {text}" for one, text in options.items())
        found = extract_choice(form.format(letter=letter, text=options[letter], all=listed), options).letter
        assert found in (letter, None), (row["question_number"], letter)
        read += found is not None
    assert read >= 0.985 * len(rows)  # options that are equal but for their case or their last point stay unread


@pytest.mark.parametrize("form", ["विकल्प {letter} गलत है।", "{letter} नहीं", "{all}", "The answer is not {letter}."])
def test_no_option_of_the_western_benchmark_is_read_where_none_is_stated(form: str, shared_data: Path) -> None:
    rows = json.loads((shared_data / "himed" / "HiMed-West_Bench.json").read_text(encoding="utf-8"))["questions"]
    for place, row in enumerate(rows):
        options = row["options"]
        letter = sorted(options)[place % len(options)]
        listed = "\n".join(f"{one}. {text}" for one, text in options.items())
        found = extract_choice(form.format(letter=letter, all=listed), options).letter
        assert found is None, (row["question_number"], found)


def test_a_bare_letter_is_its_option_unless_another_options_text_is_that_letter() -> None:
    assert extract_choice("D", {"A": "एक", "D": "दो"}) == Choice("D", "bare")
    assert extract_choice("D", {"A": "D", "D": "दो"}).letter is None
