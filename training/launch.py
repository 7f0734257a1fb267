"""`himed-train launch --slurm`: a stage as a batch job on one or more machines; a time limit does not end it."""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.errors import InputError
from app.files import write_whole
from training.recipe import Recipe, load_recipe
from training.recipe.plan import spread
from training.stage.folder import SLURM, RunFolder

# Before the time limit: to end a step, save a checkpoint and be back in the queue. Slurm may be a minute early.
_WARNING_S: Final = 600
_PATIENCE_S: Final = 480
_CPUS_PER_PROCESS: Final = 4
# Slurm's forms: minutes, minutes:seconds, hours:minutes:seconds, days-hours, days-hours:minutes and with seconds.
_TIME: Final = re.compile(r"(?:(?P<days>\d+)-)?(?P<first>\d+)(?::(?P<second>\d+))?(?::(?P<third>\d+))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Slurm:
    """What is asked of Slurm; None leaves the choice to the recipe or to the cluster.

    ``gpus`` and ``cpus`` are per machine; ``time_limit`` in Slurm's forms; ``extra`` are more options of sbatch.
    """

    nodes: int | None = None
    gpus: int | None = None
    cpus: int | None = None
    partition: str | None = None
    account: str | None = None
    time_limit: str | None = None
    extra: tuple[str, ...] = ()


def write_job(path_or_name: str, overrides: Sequence[str], slurm: Slurm, options: Sequence[str] = ()) -> Path:
    """Write the batch file that runs a recipe on several machines, to ``OUTPUT/slurm/job.sbatch``.

    It starts `himed-train run` once per machine by one srun. Warned of its time limit, it has the run save a checkpoint
    and puts itself back into the queue; the next start goes on. Accumulation steps follow from the number of GPUs, so
    that the effective batch stays the recipe's.

    Args:
        path_or_name: a YAML file or the name of a shipped recipe; like the recipe's folders from the current folder on,
            which is where the job runs.
        overrides: ``section.key=value`` each.
        slurm: what is asked of Slurm.
        options: of `himed-train run`.

    Raises:
        InputError: the recipe is wrong, its batch does not divide over the GPUs, its output holds another run or a
            finished one, or an option cannot be used.
    """
    overrides = list(overrides)
    recipe = load_recipe(path_or_name, overrides)
    nodes, gpus = slurm.nodes or recipe.launch.nodes, slurm.gpus or recipe.launch.processes
    if (nodes, gpus) != (recipe.launch.nodes, recipe.launch.processes):
        overrides += spread(recipe, gpus=gpus, nodes=nodes)
        recipe = load_recipe(path_or_name, overrides)
    run = RunFolder(recipe.output)
    run.check_settings(recipe)
    if run.is_finished():
        raise InputError("the run is finished", file=run.final, remedy="give it another output by --set output=…")
    command = [sys.executable, "-m", "training.cli", "run", path_or_name]
    for override in overrides:
        command += ["--set", override]
    output = run.path.absolute()
    cpus = slurm.cpus or _CPUS_PER_PROCESS * recipe.launch.processes
    text = _render(
        recipe=recipe.name,
        nodes=recipe.launch.nodes,
        cpus=cpus,
        options=_job_options(recipe, slurm, output, cpus),
        output=shlex.quote(str(output)),
        command=shlex.join([*command, *options]),
        warning_s=_WARNING_S,
        patience_s=_PATIENCE_S,
    )
    job = output / SLURM / "job.sbatch"
    try:
        job.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        problem = f"cannot be made ({error.strerror})"
        raise InputError(problem, file=job.parent, remedy="name another output") from None
    write_whole(job, text)
    return job


def submit(job: Path) -> str:
    """Give a batch file to Slurm; returns the job's number.

    Raises:
        InputError: there is no sbatch here, or it refuses the file.
    """
    if shutil.which("sbatch") is None:
        raise InputError(
            "there is no sbatch on this machine", file=job, remedy="submit the file from a login node of the cluster"
        )
    done = subprocess.run(["sbatch", "--parsable", str(job)], capture_output=True, text=True, check=False)
    if done.returncode:
        problem = f"sbatch refuses it ({done.stderr.strip() or f'status {done.returncode}'})"
        raise InputError(problem, file=job, remedy="see --partition, --account, --time and --sbatch")
    return done.stdout.strip().partition(";")[0]  # a cluster's name may follow


def _job_options(recipe: Recipe, slurm: Slurm, output: Path, cpus: int) -> list[str]:
    """The options in the file's head. One task per machine: accelerate starts the processes there."""
    _check_time(slurm.time_limit)
    named = {
        "job-name": recipe.name,
        "nodes": str(recipe.launch.nodes),
        "ntasks-per-node": "1",
        "cpus-per-task": str(cpus),
        "gpus-per-node": None if recipe.launch.accelerate == "cpu" else str(recipe.launch.processes),
        "partition": slurm.partition,
        "account": slurm.account,
        "time": slurm.time_limit,
        "chdir": str(Path.cwd()),
        "output": str(output).replace("%", "%%") + f"/{SLURM}/%j.out",
        "open-mode": "append",  # one log, however often the job is put back into the queue
        "signal": f"B:USR1@{_WARNING_S}",
    }
    options = [f"--{name}={shlex.quote(value)}" for name, value in named.items() if value is not None]
    for option in slurm.extra:
        if not option.startswith("--"):
            raise InputError(f"{option!r} is no option of sbatch", field="--sbatch", remedy="write --name=value")
    lines = [*options, "--requeue", *slurm.extra]
    if broken := next((line for line in lines if "\n" in line), None):
        raise InputError(f"{broken!r} has more than one line", field="--sbatch", remedy="write one option per line")
    return lines


def _check_time(limit: str | None) -> None:
    if limit is None:
        return
    if (match := _TIME.fullmatch(limit)) is None:
        raise InputError(f"{limit!r} is no time", field="--time", remedy="write days-hours:minutes or hours:minutes:00")
    days, *parts = (None if text is None else int(text) for text in match.group("days", "first", "second", "third"))
    given = [part for part in parts if part is not None]
    if days is None and len(given) < 3:
        given = [0, *given]  # minutes come first
    units = (3600, 60, 1)
    seconds = (days or 0) * 86_400 + sum(part * unit for part, unit in zip(given, units, strict=False))
    if seconds < 2 * _WARNING_S:
        raise InputError(
            f"{limit} is {seconds} s, and {_WARNING_S} s before its end the job is warned and saves",
            field="--time",
            remedy=f"give it {2 * _WARNING_S // 60} minutes or more",
        )


def _render(**values: object) -> str:
    import jinja2

    folder = Path(__file__).parent
    # The file is a shell script: what stands in it is quoted for the shell.
    environment = jinja2.Environment(  # noqa: S701
        loader=jinja2.FileSystemLoader(folder),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template("slurm.sbatch.j2").render(**values)
