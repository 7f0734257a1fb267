"""`himed-serve`'s command line: what it refuses in one line, and what it says without starting anything."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from served import Served, until

from server.config import load_config

COMMAND = [sys.executable, "-P", "-m", "server.cli"]
ELSEWHERE = {"backends": [{"url": "http://127.0.0.1:9"}]}


def run(folder: Path, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    variables = os.environ | {"HIMED_DB": f"sqlite:///{folder / 'cli.db'}"} | environment
    return subprocess.run(
        [*COMMAND, *words], cwd=folder, env=variables, capture_output=True, text=True, timeout=60, check=False
    )


def written(folder: Path, **config: Any) -> str:
    (folder / "serve.yaml").write_text(yaml.safe_dump(config))
    return str(folder / "serve.yaml")


def refused(result: "subprocess.CompletedProcess[str]") -> str:
    """The one line."""
    assert result.returncode == 2, result.stderr
    (line,) = result.stderr.splitlines()
    return line.removeprefix("himed-serve: error: ")


def test_help_is_fast_and_comes_without_arguments(tmp_path: Path) -> None:
    began = time.monotonic()
    shown = run(tmp_path, "--help")
    took_s = time.monotonic() - began
    assert shown.returncode == 0
    assert "himed-serve --model ./himed-8b --open" in shown.stdout
    assert "keys" in shown.stdout
    assert "himed-serve --model ./himed-8b --open" in run(tmp_path).stderr
    assert took_s < 3  # 0.25 s on a machine that does nothing else


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, server.cli; print(*{'pydantic', 'sqlalchemy', 'aiohttp', 'fastapi', 'torch'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == ""


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"models": {}}, "field 'models'"),
        ({"models": {"m": ELSEWHERE}, "modles": {}}, "unknown key"),
        ({"models": {"m": ELSEWHERE}, "host": "0.0.0.0", "open": True}, "loopback"),
        ({"models": {"m": {}}}, "names neither a checkpoint nor backends"),
        ({"models": {"m": {"backends": [{"url": "http://h", "api_key_variable": "NO_SUCH"}]}}}, "NO_SUCH is not set"),
        ({"models": {"m": {"checkpoint": "/nowhere/at/all"}}}, "field 'models.m': /nowhere/at/all: no such checkpoint"),
        (
            {"models": {"m": {"checkpoint": "/nowhere", "engine": {"args": ["--trust-remote-code"]}}}},
            "field 'models.m.engine': --trust-remote-code cannot be passed on",
        ),
    ],
)
def test_a_wrong_configuration_is_one_line(tmp_path: Path, config: dict[str, Any], said: str) -> None:
    file = written(tmp_path, **config)
    assert said in refused(run(tmp_path, "--config", file))
    assert said in refused(run(tmp_path, "config", "--config", file, "--device", "cpu"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--open"], "neither a checkpoint nor a configuration"),
        (["--model", "a", "--config", "b.yaml"], "both a checkpoint and a configuration"),
        (["--config", "b.yaml", "--name", "x"], "--name is for --model"),
        (["--config", "b.yaml"], "b.yaml: no such file"),
        (["--db", "sqlite:///x.db", "keys", "list"], "options before keys; write them after"),
        (["--model", "/nowhere/at/all", "--open", "--db", "mysql://h"], "unsupported database 'mysql'"),
    ],
)
def test_wrong_options_are_one_line(tmp_path: Path, words: list[str], said: str) -> None:
    assert said in refused(run(tmp_path, *words, "--port", "0") if "keys" not in words else run(tmp_path, *words))


def test_a_taken_port_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        file = written(tmp_path, models={"m": ELSEWHERE}, port=port, open=True)
        said = refused(run(tmp_path, "--config", file))
    assert said == (
        f"cannot listen on 127.0.0.1, port {port} (Address already in use); free it, or name another with --host and "
        "--port"
    )


def test_a_database_that_is_away_is_one_line(tmp_path: Path) -> None:
    file = written(tmp_path, models={"m": ELSEWHERE}, port=0)
    said = refused(run(tmp_path, "--config", file, "--db", "postgresql://himed:secret@127.0.0.1:1/x"))
    assert "cannot be opened" in said
    assert "secret" not in said


def test_a_checkpoint_without_weights_is_one_line_before_any_vllm(tiny_checkpoint: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_checkpoint, tmp_path / "empty", ignore=shutil.ignore_patterns("*.safetensors"))
    good = {"checkpoint": str(tiny_checkpoint)}
    file = written(tmp_path, models={"good": good, "bad": {"checkpoint": "empty"}}, open=True, port=0)
    for words in (["--config", file], ["config", "--config", file]):
        said = refused(run(tmp_path, *words, HIMED_LOG_DIR=str(tmp_path / "logs")))
        assert said.startswith(f"field 'models.bad': {tmp_path / 'empty'}: no weights")
    assert not (tmp_path / "logs").exists()


def test_without_a_key_it_says_how_to_make_one(tmp_path: Path) -> None:
    with Served(tmp_path, {"models": {"m": ELSEWHERE}, "open": False}) as served:
        said = "himed-serve: there is no API key yet; this makes one: himed-serve keys add NAME"
        until(lambda: said in served.err.splitlines())
        assert served.out.startswith("himed-serve: http://127.0.0.1:")
        assert "serves m, auto" in served.out
        served.stop(signal.SIGTERM)
        assert served.wait() == 0


def test_options_go_before_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, models={"m": ELSEWHERE}, host="0.0.0.0", workers=3, drain_s=7)
    shown = run(tmp_path, "config", "--config", file, "--open", "--host", "127.0.0.1", "--workers", "2")
    resolved = yaml.safe_load(shown.stdout)
    assert (resolved["host"], resolved["workers"], resolved["open"], resolved["drain_s"]) == ("127.0.0.1", 2, True, 7)


def test_the_dry_run_prints_a_whole_configuration_and_the_command_lines(tiny_checkpoint: Path, tmp_path: Path) -> None:
    engine = {"replicas": 2, "devices": ["0,1", "2,3"], "args": ["--tensor-parallel-size", "2"], "max_model_len": 512}
    model = {"checkpoint": str(tiny_checkpoint), "format": "himed", "languages": ["hindi"], "engine": engine}
    elsewhere = {"backends": [{"url": "http://h:1", "api_key_variable": "ELSEWHERE_KEY"}], "format": "cure-med"}
    file = written(tmp_path, models={"himed-8b": model, "cure-med-7b": elsewhere})
    shown = run(tmp_path, "config", "--config", file, "--device", "gpu", ELSEWHERE_KEY="sk-secret")
    assert shown.returncode == 0, shown.stderr
    assert "sk-secret" not in shown.stdout
    lines = [line for line in shown.stdout.splitlines() if line.startswith("# ")]
    assert f"# himed-8b/1: {tiny_checkpoint} is whole" in lines
    (command,) = [line for line in lines if line.startswith("# CUDA_VISIBLE_DEVICES=2,3 ")]
    for part in ("--served-model-name himed-8b", "--max-model-len 512", "--reasoning-parser himed"):
        assert part in command
    assert command.endswith("--tensor-parallel-size 2")
    (tmp_path / "again.yaml").write_text(shown.stdout)
    again = load_config(tmp_path / "again.yaml")
    assert again == load_config(Path(file)).model_copy()
    assert again.models["himed-8b"].engine.devices == ("0,1", "2,3")


def test_the_formats_own_parser_is_used_and_resolved_from_the_lineage(tiny_checkpoint: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_checkpoint, tmp_path / "trained")
    (tmp_path / "trained" / "lineage.json").write_text('{"format": "cure-med"}')
    shown = run(tmp_path, "config", "--model", "trained", "--name", "mine", "--device", "cpu")
    assert yaml.safe_load(shown.stdout)["models"]["mine"]["format"] == "cure-med"
    assert "--reasoning-parser cure-med" in shown.stdout


def test_the_help_of_config_names_every_field() -> None:
    shown = subprocess.run([*COMMAND, "config", "--help"], check=True, capture_output=True, text=True).stdout
    for field in ("models.NAME.engine:", "chat_template", "api_key_variable", "header_s", "keep_days", "drain_s"):
        assert field in shown
