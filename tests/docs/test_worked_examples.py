"""The worked examples of `docs/evaluation.md`, really carried out on a copy of the code."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pages import GUIDE, PROSE, ROOT, told_blocks, write_lines
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.schema import open_database
from evaluation.reports.model import Report
from evaluation.results.records import load_records, load_run


def files_of(kind: str) -> dict[str, str]:
    """The guide's blocks that are files, by the last file name in the text before each."""
    named = re.compile(r"`([\w./-]+\.(?:py|jsonl?))`")
    return {named.findall(before)[-1]: body for before, body in told_blocks(GUIDE, kind)}


def apply(diff: str, folder: Path) -> None:
    """Make the changes of one of the guide's diffs: what stands there must stand in the file, once."""
    for part in re.split(r"^--- ", diff, flags=re.MULTILINE)[1:]:
        name, _, body = part.partition("\n")
        code = (folder / name).read_text(encoding="utf-8")
        for hunk in body.split("@@\n"):
            lines = hunk.splitlines(keepends=True)
            old, new = ("".join(line[1:] for line in lines if line[0] in marks) for marks in (" -", " +"))
            assert code.count(old) == 1, f"{name} has no such lines:\n{old}"
            code = code.replace(old, new)
        (folder / name).write_text(code, encoding="utf-8")


def build(house: Path, folder: str) -> Path:
    """Write the guide's module for a folder of ours into the copy, and make the changes that it needs."""
    places = [name.startswith(folder) for name in files_of("python")]
    ((name, code),) = ((name, code) for name, code in files_of("python").items() if name.startswith(folder))
    (house / name).write_text(code, encoding="utf-8")
    apply(told_blocks(GUIDE, "diff")[places.index(True)][1], house)
    return house / name


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of the code, with the files of the guide that are no code beside it."""
    for package in ("app", "evaluation"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name, body in files_of("json").items():
        (tmp_path / name).write_text(body, encoding="utf-8")
    return tmp_path


def himed(house: Path, start: str, *more: str) -> str:
    """What the guide's command that begins so prints, by the copy: `python -m` looks in the working folder first."""
    (line,) = {line for line in re.findall(r"`([^`]+)`", PROSE) if line.startswith(start)}
    name, *words = shlex.split(line)
    module = {"himed-eval": "evaluation.cli", "himed-results": "evaluation.results.cli"}[name]
    command = [sys.executable, "-m", module, *words, *more, "--db", "sqlite:///himed.db"]
    done = subprocess.run(command, cwd=house, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_file_is_a_benchmark_and_a_name_with_a_layout_of_its_own_is_one_too(house: Path) -> None:
    himed(house, "himed-eval --bench wards.json", "--json", "wards.report")
    report = Report.model_validate_json((house / "wards.report").read_bytes())
    accuracy = report.metrics["accuracy"]
    assert (accuracy.value, accuracy.n, accuracy.missing) == (1.0, 1, 0)
    assert report.baselines is not None
    assert (report.baselines.chance, report.metrics["normalised_match"].n) == (0.5, 2)
    assert [(row.row, row.field) for row in report.benchmark.invalid_rows] == [(4, "answer")]

    build(house, "evaluation/benchmarks/")
    (example,) = re.findall(r'`({"qid".*?})`', PROSE)
    row = json.loads(example) | {"stem": "इंसुलिन कहाँ बनता है?", "choices": ["यकृत", "अग्न्याशय"]}
    rows = [row, row | {"qid": 8, "stem": "मलेरिया किससे फैलता है?"}, row | {"qid": 9, "correct": 0}]
    answers = [{"id": row["qid"], "response": f"उत्तर: {letter}"} for row, letter in zip(rows, "BA", strict=False)]
    (house / "data").mkdir()
    write_lines(house / "data" / "ward_exam.jsonl", rows)
    write_lines(house / "answers.jsonl", answers)
    himed(house, "himed-eval --bench Ward-Exam", "--predictions", "answers.jsonl", "--json", "exam.report")
    report = Report.model_validate_json((house / "exam.report").read_bytes())
    assert (report.benchmark.name, report.benchmark.n, list(report.groups["language"])) == ("Ward-Exam", 2, ["Hindi"])
    assert report.metrics["accuracy"].value == 0.5
    assert [(row.row, row.reason) for row in report.benchmark.invalid_rows] == [(3, "the gold answer is empty")]


def test_a_scorer_is_added_rescored_and_versioned(house: Path) -> None:
    himed(house, "himed-eval --bench wards.json")
    module = build(house, "evaluation/scorers/")
    # The run is reported as before until it is scored again; `show` is the only command here that the guide has not.
    show = [sys.executable, "-m", "evaluation.results.cli", "show", "last", "--db", "sqlite:///himed.db"]
    assert "Names dose" not in subprocess.run(show, cwd=house, capture_output=True, text=True, check=True).stdout
    assert "2 dose" in himed(house, "himed-results rescore last")
    report = subprocess.run(show, cwd=house, capture_output=True, text=True, check=True).stdout
    assert re.search(r"^Names dose +50\.00 % +9\.45–90\.55 +2 +0 *$", report, re.MULTILINE)

    module.write_text(module.read_text(encoding="utf-8").replace('version = "1"', 'version = "2"'), encoding="utf-8")
    himed(house, "himed-results rescore last")
    engine = open_database(f"sqlite:///{house / 'himed.db'}")
    with Session(engine) as session:
        stored = session.execute(text("SELECT version, label FROM score WHERE scorer = 'dose' ORDER BY id")).all()
        records = load_records(session, load_run(session, "last"))
    engine.dispose()
    assert [tuple(row) for row in stored] == [
        (version, label) for version in "12" for label in ("500 मिलीग्राम", "no dose")
    ]
    standing = [generation.scores.get("dose") for record in records for generation in record.generations]
    assert [score and (score.version, score.value) for score in standing] == [None, ("2", 1.0), ("2", 0.0)]


def test_the_guides_code_is_clean(house: Path) -> None:
    for folder in ("evaluation/benchmarks/", "evaluation/scorers/"):
        build(house, folder)
    for check in (["check"], ["format", "--check"]):
        command = [sys.executable, "-m", "ruff", *check, "--config", str(ROOT / "pyproject.toml"), "evaluation"]
        done = subprocess.run(command, cwd=house, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
