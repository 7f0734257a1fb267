"""The command `himed-results`, on both databases."""

import io
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from results_sample import RUN_A, RUN_B, RUN_EN
from sqlalchemy import Engine, func, select, update
from sqlalchemy.orm import Session

from app.schema import open_database
from app.tables import (
    BenchmarkRow,
    GenerationRow,
    ItemRow,
    RunItemRow,
    RunRow,
    ScoreRow,
    VerdictRow,
)
from evaluation.results.cli import main
from evaluation.results.owner import this_process
from evaluation.results.records import load_records, load_run

Results = Callable[..., tuple[int, str, str]]


@pytest.fixture
def results(filled: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Results:
    """Runs a command on the filled database: exit code, stdout, stderr."""
    url = filled.url.render_as_string(hide_password=False)

    def run(*arguments: str, db: str | None = url) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["himed-results", *arguments, *(["--db", db] if db else [])])
        with pytest.raises(SystemExit) as raised:
            main()
        out, err = capsys.readouterr()
        return int(raised.value.code or 0), out, err

    return run


def _change(engine: Engine, run: str, **values: object) -> None:
    with engine.begin() as connection:
        connection.execute(update(RunRow).where(RunRow.id == run).values(**values))


def test_list_shows_progress_and_headlines(results: Results) -> None:
    code, out, err = results("list")
    rows = [" ".join(line.split()) for line in out.splitlines() if "01KJM" in line]
    assert (code, err) == (0, "")
    assert rows == [
        f"{RUN_A} 2026-03-01 12:00 UTC sample himed-8b himed finished 8/8 accuracy 66.67 %",
        f"{RUN_B} 2026-03-02 12:00 UTC sample claude-3-haiku plain incomplete 3/4 accuracy 33.33 %",
        f"{RUN_EN} 2026-03-03 12:00 UTC sample-en himed-8b himed finished 4/4 accuracy 100.00 %",
    ]


def test_list_cuts_nothing_in_a_narrow_window(results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evaluation.results.cli._PLAIN_WIDTH", 80)
    lines = results("list")[1].splitlines()
    first = next(number for number, line in enumerate(lines) if RUN_A in line)
    assert lines[first].split() == [RUN_A, "sample", "finished", "himed"]
    assert " ".join(lines[first + 1].split()) == "2026-03-01 12:00 UTC himed-8b 8/8 accuracy 66.67 %"
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--bench", "SAMPLE"], [RUN_A, RUN_B]),
        (["--model", "Haiku"], [RUN_B]),
        (["--model", "%"], []),
        (["--status", "incomplete"], [RUN_B]),
        (["--bench", "sample-en", "--model", "himed"], [RUN_EN]),
    ],
)
def test_list_filters(results: Results, options: list[str], found: list[str]) -> None:
    code, out, _ = results("list", "--json", *options)
    assert code == 0
    assert [run["id"] for run in json.loads(out)] == found


def test_lists_headlines_are_the_reports_figures(results: Results) -> None:
    listed = {run["id"]: run for run in json.loads(results("list", "--json")[1])}
    for id in (RUN_A, RUN_B, RUN_EN):
        metrics = json.loads(results("show", id, "--format", "json")[1])["metrics"]
        for name in ("accuracy", "judge_correct"):
            shown = metrics[name]["value"] if name in metrics else None
            assert listed[id][name] == (None if shown is None else pytest.approx(shown, abs=1e-12)), (id, name)


@pytest.mark.parametrize(
    ("heartbeat_age_s", "owner", "status"),
    [
        (0, "here", "running"),
        (180, "here", "running"),  # it loads a large model, say
        (0, "dead", "interrupted"),
        (0, "elsewhere", "running"),
        (180, "elsewhere", "interrupted"),
        (0, None, "interrupted"),
    ],
)
def test_a_run_whose_process_has_gone_is_interrupted(
    results: Results, filled: Engine, heartbeat_age_s: int, owner: str | None, status: str
) -> None:
    owners = {"here": this_process(), "dead": this_process().rsplit(":", 1)[0] + ":1", "elsewhere": "other-host:1:1"}
    beat = datetime.now(UTC) - timedelta(seconds=heartbeat_age_s)
    _change(filled, RUN_A, status="running", heartbeat=beat, owner=owners.get(owner or ""), finished=None)
    assert [run["id"] for run in json.loads(results("list", "--json", "--status", status)[1])] == [RUN_A]
    assert json.loads(results("show", RUN_A, "--format", "json")[1])["run"]["status"] == status


def test_show_prints_every_format(results: Results) -> None:
    shown = {
        name: results("show", "last", "--format", name) for name in ("terminal", "markdown", "json", "csv", "html")
    }
    assert {code for code, _, _ in shown.values()} == {0}
    assert "Accuracy" in shown["terminal"][1]
    assert shown["markdown"][1].startswith("# sample-en")
    assert json.loads(shown["json"][1])["metrics"]["accuracy"]["n"] == 3
    assert shown["csv"][1].startswith("group,group_value,metric,value")
    assert shown["html"][1].lower().startswith("<!doctype html>")


def test_show_writes_to_a_file(results: Results, tmp_path: Path) -> None:
    code, out, _ = results("show", "last", "--format", "markdown", "-o", str(tmp_path / "report.md"))
    assert (code, out) == (0, "")
    assert (tmp_path / "report.md").read_text().startswith("# sample-en")


def test_show_names_the_folder_that_is_not_there(results: Results, tmp_path: Path) -> None:
    code, _, err = results("show", "last", "-o", str(tmp_path / "no" / "report.txt"))
    assert (code, err.count("\n")) == (2, 1)
    assert str(tmp_path / "no" / "report.txt") in err


def test_compare_pairs_by_item(results: Results) -> None:
    code, out, _ = results("compare", RUN_A, RUN_B, "--metric", "accuracy", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["compare"]["a"] == {"id": RUN_A, "model": "himed-8b", "benchmark": "sample"}
    assert (found["compare"]["shared"], found["compare"]["only_a"], found["compare"]["only_b"]) == (4, 0, 0)
    assert list(found["metrics"]) == ["accuracy"]
    accuracy = found["metrics"]["accuracy"]
    assert (accuracy["n"], round(accuracy["a"], 4), round(accuracy["b"], 4)) == (3, 0.6667, 0.3333)
    low, high = accuracy["ci95"]
    assert low <= accuracy["difference"] <= high


def test_compare_leaves_out_metrics_that_one_run_lacks(results: Results) -> None:
    assert set(json.loads(results("compare", RUN_A, RUN_B, "--json")[1])["metrics"]) == {"accuracy", "unparsed"}


def test_compare_counts_items_of_one_run_alone(results: Results, filled: Engine) -> None:
    with filled.begin() as connection:
        part = (RunItemRow.run_id == RUN_B) & (RunItemRow.item_id == "hi-item-0")
        connection.execute(RunItemRow.__table__.delete().where(part))
        answer = (GenerationRow.run_id == RUN_B) & (GenerationRow.item_id == "hi-item-0")
        connection.execute(GenerationRow.__table__.delete().where(answer))
    found = json.loads(results("compare", RUN_A, RUN_B, "--json")[1])
    assert (found["compare"]["shared"], found["compare"]["only_a"], found["compare"]["only_b"]) == (3, 1, 0)
    assert (found["metrics"]["accuracy"]["n"], found["metrics"]["accuracy"]["missing"]) == (2, 0)
    assert "3 items paired by item; 1 only in himed-8b" in results("compare", RUN_A, RUN_B)[1]


def test_compare_as_markdown_is_a_table(results: Results) -> None:
    assert "| Metric | A | B |" in results("compare", RUN_A, RUN_B, "--markdown")[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["compare", RUN_A, RUN_EN], "different benchmarks: sample (4 items, sha256 hihihihihihi) and sample-en"),
        (["compare", RUN_A, RUN_B, "--metric", "luck"], "unknown metric 'luck'; use one of accuracy,"),
        (["compare", RUN_A, RUN_B, "--metric", "judge_correct"], f"run {RUN_B} has no judge_correct; it has accuracy"),
        (["gap", RUN_A, RUN_EN], "has questions in Hindi; name the English run first"),
        (["gap", RUN_EN, RUN_EN], "has questions in English; name the English run first"),
        (["show", "nope"], "no run 'nope'; the newest are"),
        (["export", "last", "--to", "run.docx"], "unknown kind of file '.docx'; end its name in one of .csv, .jsonl,"),
        (["export", "last", "--to", "run"], "the file name has no suffix"),
        (["export", RUN_A, "--to", "run.jsonl"], "2 samples per item: it makes no predictions; export it to .csv"),
        (["rescore", "last", "--scorer", "luck"], "unknown scorer 'luck'; use one of choice,"),
        (["rescore", "last", "--scorer", "judge_correct"], "judge_correct is the judge's; repeat the run's himed-eval"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    results: Results, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = results(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("himed-results: error: ")
    assert said in err
    assert [path.name for path in tmp_path.iterdir() if path.suffix not in (".db", ".db-wal", ".db-shm")] == []


def test_gap_pairs_by_number(results: Results) -> None:
    code, out, _ = results("gap", RUN_EN, RUN_A, "--metric", "accuracy", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["gap"] == {
        "a": {"id": RUN_EN, "model": "himed-8b", "benchmark": "sample-en"},
        "b": {"id": RUN_A, "model": "himed-8b", "benchmark": "sample"},
        "shared": 4,
        "only_a": 0,
        "only_b": 0,
    }
    assert round(found["metrics"]["accuracy"]["difference"], 4) == 0.3333


def test_gap_pairs_no_number_that_stands_twice(results: Results, filled: Engine) -> None:
    with filled.begin() as connection:
        connection.execute(update(ItemRow).where(ItemRow.id == "hi-item-1").values(number="1"))
    found = json.loads(results("gap", RUN_EN, RUN_A, "--json")[1])
    assert (found["gap"]["shared"], found["gap"]["only_a"], found["gap"]["only_b"]) == (2, 2, 2)
    assert found["metrics"]["accuracy"]["n"] == 1


def test_gap_without_common_numbers_is_refused(results: Results, filled: Engine) -> None:
    with filled.begin() as connection:
        connection.execute(update(ItemRow).where(ItemRow.language == "hi").values(number=None))
    code, _, err = results("gap", RUN_EN, RUN_A)
    assert code == 2
    assert "the runs share no question number; give both benchmark files the same question numbers or ids" in err


def test_rescore_scores_what_is_stored_and_keeps_other_scores(results: Results, filled: Engine) -> None:
    code, out, _ = results("rescore", RUN_A, "--scorer", "choice", "--scorer", "cut_off")
    assert (code, out) == (0, f"run {RUN_A} is scored: 6 choice, 8 cut_off\n")
    with Session(filled) as session:
        records = load_records(session, load_run(session, RUN_A))
    choices = [[g.scores["choice"].label for g in record.generations] for record in records[:3]]
    assert choices == [["A", "A"], ["A", "B"], ["unparsed", "A"]]
    assert set(records[3].generations[0].scores) == {"judge_correct", "language", "cut_off"}
    assert records[3].generations[0].scores["judge_correct"].version == "1:judge-2"


def test_rescoring_twice_changes_nothing(results: Results, filled: Engine) -> None:
    outputs = []
    for _ in range(2):
        results("rescore", RUN_A)
        outputs.append(results("show", RUN_A, "--format", "json")[1])
    assert outputs[0] == outputs[1]


def test_a_rescored_score_stands_over_one_of_another_version(results: Results, filled: Engine) -> None:
    with filled.begin() as connection:
        ids = connection.scalars(select(GenerationRow.id).where(GenerationRow.run_id == RUN_A)).all()
        newer = [{"generation_id": id, "scorer": "choice", "version": "999", "value": 0.0, "label": "Z"} for id in ids]
        connection.execute(ScoreRow.__table__.insert(), newer)
    assert results("rescore", RUN_A, "--scorer", "choice")[0] == 0
    with Session(filled) as session:
        records = load_records(session, load_run(session, RUN_A))
    assert records[0].generations[0].scores["choice"].version != "999"


def test_rescore_leaves_a_run_alone_that_is_worked_on(results: Results, filled: Engine) -> None:
    _change(filled, RUN_A, status="running", heartbeat=datetime.now(UTC), owner=this_process())
    code, _, err = results("rescore", RUN_A)
    assert (code, err.count("\n")) == (2, 1)
    assert f"run {RUN_A} is being worked on" in err


def test_delete_takes_the_run_and_what_belongs_to_it_and_nothing_else(results: Results, filled: Engine) -> None:
    code, out, _ = results("delete", RUN_A, "--yes")
    assert (code, out) == (0, f"run {RUN_A} is deleted: 8 generations with their scores; the judge's verdicts stay\n")
    with Session(filled) as session:
        left = {table: session.scalar(select(func.count()).select_from(table)) for table in (
            RunRow, RunItemRow, GenerationRow, ScoreRow, VerdictRow, BenchmarkRow, ItemRow)}  # fmt: skip
    assert left == {
        RunRow: 2,
        RunItemRow: 8,
        GenerationRow: 8,
        ScoreRow: 9,
        VerdictRow: 1,
        BenchmarkRow: 2,
        ItemRow: 8,
    }
    assert results("show", RUN_A)[0] == 2


def test_delete_asks_and_takes_no_for_an_answer(
    results: Results, filled: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    code, out, _ = results("delete", RUN_A)
    assert code == 1
    assert f"Delete run {RUN_A} (sample, himed-8b, 8 generations)?" in out
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    assert results("delete", RUN_A)[0] == 0


def test_delete_leaves_a_run_alone_that_is_worked_on(results: Results, filled: Engine) -> None:
    _change(filled, RUN_A, status="running", heartbeat=datetime.now(UTC), owner=this_process())
    code, _, err = results("delete", RUN_A, "--yes")
    assert (code, err.count("\n")) == (2, 1)
    assert f"run {RUN_A} is being worked on by {this_process()}; stop it first" in err
    assert results("delete", RUN_A, "--yes", "--force")[0] == 0


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["himed-results", *arguments])
    with pytest.raises(SystemExit) as raised:
        main()
    return int(raised.value.code or 0)


def test_a_missing_database_is_not_created(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HIMED_DB", "sqlite:///results.db")
    assert _run(monkeypatch, "list") == 2
    assert "results.db: there is no results database; run himed-eval first" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_away_is_one_line_without_the_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(monkeypatch, "list", "--db", "postgresql://himed:hunter2@127.0.0.1:1/himed") == 2
    error = capsys.readouterr().err
    assert error.startswith("himed-results: error: the database postgresql+psycopg://himed:***@127.0.0.1:1/himed ")
    assert error.count("\n") == 1
    assert "hunter2" not in error


def test_an_empty_database_lists_no_runs(
    database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    open_database(database_url).dispose()
    assert _run(monkeypatch, "list", "--db", database_url) == 0
    assert capsys.readouterr().out == "no runs\n"


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['himed-results', '--help']\n"
        "from evaluation.results.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'sqlalchemy', 'numpy', 'scipy', 'rich', 'alembic', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "himed-results export last --to run.html" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("command", ["list", "show", "compare", "gap", "rescore", "export", "delete"])
def test_every_command_has_help_with_an_example(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert _run(monkeypatch, command, "--help") == 0
    assert f"himed-results {command}" in capsys.readouterr().out.partition("Example")[2]
