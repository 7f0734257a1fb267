"""Finished checkpoints below the folders that the page was given, and what each descends from."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.checkpoint import LINEAGE_FILE
from app.errors import InputError
from training.checkpoints import Lineage, read_lineage
from training.stage.folder import RUN_FILE, RunFolder
from ui.results.words import NotShownError, sentence

_DEPTH: Final = 6
_MOST: Final = 500
_LOOKED_AT: Final = 20_000  # folders; a wrong --checkpoints must not read a whole disk
# What a run writes that holds no finished checkpoint.
_SKIPPED: Final = ("logs", "evaluation", "slurm", "__pycache__")
_TRAINERS: Final = "checkpoint-"
MERGE: Final = "merge"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A finished checkpoint; ``name`` is its folder as seen from the folder that was searched."""

    folder: Path
    name: str


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of a lineage: its checkpoint's folder and its record."""

    folder: Path
    lineage: Lineage

    @property
    def logs(self) -> Path | None:
        """Where its training was logged; None for one that trained nothing."""
        if self.lineage.stage == MERGE:
            return None
        run = self.folder.parent
        return RunFolder(run if (run / RUN_FILE).is_file() else self.folder).logs


@dataclass(frozen=True, slots=True)
class Descent:
    """The stages of a checkpoint from the first to its own, and why they do not begin earlier.

    ``base`` is what the first stage began with, None for weights that began at random; ``broken`` is a key of the
    texts where an earlier stage should be there and is not.
    """

    stages: tuple[Stage, ...]
    base: str | None
    broken: str | None


def find_checkpoints(roots: Sequence[Path]) -> list[Checkpoint]:
    """The finished checkpoints below some folders, by name; links are not followed."""
    found: dict[Path, Checkpoint] = {}
    for root in roots:
        start = root.resolve()
        for folder in _walk(start):
            if len(found) < _MOST and folder not in found and _has_lineage(folder):
                inner = folder.relative_to(start).as_posix()
                found[folder] = Checkpoint(folder, start.name if inner == "." else f"{start.name}/{inner}")
    return sorted(found.values(), key=lambda each: each.name)


def _walk(start: Path) -> Iterator[Path]:
    """A folder and the folders in it, nearest first."""
    level, looked_at = [start], 0
    for _ in range(_DEPTH):
        below: list[Path] = []
        for folder in level:
            looked_at += 1
            if looked_at > _LOOKED_AT:
                return
            yield folder
            below += _folders(folder)
        level = below


def _folders(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return sorted(
                folder / entry.name
                for entry in entries
                if entry.is_dir(follow_symlinks=False)
                and entry.name not in _SKIPPED
                and not entry.name.startswith((".", _TRAINERS))
            )
    except OSError:  # not ours to read
        return []


def _has_lineage(folder: Path) -> bool:
    file = folder / LINEAGE_FILE
    return file.is_file() and not file.is_symlink()


def find_descent(folder: Path, roots: Sequence[Path]) -> Descent:
    """The stages that led to a checkpoint. Parents are looked for below ``roots`` only.

    Raises:
        InputError: the checkpoint is gone, lies elsewhere, or a record cannot be read.
    """
    folder, tops = folder.resolve(), [root.resolve() for root in roots]
    if not _inside(folder, tops):
        raise NotShownError("results.checkpoint_elsewhere")
    stages = [Stage(folder, _read(folder))]
    seen = {folder}
    while True:
        child = stages[-1]
        parent = child.lineage.parent
        if parent is None or not parent.is_folder:
            return _descent(stages, parent.path if parent else None, None)
        folder = (child.folder / parent.path).resolve()
        if folder in seen or not _inside(folder, tops) or not folder.is_dir():
            # Outside of what the page may read it is only named.
            name = "/".join(part for part in Path(parent.path).parts if part != "..")
            return _descent(stages, name, "gone" if _inside(folder, tops) else None)
        if not _has_lineage(folder):
            return _descent(stages, folder.name, None)  # a base model, which himed did not train
        lineage = _read(folder)
        if lineage.revision != parent.revision:
            return _descent(stages, folder.name, "changed")
        seen.add(folder)
        stages.append(Stage(folder, lineage))


def _descent(stages: list[Stage], base: str | None, broken: str | None) -> Descent:
    return Descent(tuple(reversed(stages)), base, broken and f"results.parent_{broken}")


def _inside(folder: Path, tops: Sequence[Path]) -> bool:
    return any(folder.is_relative_to(top) for top in tops)


def _read(folder: Path) -> Lineage:
    try:
        return read_lineage(folder)
    except InputError as error:
        # The person who reads this sees the page, not the machine's folders.
        raise NotShownError("results.checkpoint_unreadable", name=folder.name, detail=sentence(error)) from None
