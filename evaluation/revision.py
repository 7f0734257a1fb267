"""What a local checkpoint is: its format, and a revision that changes when its weights do."""

import hashlib
import json
from pathlib import Path

from app.formats import FORMATS, Format

_WHOLE = 4 << 20  # bytes; larger files are sampled
_SAMPLE = 1 << 20
_SAMPLES = 8


def checkpoint_revision(folder: Path) -> str:
    """16 hexadecimal digits over every file of the checkpoint but notes and logs.

    Small files count whole. Of a larger one its size and eight samples of 1 MiB count, spread evenly from its first
    byte (a safetensors header) to its last: a second for a model of 16 GB, and training changes every tensor.
    """
    digest = hashlib.sha256()
    for file in sorted(folder.iterdir()):
        if not file.is_file() or (file.suffix in (".md", ".log", ".txt") and file.name != "merges.txt"):
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
        lineage = json.loads((folder / "lineage.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    found = lineage.get("format") if isinstance(lineage, dict) else None
    return next((format for format in FORMATS if format == found), None)
