"""Processes under accelerate's launcher that fail: what the user reads, and the status with which they end."""

import re
import sys
from pathlib import Path

import pytest
from grpo_sample import curriculum_overrides
from sft_run import run, run_command

from training.recipe.loader import ACCELERATE

pytest.importorskip("deepspeed", reason="DeepSpeed is not installed: run `make setup`")


@pytest.mark.slow
def test_a_guard_stops_two_processes_in_one_line(tiny_checkpoint: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    more = ["launch.accelerate=zero2", "launch.processes=2", "trainer.bf16=true", "measure_prompts=0"]
    more += ["trainer.per_device_train_batch_size=4", "trainer.max_steps=3"]
    more += ["guards.action=stop", "guards.window=1", "guards.max_cut_off=0.0"]
    done = run(run_command("demo/rl-high", curriculum_overrides(tiny_checkpoint, tmp_path, output, *more)))
    assert done.returncode == 2, done.stderr[-3000:]
    said = done.stdout + done.stderr
    (error,) = re.findall("^.*error:.*$", said, re.MULTILINE)
    assert error.startswith("himed-train: error: field 'guards': the run was stopped: ")
    assert "; share of completions that end at the token limit: " in error
    assert f"; look at {output / 'samples.jsonl'}; " in error
    for word in ("Traceback", "ChildFailedError", "torch/distributed", "exitcode"):
        assert word not in said


@pytest.mark.slow
def test_another_end_is_told_as_torch_tells_it_without_the_launchers_traceback(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("raise SystemExit(3)\n")
    words = ["--config_file", str(ACCELERATE / "zero2.yaml"), "--num_processes", "2", str(script)]
    done = run([sys.executable, "-m", "training.start", *words])
    assert done.returncode == 1, done.stderr[-3000:]
    assert "exitcode  : 3" in done.stderr
    assert "Traceback" not in done.stderr
