from pathlib import Path

import pytest

from app.errors import InputError
from training.checkpoints.lineage import settings_hash
from training.recipe import GrpoRecipe, SftRecipe, load_recipe, recipe_hash
from training.recipe.loader import FOLDER


def _fails(*overrides: str, recipe: str = "himed-8b/dsr-rl") -> str:
    with pytest.raises(InputError) as raised:
        load_recipe(recipe, overrides)
    return str(raised.value)


def test_a_recipe_is_found_by_its_name_and_by_its_path() -> None:
    assert load_recipe("himed-8b/la") == load_recipe(str(FOLDER / "himed-8b" / "la.yaml"))


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    assert _fails(recipe="himed-8b/laa").startswith("no recipe is called 'himed-8b/laa'; did you mean himed-8b/la")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert _fails(recipe=str(tmp_path / "mine.yaml")) == f"{tmp_path / 'mine.yaml'}: no such file; check the path"


def test_overrides_go_over_the_file() -> None:
    recipe = load_recipe(
        "himed-8b/dsr-rl",
        ["trainer.learning_rate=1e-5", "reward.schedule.kind=linear", "lora=null", "data.train=[a.jsonl, b.jsonl]"],
    )
    assert isinstance(recipe, GrpoRecipe)
    assert recipe.reward.kind == "task-and-scaffold"
    assert (recipe.trainer.learning_rate, recipe.reward.schedule.kind, recipe.lora) == (1e-5, "linear", None)
    assert recipe.data.train == ("a.jsonl", "b.jsonl")


def test_an_override_can_fill_a_section_that_the_file_leaves_out() -> None:
    lora = ["lora.r=8", "lora.lora_alpha=16", "lora.lora_dropout=0.0", "lora.target_modules=[q_proj, v_proj]"]
    recipe = load_recipe("cure-med-7b/rl-high", lora)
    assert isinstance(recipe, GrpoRecipe)
    assert recipe.lora is not None
    assert (recipe.lora.r, recipe.lora.target_modules) == (8, ("q_proj", "v_proj"))


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("trainer.lerning_rate=1", "--set, field 'trainer.lerning_rate': unknown key; did you mean learning_rate?"),
        ("reward.shedule.kind=linear", "--set, field 'reward.shedule': unknown key; did you mean schedule?"),
        ("trainr.seed=1", "--set, field 'trainr': unknown key; did you mean trainer?"),
        ("model.trust_remote_code=true", "--set, field 'model.trust_remote_code': unknown key; use one of "),
        ("trainer.learning_rate=yes", "--set, field 'trainer.learning_rate': Input should be a valid number"),
        ("trainer.seed='7'", "--set, field 'trainer.seed': Input should be a valid integer (given: '7')"),
        ("format=himmed", "--set, field 'format': Input should be 'plain', 'himed' or 'cure-med'"),
        ("name.x=1", "--set, field 'name.x': name is no section; give name=value"),
        ("trainer.seed", "field '--set': 'trainer.seed' is no override; write section.key=value"),
        ("trainer.seed=[1", "--set, field 'trainer.seed': '[1' is no value"),
        ("reward.kind=x", "--set, field 'reward': Input tag 'x' found using 'kind' does not match"),
    ],
)
def test_a_wrong_override_is_named_with_its_remedy(override: str, said: str) -> None:
    assert _fails(override).startswith(said)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("effective_batch=3", "effective_batch is 3, but 8 per process x 4 accumulation steps x 8 processes is 256"),
        ("trainer.num_generations=7", "effective_batch 256 holds no whole groups of 7 generations"),
        ("launch.accelerate=cpu", "launch.accelerate: cpu needs trainer.use_cpu: true"),
        ("reward.schedule.kind=fixed", "a fixed schedule has the same start and end"),
    ],
)
def test_settings_that_do_not_fit_each_other_are_refused(override: str, said: str) -> None:
    assert said in _fails(override)


def test_weights_of_the_composite_reward_must_add_up_to_1() -> None:
    assert "add up to 1.05" in _fails("reward.accuracy_weight=0.7", recipe="cure-med-7b/rl-high")


def test_vllm_on_a_cpu_is_refused() -> None:
    assert "needs GPUs" in _fails("trainer.use_vllm=true", recipe="demo/dsr-rl")


def test_the_best_checkpoint_by_held_out_loss_needs_held_out_data() -> None:
    assert "needs data.held_out" in _fails("data.held_out_share=0.0", recipe="himed-8b/la")


def test_training_loss_is_no_criterion_for_the_best_checkpoint() -> None:
    said = _fails("best.by=training-loss", recipe="himed-8b/la")
    assert "'held-out-loss', 'himed-eval'" in said


def test_a_himed_eval_metric_chooses_the_best_checkpoint_outside_the_trainer() -> None:
    best = "best={by: himed-eval, bench: validation.json, metric: accuracy}"
    recipe = load_recipe("himed-8b/la", [best, "data.held_out_share=0.0"])
    assert isinstance(recipe, SftRecipe)
    assert "metric_for_best_model" not in recipe.arguments()


def _written(tmp_path: Path, text: str) -> str:
    file = tmp_path / "mine.yaml"
    file.write_text(text, encoding="utf-8")
    return str(file)


def test_an_unknown_key_of_a_file_is_named_with_the_file(tmp_path: Path) -> None:
    text = (FOLDER / "himed-8b" / "la.yaml").read_text(encoding="utf-8")
    file = _written(tmp_path, text.replace("  weight_decay:", "  wieght_decay:"))
    assert _fails(recipe=file) == f"{file}, field 'trainer.weight_decay': is missing; every recipe says it; " + (
        "see the shipped ones"
    )
    file = _written(tmp_path, text.replace("best:", "extra: 1\nbest:"))
    assert _fails(recipe=file).startswith(f"{file}, field 'extra': unknown key; use one of best, data, ")


def test_a_key_given_twice_is_named_with_its_row(tmp_path: Path) -> None:
    file = _written(tmp_path, "name: a\nstage: sft\nname: b\n")
    assert _fails(recipe=file) == f"{file}, row 3: the key 'name' is given twice; correct the file"


@pytest.mark.parametrize("text", ["- a\n", "", "just text\n"])
def test_a_file_without_keys_is_refused(tmp_path: Path, text: str) -> None:
    assert "holds no 'key: value' pairs" in _fails(recipe=_written(tmp_path, text))


def test_a_file_without_a_stage_is_told_so(tmp_path: Path) -> None:
    file = _written(tmp_path, "name: a\n")
    assert _fails(recipe=file) == f"{file}: the key 'stage' is missing; see the recipes"


def test_the_hash_follows_the_settings_and_is_the_lineages() -> None:
    recipe = load_recipe("himed-8b/la")
    same = load_recipe("himed-8b/la", ["trainer.learning_rate=0.000005"])
    other = load_recipe("himed-8b/la", ["trainer.seed=7"])
    assert recipe_hash(recipe) == recipe_hash(same) == settings_hash(recipe.model_dump(mode="json"))
    assert recipe_hash(recipe) != recipe_hash(other)


def test_vllm_is_spread_over_processes_that_it_divides() -> None:
    halved = ["launch.processes=4", "trainer.gradient_accumulation_steps=32"]
    said = _fails(*halved, recipe="cure-med-32b/rl-high")
    assert "vllm_tensor_parallel_size 8 does not divide the 4 processes" in said
