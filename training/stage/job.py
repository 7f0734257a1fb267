"""One stage to be run: its recipe with all overrides, where it starts and where it writes."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from training.recipe import Recipe
from training.stage.data import AnyInstance, StageData, data_files, write_rejects
from training.stage.folder import RunFolder
from training.stage.weights import Start, find_start

AnyRecipe = TypeVar("AnyRecipe", bound=Recipe)


@dataclass(frozen=True, slots=True)
class Job(Generic[AnyRecipe]):
    """A stage to be run. ``command`` is the command line that runs it again."""

    recipe: AnyRecipe
    start: Start
    folder: RunFolder
    allow_overlap: bool
    command: str

    @classmethod
    def of(
        cls, recipe: AnyRecipe, *, command: str, allow_overlap: bool = False, allow_hub: bool = False
    ) -> "Job[AnyRecipe]":
        """The job of a recipe.

        Raises:
            InputError: the weights that it starts from are not there.
        """
        start = find_start(recipe.model, allow_hub=allow_hub)
        return cls(recipe, start, RunFolder(recipe.output), allow_overlap, command)

    @property
    def benchmarks(self) -> list[Path]:
        """The benchmark files whose questions must not be trained on.

        Raises:
            InputError: one is missing.
        """
        return data_files(self.recipe.data, self.recipe.data.benchmarks)

    def arguments(self) -> dict[str, Any]:
        """The trainer's arguments, with a progress bar in a terminal alone; sets where TensorBoard's events are
        written."""
        os.environ["TENSORBOARD_LOGGING_DIR"] = str(self.folder.logs)
        return self.recipe.arguments() | {"disable_tqdm": not sys.stderr.isatty()}

    def begin(self, data: StageData[AnyInstance]) -> None:
        """Take the folder, and write down which rows were left out.

        Raises:
            InputError: the folder holds a run of other settings or data.
        """
        if int(os.environ.get("RANK", "0")) == 0:
            self.folder.claim(self.recipe, data.hashes)
            left_out = write_rejects(self.folder.rejects, data.reports)
            rows = f"{len(data.train):,} rows to train on, {len(data.held_out):,} held out"
            print(f"{self.recipe.name}: {rows}, {left_out:,} left out ({self.folder.rejects})", flush=True)
