"""A checkpoint's folder: begun, finished by its card and its lineage, and read back with its parents."""

import os
from pathlib import Path

from pydantic import ValidationError

from app.checkpoint import LINEAGE_FILE, check_weights, checkpoint_revision
from app.errors import InputError
from app.files import write_whole
from training.checkpoints.card import model_card
from training.checkpoints.lineage import Lineage


def begin_checkpoint(folder: Path) -> None:
    """Make the folder and mark it unfinished, before weights are written over those of an earlier run.

    Raises:
        InputError: the folder cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / LINEAGE_FILE).unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"cannot be written ({error.strerror})", file=folder, remedy="name another folder") from None


def finish_checkpoint(folder: Path, lineage: Lineage) -> Lineage:
    """Write the model card and then, last and atomically, the lineage: only now is the checkpoint finished.

    Returns:
        The lineage as it was written, with the checkpoint's revision.

    Raises:
        InputError: the weights are not whole or not safetensors, there is no config, or a parent is gone or changed.
    """
    (folder / LINEAGE_FILE).unlink(missing_ok=True)  # that of an earlier run speaks of other weights
    check_weights(folder)
    if not any((folder / name).is_file() for name in ("config.json", "adapter_config.json")):
        raise InputError("no config.json or adapter_config.json", file=folder, remedy="save the model beside them")
    written = lineage.model_copy(update={"revision": checkpoint_revision(folder)})
    write_whole(folder / "README.md", model_card([written, *_ancestors(folder, written)]))
    _flush(folder)  # or a power cut could leave the lineage on the disk without the weights
    write_whole(folder / LINEAGE_FILE, written.model_dump_json(indent=2) + "\n")
    return written


def read_lineage(folder: Path) -> Lineage:
    """Read a checkpoint's lineage.

    Raises:
        InputError: there is none (the checkpoint is unfinished), or it is not what `finish_checkpoint` writes.
    """
    file = folder / LINEAGE_FILE
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        raise InputError(
            f"no {LINEAGE_FILE}: the checkpoint is unfinished, or himed did not train it",
            file=folder,
            remedy="run its recipe again, which goes on where it stopped",
        ) from None
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", file=file) from None
    try:
        return Lineage.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InputError(
            first["msg"], file=file, field=field or None, remedy="copy the checkpoint again, or train it again"
        ) from None


def is_finished(folder: Path) -> bool:
    """Whether the checkpoint has its lineage. A wrong one is an error: taken for unfinished, it would be overwritten.

    Raises:
        InputError: the lineage cannot be read, or speaks of other weights.
    """
    if not (folder / LINEAGE_FILE).exists():
        return False
    _check_unchanged(folder, read_lineage(folder))
    return True


def lineage_chain(folder: Path) -> list[Lineage]:
    """The lineages of a checkpoint and its parents, from this one back to the first that himed trained.

    Raises:
        InputError: one is missing or unreadable, or its weights are not those that a child began with.
    """
    lineage = read_lineage(folder)
    _check_unchanged(folder, lineage)
    return [lineage, *_ancestors(folder, lineage)]


def _ancestors(folder: Path, lineage: Lineage) -> list[Lineage]:
    chain: list[Lineage] = []
    seen = {folder.resolve()}
    while lineage.parent is not None and lineage.parent.is_folder:
        parent = (folder / lineage.parent.path).resolve()
        if parent in seen:
            raise InputError("the checkpoint descends from itself", file=folder / LINEAGE_FILE, field="parent.path")
        seen.add(parent)
        if not parent.is_dir():
            raise InputError(
                f"its parent {lineage.parent.path} is gone",
                file=folder,
                field="parent.path",
                remedy="bring the parent back to where it was",
            )
        if (found := checkpoint_revision(parent)) != lineage.parent.revision:
            raise InputError(
                f"its parent {lineage.parent.path} is revision {found}, not {lineage.parent.revision}",
                file=folder,
                field="parent.revision",
                remedy="bring back the parent that it was trained from",
            )
        if not (parent / LINEAGE_FILE).exists():
            break  # a base model, which himed did not train
        folder, lineage = parent, read_lineage(parent)
        chain.append(lineage)
    return chain


def _check_unchanged(folder: Path, lineage: Lineage) -> None:
    if (found := checkpoint_revision(folder)) != lineage.revision:
        raise InputError(
            f"the files are revision {found}, its lineage speaks of {lineage.revision or 'none'}",
            file=folder,
            field="revision",
            remedy="copy the checkpoint again, or train it again",
        )


def _flush(folder: Path) -> None:
    """Have the disk hold every file before the one that says so."""
    for file in folder.iterdir():
        if file.is_file():
            handle = os.open(file, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
