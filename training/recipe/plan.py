"""What a recipe will do, without loading weights: processes, batch, steps, memory and the command."""

import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.errors import InputError
from training.machine import Machine
from training.recipe.loader import ACCELERATE, find_recipe, load_recipe, recipe_hash, recipe_names
from training.recipe.memory import Memory, estimate_memory
from training.recipe.shape import Shape
from training.recipe.stages import GrpoRecipe, Recipe, RewardModelRecipe


@dataclass(frozen=True, slots=True)
class Size:
    """Training data in one epoch: rows, their tokens (None where unknown), and with packing the bins of them."""

    rows: int
    tokens: int | None = None
    bins: int | None = None

    @property
    def batched(self) -> int:
        """What a batch counts."""
        return self.rows if self.bins is None else self.bins


@dataclass(frozen=True, slots=True)
class Plan:
    """A recipe with its overrides, and what follows from it.

    ``rows`` and ``tokens`` of the training data in one epoch, ``steps`` of the whole stage; None where unknown.
    """

    recipe: Recipe
    parameters: int
    memory: Memory
    rows: int | None
    tokens: int | None
    steps: int | None
    warmup_steps: int | None
    command: str

    def as_dict(self) -> dict[str, Any]:
        """The plan as plain values, in the order in which it is read."""
        recipe = self.recipe
        plan: dict[str, Any] = {
            "recipe": recipe.name,
            "sha256": recipe_hash(recipe),
            "command": self.command,
            "world_size": recipe.launch.world_size,
            "effective_batch": recipe.effective_batch,
        }
        if isinstance(recipe, GrpoRecipe):
            plan["prompts_per_step"] = recipe.prompts_per_step
        plan |= {"rows": self.rows, "tokens": self.tokens, "steps": self.steps, "warmup_steps": self.warmup_steps}
        plan |= {"parameters": self.parameters, "memory_gib": self.memory.in_gib()}
        return plan | {"settings": recipe.model_dump(mode="json")}


def make_plan(
    path_or_name: str, overrides: Sequence[str] = (), *, gpus: int | None = None, size: Size | None = None
) -> Plan:
    """Plan a recipe.

    Args:
        path_or_name: a YAML file or the name of a shipped recipe.
        overrides: ``section.key=value`` each.
        gpus: processes per machine in place of the recipe's; accumulation steps follow, so that the effective batch
            stays as it was.
        size: of the training data after the checks of its readers.

    Raises:
        InputError: the recipe is wrong, the batch does not divide over the GPUs, or the base's size is unknown.
    """
    overrides = list(overrides)
    recipe = load_recipe(path_or_name, overrides)
    if gpus is not None and gpus != recipe.launch.processes:
        overrides += spread(recipe, gpus=gpus)
        recipe = load_recipe(path_or_name, overrides)
    shape = _shape(recipe)
    steps = None if size is None else count_steps(recipe, size.batched)
    warmup = recipe.trainer.warmup_steps
    return Plan(
        recipe,
        shape.parameters(2 if isinstance(recipe, RewardModelRecipe) else None),
        estimate_memory(recipe, shape, _reward_shape(recipe)),
        None if size is None else size.rows,
        None if size is None else size.tokens,
        steps,
        int(warmup) if warmup >= 1 else None if steps is None else math.ceil(steps * warmup),
        launch_command(path_or_name, recipe, overrides),
    )


def launch_command(path_or_name: str, recipe: Recipe, overrides: Sequence[str] = ()) -> str:
    """The command that starts all processes of a stage on one machine."""
    return shlex.join(launch_words(path_or_name, recipe, overrides))


def launch_words(
    path_or_name: str, recipe: Recipe, overrides: Sequence[str] = (), machine: Machine | None = None
) -> list[str]:
    """The words of `launch_command`. On the CPU there is one process and no launcher.

    ``machine`` is the one of several that they are for; without it they do not say where the machines meet.
    """
    run = ["training.cli", "run", _short(find_recipe(path_or_name))]
    for override in overrides:
        run += ["--set", override]
    if recipe.launch.accelerate == "cpu":
        return ["python", "-m", *run]
    config = ACCELERATE / f"{recipe.launch.accelerate}.yaml"
    words = ["accelerate", "launch", "--config_file", _short(config)]
    words += ["--num_processes", str(recipe.launch.world_size)]
    if recipe.launch.nodes > 1:
        words += ["--num_machines", str(recipe.launch.nodes)]
        words += [] if machine is None else machine.words
    return [*words, "--module", *run]


def count_steps(recipe: Recipe, rows: int) -> int:
    """Optimiser steps of the whole stage.

    SFT and reward model as `transformers.Trainer` counts: the last, smaller batch of an epoch is a step too. GRPO as
    TRL's sampler does: prompts come in whole batches, what is left over is dropped, and each batch is used
    ``num_iterations`` times. With packing, ``rows`` must be the number of bins.

    Raises:
        InputError: there are too few rows for one step.
    """
    trainer = recipe.trainer
    if trainer.max_steps > 0:
        return trainer.max_steps
    if isinstance(recipe, GrpoRecipe):
        needed = recipe.prompts_per_step
        per_epoch = rows // needed * recipe.trainer.num_iterations
    else:
        batches = math.ceil(rows / (trainer.per_device_train_batch_size * recipe.launch.world_size))
        per_epoch = math.ceil(batches / trainer.gradient_accumulation_steps)
        needed = 1
    if per_epoch == 0:
        raise InputError(f"{rows} rows are too few for one step", field="--rows", remedy=f"give at least {needed}")
    return math.ceil(trainer.num_train_epochs * per_epoch)


def spread(recipe: Recipe, *, gpus: int, nodes: int | None = None) -> list[str]:
    """Overrides that keep the effective batch on another number of GPUs.

    Args:
        recipe: as it is.
        gpus: processes per machine.
        nodes: machines; None are the recipe's.

    Raises:
        InputError: it trains on the CPU, or the batch does not divide.
    """
    field = "--gpus" if nodes is None else "--nodes"
    nodes = nodes or recipe.launch.nodes
    if recipe.launch.accelerate == "cpu":
        raise InputError("the recipe trains on the CPU", field=field, remedy=f"leave {field} out")
    per_device = recipe.trainer.per_device_train_batch_size
    world_size = nodes * gpus
    accumulation, rest = divmod(recipe.effective_batch, per_device * world_size)
    if rest:
        raise InputError(
            f"{recipe.effective_batch} rows per step do not divide over {world_size} GPUs of {per_device} rows each",
            field=field,
            remedy=_other_batch(recipe, nodes, gpus),
        )
    launch = [f"launch.nodes={nodes}"] if nodes != recipe.launch.nodes else []
    return [*launch, f"launch.processes={gpus}", f"trainer.gradient_accumulation_steps={accumulation}"]


def _other_batch(recipe: Recipe, nodes: int, gpus: int) -> str:
    """What to do where a batch does not divide: fewer rows per process, where that helps."""
    per_process, rest = divmod(recipe.effective_batch, nodes * gpus)
    if rest:
        return f"use a number of GPUs that divides {recipe.effective_batch}, or set effective_batch by --set"
    rows = max(n for n in range(1, recipe.trainer.per_device_train_batch_size + 1) if per_process % n == 0)
    overrides = [f"launch.nodes={nodes}", f"launch.processes={gpus}", f"trainer.per_device_train_batch_size={rows}"]
    overrides.append(f"trainer.gradient_accumulation_steps={per_process // rows}")
    return "add " + " ".join(f"--set {override}" for override in overrides)


def _shape(recipe: Recipe) -> Shape:
    folder = Path(recipe.model.base)
    if folder.is_dir():
        return Shape.from_folder(folder)
    if recipe.model.shape is None:
        raise InputError(
            f"the size of {recipe.model.base} is unknown",
            field="model.shape",
            remedy="name its shape in the recipe, or give a local folder as model.base",
        )
    return recipe.model.shape


def _reward_shape(recipe: Recipe) -> Shape | None:
    """The shape of the reward model that GRPO loads beside the policy."""
    if not isinstance(recipe, GrpoRecipe) or recipe.reward.kind != "task-and-scaffold":
        return None
    model = recipe.reward.task.model
    return _shape(load_recipe(model)) if model in recipe_names() else Shape.from_folder(Path(model))


def _short(file: Path) -> str:
    """The path from the current folder if the file is below it, else the whole path."""
    whole = file.resolve()
    return str(whole.relative_to(Path.cwd())) if whole.is_relative_to(Path.cwd()) else str(whole)
