"""The batch file of `himed-train launch --slurm`: its text, and its run on stand-ins for Slurm's commands."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sft_run import ROOT, assert_trained, environment, sft_command, write_rows

from app.errors import InputError
from training.checkpoints import read_lineage, why_not_whole
from training.launch import Slurm, submit, write_job
from training.machine import this_machine
from training.recipe import load_recipe

# Stand-ins: what a cluster would do, on this machine.
COMMANDS = {
    "sbatch": """
        [ "$1" = --parsable ] || exit 9
        grep -q refuse "$2" && { echo 'sbatch: error: invalid partition' >&2; exit 1; }
        echo '4242;cluster'
    """,
    # Each task in the background, as on machines of their own; the highest status of all, as srun's manual says.
    "srun": """
        while [[ $1 == --* ]]; do shift; done
        tasks=() status=0
        for ((machine = 0; machine < SLURM_NNODES; machine++)); do
            SLURM_NODEID=$machine "$@" &
            tasks+=($!)
        done
        for task in "${tasks[@]}"; do
            wait "$task"
            code=$?
            ((code > status)) && status=$code
        done
        exit "$status"
    """,
    "scontrol": """
        case "$1 $2" in
            "show hostnames") printf 'localhost\\nlocalhost\\n' ;;
            "requeue $SLURM_JOB_ID") touch "$(dirname "$0")/requeued" ;;
            *) exit 9 ;;
        esac
    """,
}


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on PATH with the stand-ins; ``requeued`` in it says that a job was put back into the queue."""
    folder = tmp_path / "cluster"
    folder.mkdir()
    for name, script in COMMANDS.items():
        (folder / name).write_text(f"#!/bin/bash\n{script}")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


def head(job: Path) -> dict[str, str]:
    """The #SBATCH options."""
    found = re.findall(r"^#SBATCH --([\w-]+)=?(.*)$", job.read_text(), re.MULTILINE)
    return {name: "".join(shlex.split(value)) for name, value in found}


def run_words(job: Path) -> list[str]:
    """The command that srun starts on every machine."""
    (line,) = re.findall(r"^ +(.*) &$", job.read_text(), re.MULTILINE)
    words = shlex.split(line)
    assert words[:3] == [sys.executable, "-m", "training.cli"]
    return words[3:]


@pytest.mark.parametrize("nodes", [1, 2, 4])
def test_the_batch_file_asks_for_the_machines_and_keeps_the_effective_batch(nodes: int, tmp_path: Path) -> None:
    output = tmp_path / "a run"
    slurm = Slurm(nodes=nodes, time_limit="1-00:00", account="med", extra=("--constraint=h200&ib",))
    job = write_job("cure-med-32b/sft", [f"output={output}"], slurm, ["--allow-hub"])
    assert job == output / "slurm" / "job.sbatch"
    assert subprocess.run(["bash", "-n", str(job)], check=False).returncode == 0
    assert head(job) == {
        "job-name": "cure-med-32b/sft",
        "nodes": str(nodes),
        "ntasks-per-node": "1",
        "cpus-per-task": "32",
        "gpus-per-node": "8",
        "account": "med",
        "time": "1-00:00",
        "chdir": str(Path.cwd()),
        "output": f"{output}/slurm/%j.out",
        "open-mode": "append",
        "signal": "B:USR1@600",
        "requeue": "",
        "constraint": "h200&ib",
    }
    assert f"srun --nodes={nodes} --ntasks={nodes} " in job.read_text()
    assert ("MASTER_ADDR" in job.read_text()) == (nodes > 1)
    run, name, *rest, option = run_words(job)
    assert (run, name, option) == ("run", "cure-med-32b/sft", "--allow-hub")
    recipe = load_recipe(name, rest[1::2])
    assert (recipe.launch.nodes, recipe.launch.processes, recipe.effective_batch) == (nodes, 8, 32)
    assert recipe.trainer.gradient_accumulation_steps == 4 // nodes


def test_a_batch_that_does_not_divide_is_refused_with_what_would(tmp_path: Path) -> None:
    wide = ["trainer.per_device_train_batch_size=4", "trainer.gradient_accumulation_steps=1", f"output={tmp_path}"]
    with pytest.raises(InputError, match="32 rows per step do not divide over 16 GPUs of 4 rows each") as caught:
        write_job("cure-med-32b/sft", wide, Slurm(nodes=2))
    offered = re.findall(r"--set (\S+)", str(caught.value))
    job = write_job("cure-med-32b/sft", [*wide, *offered], Slurm(nodes=2))
    assert load_recipe("cure-med-32b/sft", run_words(job)[3::2]).trainer.per_device_train_batch_size == 2
    with pytest.raises(InputError, match="use a number of GPUs that divides 32"):
        write_job("cure-med-32b/sft", wide, Slurm(nodes=3))


@pytest.mark.parametrize(
    ("slurm", "said"),
    [
        (Slurm(time_limit="15"), "--time.*15 is 900 s"),
        (Slurm(time_limit="0:30:0:0"), "is no time"),
        (Slurm(time_limit="soon"), "is no time"),
        (Slurm(extra=("exclusive",)), "no option of sbatch"),
        (Slurm(partition="gpu\n#SBATCH --account=x"), "more than one line"),
        (Slurm(nodes=2), "trains on the CPU"),
    ],
)
def test_wrong_options_are_refused(slurm: Slurm, said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said):
        write_job("demo/la", [f"output={tmp_path}"], slurm)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("limit", ["20", "20:00", "0:20:00", "0-1", "0-0:20", "1-00:00:00"])
def test_times_are_read_as_slurm_reads_them(limit: str, tmp_path: Path) -> None:
    assert head(write_job("demo/la", [f"output={tmp_path}"], Slurm(time_limit=limit)))["time"] == limit


def test_a_job_is_submitted_or_the_refusal_shown(cluster: Path, tmp_path: Path) -> None:
    assert submit(write_job("demo/la", [f"output={tmp_path / 'run'}"], Slurm())) == "4242"
    with pytest.raises(InputError, match=r"sbatch refuses it \(sbatch: error: invalid partition\)"):
        submit(write_job("demo/la", [f"output={tmp_path / 'run'}"], Slurm(partition="refuse")))


def test_without_slurm_the_file_is_written_and_the_remedy_said(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "training.cli", "launch", "demo/la", "--set", f"output={tmp_path}"]

    def launch(*more: str) -> tuple[int, str]:
        alone = {**os.environ, "PATH": str(tmp_path)}
        done = subprocess.run([*words, *more], capture_output=True, text=True, check=False, cwd=ROOT, env=alone)
        return done.returncode, done.stdout + done.stderr

    job = tmp_path / "slurm" / "job.sbatch"
    assert launch("--slurm", "--dry-run") == (0, f"wrote {job}\n")
    code, said = launch("--slurm")
    assert (code, "there is no sbatch on this machine; submit the file from a login node" in said) == (2, True)
    code, said = launch()
    assert (code, "add --slurm, or use himed-train run" in said) == (2, True)


def test_a_machine_is_told_its_number_and_where_they_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NODE_RANK", "SLURM_NODEID", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    assert this_machine(1).is_first
    with pytest.raises(InputError, match="wants 2 machines, and NODE_RANK, MASTER_ADDR, MASTER_PORT is not set"):
        this_machine(2)
    monkeypatch.setenv("MASTER_ADDR", "node7")
    monkeypatch.setenv("MASTER_PORT", "15007")
    monkeypatch.setenv("SLURM_NODEID", "1")
    machine = this_machine(2)
    assert not machine.is_first
    assert " ".join(machine.words) == "--machine_rank 1 --main_process_ip node7 --main_process_port 15007"
    assert this_machine(1).is_first  # a recipe of one machine does not look
    monkeypatch.setenv("NODE_RANK", "2")
    with pytest.raises(InputError, match="no machine 2 of 2"):
        this_machine(2)


@pytest.mark.slow
@pytest.mark.parametrize("nodes", [1, 2])
def test_a_job_goes_back_into_the_queue_before_its_time_limit_and_goes_on(
    nodes: int, cluster: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    """On the CPU, and as two machines with one DeepSpeed process each; checkpoints are saved by the warning alone."""
    output = tmp_path / "out"
    overrides = [f"trainer.num_train_epochs={12 // nodes}", "trainer.save_steps=1000", "data.held_out_share=0.1"]
    if nodes > 1:
        pytest.importorskip("deepspeed", reason="DeepSpeed is not installed: run `make setup`")
        overrides += ["launch.accelerate=zero2", "trainer.bf16=true"]
        overrides += ["trainer.per_device_train_batch_size=2", "trainer.gradient_accumulation_steps=4"]
    words = sft_command(tiny_checkpoint, write_rows(tmp_path / "rows.jsonl", 64), output, *overrides)
    job = write_job("demo/la", words[6::2], Slurm(nodes=nodes))

    log = tmp_path / "first.log"
    status, said = run_job(job, nodes, log, warn_when=lambda: "'loss'" in log.read_text())
    assert status == 0, said
    (saved,) = output.glob("checkpoint-*")
    assert (cluster / "requeued").exists(), said
    assert why_not_whole(saved) is None
    assert not (output / "final").exists()
    assert not (output / "stop").exists()
    if nodes > 1:
        assert "trains by DeepSpeedEngine, ZeRO stage 2, 2 processes" in said
        assert "machine 1 has done its part" in said
        assert "ended with status" not in said

    (cluster / "requeued").unlink()
    status, said = run_job(job, nodes, tmp_path / "second.log")
    assert status == 0, said
    assert not (cluster / "requeued").exists()
    assert f"goes on from {saved}" in said
    lineage = read_lineage(output / "final")
    assert lineage.steps == 96 // nodes
    assert_trained(output / "final", tiny_checkpoint)
    assert said.count("demo/la: finished, ") == 1

    status, said = run_job(job, nodes, tmp_path / "third.log")
    assert (status, said.count("demo/la: finished before")) == (0, nodes)
    with pytest.raises(InputError, match="the run is finished"):
        write_job("demo/la", words[6::2], Slurm(nodes=nodes))


@pytest.mark.slow
@pytest.mark.parametrize(("warned", "status"), [(False, 2), (True, 1)])
def test_a_run_that_fails_is_not_put_back_into_the_queue(
    warned: bool, status: int, cluster: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    words = sft_command(tiny_checkpoint, tmp_path / "missing.jsonl", tmp_path / "out")
    job = write_job("demo/la", words[6::2], Slurm())
    begun = tmp_path / "out" / "slurm" / "started"
    ended, said = run_job(job, 1, tmp_path / "log", warn_when=begun.exists if warned else None)
    assert (ended, "there is no such file" in said) == (status, True), said
    assert ("nothing was saved before the time limit" in said) == warned
    assert not (cluster / "requeued").exists()


def run_job(job: Path, nodes: int, log: Path, *, warn_when: Callable[[], bool] | None = None) -> tuple[int, str]:
    """Run a batch file as Slurm would, and warn it once: its status and its output."""
    slurm = {"SLURM_JOB_ID": str(os.getpid()), "SLURM_NNODES": str(nodes), "SLURM_JOB_NODELIST": "machine[1-2]"}
    with log.open("w") as stream:
        process = subprocess.Popen(
            ["bash", str(job)], stdout=stream, stderr=subprocess.STDOUT, cwd=ROOT, env=environment() | slurm
        )
    end = time.monotonic() + 240
    while process.poll() is None:
        assert time.monotonic() < end, log.read_text()[-4000:]
        if warn_when is not None and warn_when():
            process.send_signal(signal.SIGUSR1)
            warn_when = None
        time.sleep(0.05)
    return process.returncode, log.read_text()
