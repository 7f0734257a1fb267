"""`himed-train pipeline`: all stages of a system, each from the last. Finished ones are skipped."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.errors import InputError
from training.recipe import GrpoRecipe, load_recipe, recipe_names
from training.run import run_recipe

HIMED: Final = ("la", "rc", "reward-model", "dsr-rl")
CURE_MED: Final = ("sft", "rl-high", "rl-medium", "rl-low")


@dataclass(frozen=True, slots=True)
class StageRun:
    """One stage of a pipeline: its recipe's name and the overrides that it runs with."""

    recipe: str
    overrides: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """The folder of the run."""
        return load_recipe(self.recipe, self.overrides).output


def pipeline_names() -> list[str]:
    """The pipelines: one per folder of shipped recipes."""
    return sorted({name.partition("/")[0] for name in recipe_names()})


def plan_pipeline(
    name: str, overrides: Sequence[str] = (), out: Path | None = None, until: str | None = None
) -> list[StageRun]:
    """The stages of a pipeline in their order.

    Args:
        name: of the pipeline.
        overrides: ``section.key=value`` for every stage, ``STAGE:section.key=value`` for one.
        out: folder of all runs, ``out/STAGE``; None leaves the recipes' own.
        until: the last stage that is wanted; None is the pipeline's last.

    Raises:
        InputError: there is no such pipeline, ``until`` or an override names no stage of it, or a setting is wrong.
    """
    if name not in pipeline_names():
        raise InputError(f"no pipeline is called {name!r}", remedy=f"use one of {', '.join(pipeline_names())}")
    have = set(recipe_names())
    stages = [stage for stage in (*HIMED, *CURE_MED) if f"{name}/{stage}" in have]
    named = [("--until", until), *(("--set", _stage_of(override)) for override in overrides)]
    for field, stage in named:
        if stage is not None and stage not in stages:
            raise InputError(f"{stage!r} is no stage of {name}", field=field, remedy=f"use {', '.join(stages)}")
    if until is not None:
        del stages[stages.index(until) + 1 :]
    return [_plan_stage(name, stage, overrides, out) for stage in stages]


def run_pipeline(
    stages: Sequence[StageRun], *, restart: bool = False, allow_overlap: bool = False, allow_hub: bool = False
) -> None:
    """Run the stages one after another.

    Raises:
        InputError: a stage cannot be run.
        StopRequested: it was asked to stop; the same command goes on.
    """
    started = time.monotonic()
    for number, stage in enumerate(stages, start=1):
        print(f"== stage {number} of {len(stages)}: {stage.recipe} -> {stage.folder}", flush=True)
        begun = time.monotonic()
        run_recipe(stage.recipe, stage.overrides, restart=restart, allow_overlap=allow_overlap, allow_hub=allow_hub)
        now = time.monotonic()
        print(f"== {stage.recipe}: {_minutes(now - begun)}; all stages so far {_minutes(now - started)}", flush=True)


def _plan_stage(name: str, stage: str, overrides: Sequence[str], out: Path | None) -> StageRun:
    recipe = f"{name}/{stage}"
    chosen = [_setting_of(override) for override in overrides if _stage_of(override) in (None, stage)]
    if out is not None:
        chosen = [*_moved(name, recipe, out), *chosen]
    load_recipe(recipe, chosen)  # a wrong setting is found before the first stage, not after days
    return StageRun(recipe, tuple(chosen))


def _moved(name: str, recipe: str, out: Path) -> list[str]:
    """Overrides that move a stage's run under ``out``, and what it takes from other stages with it."""
    read = load_recipe(recipe)
    moved = [f"output={out / recipe.rpartition('/')[2]}"]
    links = [("model.parent", read.model.parent)]
    if isinstance(read, GrpoRecipe) and read.reward.kind == "task-and-scaffold":
        links.append(("reward.task.model", read.reward.task.model))
    for field, other in links:
        if other is not None and other.startswith(f"{name}/"):
            moved.append(f"{field}={out / other.rpartition('/')[2] / 'final'}")
    return moved


def _stage_of(override: str) -> str | None:
    """``la`` of ``la:trainer.max_steps=5``."""
    stage, colon, _ = override.partition("=")[0].partition(":")
    return stage.strip() if colon else None


def _setting_of(override: str) -> str:
    return override if _stage_of(override) is None else override.partition(":")[2]


def _minutes(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
