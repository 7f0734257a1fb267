import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.vllm
def test_the_demo_runs_end_to_end_and_a_second_call_only_shows_the_table(tmp_path: Path) -> None:
    if find_spec("vllm") is None:
        pytest.skip("vLLM is not installed: run `make setup`")
    command = [
        sys.executable,
        "-c",
        "from ui.demo import main; main()",
        "--folder",
        str(tmp_path / "demo"),
        "--limit",
        "6",
    ]
    environment = os.environ | {"HIMED_LOG_DIR": str(tmp_path / "logs")}
    first = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert first.returncode == 0, first.stderr
    assert "starting vLLM for " in first.stderr
    assert "Accuracy" in first.stdout
    assert "6/6" in first.stdout
    second = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "starting vLLM for " not in second.stderr
    assert "Accuracy" in second.stdout
