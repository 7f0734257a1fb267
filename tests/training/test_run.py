"""`himed-train run` on what it finds in its folder, and a stage that is trained but lacks a file at its end."""

import shutil
from pathlib import Path

import pytest
from grpo_sample import curriculum_overrides, wide_checkpoint, write_questions
from sft_run import run, run_command, sft_command, write_rows

from app.errors import InputError
from training.checkpoints import is_finished, read_lineage
from training.launch import Slurm, write_job
from training.recipe import load_recipe
from training.run import run_recipe
from training.stage.folder import RunFolder


def test_a_restart_deletes_a_run_and_keeps_its_batch_file_and_logs(tmp_path: Path) -> None:
    output = tmp_path / "out"
    folder = RunFolder(output)
    folder.clear()  # there is nothing yet
    job = write_job("demo/la", [f"output={output}"], Slurm())
    folder.clear()
    folder.claim(load_recipe("demo/la", [f"output={output}"]), {"rows.jsonl": "a" * 64})
    (output / "checkpoint-3").mkdir()
    (output / "checkpoint-3" / "model.safetensors").write_bytes(b"weights")
    (output / "logs").symlink_to(tmp_path)
    folder.clear()
    assert [file.name for file in output.iterdir()] == ["slurm"]
    assert job.exists()


def test_missing_data_and_gpus_are_found_before_processes_are_started(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed: run `make setup`")
    overrides = [f"data.folder={tmp_path}", f"output={tmp_path / 'out'}"]
    with pytest.raises(InputError, match=r"HiMed-West_Corpus.*: there is no such file"):
        run_recipe("himed-8b/la", overrides)
    for system in ("West", "Trad"):
        (tmp_path / "himed").mkdir(exist_ok=True)
        (tmp_path / "himed" / f"HiMed-{system}_Corpus.jsonl").touch()
    there = torch.cuda.device_count()
    wanted = there + 1
    more = [f"launch.processes={wanted}", "trainer.gradient_accumulation_steps=1", f"effective_batch={4 * wanted}"]
    with pytest.raises(InputError, match=f"himed-8b/la wants {wanted} GPUs, and there are {there} here"):
        run_recipe("himed-8b/la", [*overrides, *more])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("with_job", [True, False])
def test_a_restart_leaves_a_folder_of_something_else_alone(with_job: bool, tmp_path: Path) -> None:
    if with_job:
        write_job("demo/la", [f"output={tmp_path}"], Slurm())
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="holds no run that could be begun anew; name another output"):
        RunFolder(tmp_path).clear()
    assert (tmp_path / "thesis.txt").exists()


@pytest.mark.slow
def test_a_run_can_be_restarted_where_only_its_batch_file_stands(tiny_checkpoint: Path, tmp_path: Path) -> None:
    pytest.importorskip("trl", reason="TRL is not installed: run `make setup`")
    data, output = write_rows(tmp_path / "rows.jsonl"), tmp_path / "out"
    command = sft_command(tiny_checkpoint, data, output, "data.held_out_share=0.1", "trainer.max_steps=1")
    job = write_job("demo/la", command[6::2], Slurm())
    done = run([*command, "--restart"])
    assert done.returncode == 0, done.stderr[-3000:]
    assert is_finished(output / "final")
    assert job.exists()


@pytest.mark.slow
def test_a_trained_grpo_stage_is_finished_although_its_first_measure_is_gone(
    tiny_checkpoint: Path, tmp_path: Path
) -> None:
    pytest.importorskip("trl", reason="TRL is not installed: run `make setup`")
    output = tmp_path / "out"
    base = wide_checkpoint(tiny_checkpoint, tmp_path / "base")
    more = ("trainer.max_steps=2", "trainer.lr_scheduler_type=constant")  # another step would change the weights
    command = run_command("demo/rl-high", curriculum_overrides(base, tmp_path, output, *more))
    write_questions(tmp_path / "questions.jsonl", 25)
    done = run(command)
    assert done.returncode == 0, done.stderr[-3000:]
    unused = (
        "demo/rl-high: each epoch leaves 1 of 25 prompts unused: a step takes 2 (effective_batch / num_generations)"
    )
    assert done.stdout.splitlines().count(unused) == 1
    revision = read_lineage(output / "final").revision
    shutil.rmtree(output / "final")  # as if it had been killed before its end
    (output / "reward_before.json").unlink()
    done = run(command)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "steps 2 to 2" in done.stdout
    (said,) = [line for line in done.stderr.splitlines() if "reward_before.json" in line]
    assert said.startswith("warning: ")
    assert said.endswith("; the rewards before and after stay unknown")
    lineage = read_lineage(output / "final")
    assert (lineage.revision, lineage.steps) == (revision, 2)
    assert {"reward_before", "reward_after", "reward_gain", "reward_gain_p"} <= lineage.metrics.keys()
    assert {(metric.value, metric.n, metric.missing) for metric in lineage.metrics.values()} == {(None, 0, 6)}
