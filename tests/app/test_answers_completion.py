"""`parse_completion`: reasoning and answer of the three formats, whole, malformed and cut off."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.answers import Completion, parse_completion
from app.formats import FORMATS, Format, cure_med_completion, himed_completion

STEPS = "<step1>Fever.</step1><step2>Rash.</step2>"


@pytest.mark.parametrize(
    ("text", "reasoning", "answer", "well_formed"),
    [
        ("खसरा।", None, "खसरा।", True),
        ("  D \n", None, "D", True),
        ("", None, None, False),
        ("<think>Fever and rash.</think>\n\nMeasles.", "Fever and rash.", "Measles.", True),
        ("<think>\n\n</think>\n\nMeasles.", None, "Measles.", True),
        ("Fever and rash.</think>Measles.", "Fever and rash.", "Measles.", True),
        ("<THINK>Fever.</THINK>Measles.", "Fever.", "Measles.", True),
        ("<think>Fever and rash, so the answer is D", "Fever and rash, so the answer is D", None, False),
        ("<think>Fever.</think>", "Fever.", None, False),
        ("<think>", None, None, False),
        ("Write <think> to reason aloud.", None, "Write <think> to reason aloud.", True),
        ("## Response\n\nD", None, "## Response\n\nD", True),
    ],
)
def test_plain(text: str, reasoning: str | None, answer: str | None, well_formed: bool) -> None:
    assert parse_completion(text, "plain") == Completion(reasoning, answer, well_formed)


@pytest.mark.parametrize(
    ("text", "reasoning", "answer", "well_formed"),
    [
        ("## Thinking\n\nFever.\n\n## Response\n\nMeasles.", "Fever.", "Measles.", True),
        ("\n## Thinking\nFever.\n## Response\nMeasles.\n", "Fever.", "Measles.", True),
        ("## Thinking\n\nFever.\n\nRash.\n\n## Response\n\nA.\n\nB.", "Fever.\n\nRash.", "A.\n\nB.", True),
        # Cut off in the reasoning, in the heading, and before the answer.
        ("## Thinking\n\nThe answer is D", "The answer is D", None, False),
        ("## Thinking\n\nFever.\n\n## Respon", "Fever.\n\n## Respon", None, False),
        ("## Thinking\n\nFever.\n\n## Response\n\n", "Fever.", None, False),
        ("## Thinking\n\nFever.\n\n## Response", "Fever.", None, False),
        ("## Thinking", None, None, False),
        # A heading that is only mentioned, or that belongs to the reasoning, is none.
        (
            "## Thinking\n\nI end with ## Response and the answer.\n\n## Response\n\nD",
            "I end with ## Response and the answer.",
            "D",
            True,
        ),
        (
            "## Thinking\n\n## Response to treatment\n\nIt was good.",
            "## Response to treatment\n\nIt was good.",
            None,
            False,
        ),
        # Read, but not to the letter.
        ("## thinking\n\nFever.\n\n## RESPONSE\n\nD", "Fever.", "D", False),
        ("**## Thinking**", None, "**## Thinking**", False),
        ("## **Thinking**\n\nFever.\n\n## **Response:**\n\nD", "Fever.", "D", False),
        ("### Thinking\nFever.\n### Response\nD", "Fever.", "D", False),
        ("## Thinking: Fever.\n## Response: D", "Fever.", "D", False),
        ("## Response\n\nD", None, "D", False),
        ("Fever.\n\n## Response\n\nD", "Fever.", "D", False),
        ("Sure!\n\n## Thinking\n\nFever.\n\n## Response\n\nD", "Fever.", "D", False),
        ("## Thinking\n\n\n\n## Response\n\nD", None, "D", False),
        ("## Thinking\n\nFever.\n\n## Response\n\nA\n\n## Response\n\nB", "Fever.", "B", False),
        ("## Response\n\nD\n\n## Thinking\n\nFever.", "Fever.", "D", False),
        ("## Thinking\n\nFever.\n\n## Response\n\nD\n\n## Thinking\n\nMore", "Fever.", "D", False),
        # Another format's thought before it, whole and cut off.
        ("<think>Hm.</think>## Thinking\n\nFever.\n\n## Response\n\nD", "Fever.", "D", False),
        ("<think>Hm.</think>D", "Hm.", "D", False),
        ("<think>Hm, ## Response D", "Hm, ## Response D", None, False),
        # No marker at all: a model that only answers has answered.
        ("D", None, "D", False),
        ("", None, None, False),
    ],
)
def test_himed(text: str, reasoning: str | None, answer: str | None, well_formed: bool) -> None:
    assert parse_completion(text, "himed") == Completion(reasoning, answer, well_formed)


@pytest.mark.parametrize(
    ("text", "reasoning", "answer", "well_formed"),
    [
        (f"<thinking>{STEPS}</thinking>\n<answer>Measles.</answer>", STEPS, "Measles.", True),
        ("<thinking>Fever.</thinking> So: <answer>\nD\n</answer> Done.", "Fever.", "D", True),
        # Cut off in the reasoning: whatever stands there is reasoning.
        (f"<thinking>{STEPS}<step3>The answer is D", f"{STEPS}<step3>The answer is D", None, False),
        (f"<thinking>{STEPS}", STEPS, None, False),
        ("<thinking>Maybe <answer>A</answer>, but then", "Maybe <answer>A</answer>, but then", None, False),
        ("<thinking>Maybe <answer>A", "Maybe <answer>A", None, False),
        ("<thinking>Fever.</thinking>", "Fever.", None, False),
        ("<thinking>Fever.</thinking>\n<answer>", "Fever.", None, False),
        ("<thinking>Fever.</thinking>\n<answer></answer>", "Fever.", None, False),
        ("<step1>Fever.</step1><step2>The answer", "<step1>Fever.</step1><step2>The answer", None, False),
        # Cut off in the answer: read as far as it goes.
        ("<thinking>Fever.</thinking>\n<answer>Measles is", "Fever.", "Measles is", False),
        # Read, but not to the letter.
        ("<THINKING>Fever.</THINKING><Answer>D</Answer>", "Fever.", "D", False),
        ("<thinking>Fever.</thinking>\nD", "Fever.", "D", False),
        ("<answer>D</answer>", None, "D", False),
        ("Fever. <answer>D</answer>", "Fever.", "D", False),
        ("Fever.</thinking><answer>D</answer>", "Fever.", "D", False),
        ("<thinking>Fever.<answer>D</answer>", "Fever.", "D", False),
        ("<step1>Fever.</step1>\nD", "<step1>Fever.</step1>", "D", False),
        ("<thinking></thinking><answer>D</answer>", None, "D", False),
        ("<thinking>a</thinking><answer>A</answer><answer>B</answer>", "a", "B", False),
        ("<thinking>a</thinking><thinking>b</thinking><answer>B</answer>", "a", "B", False),
        ("<answer>D</answer><thinking>a</thinking>", "a", None, False),
        (
            "<thinking>I use <answer> tags.</thinking><answer>D</answer>",
            "I use <answer> tags.",
            "D",
            False,
        ),
        ("<think>Hm.</think><thinking>a</thinking><answer>D</answer>", "a", "D", False),
        ("D", None, "D", False),
        ("", None, None, False),
    ],
)
def test_cure_med(text: str, reasoning: str | None, answer: str | None, well_formed: bool) -> None:
    assert parse_completion(text, "cure-med") == Completion(reasoning, answer, well_formed)


WORDS = st.text(st.characters(categories=("L", "N"), include_characters=" .,।"), min_size=1).filter(str.strip)


@given(reasoning=WORDS, answer=WORDS)
def test_what_the_formats_write_is_read_back(reasoning: str, answer: str) -> None:
    expected = Completion(reasoning.strip(), answer.strip(), True)
    assert parse_completion(himed_completion(reasoning, answer), "himed") == expected
    assert parse_completion(cure_med_completion(reasoning, answer), "cure-med") == expected


PIECES = st.lists(
    st.sampled_from(
        [
            *"<think> </think> <thinking> </thinking> <answer> </answer> <step1> </step1> D \n x".split(" "),
            *["\n## Thinking\n", "\n## Response\n", "## Response: ", "## "],
        ]
    )
)


@given(pieces=PIECES, format=st.sampled_from(FORMATS))
def test_any_text_is_read_and_no_part_is_blank(pieces: list[str], format: Format) -> None:
    completion = parse_completion("".join(pieces), format)
    for part in (completion.reasoning, completion.answer):
        assert part is None or (part and part == part.strip())
    assert completion.answer is not None or not completion.well_formed


@given(before=WORDS, format=st.sampled_from(FORMATS))
def test_reasoning_that_is_never_closed_is_no_answer(before: str, format: Format) -> None:
    opened = {"plain": "<think>", "himed": "## Thinking\n\n", "cure-med": "<thinking><step1>"}[format]
    assert parse_completion(opened + before, format).answer is None


@pytest.mark.parametrize(
    "piece", ["<think>", "</thinking>", "<answer>", "<thinking><answer>", "#", "## Response\n", "<"]
)
@pytest.mark.parametrize("format", FORMATS)
def test_a_long_run_of_markers_is_read(piece: str, format: Format) -> None:
    parse_completion(piece * (200_000 // len(piece)), format)


def test_every_published_cure_med_example_is_well_formed(shared_data: Path) -> None:
    files = sorted((shared_data / "curemed" / "sft").glob("*.jsonl"))
    assert files
    for file in files:
        for line in file.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            completion = parse_completion(f"{row['reasoning']}\n{row['answer']}", "cure-med")
            assert completion.answer, (file.name, row["question"])
            assert completion.reasoning, (file.name, row["question"])
