import os
import subprocess
import sys
from pathlib import Path

import yaml

from training.recipe import recipe_names

ROOT = Path(__file__).parents[2]


def himed_train(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "training.cli", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "160"}
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=environment)


def test_help_shows_examples_and_loads_nothing_heavy() -> None:
    script = (
        "import sys\n"
        "sys.argv = ['himed-train', '--help']\n"
        "from training.cli import main\n"
        "try:\n    main()\n"
        "except SystemExit:\n    pass\n"
        "heavy = {'torch', 'transformers', 'trl', 'accelerate', 'vllm', 'numpy', 'pydantic', 'yaml'}\n"
        "print('loaded:', sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert "himed-train plan himed-8b/la" in done.stdout
    assert "loaded: []" in done.stdout


def test_recipes_lists_every_shipped_recipe_with_its_parent() -> None:
    done = himed_train("recipes")
    heading, *lines = done.stdout.splitlines()
    assert heading.split() == ["NAME", "STAGE", "BASE", "PARENT", "FORMAT"]
    assert [line.split()[0] for line in lines] == recipe_names()
    assert "himed-8b/dsr-rl grpo meta-llama/Llama-3.1-8B-Instruct himed-8b/rc himed".split() in map(str.split, lines)


def test_plan_prints_yaml_without_loading_weights() -> None:
    done = himed_train("plan", "himed-8b/la", "--rows", "25600", "--set", "trainer.num_train_epochs=2")
    assert done.returncode == 0, done.stderr
    plan = yaml.safe_load(done.stdout)
    assert (plan["world_size"], plan["effective_batch"], plan["steps"]) == (8, 256, 200)
    assert plan["parameters"] == 8_030_261_248
    assert plan["settings"]["trainer"]["num_train_epochs"] == 2
    assert plan["command"] == (
        "accelerate launch --config_file training/recipes/accelerate/zero2.yaml --num_processes 8 "
        "--module training.cli run training/recipes/himed-8b/la.yaml --set trainer.num_train_epochs=2"
    )


def test_plan_names_whole_paths_from_another_folder(tmp_path: Path) -> None:
    plan = yaml.safe_load(himed_train("plan", "himed-8b/la", folder=tmp_path).stdout)
    assert f"--config_file {ROOT}/training/recipes/accelerate/zero2.yaml" in plan["command"]


def test_a_wrong_key_is_one_line_and_exit_code_2() -> None:
    done = himed_train("plan", "himed-8b/la", "--set", "trainer.lerning_rate=1")
    said = "himed-train: error: --set, field 'trainer.lerning_rate': unknown key; did you mean learning_rate?\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", said)
