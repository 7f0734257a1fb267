"""GRPO under real DeepSpeed by `himed-train run`: two processes, killed and resumed, and one whole result."""

import json
from itertools import groupby
from pathlib import Path

import pytest
from grpo_sample import assert_on_schedule, build_reward_model, dsr_overrides, wide_checkpoint
from sft_run import kill_at, log_of, run, run_command

from training.checkpoints import read_lineage

pytest.importorskip("deepspeed", reason="DeepSpeed is not installed: run `make setup`")
pytest.importorskip("peft", reason="peft is not installed: run `make setup`")


@pytest.mark.slow
def test_two_processes_are_killed_and_go_on(tiny_checkpoint: Path, tmp_path: Path) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    steps, output = 8, tmp_path / "out"
    base = wide_checkpoint(tiny_checkpoint, tmp_path / "base")
    reward_model = build_reward_model(tiny_checkpoint, tmp_path / "reward-model")
    overrides = ["launch.accelerate=zero2", "launch.processes=2", "trainer.bf16=true", f"trainer.max_steps={steps}"]
    # Both processes make completions of each group, and a step is made of two passes.
    overrides += ["trainer.num_generations=8", "trainer.per_device_train_batch_size=2"]
    overrides += ["trainer.gradient_accumulation_steps=2"]
    command = run_command("demo/dsr-rl", dsr_overrides(base, reward_model, tmp_path, output, *overrides))
    said = kill_at(command, output / "checkpoint-4")
    assert "trains by DeepSpeedEngine, ZeRO stage 2, 2 processes: steps 0 to 8" in said
    assert not (output / "adapter").exists()
    first = (output / "reward_before.json").read_bytes()

    done = run(command)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    assert f"goes on from {output / 'checkpoint-4'}" in done.stdout
    assert "trains by DeepSpeedEngine, ZeRO stage 2, 2 processes: steps 4 to 8" in done.stdout
    assert (output / "reward_before.json").read_bytes() == first
    lines = log_of(output)
    assert_on_schedule(lines, steps)  # the log has the means over both processes
    assert lines[4]["kl"] > 0  # the adapter came back: a new one is the reference itself
    samples = [json.loads(line) for line in (output / "samples.jsonl").read_bytes().splitlines()]
    groups = [(step, list(group)) for step, group in groupby(samples, key=lambda sample: sample["step"])]
    assert [step for step, _ in groups] == [1, 5]
    for _, group in groups:
        assert len({sample["question"] for sample in group}) == 1
        assert len({sample["completion"] for sample in group}) == len(group) == 8  # each process has its own seed

    start = AutoModelForCausalLM.from_pretrained(base)
    final, report = AutoModelForCausalLM.from_pretrained(output / "final", output_loading_info=True)
    assert not any(report.values())
    before, after = (dict(model.named_parameters()) for model in (start, final))
    assert before.keys() == after.keys()
    changed = {name for name, weights in before.items() if not torch.equal(weights, after[name])}
    assert changed == {name for name in before if name.endswith("_proj.weight")}
    ids = torch.arange(48)[None]
    adapted = PeftModel.from_pretrained(start, output / "adapter").eval()
    with torch.inference_mode():
        torch.testing.assert_close(final(ids).logits, adapted(ids).logits, atol=1e-3, rtol=0)
    lineage, merged = (read_lineage(output / name) for name in ("adapter", "final"))
    assert (lineage.stage, merged.stage, lineage.steps) == ("dsr-rl", "merge", steps)
    assert lineage.tokens == lines[-1]["num_tokens"]
    measured = [lineage.metrics[f"reward_{when}"] for when in ("before", "after")]
    assert [(metric.n, metric.missing) for metric in measured] == [(6, 0)] * 2
