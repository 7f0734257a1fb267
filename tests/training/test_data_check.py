"""The check as a command: what it prints, writes and returns."""

import io
from pathlib import Path

import orjson
import pytest
from data_rows import CURE_MED, TRAD, WEST, write_rows
from rich.console import Console

from app.errors import InputError
from training.data import TokenCounter, check_data, check_data_command


def test_the_report_names_files_causes_groups_and_lengths(tmp_path: Path) -> None:
    west = write_rows(tmp_path / "west.json", WEST, WEST, WEST | {"ground_truth": "C"}, WEST | {"ground_truth": "D"})
    sft = write_rows(tmp_path / "sft.jsonl", CURE_MED | {"reasoning": "<thinking>x</thinking>"})
    bench = write_rows(tmp_path / "bench.json", {"question": "और?", "answer": "x"})
    other = tmp_path / "README.md"
    other.write_text("text")
    output = io.StringIO()

    code = check_data_command(
        [west, sft, bench, other],
        benchmarks=[bench],
        json=tmp_path / "r.json",
        console=Console(file=output, width=160),
    )

    printed = " ".join(output.getvalue().split())
    assert code == 1  # README.md
    assert "west.json himed-west rc 4 1 2 1 0" in printed
    assert "All 5 2 2 1 0" in printed
    assert "2 × " in printed
    assert "field 'ground_truth': the gold answer … is not among the options … (row 3, 4)" in printed
    assert "the reasoning has no step tags" in printed
    assert "README.md: unknown kind of file '.md'" in printed
    assert "language: hi 1, sw 1" in printed
    assert "Exact duplicates, dropped once: 1" in printed
    report = orjson.loads((tmp_path / "r.json").read_bytes())
    assert report["set_aside"][0]["reason"] == "the gold answer 'C' is not among the options A, B"
    assert report["held_out"] == [str(bench)]
    assert report["groups"]["source"] == {"MedMCQA": 1}


def test_the_exit_code_is_0_for_usable_files_and_1_for_overlap_that_is_not_allowed(tmp_path: Path) -> None:
    data = write_rows(tmp_path / "west.json", WEST)
    bench = write_rows(tmp_path / "bench.json", {"question": "वर्ष?", "answer": "x"})
    quiet = Console(file=io.StringIO())

    assert check_data_command([data], console=quiet) == 0
    assert check_data_command([data], benchmarks=[bench], console=quiet) == 1
    assert check_data_command([data], benchmarks=[bench], allow_overlap=True, console=quiet) == 0


def test_lengths_are_of_real_rows(tmp_path: Path) -> None:
    rows = [TRAD | {"type": "QA", "question": "क" * n, "answer": "ख"} for n in (10, 20, 30)]

    report = check_data([write_rows(tmp_path / "trad.json", *rows)], stage="la")

    assert [(row.part, row.unit, row.p50, row.p95, row.max) for row in report.lengths] == [
        ("prompt", "characters", 20, 30, 30),
        ("completion", "characters", 1, 1, 1),
    ]


def test_tokens_are_counted_with_the_chat_template(tmp_path: Path, tiny_checkpoint: Path) -> None:
    data = write_rows(tmp_path / "west.json", WEST)
    counter = TokenCounter.from_folder(tiny_checkpoint)

    report = check_data([data], count_tokens=counter)

    (tokens,) = [row for row in report.lengths if row.unit == "tokens"]
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_checkpoint)
    text = (
        "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nवर्ष?\nA. 1990\nB. 1994<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n"
        "## Thinking\n\nवर्ष 1994 था।\n\n## Response\n\nB. 1994<|eot_id|>"
    )
    assert tokens.max == len(tokenizer(text, add_special_tokens=False)["input_ids"])


def test_a_folder_without_a_tokenizer_is_an_error(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    with pytest.raises(InputError, match="holds no tokenizer"):
        TokenCounter.from_folder(tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        TokenCounter.from_folder(tmp_path / "none")
