"""SFT under real DeepSpeed by `himed-train run`: two processes, killed and resumed, and one whole result."""

from pathlib import Path

import pytest
from sft_run import kill_at, run, sft_command, write_rows

from training.checkpoints import read_lineage

pytest.importorskip("deepspeed", reason="DeepSpeed is not installed: run `make setup`")


@pytest.mark.slow
@pytest.mark.parametrize(("zero", "stage"), [("zero2", 2), ("zero3", 3)])
def test_two_processes_are_killed_and_go_on(zero: str, stage: int, tiny_checkpoint: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    data, output = write_rows(tmp_path / "rows.jsonl", 64), tmp_path / "out"
    overrides = [f"launch.accelerate={zero}", "launch.processes=2", "trainer.per_device_train_batch_size=2"]
    overrides += ["trainer.gradient_accumulation_steps=2", "trainer.bf16=true", "data.held_out_share=0.1"]
    command = sft_command(tiny_checkpoint, data, output, *overrides)
    said = kill_at(command, output / "checkpoint-9")  # in its second epoch
    assert f"trains by DeepSpeedEngine, ZeRO stage {stage}, 2 processes" in said
    assert not (output / "final").exists()

    done = run(command)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    assert "goes on from" in done.stdout
    assert read_lineage(output / "final").steps == 16
    model, report = AutoModelForCausalLM.from_pretrained(
        output / "final", dtype=torch.float32, output_loading_info=True
    )
    assert not any(report.values())
    before = AutoModelForCausalLM.from_pretrained(tiny_checkpoint, dtype=torch.float32)
    assert all(
        one.shape == other.shape and not torch.equal(one, other)
        for one, other in zip(model.parameters(), before.parameters(), strict=True)
    )
