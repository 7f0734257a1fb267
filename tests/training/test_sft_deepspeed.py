"""SFT under real DeepSpeed by `himed-train run`: two processes, killed and resumed, and one whole result.

ZeRO stage 3 here; stage 2 in test_grpo_deepspeed.py and test_launch.py.
"""

from pathlib import Path

import pytest
from sft_run import assert_trained, kill_at, run, sft_command, write_rows

from training.checkpoints import read_lineage

pytest.importorskip("deepspeed", reason="DeepSpeed is not installed: run `make setup`")


@pytest.mark.slow
def test_two_processes_are_killed_and_go_on(tiny_checkpoint: Path, tmp_path: Path) -> None:
    data, output = write_rows(tmp_path / "rows.jsonl", 64), tmp_path / "out"
    overrides = ["launch.accelerate=zero3", "launch.processes=2", "trainer.per_device_train_batch_size=2"]
    overrides += ["trainer.gradient_accumulation_steps=2", "trainer.bf16=true", "data.held_out_share=0.1"]
    command = sft_command(tiny_checkpoint, data, output, *overrides)
    said = kill_at(command, output / "checkpoint-9")  # in its second epoch
    assert "trains by DeepSpeedEngine, ZeRO stage 3, 2 processes" in said
    assert not (output / "final").exists()

    done = run(command)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    assert "goes on from" in done.stdout
    assert read_lineage(output / "final").steps == 16
    assert_trained(output / "final", tiny_checkpoint)
