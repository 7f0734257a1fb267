"""What a local checkpoint is: whole weights in safetensors, the format it was trained in, and a revision of its own."""

import hashlib
import json
from pathlib import Path
from typing import Final

from app.errors import InputError
from app.formats import FORMATS, Format

# How the checkpoint was made. Training writes it last, so a checkpoint without it is unfinished.
LINEAGE_FILE: Final = "lineage.json"

_WHOLE = 4 << 20  # bytes; larger files are sampled
_SAMPLE = 1 << 20
_SAMPLES = 8
_LFS_POINTER = b"version https://git-lfs"
_LONGEST_HEADER = 100_000_000  # bytes, by the safetensors format

# What stands beside the weights and is none of the model. The Trainer's own settings hold the paths of one machine.
_NOTE_SUFFIXES = (".md", ".log", ".txt")
_NOTES = (LINEAGE_FILE, "training_args.bin")

_PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt")
# The Trainer's pickled state is no weights: it is read only by the run that wrote it, on its way on.
_TRAINER_STATE = ("training_args.bin", "optimizer.pt", "optimizer.bin", "scheduler.pt", "scaler.pt")
_TRAINER_RNG = "rng_state"


def checkpoint_revision(folder: Path) -> str:
    """16 hexadecimal digits over every file of the checkpoint but its lineage, notes and logs.

    Small files count whole. Of a larger one its size and eight samples of 1 MiB count, spread evenly from its first
    byte (a safetensors header) to its last: a second for a model of 16 GB, and training changes every tensor.
    """
    digest = hashlib.sha256()
    for file in sorted(folder.iterdir()):
        if not file.is_file() or file.name in _NOTES:
            continue
        if file.suffix in _NOTE_SUFFIXES and file.name != "merges.txt":
            continue
        size = file.stat().st_size
        digest.update(f"{file.name}:{size}\n".encode())
        with file.open("rb") as handle:
            if size <= _WHOLE:
                digest.update(handle.read())
                continue
            for number in range(_SAMPLES):
                handle.seek((size - _SAMPLE) * number // (_SAMPLES - 1))
                digest.update(handle.read(_SAMPLE))
    return digest.hexdigest()[:16]


def trained_format(folder: Path) -> Format | None:
    """The format that the checkpoint was trained in, from its ``lineage.json``; None when nothing says so."""
    try:
        lineage = json.loads((folder / LINEAGE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    found = lineage.get("format") if isinstance(lineage, dict) else None
    return next((format for format in FORMATS if format == found), None)


def check_weights(folder: Path) -> None:
    """Check that a folder holds whole weights of a model or of an adapter, in safetensors and in nothing else.

    A pickle runs whatever code it holds when it is loaded, and a loader may prefer it to the safetensors beside it.

    Raises:
        InputError: no folder, pickled weights, no weights, a shard missing or cut off.
    """
    if not folder.is_dir():
        raise InputError("no such checkpoint folder", file=folder, remedy="name the folder that holds its weights")
    if pickles := sorted(file.name for file in folder.iterdir() if _is_pickled_weights(file)):
        raise InputError(
            f"{', '.join(pickles)}: pickled weights can run code when they are loaded",
            file=folder,
            remedy="convert them to safetensors in a place that you can throw away, and delete them here",
        )
    for index in sorted(folder.glob("*.safetensors.index.json")):
        if missing := [name for name in _read_shards(index) if not (folder / name).is_file()]:
            raise InputError(f"{', '.join(missing)} is missing", file=folder, remedy="copy the checkpoint again")
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise InputError("no weights (*.safetensors)", file=folder, remedy="copy the whole checkpoint")
    for file in files:
        check_safetensors(file)


def check_safetensors(file: Path) -> None:
    """Check by its header that a safetensors file is whole: a copy that was cut off is shorter than it says.

    The layout: https://huggingface.co/docs/safetensors/index#format

    Raises:
        InputError: another kind of file, or bytes are missing.
    """
    try:
        size = file.stat().st_size
        with file.open("rb") as stream:
            start = stream.read(len(_LFS_POINTER))
            length = int.from_bytes(start[:8], "little")
            stream.seek(8)
            header = stream.read(length) if length <= _LONGEST_HEADER else b""
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", file=file) from None
    if start == _LFS_POINTER:
        raise InputError("a Git LFS pointer, not the weights", file=file, remedy="run `git lfs pull` in its folder")
    try:
        tensors = json.loads(header)
        end = max((tensor["data_offsets"][1] for name, tensor in tensors.items() if name != "__metadata__"), default=0)
        whole = 8 + length + int(end)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        raise InputError("no valid safetensors file", file=file, remedy="copy the checkpoint again") from None
    if whole != size:
        problem = f"holds {size:,} bytes where its header speaks of {whole:,}"
        raise InputError(problem, file=file, remedy="copy the checkpoint again")


def _is_pickled_weights(file: Path) -> bool:
    if file.suffix not in _PICKLES or not file.is_file():
        return False
    return file.name not in _TRAINER_STATE and not file.name.startswith(_TRAINER_RNG)


def _read_shards(index: Path) -> list[str]:
    """The names of the files that a sharded model's index speaks of."""
    try:
        shards = json.loads(index.read_bytes())["weight_map"].values()
        return sorted({str(name) for name in shards})
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        raise InputError("holds no map", file=index, field="weight_map", remedy="copy the checkpoint again") from None
