"""Every key of a recipe's trainer section reaches TRL: its real configuration is built from each recipe."""

from typing import Any

import pytest

from training.recipe import GrpoRecipe, SftRecipe, load_recipe, recipe_names
from training.recipe.shape import Shape

pytest.importorskip("trl", reason="TRL is not installed: run `make setup`")


def _config(name: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, dict[str, Any]]:
    from transformers import TrainingArguments
    from trl import GRPOConfig, SFTConfig

    recipe = load_recipe(name)
    # GRPOConfig divides its batch by the processes that it finds; here it is to find those of the recipe.
    monkeypatch.setattr(TrainingArguments, "world_size", recipe.launch.world_size)
    kinds = {SftRecipe: SFTConfig, GrpoRecipe: GRPOConfig}
    arguments = recipe.arguments() | {"use_cpu": True}  # bf16 asks for a GPU otherwise
    return kinds.get(type(recipe), TrainingArguments)(**arguments), arguments


@pytest.mark.parametrize("name", recipe_names())
def test_trl_takes_every_key_as_the_recipe_says_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config, arguments = _config(name, monkeypatch)
    assert {key: getattr(config, key) for key in arguments} == arguments


def test_grpo_generates_whole_groups_over_all_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    config, _ = _config("himed-8b/dsr-rl", monkeypatch)
    assert (config.generation_batch_size, config.steps_per_generation) == (256, 4)
    assert config.vllm_max_model_length == 384 + 1280


def test_the_warm_up_share_is_a_share_of_all_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    config, _ = _config("himed-8b/la", monkeypatch)
    assert config.get_warmup_steps(1000) == 30
    config, _ = _config("himed-8b/reward-model", monkeypatch)
    assert config.get_warmup_steps(1000) == 30


def test_lora_names_peft_arguments() -> None:
    from peft import LoraConfig

    recipe = load_recipe("himed-8b/dsr-rl")
    assert isinstance(recipe, GrpoRecipe)
    assert recipe.lora is not None
    config = LoraConfig(**recipe.lora.model_dump(mode="json"))
    assert (config.r, config.lora_alpha, config.lora_dropout) == (16, 32, 0.05)


@pytest.mark.parametrize("kind", ["llama", "qwen2"])
def test_the_formula_counts_the_parameters_that_transformers_builds(kind: str) -> None:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification

    shape = load_recipe("demo/la").model.shape
    assert shape is not None
    shape = shape.model_copy(update={"qkv_bias": kind == "qwen2"})
    sizes = shape.model_dump(exclude={"qkv_bias"})
    config = AutoConfig.for_model(kind, **sizes, num_labels=2)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
        classifier = AutoModelForSequenceClassification.from_config(config)
    assert shape.parameters() == sum(weights.numel() for weights in model.parameters())
    assert shape.parameters(2) == sum(weights.numel() for weights in classifier.parameters())
    assert _lora_parameters(model, shape) == shape.lora_parameters(16, ("q_proj", "down_proj"))


def _lora_parameters(model: Any, shape: Shape) -> int:
    from peft import LoraConfig, get_peft_model

    adapted = get_peft_model(model, LoraConfig(r=16, target_modules=["q_proj", "down_proj"]))
    return sum(weights.numel() for weights in adapted.parameters() if weights.requires_grad)


@pytest.mark.parametrize("name", ["zero2", "zero2-offload", "zero3", "zero3-offload"])
def test_accelerate_takes_the_configuration(name: str) -> None:
    from accelerate.commands.config.config_args import load_config_from_file

    from training.recipe.loader import ACCELERATE

    config = load_config_from_file(str(ACCELERATE / f"{name}.yaml"))
    assert config.mixed_precision == "bf16"
