"""A killed run goes on from the newest checkpoint that was written to its end."""

import logging
from importlib.util import find_spec
from pathlib import Path

import pytest
from checkpoint_sample import write_deepspeed, write_resumable

from training.checkpoints import newest_resumable, why_not_whole


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-30])


def test_the_newest_by_number_wins(tmp_path: Path) -> None:
    for step in (1000, 90, 200):
        write_resumable(tmp_path, step)
    (tmp_path / "checkpoint-last").mkdir()
    (tmp_path / "checkpoint-2000").write_text("a file")
    assert newest_resumable(tmp_path) == tmp_path / "checkpoint-1000"


def test_a_run_without_checkpoints_begins_at_the_start(tmp_path: Path) -> None:
    assert newest_resumable(tmp_path / "none") is None
    assert newest_resumable(tmp_path) is None


@pytest.mark.parametrize(
    "name",
    ["trainer_state.json", "model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth"],
)
@pytest.mark.parametrize("cut", [True, False], ids=["cut off", "missing"])
def test_a_half_written_one_is_skipped_with_a_note(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, cut: bool
) -> None:
    older = write_resumable(tmp_path, 10)
    file = write_resumable(tmp_path, 20) / name
    if cut:
        _cut(file)
    else:
        file.unlink()
    with caplog.at_level(logging.WARNING):
        assert newest_resumable(tmp_path) == older
    (note,) = caplog.messages
    assert "checkpoint-20 is not whole" in note
    assert name in note or name == "model.safetensors"


def test_a_state_of_another_step_is_not_trusted(tmp_path: Path) -> None:
    write_resumable(tmp_path, 10).rename(tmp_path / "checkpoint-20")
    assert why_not_whole(tmp_path / "checkpoint-20") == "trainer_state.json: speaks of step 10"


def test_every_process_has_its_random_state(tmp_path: Path) -> None:
    checkpoint = write_resumable(tmp_path, 10)
    (checkpoint / "rng_state.pth").rename(checkpoint / "rng_state_0.pth")
    assert why_not_whole(checkpoint) == "random states of the ranks 0 where there are 2 processes"
    (checkpoint / "rng_state_1.pth").write_bytes((checkpoint / "rng_state_0.pth").read_bytes())
    assert why_not_whole(checkpoint) is None


@pytest.mark.parametrize("stage", [2, 3])
@pytest.mark.parametrize("processes", [2, 8])
def test_a_whole_one_of_deepspeed_is_resumed(tmp_path: Path, stage: int, processes: int) -> None:
    checkpoint = write_deepspeed(tmp_path, 40, stage=stage, processes=processes)
    assert newest_resumable(tmp_path) == checkpoint


def test_deepspeed_in_one_process_has_one_random_state(tmp_path: Path) -> None:
    checkpoint = write_deepspeed(tmp_path, 40, stage=2, processes=1)
    (checkpoint / "rng_state_0.pth").rename(checkpoint / "rng_state.pth")
    assert why_not_whole(checkpoint) is None


@pytest.mark.parametrize(
    ("stage", "name"),
    [
        (2, "latest"),
        (2, "rng_state_1.pth"),
        (2, "global_step40/bf16_zero_pp_rank_0_mp_rank_00_optim_states.pt"),
        (2, "global_step40/bf16_zero_pp_rank_1_mp_rank_00_optim_states.pt"),
        (2, "global_step40/mp_rank_00_model_states.pt"),
        (3, "global_step40/zero_pp_rank_1_mp_rank_00_model_states.pt"),
        (3, "global_step40/bf16_zero_pp_rank_1_mp_rank_00_optim_states.pt"),
    ],
)
@pytest.mark.parametrize("cut", [True, False], ids=["cut off", "missing"])
def test_a_half_written_one_of_deepspeed_is_skipped(tmp_path: Path, stage: int, name: str, cut: bool) -> None:
    file = write_deepspeed(tmp_path, 40, stage=stage, processes=2) / name
    if not cut:
        file.unlink()
    elif name == "latest":
        file.write_text("global")
    else:
        _cut(file)
    assert newest_resumable(tmp_path) is None


def test_deepspeed_states_that_latest_does_not_name_are_not_taken(tmp_path: Path) -> None:
    checkpoint = write_deepspeed(tmp_path, 40, stage=2, processes=2)
    (checkpoint / "latest").write_text("../checkpoint-30")
    assert why_not_whole(checkpoint) == "latest: names '../checkpoint-30', which is not there"


def test_weights_may_live_in_zero_3_alone(tmp_path: Path) -> None:
    checkpoint = write_deepspeed(tmp_path, 40, stage=3, processes=2)
    (checkpoint / "model.safetensors").unlink()
    assert why_not_whole(checkpoint) is None


def test_pickled_weights_are_not_resumed(tmp_path: Path) -> None:
    checkpoint = write_resumable(tmp_path, 10)
    (checkpoint / "pytorch_model.bin").write_bytes(b"pickle")
    problem = why_not_whole(checkpoint)
    assert problem is not None
    assert problem.startswith("pytorch_model.bin: pickled weights")


@pytest.mark.slow
@pytest.mark.skipif(find_spec("transformers") is None, reason="transformers is not installed: run `make setup`")
def test_what_the_trainer_writes_is_whole_until_a_file_is_cut(tiny_checkpoint: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, Trainer, TrainingArguments

    model = AutoModelForCausalLM.from_pretrained(tiny_checkpoint)
    rows = [{"input_ids": torch.arange(8), "labels": torch.arange(8)}] * 8
    arguments = TrainingArguments(
        output_dir=str(tmp_path), max_steps=2, save_steps=1, report_to=[], use_cpu=True, disable_tqdm=True
    )
    Trainer(model, arguments, train_dataset=rows).train()
    newest = tmp_path / "checkpoint-2"
    assert newest_resumable(tmp_path) == newest
    for name in ("model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json"):
        content = (newest / name).read_bytes()
        for length in (0, len(content) // 2, len(content) - 4):
            (newest / name).write_bytes(content[:length])
            assert newest_resumable(tmp_path) == tmp_path / "checkpoint-1", (name, length)
        (newest / name).write_bytes(content)
    assert newest_resumable(tmp_path) == newest
