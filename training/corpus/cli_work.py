"""What the commands of `himed-data` that work on units have in common: who works, how much it costs, what became of it.

A unit is a book, or a file to be translated.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.errors import InputError

if TYPE_CHECKING:
    from training.corpus.run.executors import How
    from training.corpus.step import Step
    from training.corpus.unit import Unit

DryRun = Annotated[bool, typer.Option("--dry-run", help="Estimate calls and tokens; run nothing.")]
Tasks = Annotated[int, typer.Option(min=1, help="Books or files that are worked on at once.")]
Executor = Annotated[str, typer.Option(help="local: this machine; ray: a Ray cluster; slurm: jobs of Slurm.")]
Sbatch = Annotated[
    list[str] | None,
    typer.Option(help="An option of sbatch, such as partition=cpu or time=1-00:00; repeatable. partition is needed."),
]
RayAddress = Annotated[str | None, typer.Option(help="Ray's cluster, host:port.  [default: a new one here]")]


def how_of(executor: str, tasks: int, sbatch: list[str] | None, ray_address: str | None) -> "How":
    """Who works, as the options say.

    Raises:
        InputError: an option is wrong.
    """
    from training.corpus.run.executors import How

    return How.of(executor, tasks, sbatch or (), ray_address)


def make_folder(folder: Path) -> Path:
    """The folder, which is there now.

    Raises:
        InputError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot be made ({error.strerror})", file=folder, remedy="name another folder") from None
    return folder


def work(
    steps: "tuple[Step, ...]",
    folder: Path,
    units: "Sequence[Unit]",
    how: "How",
    only: int | None = None,
    *,
    dry_run: bool = False,
) -> None:
    """Run what is left, or estimate it, and show what became of it.

    Raises:
        InputError: the work cannot go on.
        typer.Exit: with 1, parts are left that an endpoint failed for, or files that could not be read.
    """
    from training.corpus.run.estimate import estimate, print_estimate
    from training.corpus.run.executors import batch_script, run_units
    from training.corpus.run.plan import states_of
    from training.corpus.run.status import print_status, status_of

    states = states_of(steps, folder, units)
    left = [state.unit for state in states if state.is_left(steps, only)]
    if dry_run:
        print_estimate(estimate(steps, folder, states, only))
        if how.executor == "slurm":
            print(batch_script(steps, folder, max(1, len(left)), how))
        return
    if only is not None and (waiting := sum(len(state.done) < only and state.fault is None for state in states)):
        print(f"{waiting} books wait for the step {steps[only - 1].name}", file=sys.stderr)
    if left and (job := run_units(steps, folder, left, how, only)) is not None:
        print(f"job {job} of Slurm works on {len(left)} of them; the same command shows what is left after it")
        return
    statuses = status_of(steps, folder, states_of(steps, folder, units))
    print_status(statuses)
    last = steps[-1 if only is None else only]
    print(f"{folder / last.name}/*{last.suffix}")
    # What another step has left, this command would not try again.
    if again := sum(one.again for one in (statuses if only is None else [statuses[only]])):
        why = "since an endpoint failed, or a file could not be read"
        print(f"{again} parts are left {why}: the same command tries them again", file=sys.stderr)
        raise typer.Exit(1)
