"""The prompts: exact wording, options, few-shot turns, and the hash that a run records."""

import json
import string
from dataclasses import replace
from pathlib import Path

import pytest

from app import prompts
from app.answers import extract_choice, parse_completion
from app.errors import InputError
from app.formats import FORMATS, Format
from app.languages import LANGUAGES
from app.prompts import INSTRUCTIONS, Example, build_messages, prompt_hash, render_completion, render_question

OPTIONS = {"A": "यकृत", "B": "हृदय (heart)"}


def contents(question: str, format: Format, language: str, options: dict[str, str] | None = None) -> list[str]:
    return [
        message["content"] for message in build_messages(question, format=format, language=language, options=options)
    ]


def test_plain_multiple_choice_in_hindi() -> None:
    assert contents("कौन सा अंग रक्त पम्प करता है?", "plain", "hi", OPTIONS) == [
        "कौन सा अंग रक्त पम्प करता है?\n"
        "A. यकृत\n"
        "B. हृदय (heart)\n"
        "\n"
        "केवल एक सही विकल्प चुनें। अंत में “उत्तर: X” के रूप में एक पंक्ति लिखें, जहाँ X आपके चुने हुए विकल्प का अक्षर है।"
    ]


def test_plain_multiple_choice_in_amharic() -> None:
    assert contents("ደም የሚረጨው አካል የትኛው ነው?", "plain", "Amharic", {"A": "ጉበት", "B": "ልብ"}) == [
        "ደም የሚረጨው አካል የትኛው ነው?\n"
        "A. ጉበት\n"
        "B. ልብ\n"
        "\n"
        "አንድ ትክክለኛ አማራጭ ብቻ ይምረጡ። ምላሽዎን “መልስ: X” በሚል መስመር ይጨርሱ፤ X የመረጡት አማራጭ ፊደል ነው።"
    ]


def test_plain_open_questions_ask_for_an_answer_in_the_language() -> None:
    assert contents("What pumps blood?", "plain", "en") == ["What pumps blood?\n\nAnswer in English."]
    assert contents("रक्त कौन पम्प करता है?", "plain", "hi-IN") == ["रक्त कौन पम्प करता है?\n\nहिन्दी में उत्तर दें।"]


def test_himed_asks_the_corpus_prompt_and_nothing_else() -> None:
    assert build_messages("कौन सा अंग?", format="himed", language="hi", options=OPTIONS) == [
        {"role": "user", "content": "कौन सा अंग?\nA. यकृत\nB. हृदय (heart)"}
    ]
    assert build_messages("कौन सा अंग?", format="himed", language="hi") == [{"role": "user", "content": "कौन सा अंग?"}]


def test_himed_prompts_equal_the_real_corpus(shared_data: Path) -> None:
    corpus = json.loads((shared_data / "himed" / "HiMed-West_Corpus_sample.json").read_text(encoding="utf-8"))
    compared = 0
    for row in corpus["questions"]:
        question, *lines = row["prompt"].split("\n")
        if [line[:3] for line in lines] != ["A. ", "B. ", "C. ", "D. "]:
            continue
        options = {line[0]: line[3:] for line in lines}
        assert contents(question, "himed", "hi", options) == [row["prompt"]]
        compared += 1
    assert compared > 300


def test_cure_med_multiple_choice_in_english() -> None:
    system, user = build_messages(
        "Which organ?", format="cure-med", language="en", options={"A": "Liver", "B": "Heart"}
    )
    assert system == {
        "role": "system",
        "content": (
            "You are an experienced physician who practises in many languages. "
            "Treat every medical question in this way:\n"
            "1. Search what you know for everything that bears on the question.\n"
            "2. Work out in English what exactly is being asked before you start to solve it.\n"
            "3. Reason mainly in English, and switch into the language of the question wherever its words come more "
            "naturally or say it more precisely.\n"
            "4. Weigh the possible answers against each other before you settle on one.\n"
            "5. Say plainly what you are unsure of or do not know.\n"
            "6. Give the final answer in the language of the question.\n"
            "\n"
            "Put the reasoning, as numbered steps, into one thinking block, and the final answer into one answer block "
            "behind it:\n"
            "<thinking><step1>…</step1><step2>…</step2></thinking>\n"
            "<answer>…</answer>"
        ),
    }
    assert user == {
        "role": "user",
        "content": (
            "The question is in English.\n"
            "\n"
            "Which organ?\n"
            "A. Liver\n"
            "B. Heart\n"
            "\n"
            "Think it through step by step in <thinking> </thinking>, in English. "
            "Then write the letter and the text of the one correct option in <answer> </answer>, "
            "in English only."
        ),
    }


@pytest.mark.parametrize(("code", "name"), [("hi", "Hindi"), ("am", "Amharic")])
def test_cure_med_open_questions_name_the_language_in_each_place(code: str, name: str) -> None:
    system, user = contents("प्रश्न?", "cure-med", code)
    assert name not in system
    assert user == (
        f"The question is in {name}.\n\nप्रश्न?\n\n"
        "Think it through step by step in <thinking> </thinking>, "
        f"mainly in English with natural switches into {name}. "
        f"Then write the final answer in <answer> </answer>, in {name} only."
    )


def test_braces_in_a_question_or_an_option_stay_as_they_are() -> None:
    options = {"A": r"$\frac{1}{2}$", "B": "{language}"}
    for format in FORMATS:
        assert "{x}?\nA. $\\frac{1}{2}$\nB. {language}" in contents("{x}?", format, "en", options)[-1]


def test_every_language_has_its_own_instruction() -> None:
    assert set(INSTRUCTIONS) == {language.code for language in LANGUAGES}
    for part in ("choose", "open"):
        assert len({getattr(instruction, part) for instruction in INSTRUCTIONS.values()}) == len(LANGUAGES)


@pytest.mark.parametrize("code", sorted(INSTRUCTIONS))
def test_the_answer_line_asked_for_is_the_one_that_examples_show_and_the_parser_reads(code: str) -> None:
    instruction = INSTRUCTIONS[code]
    assert instruction.answer_line.format(letter="X") in instruction.choose
    options = {"A": "1990", "B": "1994", "C": "2000"}
    completion = f"1990, 1994, 2000\n\n{instruction.answer_line.format(letter='B')}"
    assert extract_choice(completion, options).letter == "B"


def test_few_shot_examples_are_turns_in_the_formats_completion_form() -> None:
    examples = [Example("पहला?", OPTIONS, "B", "सोच"), Example("दूसरा?", {"A": "हाँ", "B": "नहीं"}, " हाँ")]
    shots: dict[Format, list[str]] = {
        "plain": ["सोच\n\nउत्तर: B", "उत्तर: A"],
        "himed": ["## Thinking\n\nसोच\n\n## Response\n\nB. हृदय (heart)", "## Response\n\nA. हाँ"],
        "cure-med": ["<thinking>सोच</thinking>\n<answer>B. हृदय (heart)</answer>", "<answer>A. हाँ</answer>"],
    }
    for format in FORMATS:
        messages = build_messages("तीसरा?", format=format, language="hi", options=OPTIONS, examples=examples)
        alone = build_messages("तीसरा?", format=format, language="hi", options=OPTIONS)
        first = build_messages("पहला?", format=format, language="hi", options=OPTIONS)
        roles = ["system"] * (format == "cure-med") + ["user", "assistant", "user", "assistant", "user"]
        assert [message["role"] for message in messages] == roles
        assert [m["content"] for m in messages if m["role"] == "assistant"] == shots[format]
        assert messages[-1] == alone[-1]
        assert messages[-5] == first[-1]


def test_open_examples_show_their_answer_as_it_is() -> None:
    example = Example("Why?", None, "Because.")
    messages = build_messages("How?", format="plain", language="en", examples=[example])
    assert [message["content"] for message in messages] == [
        "Why?\n\nAnswer in English.",
        "Because.",
        "How?\n\nAnswer in English.",
    ]


@pytest.mark.parametrize(
    ("answer", "problem"), [("C", "'C' names none"), ("yes", "'yes' names several"), ("", "'' names none")]
)
def test_an_example_whose_answer_is_no_one_option_is_refused(answer: str, problem: str) -> None:
    example = Example("q", {"A": "yes", "B": "yes"}, answer)
    with pytest.raises(InputError, match=f"field 'answer': the example's answer {problem} of its options; give"):
        build_messages("q", format="himed", language="hi", examples=[example])


@pytest.mark.parametrize("format", ["himed", "cure-med"])
def test_a_rendered_completion_parses_into_its_parts(format: Format) -> None:
    reasoning, answer = "<step1>\nपहला कदम.\n</step1>\n<step2>दूसरा</step2>", "B. हृदय (heart)\n\nक्योंकि"
    completion = parse_completion(render_completion(reasoning, answer, format), format)
    assert (completion.reasoning, completion.answer, completion.well_formed) == (reasoning, answer, True)
    bare = parse_completion(render_completion(None, answer, format), format)
    assert bare.answer == answer
    assert not bare.reasoning
    assert not bare.well_formed


@pytest.mark.parametrize(("reasoning", "whole"), [(None, "उत्तर: B"), ("सोच", "सोच\n\nउत्तर: B")])
def test_a_rendered_plain_completion_is_all_answer(reasoning: str | None, whole: str) -> None:
    completion = parse_completion(render_completion(reasoning, "उत्तर: B", "plain"), "plain")
    assert (completion.reasoning, completion.answer, completion.well_formed) == (None, whole, True)


def test_26_options_of_any_letters_are_the_most() -> None:
    letters = string.ascii_uppercase
    assert render_question("q", dict.fromkeys(letters, "x")).splitlines()[-1] == "Z. x"
    assert render_question("q", {"क": "x", "ख": "y"}) == "q\nक. x\nख. y"
    with pytest.raises(InputError, match="field 'options': 27 options; a multiple-choice question has 2 to 26"):
        render_question("q", dict.fromkeys([*letters, "Ä"], "x"))


@pytest.mark.parametrize("options", [{}, {"A": "x"}])
def test_fewer_than_two_options_are_refused(options: dict[str, str]) -> None:
    with pytest.raises(InputError, match=f"{len(options)} options; a multiple-choice question has 2 to 26"):
        build_messages("q", format="plain", language="en", options=options)


@pytest.mark.parametrize("mark", ["", "1", "AB", "."])
def test_an_option_is_marked_by_one_letter(mark: str) -> None:
    with pytest.raises(InputError, match=r"an option is marked .*; mark it by one letter"):
        render_question("q", {"A": "x", mark: "y"})


def test_an_unknown_language_is_refused_in_every_format() -> None:
    for format in FORMATS:
        with pytest.raises(InputError, match="unknown language 'xx'"):
            build_messages("q", format=format, language="xx")


def test_the_hash_is_stable_and_differs_between_formats() -> None:
    assert len({prompt_hash(format) for format in FORMATS}) == len(FORMATS)
    assert all(prompt_hash(format) == prompt_hash(format) for format in FORMATS)


@pytest.mark.parametrize("part", ["choose", "answer_line", "open"])
def test_the_plain_hash_changes_with_the_wording_of_one_language(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {format: prompt_hash(format) for format in FORMATS}
    changed = replace(INSTRUCTIONS["yo"], **{part: getattr(INSTRUCTIONS["yo"], part) + "."})
    monkeypatch.setattr(prompts, "INSTRUCTIONS", {**INSTRUCTIONS, "yo": changed})
    assert {format for format in FORMATS if prompt_hash(format) != before[format]} == {"plain"}


@pytest.mark.parametrize("name", ["CURE_MED_SYSTEM", "_CURE_MED_USER", "_CURE_MED_CHOICE_ANSWER"])
def test_the_cure_med_hash_changes_with_its_wording(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {format: prompt_hash(format) for format in FORMATS}
    monkeypatch.setattr(prompts, name, getattr(prompts, name) + " ")
    assert {format for format in FORMATS if prompt_hash(format) != before[format]} == {"cure-med"}
