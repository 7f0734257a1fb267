"""`himed-eval` against real vLLM: through an endpoint, and with a checkpoint of its own."""

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from app.engine import Engine

pytestmark = [pytest.mark.slow, pytest.mark.vllm]


def _command(folder: Path, *source: str) -> list[str]:
    command = [sys.executable, "-m", "evaluation.cli", "--bench", "sample", *source, "--limit", "60"]
    command += ["--max-tokens", "24", "--seed", "4", "--temperature", "0.8", "--samples", "2"]
    return [*command, "--db", f"sqlite:///{folder / 'himed.db'}", "--json", str(folder / "report.json")]


def _rows(folder: Path) -> list[tuple[Any, ...]]:
    query = "SELECT item_id, sample, text, finish_reason, completion_tokens FROM generation ORDER BY item_id, sample"
    try:
        with sqlite3.connect(f"file:{folder / 'himed.db'}?mode=ro", uri=True) as database:
            return database.execute(query).fetchall()
    except sqlite3.OperationalError:  # not there yet
        return []


def test_a_run_killed_three_times_has_the_figures_of_an_uninterrupted_one(vllm_server: Engine, tmp_path: Path) -> None:
    source = ["--endpoint", vllm_server.base_url, "--served-model", vllm_server.served_model_name]
    environment = os.environ | {"HIMED_API_KEY": vllm_server.api_key.get_secret_value()}
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir()
    killed.mkdir()
    subprocess.run(_command(whole, *source), env=environment, check=True, capture_output=True)

    draw = random.Random(20)
    slowly = ["--concurrency", "2"]  # so that there is something left to kill
    for _ in range(3):
        process = subprocess.Popen(
            _command(killed, *source, *slowly), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        target = len(_rows(killed)) + draw.randint(1, 10)
        while process.poll() is None and len(_rows(killed)) < target:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert len(_rows(killed)) < 120, "it was finished before the last kill"
    subprocess.run(_command(killed, *source), env=environment, check=True, capture_output=True)

    assert len(_rows(killed)) == 120
    assert _rows(killed) == _rows(whole)
    reports = [json.loads((folder / "report.json").read_text()) for folder in (whole, killed)]
    assert reports[0]["metrics"] == reports[1]["metrics"]
    assert reports[0]["groups"] == reports[1]["groups"]
    assert {"accuracy", "accuracy_majority", "pass_at_k", "cut_off"} <= set(reports[0]["metrics"])


def test_a_checkpoint_is_served_for_the_run_and_no_server_stays_behind(tiny_checkpoint: Path, tmp_path: Path) -> None:
    # A copy, so that its server's command line differs from that of the session's server.
    checkpoint = shutil.copytree(tiny_checkpoint, tmp_path / "copy")
    command = _command(tmp_path, "--model", str(checkpoint))
    environment = os.environ | {"HIMED_LOG_DIR": str(tmp_path / "logs")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"starting vLLM for {checkpoint}" in done.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["run"]["source"] == "model"
    assert report["metrics"]["accuracy"]["n"] > 0
    processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(tmp_path) not in processes


def test_a_broken_checkpoint_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    done = subprocess.run(
        _command(tmp_path, "--model", str(tmp_path / "broken")), capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1].startswith("himed-eval: error: ")
    assert "config.json" in done.stderr
    assert "Traceback" not in done.stderr
