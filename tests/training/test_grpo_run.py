"""GRPO runs on a tiny model: weights that reach the trainer, guards that stop it, adapters that are kept."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from grpo_sample import assert_on_schedule, build_reward_model, curriculum_overrides, dsr_overrides, wide_checkpoint
from local_endpoint import LocalEndpoint, failure
from sft_run import kill_at, log_of, run, run_command

from app.errors import InputError
from training.checkpoints import read_lineage

pytest.importorskip("trl", reason="TRL is not installed: run `make setup`")
pytest.importorskip("peft", reason="peft is not installed: run `make setup`")

from training.run import run_recipe

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads of several runs on few cores wait for each other."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def base(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wide_checkpoint(tiny_checkpoint, tmp_path_factory.mktemp("base") / "base")


@pytest.fixture(scope="module")
def reward_model(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_reward_model(tiny_checkpoint, tmp_path_factory.mktemp("reward-model"))


def test_a_curriculum_stage_trains_the_full_weights_and_logs_how_it_fares(base: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    output = tmp_path / "out"
    # Two optimiser steps share their completions, and a step is made of two passes.
    passes = ("trainer.per_device_train_batch_size=4", "trainer.gradient_accumulation_steps=2")
    overrides = curriculum_overrides(base, tmp_path, output, "trainer.max_steps=4", "trainer.num_iterations=2", *passes)
    assert run_recipe("demo/rl-high", overrides) == output / "final"
    lines = log_of(output)
    assert [line["step"] for line in lines] == [1, 2, 3, 4]
    for line in lines:
        assert {"grad_norm", "tokens_per_second", "memory_gib", "time/step", "time/loss", "time/other"} <= line.keys()
        # Raw rewards, weights and weighted sum stand apart in every line.
        assert {f"reward/{name}" for name in ("accuracy", "language", "format", "weighted")} <= line.keys()
        weights = [line[f"weight/{name}"] for name in ("accuracy", "language", "format")]
        assert weights == pytest.approx([0.65, 0.30, 0.05])
    for line in (lines[0], lines[2]):
        assert min(line[f"time/{name}"] for name in ("generate", "reward", "probabilities", "loss")) > 0
        assert {"guard/zero_spread", "guard/cut_off", "guard/degenerate", "guard/unanswered"} <= line.keys()
    assert lines[1]["time/generate"] == lines[3]["time/generate"] == 0
    lineage = read_lineage(output / "final")
    assert (lineage.stage, lineage.format, lineage.languages, lineage.steps) == ("rl-high", "cure-med", ("sw",), 4)
    assert lineage.tokens == lines[2]["num_tokens"]
    before, after, p = (lineage.metrics[f"reward_{name}"] for name in ("before", "after", "gain_p"))
    assert before.n == after.n == p.n == 6
    measured = json.loads((output / "reward_before.json").read_text(encoding="utf-8"))
    assert measured["weights"] == {"accuracy": 0.65, "language": 0.3, "format": 0.05}
    samples = [json.loads(line) for line in (output / "samples.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [sample["step"] for sample in samples] == [1] * 4
    assert samples[0]["rewards"].keys() == {"accuracy", "language", "format"}
    start, final = (AutoModelForCausalLM.from_pretrained(folder) for folder in (base, output / "final"))
    assert any(not torch.equal(a, b) for a, b in zip(start.parameters(), final.parameters(), strict=True))
    assert _tensorboard_texts(output / "logs") == ["samples/text_summary"]


def _tensorboard_texts(folder: Path) -> list[str]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    assert "train/reward/weighted" in events.Tags()["scalars"]
    return [tag for tag in events.Tags()["tensors"] if tag.startswith("samples")]


def test_a_killed_dsr_run_goes_on_and_its_adapter_is_kept_and_merged(
    base: Path, reward_model: Path, tmp_path: Path
) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    steps, output = 10, tmp_path / "out"
    overrides = dsr_overrides(base, reward_model, tmp_path, output, f"trainer.max_steps={steps}")
    words = run_command("demo/dsr-rl", overrides)
    kill_at(words, output / "checkpoint-4")
    first = (output / "reward_before.json").read_bytes()
    assert not (output / "adapter").exists()
    done = run(words)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "goes on from" in done.stdout
    assert (output / "reward_before.json").read_bytes() == first
    lines = log_of(output)
    assert_on_schedule(lines, steps)
    for line in lines:
        assert line["reward/weighted"] == pytest.approx(line["reward"], abs=1e-5)  # what TRL learns from
    assert (lines[0]["weight/task"], lines[-1]["weight/task"]) == pytest.approx((0.1, 0.9))
    assert 0.4 < lines[steps // 2]["weight/task"] < 0.6
    samples = [json.loads(line)["step"] for line in (output / "samples.jsonl").read_bytes().splitlines()]
    assert samples == [1] * 4 + [5] * 4 + [9] * 4

    tokenizer = AutoTokenizer.from_pretrained(output / "final")
    text = tokenizer("रोगी को बुखार है। Which option is right?", return_tensors="pt")
    plain = AutoModelForCausalLM.from_pretrained(base)
    with torch.inference_mode():
        logits = plain(**text).logits
        adapted = PeftModel.from_pretrained(plain, output / "adapter").eval()(**text).logits
        merged = AutoModelForCausalLM.from_pretrained(output / "final")(**text).logits
    assert (adapted - logits).abs().max() > 1e-3  # the adapter does something
    torch.testing.assert_close(merged, adapted, atol=1e-3, rtol=0)
    lineage = read_lineage(output / "adapter")
    assert (lineage.stage, lineage.steps) == ("dsr-rl", steps)
    assert {"reward_gain", "reward_gain_p", "reward_task_gain", "reward_scaffold_gain"} <= lineage.metrics.keys()


def test_a_fixed_weight_stays_and_a_guard_stops_the_run_in_one_line(
    base: Path, reward_model: Path, tmp_path: Path
) -> None:
    fixed = ("reward.schedule.kind=fixed", "reward.schedule.start=0.5", "reward.schedule.end=0.5", "measure_prompts=0")
    stop = ("trainer.max_steps=6", "guards.action=stop", "guards.window=5", "guards.max_cut_off=0.0")
    output = tmp_path / "out"
    done = run(run_command("demo/dsr-rl", dsr_overrides(base, reward_model, tmp_path, output, *fixed, *stop)))
    assert done.returncode == 2, done.stderr[-3000:]
    (error,) = [line for line in done.stderr.splitlines() if "error:" in line]
    assert "field 'guards': the run was stopped: share of completions that end at the token limit" in error
    assert f"look at {output / 'samples.jsonl'}" in error
    assert "Traceback" not in done.stderr
    assert [line["weight/task"] for line in log_of(output)] == pytest.approx([0.5] * 4)
    assert not (output / "reward_before.json").exists()


def test_a_judge_rewards_and_stops_the_run_when_it_fails(base: Path, tmp_path: Path) -> None:
    def answer(body: dict[str, Any]) -> str:
        return f"Score: 0.{len(str(body)) % 10}"

    with LocalEndpoint(answer) as endpoint:
        judge = f"reward.accuracy={{by: judge, endpoint: '{endpoint.url}', model: judge}}"
        overrides = curriculum_overrides(base, tmp_path, tmp_path / "out", judge, "trainer.max_steps=2")
        run_recipe("demo/rl-high", overrides)
        asked = len(endpoint.requests)
    assert asked > 0
    assert (tmp_path / "out" / "judge-0.db").stat().st_size > 0
    lines = log_of(tmp_path / "out")
    assert all(line["judge/failed"] == 0 for line in lines)
    assert any(line["reward/accuracy"] > 0 for line in lines)
    assert all(line["time/judge"] > 0 for line in lines)
    with LocalEndpoint(lambda body: failure(400, "no such model")) as endpoint:
        judge = f"reward.accuracy={{by: judge, endpoint: '{endpoint.url}', model: judge, max_failure_rate: 0.01}}"
        overrides = curriculum_overrides(base, tmp_path, tmp_path / "failed", judge, "trainer.max_steps=4")
        with pytest.raises(InputError, match=r"'reward\.accuracy': the judge judge at http.*no such model.*resume"):
            run_recipe("demo/rl-high", overrides)
