"""A small SFT run by the command line: data files, a recipe's overrides, the process."""

import json
import os
import subprocess
import sys
from pathlib import Path

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
    words = [sys.executable, "-m", "training.cli", "run", recipe]
    for override in overrides:
        words += ["--set", override]
    return words


def run(command: list[str], timeout: float = 300) -> "subprocess.CompletedProcess[str]":
    """The command to its end."""
    return subprocess.run(
        command, capture_output=True, text=True, timeout=timeout, check=False, env=environment(), cwd=ROOT
    )


def environment() -> dict[str, str]:
    """One thread per process: two would wait for each other on two cores, and sums would depend on them."""
    return os.environ | {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
