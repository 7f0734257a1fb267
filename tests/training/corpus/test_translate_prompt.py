"""Prompts and golds: read, and put back into the same layout."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.rows import read_rows
from training.corpus.translation import parse_gold, parse_prompt
from training.corpus.translation.gold import Choice, GoldError, choose


@pytest.mark.parametrize(
    ("text", "question", "options", "lead", "tail"),
    [
        ("Which?\nA. x\nB. y", "Which?", {"A": "x", "B": "y"}, "", ""),
        ("Which?\n\n(A) x\n(B) E. coli\n", "Which?", {"A": "x", "B": "E. coli"}, "", ""),
        ("Which? Answer Choices: A. x B. y", "Which?", {"A": "x", "B": "y"}, "Answer Choices:", ""),
        ("Which?\nOptions:\nA) x\nB) y", "Which?", {"A": "x", "B": "y"}, "Options:", ""),
        (
            "Which?\nA. x\nB. y\n\nReply with a letter.",
            "Which?",
            {"A": "x", "B": "y"},
            "",
            "Reply with a letter.",
        ),
        ("Which?\nA. x\nB. y\nPlease explain.", "Which?", {"A": "x", "B": "y"}, "", "Please explain."),
        ("Which?<br>A. x<br>B. y<br/>more", "Which?", {"A": "x", "B": "y<br/>more"}, "", ""),
        ("क्या? उत्तर विकल्प: A. हाँ बी। नहीं", "क्या?", {"A": "हाँ", "B": "नहीं"}, "उत्तर विकल्प:", ""),
        ("क्या? उत्तर विकल्प: ए. एक बी. दो", "क्या?", {"A": "एक", "B": "दो"}, "उत्तर विकल्प:", ""),
        ("Is E. coli\nE. coli?", "Is E. coli\nE. coli?", None, "", ""),
        ("Vitamin A. or B. complex it is", "Vitamin A. or B. complex it is", None, "", ""),
        ("  open?\n", "open?", None, "", ""),
    ],
)
def test_prompt(text: str, question: str, options: dict[str, str] | None, lead: str, tail: str) -> None:
    prompt = parse_prompt(text)
    assert (prompt.question, prompt.options, prompt.lead, prompt.tail) == (question, options, lead, tail)
    assert prompt.render() == text


@given(st.text(st.sampled_from(list("AaBbC.): (\n?|<>br/ बीए।E")), max_size=60))
def test_every_prompt_is_rendered_as_it_was(text: str) -> None:
    assert parse_prompt(text).render() == text


@pytest.mark.parametrize(
    ("text", "letter", "said"),
    [
        ("D", "D", ""),
        ("(d)", "D", ""),
        ("B. 1994", "B", "1994"),
        ("C) x", "C", "x"),
        ("(C) x", "C", "x"),
        ("बी। रासायनिक", "B", "रासायनिक"),
        ("सी. तल", "C", "तल"),
        ("E. coli", None, "E. coli"),
        ("C. difficile infection", None, "C. difficile infection"),
        ("A.S.O. titre", None, "A.S.O. titre"),
        ("Insulin", None, "Insulin"),
        ("a man", None, "a man"),
    ],
)
def test_gold(text: str, letter: str | None, said: str) -> None:
    gold = parse_gold(text)
    assert (gold.letter, gold.text) == (letter, said)
    assert gold.render() == text


OPTIONS = {"A": "60 mg", "B": "60 mg daily", "C": "Insulin.", "D": "Sodium  and water"}


@pytest.mark.parametrize(
    ("gold", "choice"),
    [
        ("C", Choice("C", "letter")),
        ("C. insulin", Choice("C", "letter")),
        ("A. 60 mg", Choice("A", "letter")),
        ("Sodium and water.", Choice("D", "text")),
        ("Insulin. Explanation: it lowers sugar.", Choice("C", "start", ". Explanation: it lowers sugar.")),
        ("60 mg daily: so it is.", Choice("B", "start", ": so it is.")),
        ("Something else", None),
    ],
)
def test_which_option_a_gold_names(gold: str, choice: Choice | None) -> None:
    assert choose(parse_gold(gold), OPTIONS) == choice


@pytest.mark.parametrize(
    ("gold", "words"),
    [
        ("A. Insulin", "names option A, '60 mg', but gives the text of option C"),
        ("A. nothing", "names option A, '60 mg', but says 'nothing'"),
        ("F. x", "names option F, the prompt has A, B, C, D"),
    ],
)
def test_a_gold_unlike_its_option_is_told(gold: str, words: str) -> None:
    with pytest.raises(GoldError, match=words):
        choose(parse_gold(gold), OPTIONS)


def test_the_west_sample(shared_data: Path) -> None:
    counts: Counter[str] = Counter()
    for row in read_rows(shared_data / "himed" / "HiMed-West_Corpus_sample.json").rows:
        text, written = str(row.fields["prompt"]), str(row.fields["ground_truth"])
        prompt, gold = parse_prompt(text), parse_gold(written)
        assert prompt.render() == text
        assert gold.render() == written
        if prompt.options is None:
            continue
        counts["options"] += 1
        latin = bool(gold.letter) and gold.label.isascii()
        counts["with letter"] += latin
        try:
            counts["agree"] += latin and choose(gold, prompt.options) is not None
        except GoldError:
            counts["differ"] += latin
    # 61 of 355 in the published count; 63 where case and a last point do not count, 64 to the letter.
    assert counts == {"options": 440, "with letter": 355, "agree": 292, "differ": 63}
