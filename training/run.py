"""`himed-train run`: one recipe from its start to its finished checkpoint, whatever was done of it before."""

import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from app.command import BAD_INPUT
from app.errors import InputError
from training.machine import Machine, this_machine
from training.processes import run_processes, said_once
from training.recipe import GrpoRecipe, Recipe, RewardModelRecipe, SftRecipe, load_recipe
from training.recipe.plan import launch_words
from training.stage.data import data_files
from training.stage.finish import run_command
from training.stage.folder import RunFolder, weights_folder
from training.stage.job import Job
from training.stage.loop import StopRequested, under_launcher


def run_recipe(
    path_or_name: str,
    overrides: Sequence[str] = (),
    *,
    restart: bool = False,
    allow_overlap: bool = False,
    allow_hub: bool = False,
) -> Path:
    """Run a stage, or what is left of it; where it has several machines, this machine's part.

    Args:
        path_or_name: a YAML file or the name of a shipped recipe.
        overrides: ``section.key=value`` each.
        restart: forget what was done of it before.
        allow_overlap: train on rows whose question stands in a benchmark.
        allow_hub: allow downloads from the hub.

    Returns:
        The folder of the finished checkpoint. The first of several machines finishes it: on the others it may not
        be there yet.

    Raises:
        InputError: the recipe, its data or its start cannot be used, its processes failed, or it wants several machines
            and this one is not told where they meet.
        StopRequested: it was asked to stop; the same command goes on.
    """
    recipe = load_recipe(path_or_name, overrides)
    folder = RunFolder(recipe.output)
    options = [name for name, given in (("--allow-overlap", allow_overlap), ("--allow-hub", allow_hub)) if given]
    command = run_command(path_or_name, overrides, options)
    if under_launcher():
        # A launcher takes any other end for a failure; the process that started it sees that the result is missing.
        with suppress(StopRequested), said_once():
            _train(Job.of(recipe, command=command, allow_overlap=allow_overlap, allow_hub=allow_hub))
        _leave_process_group()
        return folder.final
    machine = this_machine(recipe.launch.nodes)
    if machine.is_first:
        if restart:
            folder.clear()
        folder.check_settings(recipe)
    if folder.is_finished():
        print(f"{recipe.name}: finished before, {folder.final}", flush=True)
        return folder.final
    job = Job.of(recipe, command=command, allow_overlap=allow_overlap, allow_hub=allow_hub)
    if not _is_trained(job):
        _start(path_or_name, overrides, options, job, machine)
    if not machine.is_first:
        print(f"{recipe.name}: machine {machine.rank} has done its part, the first one does the rest", flush=True)
        return folder.final
    _complete(job)
    print(f"{recipe.name}: finished, {folder.final}", flush=True)
    return folder.final


def _train(job: Job[Any]) -> None:
    """Train in this process."""
    if not sys.stderr.isatty():
        _leave_out_progress_bars()
    try:
        match job.recipe:
            case SftRecipe():
                from training.sft import train_sft

                train_sft(job)
            case RewardModelRecipe():
                from training.reward_model import train_reward_model

                train_reward_model(job)
            case GrpoRecipe():
                from training.grpo import train_grpo

                train_grpo(job)
    finally:
        _end_progress_bars()


def _leave_process_group() -> None:
    """Part from the other processes, who are at their end as well. Left to the interpreter's end, Gloo's threads may
    abort the process after all is done (https://github.com/pytorch/pytorch/pull/179291)."""
    from torch import distributed

    if distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()


def _leave_out_progress_bars() -> None:
    """In a file, bars are one long line; the trainer's own becomes its log lines (`Job.arguments`)."""
    from datasets import disable_progress_bars
    from transformers.utils import logging

    disable_progress_bars()
    logging.disable_progress_bar()


def _end_progress_bars() -> None:
    """Have what is said next begin a line: an error within training leaves the bar's line open."""
    from tqdm import tqdm  # type: ignore[import-untyped]

    for bar in list(tqdm._instances):
        bar.close()


def _start(
    path_or_name: str, overrides: Sequence[str], options: Sequence[str], job: Job[Any], machine: Machine
) -> None:
    """Train as the recipe says; a stop that was asked for is for this start only."""
    stop_file = job.folder.stop_file
    if machine.is_first:
        stop_file.unlink(missing_ok=True)
    try:
        if job.recipe.launch.accelerate == "cpu":
            _train(job)
        else:
            _launch(path_or_name, overrides, options, job, machine)
    finally:
        if machine.is_first:
            stop_file.unlink(missing_ok=True)


def _launch(
    path_or_name: str, overrides: Sequence[str], options: Sequence[str], job: Job[Any], machine: Machine
) -> None:
    """Train in the processes that accelerate starts."""
    data_files(job.recipe.data, job.recipe.data.train)
    _check_gpus(job.recipe)
    job.folder.path.mkdir(parents=True, exist_ok=True)
    words = launch_words(path_or_name, job.recipe, overrides, machine)
    code = run_processes([sys.executable, "-m", "training.start", *words[2:], *options], job.folder.stop_file)
    if code == BAD_INPUT:
        raise SystemExit(code)  # one of them has said why
    if code:
        raise InputError(
            f"the training processes ended with status {code}: see their messages above",
            remedy=f"when the cause is mended, the same command goes on: {job.command}",
        )
    # The others do not look: a shared folder shows them the first one's files later.
    if machine.is_first and not _is_trained(job):
        raise StopRequested


def _check_gpus(recipe: Recipe) -> None:
    """Say in one line what each of the processes would meet by itself, after a minute."""
    if recipe.trainer.use_cpu:
        return
    import torch

    found, wanted = torch.cuda.device_count(), recipe.launch.processes
    if found < wanted:
        problem = f"{recipe.name} wants {wanted} GPUs, and there are {found} here"
        remedy = (
            f"himed-train plan {recipe.name} --gpus N tells how it keeps its batch on fewer; launch --slurm uses others"
        )
        raise InputError(problem, field="launch.processes", remedy=remedy)


def _is_trained(job: Job[Any]) -> bool:
    """Whether the trainer's own part is done: the weights, the adapter, or the checkpoints to choose from."""
    from training.checkpoints import is_finished

    weights = weights_folder(job.recipe, job.folder)
    return (weights.is_dir() and is_finished(weights)) or job.folder.draft.exists()


def _complete(job: Job[Any]) -> None:
    """What needs no trainer: the best checkpoint chosen by himed-eval, or the adapter merged."""
    if job.recipe.best.by == "himed-eval":
        from training.select import select_checkpoint

        select_checkpoint(job)
    elif weights_folder(job.recipe, job.folder) == job.folder.adapter:
        from training.merge import merge_adapter

        merge_adapter(job.folder.adapter, job.folder.final)
