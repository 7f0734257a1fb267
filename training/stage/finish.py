"""The end of a stage: the weights and their tokenizer saved, and the lineage that says how they were made."""

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.errors import InputError
from app.files import write_whole
from training.checkpoints import DataFile, Lineage, Metric, RecipeRecord, begin_checkpoint, finish_checkpoint
from training.recipe import Recipe
from training.stage.folder import RunFolder
from training.stage.weights import Start

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# A stage's languages where its rows name none.
_LANGUAGES: Mapping[str, tuple[str, ...]] = {"himed": ("hi",)}


@dataclass(frozen=True, slots=True)
class Made:
    """How a stage's checkpoint was made, beside its recipe."""

    start: Start
    data: tuple[DataFile, ...]
    languages: tuple[str, ...]
    steps: int
    tokens: int
    metrics: dict[str, Metric]
    command: str


def held_out_loss(loss: float, rows: int, folder: RunFolder, *, lost: bool = True) -> Metric:
    """The figure of the last weights' loss on held-out rows; unknown where it is no number and nothing is lost by it.

    Raises:
        InputError: it is no number, and the weights are lost.
    """
    if not math.isfinite(loss):
        if not lost:
            return Metric(value=None, n=0, missing=rows)
        raise InputError(
            f"the held-out loss is {loss}: the training has diverged",
            file=folder.path,
            field="held_out_loss",
            remedy=f"look at loss and grad_norm in {folder.logs}, lower trainer.learning_rate and add --restart",
        )
    return Metric(value=loss, n=rows)


def save_result(trainer: Any, tokenizer: "PreTrainedTokenizerBase", folder: Path, recipe: Recipe, made: Made) -> None:
    """Save the trainer's model as a finished checkpoint. Every process calls it: the parts of a model that DeepSpeed
    divides are gathered; the first process writes.

    Raises:
        InputError: the folder cannot be written.
    """
    if trainer.is_world_process_zero():
        begin_checkpoint(folder)
    trainer.accelerator.wait_for_everyone()
    trainer.save_model(str(folder))
    if trainer.is_world_process_zero():
        for name in ("training_args.bin", "optimizer.pt"):
            (folder / name).unlink(missing_ok=True)  # safetensors only
        tokenizer.save_pretrained(folder)
        finish_checkpoint(folder, make_lineage(folder, recipe, made))
    trainer.accelerator.wait_for_everyone()


def save_draft(trainer: Any, folder: RunFolder, recipe: Recipe, made: Made) -> None:
    """Write down how the result was made, for the one of the trainer's checkpoints that is still to be chosen."""
    if trainer.is_world_process_zero():
        lineage = make_lineage(folder.final, recipe, made)
        write_whole(folder.draft, lineage.model_dump_json(indent=2) + "\n")
    trainer.accelerator.wait_for_everyone()


def make_lineage(folder: Path, recipe: Recipe, made: Made) -> Lineage:
    """The lineage of a stage's checkpoint in ``folder``."""
    return Lineage(
        format=recipe.format,
        stage=recipe.name.rpartition("/")[2],
        languages=made.languages or _LANGUAGES.get(recipe.format, ("en",)),
        license=recipe.model.license,
        command=made.command,
        recipe=RecipeRecord(name=recipe.name, settings=recipe.model_dump(mode="json")),
        parent=made.start.parent(folder),
        data=made.data,
        seeds={"seed": recipe.trainer.seed, "data_seed": recipe.trainer.data_seed},
        steps=made.steps,
        tokens=made.tokens,
        metrics=made.metrics,
    )


def run_command(recipe: str, overrides: Sequence[str], options: Sequence[str]) -> str:
    """The command line that runs a recipe."""
    words = ["himed-train", "run", recipe]
    for override in overrides:
        words += ["--set", override]
    return shlex.join([*words, *options])
