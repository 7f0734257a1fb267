"""Every shipped recipe, held against the published settings as DESIGN's table states them."""

from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel

from app.languages import LANGUAGES
from training.data.instances import STAGES
from training.recipe import load_recipe, recipe_names
from training.recipe.loader import ACCELERATE, FOLDER, _models
from training.recipe.plan import launch_command
from training.recipe.stages import GrpoRecipe, PromptData, Recipe, SftData, TripleData

SIZES = ("1.5b", "3b", "7b", "14b", "32b")
TIERS = ("high", "medium", "low")
ALL_PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")

COMMON_HIMED_SFT: dict[str, Any] = {
    "stage": "sft",
    "format": "himed",
    "model.base": "meta-llama/Llama-3.1-8B-Instruct",
    "launch.accelerate": "zero2",
    "launch.world_size": 8,
    "data.max_length": 4096,
    "trainer.bf16": True,
    "trainer.learning_rate": 5e-6,
    "trainer.lr_scheduler_type": "cosine",
    "trainer.warmup_steps": 0.03,
    "trainer.weight_decay": 0.01,
    "trainer.num_train_epochs": 3,
}
PUBLISHED: dict[str, dict[str, Any]] = {
    "himed-8b/la": COMMON_HIMED_SFT | {"model.parent": None, "data.kind": "la", "effective_batch": 32 * 8},
    "himed-8b/rc": COMMON_HIMED_SFT | {"model.parent": "himed-8b/la", "data.kind": "rc", "effective_batch": 8 * 8},
    "himed-8b/reward-model": {
        "stage": "reward-model",
        "format": "himed",
        "model.parent": None,
        "data.kind": "reward-model",
        "data.max_length": 2048,
        "effective_batch": 128 * 4,
        "trainer.gradient_accumulation_steps": 4,
        "trainer.learning_rate": 2e-5,
        "trainer.num_train_epochs": 2,
        "trainer.warmup_steps": 30,
    },
    "himed-8b/dsr-rl": {
        "stage": "grpo",
        "format": "himed",
        "model.parent": "himed-8b/rc",
        "lora.r": 16,
        "lora.lora_alpha": 32,
        "lora.lora_dropout": 0.05,
        "lora.target_modules": ALL_PROJECTIONS,
        "trainer.learning_rate": 5e-6,
        "trainer.lr_scheduler_type": "cosine",
        "trainer.warmup_steps": 0.03,
        "trainer.per_device_train_batch_size": 8,
        "trainer.gradient_accumulation_steps": 4,
        "trainer.num_train_epochs": 2,
        "data.max_prompt_length": 384,
        "trainer.max_completion_length": 1280,
        "trainer.num_generations": 8,
        "trainer.num_iterations": 3,
        "trainer.epsilon": 0.2,
        "trainer.beta": 0.001,
        "trainer.temperature": 1.0,
        "trainer.loss_type": "grpo",
        "trainer.use_vllm": True,
        "trainer.vllm_mode": "colocate",
        "trainer.vllm_gpu_memory_utilization": 0.3,
        "reward.kind": "task-and-scaffold",
        "reward.task.model": "himed-8b/reward-model",
        "reward.task.threshold": 0.65,
        "reward.task.right": 1.0,
        "reward.task.wrong": 0.1,
        "reward.schedule.kind": "cosine",
        "reward.schedule.start": 0.1,
        "reward.schedule.end": 0.9,
    },
}
CURE_MED_SFT: dict[str, Any] = {
    "stage": "sft",
    "format": "cure-med",
    "model.parent": None,
    "data.kind": "sft",
    "data.max_length": 4096,
    "launch.zero_stage": 3,
    "effective_batch": 32,
    "trainer.bf16": True,
    "trainer.adam_beta1": 0.9,
    "trainer.adam_beta2": 0.999,
    "trainer.learning_rate": 1e-5,
    "trainer.lr_scheduler_type": "cosine",
    "trainer.warmup_steps": 0.1,
    "trainer.weight_decay": 1e-4,
    "trainer.num_train_epochs": 3,
}
CURE_MED_RL: dict[str, Any] = {
    "stage": "grpo",
    "format": "cure-med",
    "lora": None,
    "trainer.learning_rate": 1e-6,
    "trainer.lr_scheduler_type": "cosine",
    "trainer.warmup_steps": 0.1,
    "trainer.weight_decay": 0.1,
    "trainer.beta": 0.01,
    "trainer.num_generations": 16,
    "data.max_prompt_length": 1024,
    "trainer.max_completion_length": 1024,
    "trainer.num_train_epochs": 1,
    "trainer.loss_type": "grpo",
    "reward.kind": "composite",
    "reward.accuracy_weight": 0.65,
    "reward.language_weight": 0.30,
    "reward.format_weight": 0.05,
    "reward.accuracy.by": "judge",
}
for size in SIZES:
    base = {"model.base": f"Qwen/Qwen2.5-{size.upper()}-Instruct"}
    parents = (f"cure-med-{size}/sft", f"cure-med-{size}/rl-high", f"cure-med-{size}/rl-medium")
    PUBLISHED[f"cure-med-{size}/sft"] = CURE_MED_SFT | base
    for tier, parent in zip(TIERS, parents, strict=True):
        PUBLISHED[f"cure-med-{size}/rl-{tier}"] = CURE_MED_RL | base | {"model.parent": parent}

# Parameters of the published checkpoints (8.03 B, 1.54 B, 3.09 B, 7.62 B, 14.8 B and 32.8 B on their model cards).
PARAMETERS = {
    "himed-8b/la": 8_030_261_248,
    "cure-med-1.5b/sft": 1_543_714_304,
    "cure-med-3b/sft": 3_085_938_688,
    "cure-med-7b/sft": 7_615_616_512,
    "cure-med-14b/sft": 14_770_033_664,
    "cure-med-32b/sft": 32_763_876_352,
}
# What the size decides: everything else is the same for all sizes of a stage.
OF_THE_SIZE = {
    "name",
    "output",
    "model.base",
    "model.parent",
    "model.license",
    "model.shape",
    "launch.accelerate",
    "trainer.per_device_train_batch_size",
    "trainer.per_device_eval_batch_size",
    "trainer.gradient_accumulation_steps",
    "trainer.padding_free",
    "trainer.vllm_tensor_parallel_size",
    "trainer.vllm_enable_sleep_mode",
}


def _get(recipe: Recipe, path: str) -> Any:
    value: Any = recipe
    for name in path.split("."):
        value = getattr(value, name)
    return value


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        path = f"{prefix}{key}"
        if isinstance(value, dict) and path not in OF_THE_SIZE:
            flat |= _flat(value, f"{path}.")
        elif path not in OF_THE_SIZE:
            flat[path] = value
    return flat


def test_every_stage_of_both_systems_and_of_the_demo_has_a_recipe() -> None:
    demo = [f"demo/{stage}" for stage in ("la", "rc", "reward-model", "dsr-rl", "sft")]
    demo += [f"demo/rl-{tier}" for tier in TIERS]
    assert recipe_names() == sorted([*PUBLISHED, *demo])


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_recipe_carries_the_published_settings(name: str) -> None:
    recipe = load_recipe(name)
    assert {path: _get(recipe, path) for path in PUBLISHED[name]} == PUBLISHED[name]


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_says_its_own_name_and_opens_with_the_commands_that_run_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(FOLDER.parents[1])
    file = FOLDER / f"{name}.yaml"
    lines = file.read_text(encoding="utf-8").splitlines()
    recipe = load_recipe(name)
    assert recipe.name == name
    assert lines[0] == f"# himed-train run training/recipes/{name}.yaml"
    assert lines[3] == f"# {launch_command(name, recipe)}"


@pytest.mark.parametrize("name", recipe_names())
def test_parents_and_reward_models_are_recipes_of_the_same_base_and_format(name: str) -> None:
    recipe = load_recipe(name)
    related = [recipe.model.parent] if recipe.model.parent else []
    if isinstance(recipe, GrpoRecipe) and recipe.reward.kind == "task-and-scaffold":
        reward_model = load_recipe(recipe.reward.task.model)
        assert reward_model.stage == "reward-model"
        related.append(reward_model.name)
    for other in map(load_recipe, related):
        assert other.model.base == recipe.model.base
        # Only SFT teaches a format: the demo's two systems are one model, whose second format follows its first.
        assert other.format == recipe.format or recipe.name == "demo/sft"


@pytest.mark.parametrize("stage", ["sft", *(f"rl-{tier}" for tier in TIERS)])
def test_the_sizes_of_a_stage_differ_only_in_what_the_size_decides(stage: str) -> None:
    first, *others = (_flat(load_recipe(f"cure-med-{size}/{stage}").model_dump(mode="json")) for size in SIZES)
    for other in others:
        assert other == first


def test_the_curriculums_comments_name_the_tiers_languages() -> None:
    for tier in TIERS:
        text = (FOLDER / "cure-med-7b" / f"rl-{tier}.yaml").read_text(encoding="utf-8")
        comment = " ".join(line for line in text.splitlines() if line.startswith("#"))
        named = {language.english for language in LANGUAGES if language.english in comment}
        assert named == {language.english for language in LANGUAGES if language.tier == tier}


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_shape_gives_the_published_number_of_parameters(name: str) -> None:
    shape = load_recipe(name).model.shape
    assert shape is not None
    assert shape.parameters() == PARAMETERS[name]


@pytest.mark.parametrize("name", ["zero2", "zero2-offload", "zero3", "zero3-offload"])
def test_an_accelerate_file_says_the_stage_and_offload_that_its_name_says(name: str) -> None:
    config = yaml.safe_load((ACCELERATE / f"{name}.yaml").read_text(encoding="utf-8"))
    offload = "cpu" if name.endswith("offload") else "none"
    deepspeed = config["deepspeed_config"]
    assert config["distributed_type"] == "DEEPSPEED"
    assert deepspeed["zero_stage"] == int(name[4])
    assert deepspeed["offload_optimizer_device"] == offload
    assert deepspeed["offload_param_device"] == (offload if name.startswith("zero3") else "none")
    # Under ZeRO-3 the weights must never be whole on one process, nor a checkpoint in pieces.
    assert deepspeed["zero3_init_flag"] is name.startswith("zero3")
    assert deepspeed.get("zero3_save_16bit_model", False) is name.startswith("zero3")


def test_the_kinds_of_data_are_those_of_the_readers() -> None:
    kinds = [get_args(data.model_fields["kind"].annotation) for data in (SftData, TripleData, PromptData)]
    assert sorted(kind for group in kinds for kind in group) == sorted(STAGES)


def _sections(model: type[BaseModel]) -> set[type[BaseModel]]:
    inner = {found for field in model.model_fields.values() for found in _models(field.annotation)}
    return {model}.union(*(_sections(found) for found in inner))


def test_every_field_is_described() -> None:
    undescribed = [
        f"{section.__name__}.{name}"
        for recipe in _models(Recipe)
        for section in _sections(recipe)
        for name, field in section.model_fields.items()
        if not field.description
    ]
    assert undescribed == []
