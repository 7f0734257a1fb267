"""`himed-demo`: all of its steps on a few steps of training, twice; and Ctrl-C, which leaves no process behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pytest
import yaml

from ui.demo_gateway import free_port, write_config


@pytest.mark.slow
@pytest.mark.vllm
def test_the_demo_trains_serves_evaluates_and_compares(demo_folder: Path) -> None:
    shown = (demo_folder / "demo.txt").read_text(encoding="utf-8")
    for number in range(1, 5):
        assert f"{number} of 5" in shown
    for command in ("himed-train pipeline demo --until dsr-rl", "himed-serve --config", "himed-eval --bench sample"):
        assert f"$ {command}" in shown
    assert shown.count("$ himed-results compare") == 2
    assert "McNemar" in shown
    for benchmark in ("sample", "held-out"):
        for model in ("himed-demo-base", "himed-demo"):
            report = orjson.loads((demo_folder / "results" / f"{benchmark}-{model}.json").read_bytes())
            assert report["run"]["model"] == model
            assert report["run"]["status"] == "finished"


@pytest.mark.slow
@pytest.mark.vllm
@pytest.mark.usefixtures("demo_folder")
def test_a_second_call_only_shows_the_comparison(demo_command: list[str]) -> None:
    again = subprocess.run(demo_command, capture_output=True, text=True, check=True)
    assert again.stdout.count("finished before") == 4
    assert "$ himed-serve" not in again.stdout
    assert "$ himed-eval" not in again.stdout
    assert again.stdout.count("$ himed-results compare") == 2


@pytest.mark.slow
def test_ctrl_c_ends_every_process_and_the_same_command_goes_on(tmp_path: Path) -> None:
    pytest.importorskip("trl", reason="TRL is not installed: run `make setup`")
    folder = tmp_path / "demo"
    with (tmp_path / "out").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "ui.demo", "--folder", str(folder), "--no-ui"],
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    end = time.monotonic() + 120
    while b"stage 1 of 4" not in (tmp_path / "out").read_bytes():
        assert process.poll() is None, (tmp_path / "out").read_text()
        assert time.monotonic() < end
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    assert process.wait(90) == 130
    assert b"the same command goes on" in (tmp_path / "out").read_bytes()
    assert not _mentioning(str(folder))


def _mentioning(text: str) -> list[str]:
    """Command lines of processes that name a text."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if text in line:
                found.append(line)
    return found


def test_the_gateways_configuration_keeps_its_port_and_names_folders_beside_it(tmp_path: Path) -> None:
    checkpoints = {"base": tmp_path / "base", "trained": tmp_path / "training" / "final"}
    first = yaml.safe_load(write_config(tmp_path / "serve.yaml", checkpoints).read_text())
    assert list(first["models"]) == ["trained", "base"]
    assert first["models"]["trained"]["checkpoint"] == "training/final"
    assert first["open"]
    assert first["limits"] == {"max_tokens": 128}
    assert first["host"] == "127.0.0.1"
    (tmp_path / "serve.yaml").write_text(f"port: {(port := free_port(0))}\n")
    assert yaml.safe_load(write_config(tmp_path / "serve.yaml", checkpoints).read_text())["port"] == port
