"""The accelerate files start real DeepSpeed, and a recipe's settings reach its engine.

The stages without offload are run by test_sft_deepspeed.py (3) and test_launch.py (2).
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from training.recipe.loader import ACCELERATE

ROOT = Path(__file__).parents[2]
TRIAL = Path(__file__).with_name("deepspeed_trial.py")

pytest.importorskip("deepspeed", reason="DeepSpeed is not installed: run `make setup`")


@pytest.mark.slow
@pytest.mark.parametrize(("zero", "stage"), [("zero2-offload", 2), ("zero3-offload", 3)])
def test_two_processes_train_under_the_stage_of_the_file(
    zero: str, stage: int, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(ACCELERATE / f"{zero}.yaml")]
    command += ["--num_processes", "2", "--main_process_port", "0"]
    command += [str(TRIAL), zero, str(tiny_checkpoint), str(tmp_path)]
    # DeepSpeed compiles its operations with ninja, which stands beside the interpreter.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("seen ")]
    assert json.loads(line.removeprefix("seen ")) == {
        "engine": "DeepSpeedEngine",
        "stage": stage,
        "clipping": 0.5,
        "batch": 8,
        "processes": 2,
        "steps": 3,
        "best": True,
    }
