"""Checkpoints by their files' form, and a lineage with nothing in it that differs between machines."""

import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from training.checkpoints import DataFile, Lineage, Metric, RecipeRecord

SETTINGS = {"learning_rate": 5e-6, "epochs": 3, "schedule": "cosine", "note": "हिन्दी"}


def sample_lineage(**changed: Any) -> Lineage:
    fields: dict[str, Any] = {
        "format": "himed",
        "stage": "la",
        "languages": ("hi", "en"),
        "license": "llama3.1",
        "command": "himed-train run himed-8b/la",
        "recipe": RecipeRecord(name="himed-8b/la", settings=dict(SETTINGS)),
        "parent": {"path": "meta-llama/Llama-3.1-8B-Instruct", "revision": "0e9e39f249a16976918f6564b8830bc894c89659"},
        "data": (
            DataFile(
                name="HiMed-Trad_Corpus.json",
                sha256="a" * 64,
                rows=1000,
                used=990,
                set_aside={"no answer": 7, "repeated | twice": 3},
            ),
            DataFile(name="held_out.json", sha256="b" * 64, rows=50, used=50, held_out=True),
        ),
        "seeds": {"training": 1, "data": 2},
        "steps": 93,
        "tokens": 1_234_567,
        "metrics": {
            "held_out_loss": Metric(value=0.91234, n=50, ci95=(0.88, 0.94)),
            "accuracy": Metric(value=None, missing=50),
        },
        "code_version": "0.1.0+gabc1234",
        "packages": {"python": "3.11.9", "torch": "2.13.0"},
        "created": datetime(2026, 3, 1, 12, tzinfo=UTC),
    }
    return Lineage(**(fields | changed))


def write_weights(folder: Path, body: bytes = b"\0" * 8) -> Path:
    """A folder with a config and one tensor of 8 bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text('{"model_type": "llama"}')
    header = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + body)
    return folder


def write_resumable(run: Path, step: int, *, best: str | None = None) -> Path:
    """A ``checkpoint-N`` as the Trainer writes it in one process."""
    folder = write_weights(run / f"checkpoint-{step}")
    for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth"):
        write_archive(folder / name)
    (folder / "training_args.bin").write_bytes(b"arguments")
    state = {"global_step": step, "best_model_checkpoint": best}
    (folder / "trainer_state.json").write_text(json.dumps(state))
    return folder


def write_deepspeed(run: Path, step: int, *, stage: int, processes: int) -> Path:
    """A ``checkpoint-N`` as the Trainer writes it under DeepSpeed's ZeRO-2 or ZeRO-3."""
    folder = write_resumable(run, step)
    for name in ("optimizer.pt", "rng_state.pth"):
        (folder / name).unlink()
    states = folder / f"global_step{step}"
    states.mkdir()
    for rank in range(processes):
        write_archive(folder / f"rng_state_{rank}.pth")
        write_archive(states / f"bf16_zero_pp_rank_{rank}_mp_rank_00_optim_states.pt")
        if stage == 3:
            write_archive(states / f"zero_pp_rank_{rank}_mp_rank_00_model_states.pt")
    if stage == 2:
        write_archive(states / "mp_rank_00_model_states.pt")
    (folder / "latest").write_text(states.name)
    return folder


def write_archive(file: Path) -> None:
    """What torch.save writes is a zip file."""
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("data.pkl", b"state" * 100)
