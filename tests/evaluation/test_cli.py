import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from checkpoint_files import write_checkpoint
from local_endpoint import LocalEndpoint, failure

SAMPLE = ["--bench", "sample"]
ANSWERS = Path(__file__).parents[2] / "evaluation" / "benchmarks" / "sample" / "predictions.jsonl"


def himed_eval(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "evaluation.cli", *arguments, "--db", f"sqlite:///{folder / 'himed.db'}"]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, check=False)


def test_help_shows_examples_and_loads_nothing_heavy() -> None:
    script = (
        "import sys\n"
        "sys.argv = ['himed-eval', '--help']\n"
        "from evaluation.cli import main\n"
        "try:\n    main()\n"
        "except SystemExit:\n    pass\n"
        "heavy = {'torch', 'transformers', 'vllm', 'scipy', 'numpy', 'sqlalchemy', 'aiohttp', 'pydantic'}\n"
        "print('loaded:', sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "himed-eval --bench HiMed-West --endpoint" in done.stdout
    assert "loaded: []" in done.stdout


def test_an_endpoint_is_evaluated_and_the_report_written_as_json(tmp_path: Path) -> None:
    with LocalEndpoint(lambda body: "उत्तर: A") as local:
        arguments = [*SAMPLE, "--endpoint", local.url, "--served-model", "m", "--json", str(tmp_path / "report.json")]
        done = himed_eval(*arguments, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["benchmark"]["name"] == "sample"
    assert (report["benchmark"]["n"], report["benchmark"]["invalid"], report["benchmark"]["duplicates"]) == (119, 0, 0)
    accuracy = report["metrics"]["accuracy"]
    assert accuracy["ci95"][0] < accuracy["value"] == 19 / 81 < accuracy["ci95"][1]
    assert (accuracy["n"], accuracy["missing"]) == (81, 0)
    assert report["groups"]["language"]["Hindi"]["accuracy"]["n"] == 45
    assert {"unparsed", "cut_off", "language_undetermined", "well_formed"} <= set(report["metrics"])


def test_completions_that_cannot_fit_are_refused_before_vllm_starts(tmp_path: Path) -> None:
    checkpoint = write_checkpoint(tmp_path / "short")
    config = json.loads((checkpoint / "config.json").read_text()) | {"max_position_embeddings": 1024}
    (checkpoint / "config.json").write_text(json.dumps(config))
    done = himed_eval(*SAMPLE, "--model", str(checkpoint), folder=tmp_path)
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("himed-eval: error: ")]
    assert "completions of 1,024 tokens leave no room for a prompt in the model's 1,024; give --max-tokens" in line
    assert "starting vLLM" not in done.stderr
    assert not (tmp_path / "himed.db").exists()


def test_a_folder_that_is_no_checkpoint_leaves_no_run_behind(tmp_path: Path) -> None:
    (tmp_path / "stage").mkdir()
    write_checkpoint(tmp_path / "stage" / "final")
    done = himed_eval(*SAMPLE, "--model", str(tmp_path / "stage"), folder=tmp_path)
    assert done.returncode == 2
    assert f"no config.json: this is no checkpoint; name {tmp_path / 'stage' / 'final'}" in done.stderr
    assert not (tmp_path / "himed.db").exists()


def test_predictions_are_scored_with_the_shares_of_their_judge(tmp_path: Path) -> None:
    done = himed_eval(*SAMPLE, "--predictions", str(ANSWERS), "--json", str(tmp_path / "report.json"), folder=tmp_path)
    assert done.returncode == 3  # the sample's answers do not cover every item
    rows = [json.loads(line) for line in ANSWERS.read_text(encoding="utf-8").splitlines()]
    judged = [row["judge_correct"] for row in rows if row["judge_correct"] is not None]
    metrics = json.loads((tmp_path / "report.json").read_text())["metrics"]
    assert metrics["judge_correct"]["value"] == pytest.approx(sum(judged) / len(judged))
    assert (metrics["judge_correct"]["n"], metrics["judge_correct"]["missing"]) == (len(judged), 119 - len(judged))
    cut = sum(row["finish_reason"] == "length" for row in rows)
    assert metrics["cut_off"]["value"] == pytest.approx(cut / len(rows))


def test_failed_items_give_exit_code_3_and_are_listed(tmp_path: Path) -> None:
    def refuse_scurvy(body: dict[str, Any]) -> Any:
        return failure(400, "no") if "स्कर्वी" in body["messages"][-1]["content"] else "A"

    with LocalEndpoint(refuse_scurvy) as local:
        done = himed_eval(*SAMPLE, "--endpoint", local.url, "--served-model", "m", folder=tmp_path)
    assert done.returncode == 3
    assert "failed: item " in done.stderr
    assert "the same command tries only the failed ones: " in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--bench", "HiMed-Wset", "--model", "x"], "unknown benchmark 'HiMed-Wset'; use one of HiMed-Trad, "),
        ([*SAMPLE, "--model", "no-such-folder"], "no-such-folder: no such checkpoint folder; give a local folder"),
        ([*SAMPLE, "--predictions", "none.jsonl"], "none.jsonl: "),
        ([*SAMPLE, "--endpoint", "http://k:v@h", "--served-model", "m"], "the endpoint's URL holds a user name"),
        ([*SAMPLE, "--endpoint", "h", "--served-model", "m"], "the endpoint is no URL"),
        ([*SAMPLE, "--predictions", str(ANSWERS), "--languages", "Klingon"], "unknown language 'Klingon'; use one of"),
        ([*SAMPLE, "--predictions", str(ANSWERS), "--group", "sytem=Unani"], "sytem"),
        ([*SAMPLE], "give exactly one of --model, --endpoint and --predictions"),
        ([*SAMPLE, "--config", "none.yaml"], "none.yaml: no such file; check the path"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments: list[str], message: str, tmp_path: Path) -> None:
    done = himed_eval(*arguments, folder=tmp_path)
    assert done.returncode == 2
    lines = done.stderr.strip().splitlines()
    assert lines[-1].startswith("himed-eval: error: ")
    assert message in lines[-1]
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "himed.db").exists()


def test_a_dry_run_prints_the_plan_and_two_prompts_and_asks_nobody(tmp_path: Path) -> None:
    arguments = ["--endpoint", "http://127.0.0.1:9", "--served-model", "m", "--dry-run", "--format", "cure-med"]
    done = himed_eval(*SAMPLE, *arguments, "--languages", "hi,yo", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("--- prompt of item ") == 2
    assert '"temperature":0.6' in done.stdout
    assert not (tmp_path / "himed.db").exists()


def _start(url: str, folder: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "evaluation.cli", *SAMPLE, "--endpoint", url, "--served-model", "m"]
    command += ["--concurrency", "2", "--db", f"sqlite:///{folder / 'himed.db'}"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _stored(folder: Path) -> int:
    try:
        with sqlite3.connect(f"file:{folder / 'himed.db'}?mode=ro", uri=True) as database:
            return int(database.execute("SELECT count(*) FROM generation").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def _wait_for(folder: Path, stored: int) -> None:
    deadline = time.monotonic() + 60
    while _stored(folder) < stored:
        assert time.monotonic() < deadline, "the run does not get on"
        time.sleep(0.05)


def _settled(local: LocalEndpoint) -> int:
    """Requests that the endpoint got, once those that were under way when their client died have arrived."""
    seen = -1
    while seen != len(local.requests):
        seen = len(local.requests)
        time.sleep(0.3)
    return seen


def slow_a(body: dict[str, Any]) -> str:
    time.sleep(0.03)
    return "उत्तर: A"


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_run_goes_on_and_loses_and_repeats_nothing(kill: signal.Signals, tmp_path: Path) -> None:
    with LocalEndpoint(slow_a) as local:
        process = _start(local.url, tmp_path)
        _wait_for(tmp_path, 30)
        process.send_signal(kill)
        _, said = process.communicate(timeout=30)
        if kill != signal.SIGKILL:
            assert process.returncode == 130
            assert "interrupted: " in said
            assert "this goes on: " in said
        stored, asked = _stored(tmp_path), _settled(local)
        assert 30 <= stored < 119
        # What had been asked and not been stored is at most half a second's work and what was in flight.
        assert asked - stored < 60
        process = _start(local.url, tmp_path)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
        assert len(local.requests) - asked == 119 - stored
    with sqlite3.connect(tmp_path / "himed.db") as database:
        assert database.execute("SELECT count(*) FROM run").fetchone() == (1,)
        assert database.execute("SELECT count(DISTINCT item_id), count(*) FROM generation").fetchone() == (119, 119)
        right = database.execute("SELECT sum(value), count(*) FROM score WHERE scorer = 'choice'").fetchone()
    assert right == (19.0, 81)


def test_the_key_is_sent_and_written_nowhere(tmp_path: Path) -> None:
    with LocalEndpoint(lambda body: "A") as local:
        arguments = [*SAMPLE, "--endpoint", local.url, "--served-model", "m", "--limit", "3"]
        done = himed_eval(*arguments, folder=tmp_path, HIMED_API_KEY="sk-very-secret")
    assert done.returncode == 0, done.stderr
    everything = done.stdout + done.stderr
    assert "sk-very-secret" not in everything
    assert b"sk-very-secret" not in b"".join(file.read_bytes() for file in tmp_path.iterdir())
