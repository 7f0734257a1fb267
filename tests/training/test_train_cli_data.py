import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


def himed_train(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "training.cli", *arguments], capture_output=True, text=True, check=False
    )


def _row(number: int, language: str) -> dict[str, Any]:
    return {
        "question": f"Question {number} in {language}?",
        "reasoning": f"<thinking><step1>Reason {number}.</step1></thinking>",
        "answer": f"<answer>Answer {number}.</answer>",
        "language": language,
    }


def _write(file: Path, rows: list[dict[str, Any]]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return file


def test_check_data_counts_what_is_kept_and_why_the_rest_is_not(tmp_path: Path) -> None:
    rows = [_row(number, "French") for number in range(4)]
    file = _write(tmp_path / "French.jsonl", [*rows, rows[0], {"question": "Q?", "language": "French"}])
    done = himed_train("check-data", str(file), "--json", str(tmp_path / "check.json"))
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "check.json").read_text())
    assert "French.jsonl" in done.stdout
    assert '"kept":4' in json.dumps(report, separators=(",", ":"))


def test_check_data_fails_on_questions_of_a_benchmark(tmp_path: Path) -> None:
    file = _write(tmp_path / "train" / "French.jsonl", [_row(number, "French") for number in range(4)])
    question = {"question": "Question 2 in French?", "answer": "Answer.", "language": "French"}
    benchmark = _write(tmp_path / "bench" / "French.jsonl", [question])
    assert himed_train("check-data", str(file), "--benchmark", str(benchmark)).returncode == 1
    assert himed_train("check-data", str(file), "--benchmark", str(benchmark), "--allow-overlap").returncode == 0


def test_a_length_without_a_tokenizer_and_a_missing_file_are_bad_input(tmp_path: Path) -> None:
    file = _write(tmp_path / "French.jsonl", [_row(1, "French")])
    done = himed_train("check-data", str(file), "--max-length", "10")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "--max-length counts tokens; name a checkpoint with --tokenizer" in done.stderr
    assert himed_train("check-data", str(tmp_path / "none.jsonl")).returncode == 2


def test_a_curriculum_replays_85_percent_of_the_earlier_languages(tmp_path: Path) -> None:
    from app.languages import LANGUAGES

    for language in LANGUAGES:
        if language.tier is not None:
            rows = [_row(number, language.english) for number in range(10)]
            _write(tmp_path / "sft" / f"{language.english}.jsonl", rows)
    done = himed_train("curriculum", str(tmp_path / "sft"), "--out", str(tmp_path / "out"), "--seed", "3")
    assert done.returncode == 0, done.stderr
    counts = [len((tmp_path / "out" / f"{tier}.jsonl").read_text().splitlines()) for tier in ("high", "medium", "low")]
    # Four, four and five languages of ten rows; each earlier language comes back with floor(0.85 * 10) = 8.
    assert counts == [40, 40 + 4 * 8, 50 + 8 * 8]


def test_merging_what_is_no_adapter_is_bad_input(tmp_path: Path) -> None:
    done = himed_train("merge", str(tmp_path), "--to", str(tmp_path / "out"))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("himed-train: error: ")


@pytest.mark.parametrize("command", ["recipes", "plan", "check-data", "curriculum", "merge"])
def test_every_command_has_help(command: str) -> None:
    assert himed_train(command, "--help").returncode == 0
