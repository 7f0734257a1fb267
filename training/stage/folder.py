"""The folder of one run: the settings it belongs to, the trainer's checkpoints, and the finished result."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from app.errors import InputError
from app.files import write_whole
from training.checkpoints import is_finished, newest_resumable
from training.recipe import Recipe, recipe_hash
from training.recipe.loader import load_recipe
from training.recipe.stages import GrpoRecipe

RUN_FILE: Final = "run.json"
FINAL: Final = "final"
ADAPTER: Final = "adapter"
# Where `himed-train launch` writes the batch file and Slurm the job's log: neither is part of the run.
SLURM: Final = "slurm"
_OTHER_RUN: Final = "give the run another output by --set output=…, or begin it anew with --restart"


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Where a run of a recipe writes: ``recipe.output``."""

    path: Path

    @property
    def final(self) -> Path:
        """The stage's result: a whole model, with LoRA the merged one. It is what later stages and servers load."""
        return self.path / FINAL

    @property
    def adapter(self) -> Path:
        """With LoRA the trained adapter, which is kept beside the merged model."""
        return self.path / ADAPTER

    @property
    def logs(self) -> Path:
        """TensorBoard's events."""
        return self.path / "logs"

    @property
    def stop_file(self) -> Path:
        """While it exists, the processes of the run save a checkpoint and end."""
        return self.path / "stop"

    @property
    def draft(self) -> Path:
        """The lineage of a result that is still to be chosen among the trainer's checkpoints."""
        return self.path / "lineage.draft.json"

    @property
    def evaluation(self) -> Path:
        """The reports of himed-eval by which it is chosen."""
        return self.path / "evaluation"

    @property
    def rejects(self) -> Path:
        """The rows that were left out, each with its reason."""
        return self.path / "rejects.jsonl"

    def is_finished(self) -> bool:
        """Whether the result is there, whole and unchanged.

        Raises:
            InputError: it is there but changed.
        """
        return self.final.is_dir() and is_finished(self.final)

    def newest_checkpoint(self) -> Path | None:
        """Where a stopped run goes on; None before its first whole checkpoint."""
        return newest_resumable(self.path)

    def claim(self, recipe: Recipe, data: dict[str, str]) -> None:
        """Take the folder for a run, or find it taken by the same one.

        Args:
            recipe: the resolved recipe.
            data: SHA-256 of every data file by name; a run never goes on with other data.

        Raises:
            InputError: the folder holds a run of other settings or data; names what differs first.
        """
        file = self.path / RUN_FILE
        if file.exists():
            found = _read(file)
            self._check_settings(found, recipe, file)
            if found.get("data") != data:
                name, _, _ = _first_difference(found.get("data"), data)
                problem = "the data file was changed since the run began"
                raise InputError(problem, file=file, field=name, remedy=_OTHER_RUN)
            return
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"cannot be made ({error.strerror})", file=self.path, remedy="name another output"
            ) from None
        self._record(recipe, data)

    def keep_choice(self, recipe: Recipe) -> None:
        """Write down how the result is chosen, which `check_settings` lets be changed until then.

        Raises:
            InputError: there is no run in the folder.
        """
        self._record(recipe, _read(self.path / RUN_FILE).get("data", {}))

    def _record(self, recipe: Recipe, data: dict[str, str]) -> None:
        record: dict[str, Any] = {
            "recipe": recipe.name,
            "sha256": recipe_hash(recipe),
            "data": data,
            "settings": recipe.model_dump(mode="json"),
        }
        write_whole(self.path / RUN_FILE, orjson.dumps(record, option=orjson.OPT_INDENT_2))

    def check_settings(self, recipe: Recipe) -> None:
        """Find the folder free, or taken by a run of the same settings.

        What himed-eval chooses by may differ once all is trained and nothing is chosen yet: a wrong name there must not
        cost the training.

        Raises:
            InputError: it holds a run of other settings; names what differs first.
        """
        if (file := self.path / RUN_FILE).exists():
            self._check_settings(_read(file), recipe, file)

    def clear(self) -> None:
        """Forget a run: its checkpoints, logs and result are deleted. A batch file and its jobs' logs stay, and a
        folder of something else is left alone.

        Raises:
            InputError: the folder holds files but no run.
        """
        if not self.path.exists():
            return
        found = [entry for entry in self.path.iterdir() if entry.name != SLURM]
        run = self.path / RUN_FILE
        if found and run not in found:
            raise InputError("holds no run that could be begun anew", file=self.path, remedy="name another output")
        # Killed on the way, the folder is still a run's, which can be cleared again, and none whose result is to be
        # chosen among what is left.
        for entry in sorted(found, key=lambda entry: (entry == run, entry != self.draft, entry != self.evaluation)):
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()

    def _check_settings(self, found: dict[str, Any], recipe: Recipe, file: Path) -> None:
        settings, there = recipe.model_dump(mode="json"), found.get("settings")
        still_to_choose = recipe.best.by == "himed-eval" and self.draft.exists() and not self.is_finished()
        if still_to_choose and isinstance(there, dict):
            there = there | {"best": settings["best"]}
        # A setting that newer code knows, and this run leaves as it was, is no difference.
        there, settings = _given(there), _given(settings)
        if there != settings:
            name, was, now = _first_difference(there, settings)
            raise InputError(f"the run there has {was!r}, not {now!r}", file=file, field=name, remedy=_OTHER_RUN)


def result_folder(name_or_folder: str, needed_by: str) -> Path:
    """The finished model that another stage needs: that of a recipe, or a folder.

    Args:
        name_or_folder: a shipped recipe's name, or a checkpoint's folder.
        needed_by: the field that names it, for the error.

    Raises:
        InputError: the recipe was not run yet, or the folder does not exist.
    """
    folder = Path(name_or_folder)
    if folder.is_dir():
        return folder
    if "/" in name_or_folder and (folder.is_absolute() or name_or_folder.startswith(".")):
        raise InputError("there is no such folder", file=folder, field=needed_by, remedy="train it first")
    run = RunFolder(load_recipe(name_or_folder).output)
    if not run.is_finished():
        raise InputError(
            f"{name_or_folder} has no finished checkpoint in {run.path}",
            field=needed_by,
            remedy=f"run it first: himed-train run {name_or_folder}",
        )
    return run.final


def weights_folder(recipe: Recipe, run: RunFolder) -> Path:
    """Where the trainer's own result is saved: the adapter with LoRA, else the final model."""
    return run.adapter if isinstance(recipe, GrpoRecipe) and recipe.lora else run.final


def _read(file: Path) -> dict[str, Any]:
    try:
        record = orjson.loads(file.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise InputError(f"cannot be read ({error})", file=file, remedy="begin the run anew with --restart") from None
    return record if isinstance(record, dict) else {}


def _given(settings: Any) -> Any:
    """Settings without those that are None."""
    if not isinstance(settings, dict):
        return settings
    return {name: _given(value) for name, value in settings.items() if value is not None}


def _first_difference(there: Any, wanted: Any, place: str = "") -> tuple[str, Any, Any]:
    """The first field in which two settings differ, and both values."""
    if not isinstance(there, dict) or not isinstance(wanted, dict):
        return place or "settings", there, wanted
    for key in sorted(there.keys() | wanted.keys()):
        if there.get(key) != wanted.get(key):
            inner = f"{place}.{key}" if place else key
            return _first_difference(there.get(key), wanted.get(key), inner)
    return place, there, wanted
