"""Runs as files."""

import csv
import json
from pathlib import Path

import pyarrow.parquet
import pytest
from results_sample import RUN_A, RUN_B
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app.errors import InputError
from evaluation.metrics import report_records
from evaluation.reports.model import Report
from evaluation.results.export import SUFFIXES, export_run, predictions
from evaluation.results.records import Record, load_records, load_run


def _load(engine: Engine, run: str) -> tuple[Report, list[Record]]:
    with Session(engine) as session:
        row = load_run(session, run)
        records = load_records(session, row)
        return report_records(row, records), records


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_suffix_writes_one_whole_file(filled: Engine, tmp_path: Path, suffix: str) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    to = folder / f"run{suffix}"
    to.write_text("what stood there before")
    export_run(*_load(filled, RUN_B), to)
    assert [path.name for path in folder.iterdir()] == [to.name]
    assert len(to.read_bytes()) > 200
    assert b"what stood there before" not in to.read_bytes()


def test_csv_and_parquet_hold_every_generation(filled: Engine, tmp_path: Path) -> None:
    report, records = _load(filled, RUN_A)
    export_run(report, records, tmp_path / "run.csv")
    export_run(report, records, tmp_path / "run.parquet")
    with (tmp_path / "run.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    table = pyarrow.parquet.read_table(tmp_path / "run.parquet").to_pylist()
    assert len(rows) == len(table) == 8
    assert [row["item"] for row in rows] == [row["item"] for row in table]
    assert (rows[4]["score_choice"], rows[4]["score_choice_label"]) == ("", "unparsed")
    assert table[4]["score_choice"] is None


def test_predictions_hold_what_himed_eval_reads(filled: Engine) -> None:
    lines = [json.loads(line) for line in predictions(*_load(filled, RUN_B)).splitlines()]
    assert lines[0] == {
        "id": "hi-item-0",
        "language": "hi",
        "question": "विटामिन C की कमी से कौन सा रोग होता है?",
        "response": "उत्तर: A",
        "finish_reason": "stop",
    }
    assert (lines[3]["response"], lines[3]["finish_reason"]) == (None, None)


def test_a_judges_verdicts_go_along_unknown_ones_as_null(filled: Engine) -> None:
    report, records = _load(filled, RUN_A)
    report.run.samples = 1
    for record in records:
        del record.generations[1:]
    judged = records[3].generations[0].scores
    assert json.loads(predictions(report, records).splitlines()[3])["judge_correct"] is True
    judged["judge_correct"] = judged["judge_correct"].__class__("judge_correct", "1:judge-3", None, "unparsed")
    line = json.loads(predictions(report, records).splitlines()[3])
    assert line["judge_correct"] is None
    assert "judge_language" not in line


@pytest.mark.parametrize(
    ("format", "response"),
    [
        ("plain", "A"),
        ("himed", "## Thinking\n\nbecause\n\n## Response\n\nA"),
        ("cure-med", "<thinking>because</thinking>\n<answer>A</answer>"),
    ],
)
def test_reasoning_that_came_apart_is_put_back_in_the_runs_format(filled: Engine, format: str, response: str) -> None:
    report, records = _load(filled, RUN_B)
    report.run.format = format
    records[0].generations[0].text, records[0].generations[0].reasoning = "A", "because"
    assert json.loads(predictions(report, records).splitlines()[0])["response"] == response


def test_shuffled_options_make_no_predictions(filled: Engine) -> None:
    report, records = _load(filled, RUN_B)
    report.run.settings["shuffle_options"] = 7
    with pytest.raises(InputError, match="has shuffled options, so its letters are its own"):
        predictions(report, records)


def test_a_broken_off_export_leaves_the_old_file(
    filled: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    (tmp_path / "run.json").write_text("old")
    monkeypatch.setattr("os.replace", stop)
    with pytest.raises(KeyboardInterrupt):
        export_run(*_load(filled, RUN_B), tmp_path / "run.json")
    left = {path.name for path in tmp_path.iterdir() if not path.name.startswith("results.db")}
    assert left == {"run.json"}
    assert (tmp_path / "run.json").read_text() == "old"


def test_exported_predictions_are_matched_to_their_items_again(filled: Engine, tmp_path: Path) -> None:
    from evaluation.benchmarks.item import Benchmark
    from evaluation.predictions import load_predictions

    report, records = _load(filled, RUN_B)
    export_run(report, records, tmp_path / "run.jsonl")
    benchmark = Benchmark("sample", "1", tuple(record.item for record in records))
    read = load_predictions(tmp_path / "run.jsonl", benchmark)
    assert [(row.item_id, row.text) for row in read.rows] == [
        (record.item.id, record.generations[0].text) for record in records
    ]
    assert read.invalid == read.missing == ()
