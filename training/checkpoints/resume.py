"""Where a killed run goes on: the newest whole ``checkpoint-N`` of a transformers Trainer."""

import json
import logging
import re
import zipfile
from pathlib import Path
from typing import Any, Final

from app.checkpoint import check_weights
from app.errors import InputError

logger = logging.getLogger(__name__)

_STATE: Final = "trainer_state.json"  # rank 0 writes it last
_FOLDER = re.compile(r"checkpoint-(\d+)")
_RNG = re.compile(r"rng_state_(\d+)\.pth")
# DeepSpeed's names (engine.py, `_get_ckpt_name` and `_get_zero_ckpt_name`): weights per rank under ZeRO-3, of one
# rank under ZeRO-2; optimizer states per rank under both.
_OPTIMIZER = re.compile(r"(?:bf16_)?zero_pp_rank_(\d+)_mp_rank_\d+_optim_states\.pt")
_MODEL = re.compile(r"zero_pp_rank_(\d+)_mp_rank_\d+_model_states\.pt")


def newest_resumable(folder: Path) -> Path | None:
    """The newest whole ``checkpoint-N`` in a run's folder; None when there is none.

    Newer ones that were not written to their end are skipped, with a note in the log that says why.
    """
    for checkpoint in _checkpoints(folder):
        if (problem := why_not_whole(checkpoint)) is None:
            return checkpoint
        logger.warning("%s is not whole (%s): it is skipped", checkpoint, problem)
    return None


def why_not_whole(checkpoint: Path) -> str | None:
    """What a ``checkpoint-N`` lacks that a run needs to go on from it as if nothing had happened; None if nothing.

    Whole are: weights in safetensors (under ZeRO-3 DeepSpeed's will do), the states of optimizer, scheduler and
    trainer, and the random state of every process. How many processes there were is read off DeepSpeed's files;
    without DeepSpeed, the ranks have to be at least two and without a gap.
    """
    try:
        _read_state(checkpoint)
        processes = _check_optimizer(checkpoint)
        _check_archive(checkpoint / "scheduler.pt")
        if (checkpoint / "scaler.pt").exists():
            _check_archive(checkpoint / "scaler.pt")
        _check_random_states(checkpoint, processes)
        if processes is None or any(checkpoint.glob("*.safetensors*")):
            check_weights(checkpoint)
    except InputError as error:
        place = "" if error.file in (None, checkpoint) else f"{Path(str(error.file)).name}: "
        return f"{place}{error.problem}"
    return None


def _checkpoints(folder: Path) -> list[Path]:
    """Every ``checkpoint-N``, newest first."""
    if not folder.is_dir():
        return []
    found = [(match, child) for child in folder.iterdir() if (match := _FOLDER.fullmatch(child.name))]
    numbered = [(int(match[1]), child) for match, child in found if child.is_dir() and not child.is_symlink()]
    return [child for _, child in sorted(numbered, reverse=True)]


def _read_state(checkpoint: Path) -> dict[str, Any]:
    file = checkpoint / _STATE
    try:
        state = json.loads(file.read_bytes())
    except FileNotFoundError:
        raise InputError("missing", file=file) from None
    except (OSError, ValueError):
        raise InputError("cannot be read", file=file) from None
    step = state.get("global_step") if isinstance(state, dict) else None
    if f"checkpoint-{step}" != checkpoint.name:
        raise InputError(f"speaks of step {step}", file=file)
    assert isinstance(state, dict)
    return state


def _check_optimizer(checkpoint: Path) -> int | None:
    """Check the optimizer's state. Returns the number of processes under DeepSpeed, else None."""
    latest = checkpoint / "latest"
    if not latest.exists() and not any(checkpoint.glob("global_step*")):
        _check_archive(checkpoint / "optimizer.pt")
        return None
    try:
        tag = latest.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        raise InputError("missing: DeepSpeed did not end", file=latest) from None
    states = checkpoint / tag
    if not re.fullmatch(r"[\w.-]+", tag) or not states.is_dir():
        raise InputError(f"names {tag!r}, which is not there", file=latest)
    files = sorted(states.glob("*.pt"))
    for file in files:
        _check_archive(file)
    optimizer = _ranks(files, _OPTIMIZER)
    if not optimizer:
        raise InputError("no optimizer states", file=states)
    _check_ranks(optimizer, len(optimizer), "optimizer states", states)
    if (states / "mp_rank_00_model_states.pt").is_file():
        return len(optimizer)
    _check_ranks(_ranks(files, _MODEL), len(optimizer), "model states", states)
    return len(optimizer)


def _check_random_states(checkpoint: Path, processes: int | None) -> None:
    if processes in (None, 1) and (checkpoint / "rng_state.pth").exists():
        _check_archive(checkpoint / "rng_state.pth")
        return
    files = [file for file in sorted(checkpoint.iterdir()) if _RNG.fullmatch(file.name)]
    if not files:
        raise InputError("missing", file=checkpoint / "rng_state.pth")
    for file in files:
        _check_archive(file)
    ranks = _ranks(files, _RNG)
    _check_ranks(ranks, processes or max(2, len(ranks)), "random states", checkpoint)


def _ranks(files: list[Path], pattern: re.Pattern[str]) -> list[int]:
    return sorted(int(match[1]) for file in files if (match := pattern.fullmatch(file.name)))


def _check_ranks(ranks: list[int], processes: int, what: str, place: Path) -> None:
    if ranks != list(range(processes)):
        names = ", ".join(map(str, ranks)) or "none"
        raise InputError(f"{what} of the ranks {names} where there are {processes} processes", file=place)


def _check_archive(file: Path) -> None:
    """torch.save writes a zip file, whose directory stands at its end: one that was cut off has none."""
    if not file.is_file():
        raise InputError("missing", file=file)
    try:
        with zipfile.ZipFile(file) as archive:
            archive.infolist()
    except (OSError, zipfile.BadZipFile):
        raise InputError("cut off", file=file) from None
