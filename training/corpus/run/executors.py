"""Who works on the books: processes of this machine, a Ray cluster, or Slurm; all of them datatrove's executors."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, cast, get_args

from ulid import ULID

from app.engine.process import supervised
from app.errors import InputError
from training.corpus.run.task import RunFolder, UnitTask
from training.corpus.run.watch import Watch
from training.corpus.step import Step
from training.corpus.unit import Unit

if TYPE_CHECKING:
    from datatrove.executor import SlurmPipelineExecutor
    from datatrove.executor.base import PipelineExecutor

ExecutorName = Literal["local", "ray", "slurm"]

_GRACE_S: Final = 5.0  # for processes to end; nothing is lost by SIGKILL after it
_POLL_S: Final = 0.25
_MAX_ARRAY: Final = 1000  # jobs of one array; Slurm's own limit is 1001 unless a cluster's says otherwise


@dataclass(frozen=True, slots=True)
class How:
    """Who works, and how many at once.

    Attributes:
        executor: whose processes.
        tasks: books that are worked on at once.
        sbatch: options of sbatch by name; ``partition`` is needed under Slurm.
        ray_address: of Ray's cluster; None begins one on this machine.
    """

    executor: ExecutorName = "local"
    tasks: int = 1
    sbatch: Mapping[str, str] = field(default_factory=dict)
    ray_address: str | None = None

    @classmethod
    def of(cls, executor: str, tasks: int, sbatch: Sequence[str] = (), ray_address: str | None = None) -> "How":
        """As a command line says it; options of sbatch like ``partition=cpu``.

        Raises:
            InputError: there is no such executor, an option has no value or is another executor's, or Slurm is not
                told its partition.
        """
        if executor not in get_args(ExecutorName):
            known = ", ".join(get_args(ExecutorName))
            raise InputError(f"unknown executor {executor!r}", field="--executor", remedy=f"use one of {known}")
        options = {}
        for option in sbatch:
            name, equals, value = option.removeprefix("--").partition("=")
            if not equals:
                raise InputError(f"{option!r} has no value", field="--sbatch", remedy="write it like partition=cpu")
            options[name] = value
        for given, field_name, reader in ((options, "--sbatch", "slurm"), (ray_address, "--ray-address", "ray")):
            if given and executor != reader:
                raise InputError(f"is read by {reader} alone", field=field_name, remedy=f"give --executor {reader}")
        if executor == "slurm" and not options.get("partition"):
            remedy = "give --sbatch partition=NAME"
            raise InputError("Slurm is not told where to run", field="--sbatch", remedy=remedy)
        return cls(cast(ExecutorName, executor), tasks, options, ray_address)


def run_units(
    steps: tuple[Step, ...], folder: Path, units: Sequence[Unit], how: How, only: int | None = None
) -> str | None:
    """Work on books until all is done; under Slurm, hand the work over.

    Killed at any moment, SIGKILL included, it loses no reply that has come; its processes end with it.

    Returns:
        The number of Slurm's job; None for other executors.

    Raises:
        InputError: the work cannot go on; what is done is kept.
        RuntimeError: a fault of ours, with its traceback.
    """
    run = RunFolder(folder / "runs" / str(ULID()))
    run.create(list(units))
    task = UnitTask(steps, folder, run, only)
    executor = _executor(task, len(units), how)
    if how.executor == "slurm":
        return _submit(executor, run)
    _run_here(executor, task, units, how)
    shutil.rmtree(run.path, ignore_errors=True)
    return None


def batch_script(steps: tuple[Step, ...], folder: Path, units: int, how: How) -> str:
    """The batch file that Slurm would be given."""
    run = RunFolder(folder / "runs" / "RUN")
    executor: SlurmPipelineExecutor = _executor(UnitTask(steps, folder, run), units, how)
    jobs = -(-units // executor.tasks_per_job)
    arguments = executor.get_sbatch_args(jobs)
    command = f"srun -l -n 1 launch_pickled_pipeline {run.path / 'executor.pik'}"
    text: str = executor.get_launch_file_contents(arguments, command)
    return text


def _executor(task: UnitTask, units: int, how: How) -> Any:
    logs = str(task.run.path)
    if how.executor == "local":
        from datatrove.executor import LocalPipelineExecutor

        return LocalPipelineExecutor([task], tasks=units, workers=min(how.tasks, units), logging_dir=logs)
    if how.executor == "ray":
        _need("ray")
        from datatrove.executor import RayPipelineExecutor

        return RayPipelineExecutor(
            [task], tasks=units, workers=min(how.tasks, units), logging_dir=logs, mem_per_cpu_gb=1
        )
    from training.corpus.run.slurm import QuietSlurmExecutor

    return QuietSlurmExecutor(
        [task],
        tasks=units,
        workers=how.tasks,
        time="1-00:00",
        partition="",
        cpus_per_task=1,
        mem_per_cpu_gb=4,
        tasks_per_job=-(-units // _MAX_ARRAY),
        job_name="himed-data",
        qos=None,
        venv_path=f"{sys.prefix}/bin/activate",
        sbatch_args=dict(how.sbatch),
        logging_dir=logs,
    )


def _need(library: str) -> None:
    from importlib.util import find_spec

    if find_spec(library) is None:
        raise InputError(f"{library} is not installed", remedy=f"pip install 'himed[{library}]'")


def _submit(executor: Any, run: RunFolder) -> str:
    if shutil.which("sbatch") is None:
        raise InputError("there is no sbatch here", remedy="run it on a machine of the Slurm cluster")
    try:
        executor.run()
    except subprocess.CalledProcessError as error:
        raise InputError(f"sbatch refused the job: {error.stderr or error}", remedy="see its message") from None
    return str(executor.job_id)


def _run_here(executor: "PipelineExecutor", task: UnitTask, units: Sequence[Unit], how: How) -> None:
    """Run an executor in a process under a supervisor: all of its processes end with this one, whatever ends it."""
    import dill

    run = task.run
    pickled = run.path / "executor.pik"
    with pickled.open("wb") as stream:
        dill.dump(executor, stream)
    command = [sys.executable, "-m", "datatrove.tools.launch_pickled_pipeline", str(pickled)]
    with run.console.open("wb") as console, Watch(run, units, task.steps, task.folder) as watch:
        process = subprocess.Popen(
            supervised(command, _GRACE_S), start_new_session=True, stdout=console, stderr=console, env=_environment(how)
        )
        lost = None
        try:
            while process.poll() is None:
                watch.look()
                if how.executor == "local" and (lost := _lost(run)):
                    break
                time.sleep(_POLL_S)
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait()
        watch.look()
    if how.executor == "local" and lost is None:  # of one task alone, the executor itself was killed
        lost = _lost(run)
    _raise_what_is_wrong(run, len(units), process.returncode, lost)


def _lost(run: RunFolder) -> str | None:
    """A book whose process is gone without a word: the pool would wait for it for ever."""
    for unit, text in run.words("running"):
        if text and not _is_alive(int(text)) and run.running(unit).exists():
            return unit
    return None


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def _environment(how: How) -> dict[str, str]:
    more = {"RAY_USAGE_STATS_ENABLED": "0", "TOKENIZERS_PARALLELISM": "false"}
    if how.ray_address:
        more["RAY_ADDRESS"] = how.ray_address
    return os.environ | more


def _raise_what_is_wrong(run: RunFolder, units: int, code: int, lost: str | None) -> None:
    if stopped := run.words("stopped"):
        raise InputError(stopped[0][1])
    if failed := run.words("failed"):
        raise RuntimeError(f"{failed[0][0]}: {failed[0][1]}")
    if lost:
        remedy = "if its memory was too little, give fewer --tasks; the same command goes on"
        raise InputError(f"the process that worked on {lost} was killed", remedy=remedy)
    if code or run.count("ended") < units:
        last = run.console.read_text(encoding="utf-8", errors="replace").splitlines()[-30:]
        raise RuntimeError(f"the executor ended with status {code}; the last of {run.console}:\n" + "\n".join(last))
