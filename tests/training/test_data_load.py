"""Rows of every layout to instances; rows that cannot be used are set aside by name, never cut."""

from pathlib import Path
from typing import Any

import pytest
from data_rows import CURE_MED, QUESTION, TRAD, TRIPLE, WEST, count_words, write_rows

from app.answers import parse_completion
from app.errors import InputError
from app.options import fold_space
from app.prompts import build_messages
from app.rows import read_rows
from training.data import DataReport, check_data, load_examples, load_rl_prompts, load_triples
from training.rewards.template import pair_text


def set_aside(report: DataReport) -> list[tuple[int, str, str]]:
    return [(row.row, row.field, row.reason) for row in report.set_aside]


def test_la_is_the_prompt_and_the_ground_truth_only(tmp_path: Path) -> None:
    west, trad = write_rows(tmp_path / "west.json", WEST), write_rows(tmp_path / "trad.jsonl", TRAD)

    (one, other), report = load_examples([west, trad], "la")

    assert one.messages == ({"role": "user", "content": "वर्ष?\nA. 1990\nB. 1994"},)
    assert (one.completion, one.language, one.question) == ("B. 1994", "hi", "वर्ष?")
    assert (one.file, one.row, one.groups) == (west, 1, {"source": "MedMCQA"})
    assert other.messages == ({"role": "user", "content": "कौन सा दोष?\nA. वात\nB. पित्त"},)
    assert other.completion == "B"
    assert other.groups == {"type": "MCQ", "system": "Unani", "subject": "etiology", "source": "HiMed-trad"}
    assert [file.layout for file in report.files] == ["himed-west", "himed-trad"]


def test_la_needs_no_reasoning_but_rc_does(tmp_path: Path) -> None:
    file = write_rows(tmp_path / "west.json", WEST, WEST | {"Complex_CoT": "", "prompt": "और?"})

    assert len(load_examples([file], "la")[0]) == 2
    examples, report = load_examples([file], "rc")
    assert [example.row for example in examples] == [1]
    assert set_aside(report) == [(2, "Complex_CoT", "the reasoning is missing or empty")]


def test_rc_completes_with_reasoning_and_answer_in_himeds_format(tmp_path: Path) -> None:
    (example,), _ = load_examples([write_rows(tmp_path / "west.json", WEST)], "rc")

    assert example.completion == "## Thinking\n\nवर्ष 1994 था।\n\n## Response\n\nB. 1994"
    assert example.chat == [*example.messages, {"role": "assistant", "content": example.completion}]


def test_sft_has_the_system_prompt_and_the_tags_once(tmp_path: Path) -> None:
    (example,), report = load_examples([write_rows(tmp_path / "x.jsonl", CURE_MED)], "sft")

    expected = build_messages("Kwa nini homa hutokea?", format="cure-med", language="sw")
    assert list(example.messages) == expected
    assert [message["role"] for message in expected] == ["system", "user"]
    assert example.completion == f"{CURE_MED['reasoning']}\n{CURE_MED['answer']}"
    assert parse_completion(example.completion, "cure-med").well_formed
    assert report.notes == ()


def test_a_curemed_question_with_a_list_is_asked_as_it_stands(tmp_path: Path) -> None:
    row = CURE_MED | {"question": "Ipi?\nA. moja\nB. mbili"}

    (example,), _ = load_examples([write_rows(tmp_path / "x.jsonl", row)], "sft")

    assert example.question == "Ipi?\nA. moja\nB. mbili"
    assert "Ipi?\nA. moja\nB. mbili" in example.messages[-1]["content"]


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"reasoning": "<step1>x</step1>"}, "reasoning", "the <thinking> block is missing"),
        ({"reasoning": "<thinking>x"}, "reasoning", "the <thinking> block is not closed"),
        ({"reasoning": "x</thinking>"}, "reasoning", "the <thinking> block is not opened"),
        ({"reasoning": "<thinking><thinking>x</thinking>"}, "reasoning", "there is more than one <thinking> block"),
        ({"reasoning": "So: <thinking>x</thinking>"}, "reasoning", "text stands outside the <thinking> block"),
        ({"reasoning": "<thinking> </thinking>"}, "reasoning", "the <thinking> block is empty"),
        ({"reasoning": ""}, "reasoning", "the reasoning is missing or empty"),
        ({"reasoning": "<thinking>x <answer>y</answer></thinking>"}, "reasoning",
         "the completion's own markers stand inside the reasoning or the answer"),
        ({"reasoning": "x", "answer": "y"}, "reasoning", "the <thinking> and <answer> blocks are missing"),
        ({"answer": "y"}, "answer", "the <answer> block is missing"),
        ({"answer": "<answer>y</answer><answer>z</answer>"}, "answer", "there is more than one <answer> block"),
        ({"answer": None}, "answer", "the field is empty"),
        ({"question": 5}, "question", "the field is a number, not text"),
        ({"language": ""}, "language", "the language is missing"),
        ({"language": "Klingon"}, "language", "unknown language 'Klingon'"),
    ],
)  # fmt: skip
def test_a_malformed_curemed_row_is_set_aside(change: Any, field: str, reason: str, tmp_path: Path) -> None:
    examples, report = load_examples([write_rows(tmp_path / "x.jsonl", CURE_MED, CURE_MED | change)], "sft")

    assert len(examples) == 1
    assert set_aside(report) == [(2, field, reason)]


def test_steps_out_of_order_are_noted_and_kept(tmp_path: Path) -> None:
    wrong = CURE_MED | {"reasoning": "<thinking><step1>a</step2></thinking>"}
    none = CURE_MED | {"reasoning": "<thinking>a</thinking>"}

    examples, report = load_examples([write_rows(tmp_path / "x.jsonl", CURE_MED, wrong, none)], "sft")

    assert len(examples) == 3
    assert [(row.row, row.reason) for row in report.notes] == [
        (2, "the step tags are not in pairs from 1 upwards"),
        (3, "the reasoning has no step tags"),
    ]


def test_a_heading_inside_himeds_reasoning_is_set_aside(tmp_path: Path) -> None:
    row = WEST | {"Complex_CoT": "एक\n## Response\nदो"}

    _, report = load_examples([write_rows(tmp_path / "west.json", WEST, row)], "rc")

    assert set_aside(report) == [
        (2, "Complex_CoT", "the completion's own markers stand inside the reasoning or the answer")
    ]


def test_missing_fields_broken_lines_and_golds_without_an_option_are_set_aside(tmp_path: Path) -> None:
    gone = {key: value for key, value in TRAD.items() if key != "answer"}
    file = write_rows(tmp_path / "trad.jsonl", TRAD, gone, TRAD | {"answer": "E"}, TRAD | {"question": "कौन?"})
    file.write_text(file.read_text() + '{"question": \n[1]\n')

    examples, report = load_examples([file], "la")

    assert len(examples) == 1
    assert [row[:2] for row in set_aside(report)] == [
        (2, "answer"), (3, "answer"), (4, "options"), (5, "row"), (6, "row"),
    ]  # fmt: skip
    (summary,) = report.files
    assert (summary.rows, summary.kept, summary.set_aside) == (6, 1, 5)
    assert all(row.file == str(file) for row in report.set_aside)


def test_a_row_over_the_length_is_set_aside_whole_and_counted_with_its_prompt(tmp_path: Path) -> None:
    file = write_rows(tmp_path / "west.json", WEST, WEST | {"Complex_CoT": "शब्द " * 100})

    examples, report = load_examples([file], "rc", count_tokens=count_words, max_length=20)

    assert [example.row for example in examples] == [1]
    assert set_aside(report) == [(2, "row", "longer than 20 tokens")]
    exact = count_words(examples[0].chat)
    assert len(load_examples([file], "rc", count_tokens=count_words, max_length=exact)[0]) == 1
    with pytest.raises(InputError, match=f"none of the 2 rows can be used: longer than {exact - 1} tokens"):
        load_examples([file], "rc", count_tokens=count_words, max_length=exact - 1)


def test_a_length_without_a_tokenizer_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a longest length without a tokenizer"):
        load_examples([write_rows(tmp_path / "west.json", WEST)], "rc", max_length=5)


def test_rl_prompts_carry_reasoning_and_answer_and_are_measured_without_them(tmp_path: Path) -> None:
    files = [
        write_rows(tmp_path / "west.json", WEST),
        write_rows(tmp_path / "sft.jsonl", CURE_MED),
        write_rows(tmp_path / "q.jsonl", QUESTION),
    ]

    himed, curemed, bare = load_rl_prompts(files, count_tokens=count_words, max_length=1000)[0]

    assert himed.reference == "वर्ष 1994 था।\n\nB. 1994"
    assert himed.chat == [{"role": "user", "content": "वर्ष?\nA. 1990\nB. 1994"}]
    assert curemed.answer == "Kwa sababu ya maambukizi."
    assert (curemed.reasoning or "").startswith("<step1>First")
    assert (bare.reference, bare.reasoning, bare.language) == ("Une infection.", None, "fr")
    assert [message["role"] for message in bare.messages] == ["system", "user"]


def test_triples_take_verdicts_in_every_form_and_a_row_without_one_is_set_aside(tmp_path: Path) -> None:
    judged = {"response": "b", "reference": "x", "judge_correct": 0, "question": "Q?", "language": "French"}
    rows = [TRIPLE, judged, TRIPLE | {"response": "c", "correct": "False"}, TRIPLE | {"correct": None}]
    rows += [TRIPLE | {"correct": "maybe"}, TRIPLE | {"response": " "}, {"response": "x", "reference": "y"}]

    triples, report = load_triples([write_rows(tmp_path / "t.jsonl", *rows)])

    assert [(triple.response, triple.correct) for triple in triples] == [
        ("Ni malaria.", True), ("b", False), ("c", False),
    ]  # fmt: skip
    assert (triples[1].question, triples[1].language) == ("Q?", "fr")
    assert (triples[0].question, triples[0].language) == (None, None)
    assert triples[0].chat == [{"role": "user", "content": pair_text("Ni malaria.", "Malaria.")}]
    assert set_aside(report) == [
        (4, "correct", "there is no verdict"),
        (5, "correct", "the verdict is neither true nor false"),
        (6, "response", "the field is empty"),
        (7, "correct", "the field is missing"),
    ]


def test_exact_duplicates_are_taken_once_across_files(tmp_path: Path) -> None:
    one = write_rows(tmp_path / "a.json", WEST, WEST, WEST | {"Complex_CoT": "अन्य"})
    two = write_rows(tmp_path / "b.json", WEST | {"source": "other"})

    examples, report = load_examples([one, two], "rc")

    assert [(example.file.name, example.row) for example in examples] == [("a.json", 1), ("a.json", 3)]
    assert [(Path(d.file).name, d.row, Path(d.first_file).name, d.first_row) for d in report.duplicates] == [
        ("a.json", 2, "a.json", 1),
        ("b.json", 1, "a.json", 1),
    ]


def test_shards_of_a_folder_are_read_in_order_and_must_be_complete(tmp_path: Path) -> None:
    for number in (1, 2, 10, 3, 4, 5, 6, 7, 8, 9):
        write_rows(
            tmp_path / "c" / f"West.part{number}.json", WEST | {"prompt": f"प्रश्न {number}?", "ground_truth": "x"}
        )

    examples, _ = load_examples([tmp_path / "c"], "la")

    assert [example.question for example in examples] == [f"प्रश्न {number}?" for number in range(1, 11)]
    (tmp_path / "c" / "West.part4.json").unlink()
    with pytest.raises(InputError, match="shard 0004 is missing"):
        load_examples([tmp_path / "c"], "la")


def test_a_file_of_another_stage_or_of_no_layout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the layout triples is no data for rc; it serves reward-model"):
        load_examples([write_rows(tmp_path / "t.jsonl", TRIPLE)], "rc")
    with pytest.raises(InputError, match="no training data: its fields are text; a row needs"):
        load_examples([write_rows(tmp_path / "x.jsonl", {"text": "x"})], "rc")
    with pytest.raises(InputError, match="there is no such file"):
        load_examples([tmp_path / "none.json"], "rc")


def test_prompts_of_the_real_corpora_are_the_releases_own(shared_data: Path) -> None:
    folder = shared_data / "himed"

    west, _ = load_examples([folder / "HiMed-West_Corpus_sample.json"], "la")
    trad, _ = load_examples([folder / "HiMed-Trad_Corpus_sample.json"], "la")

    for examples, field in ((west, "prompt"), (trad, "question")):
        rows = {row.number: row.fields for row in read_rows(examples[0].file).rows}
        same = sum(
            fold_space(example.messages[0]["content"])
            == fold_space(str(rows[example.row][field]).replace("<br>", "\n"))
            for example in examples
        )
        assert same >= 0.97 * len(examples)


def test_the_real_files_are_kept_and_set_aside_in_these_numbers(shared_data: Path) -> None:
    report = check_data(
        [shared_data / "himed", shared_data / "curemed"],
        benchmarks=[shared_data / "curemed" / "bench", shared_data / "himed" / "HiMed-West_Bench.json"],
    )

    kept = {Path(file.file).parent.name + "/" + Path(file.file).stem: file.kept for file in report.files}
    assert sum(n for name, n in kept.items() if name.startswith("sft/")) == 13_435
    assert kept["himed/HiMed-Trad_Corpus_sample"] == 497
    assert kept["himed/HiMed-West_Corpus_sample"] == 426
    assert len(report.notes) == 3_557
    assert len(report.held_out) == 14
    assert {Path(row.file).parent.name for row in report.overlap} == {"predictions"}
    assert len(report.overlap) == 2_861
    assert all(file.kept + file.set_aside + file.duplicates + file.overlap == file.rows for file in report.files)


def test_an_answer_in_a_sentence_states_its_option(tmp_path: Path) -> None:
    row = CURE_MED | {"options": {"A": "malaria", "B": "homa ya matumbo"}}
    good, bad = (row | {"answer": f"<answer>{text}</answer>"} for text in ("Jibu sahihi ni: malaria.", "Sijui kamwe."))

    (example,), report = load_examples([write_rows(tmp_path / "x.jsonl", good, bad)], "sft")

    assert "\nA. malaria\nB. homa ya matumbo\n" in example.messages[-1]["content"]
    assert example.completion.endswith("<answer>Jibu sahihi ni: malaria.</answer>")
    assert [(number, field) for number, field, _ in set_aside(report)] == [(2, "answer")]
