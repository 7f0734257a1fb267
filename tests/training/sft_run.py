"""Small runs by the command line: SFT's data file and overrides, a run's command, its process and its log."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from training.checkpoints import why_not_whole

ROOT = Path(__file__).parents[2]
WORDS = "बुखार खांसी सिर दर्द रोगी मधुमेह रक्त शर्करा इंसुलिन वात पित्त कफ त्रिफला हरड़ आँवला उत्तर".split()


def write_rows(file: Path, rows: int = 48) -> Path:
    """HiMed-West rows of different lengths on different questions."""
    with file.open("w", encoding="utf-8") as stream:
        for number in range(rows):
            words = [
                WORDS[(number * 7 + place * (1 + number % 5)) % len(WORDS)] for place in range(4 + number * 5 % 23)
            ]
            text = " ".join(words)
            row = {
                "prompt": f"प्रश्न {number}: {' '.join(words[:3])} क्या है?",
                "Complex_CoT": text,
                "ground_truth": f"{text} {number}",
                "source": "test",
            }
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")
    return file


def sft_command(base: Path, data: Path, output: Path, *more: str, recipe: str = "demo/la") -> list[str]:
    """`himed-train run` of a recipe on `write_rows`' file; ``more`` are overrides."""
    overrides = [
        f"model.base={base}",
        f"data.folder={data.parent}",
        f"data.train=[{data.name}]",
        f"output={output}",
        "effective_batch=8",
        "trainer.per_device_train_batch_size=8",
        "trainer.num_train_epochs=2",
        "trainer.learning_rate=1e-3",
        "trainer.save_steps=3",
        "trainer.logging_steps=1",
        *more,
    ]
    return run_command(recipe, overrides)


def run_command(recipe: str, overrides: list[str]) -> list[str]:
    """`himed-train run` of a recipe."""
    words = [sys.executable, "-m", "training.cli", "run", recipe]
    for override in overrides:
        words += ["--set", override]
    return words


def run(command: list[str], timeout: float = 300) -> "subprocess.CompletedProcess[str]":
    """The command to its end."""
    return subprocess.run(
        command, capture_output=True, text=True, timeout=timeout, check=False, env=environment(), cwd=ROOT
    )


def kill_at(command: list[str], checkpoint: Path, seconds: float = 240) -> str:
    """Start a command, SIGKILL it as soon as a checkpoint is whole, and see all that it started end.

    Args:
        command: what to start.
        checkpoint: a trainer's ``checkpoint-N``.
        seconds: until it must be whole.

    Returns:
        What the command and its processes wrote to stdout and stderr.
    """
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",  # it may be killed amid a letter
        env=environment(),
        cwd=ROOT,
    )
    said: list[str] = []
    # Read all along, or a full pipe would stop the command; the pipe ends with the last process that holds it.
    reader = threading.Thread(target=lambda: said.extend(process.stdout or ()), daemon=True)
    reader.start()
    end = time.monotonic() + seconds
    while why_not_whole(checkpoint) is not None and process.poll() is None and time.monotonic() < end:
        time.sleep(0.02)
    process.kill()
    status = process.wait()
    reader.join(60)
    text = "".join(said)
    assert not reader.is_alive(), f"a process that it started is left: {text[-3000:]}"
    assert status == -signal.SIGKILL, f"it ended before it was killed: {text[-3000:]}"
    assert why_not_whole(checkpoint) is None, f"it takes too long: {text[-3000:]}"
    return text


def log_of(output: Path) -> list[dict[str, Any]]:
    """The lines that a run has logged for its steps, up to the newest checkpoint."""
    newest = max(output.glob("checkpoint-*"), key=lambda folder: int(folder.name.rpartition("-")[2]))
    history = json.loads((newest / "trainer_state.json").read_text(encoding="utf-8"))["log_history"]
    return [line for line in history if "loss" in line]


def environment() -> dict[str, str]:
    """One thread per process: two would wait for each other on two cores, and sums would depend on them."""
    return os.environ | {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}


def assert_trained(final: Path, base: Path) -> None:
    """The checkpoint is whole, and every weight of the base model was trained."""
    import torch
    from transformers import AutoModelForCausalLM

    model, report = AutoModelForCausalLM.from_pretrained(final, dtype=torch.float32, output_loading_info=True)
    assert not any(report.values())
    before = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    assert all(
        one.shape == other.shape and not torch.equal(one, other)
        for one, other in zip(model.parameters(), before.parameters(), strict=True)
    )
