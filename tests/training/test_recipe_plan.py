import shlex
from pathlib import Path

import pytest
import yaml

from app.errors import InputError
from training.recipe import load_recipe
from training.recipe.memory import estimate_memory
from training.recipe.plan import Size, count_steps, make_plan
from training.recipe.shape import Shape

LLAMA_8B = 8_030_261_248


def _shape(name: str) -> Shape:
    shape = load_recipe(name).model.shape
    assert shape is not None
    return shape


def _memory(name: str, *overrides: str):  # type: ignore[no-untyped-def]
    return estimate_memory(load_recipe(name, overrides), _shape(name))


def test_zero_2_divides_gradients_and_states_and_zero_3_the_weights_too() -> None:
    stage2 = _memory("himed-8b/la")
    stage3 = _memory("himed-8b/la", "launch.accelerate=zero3")
    # arXiv:1910.02054: 2, 2 and 12 bytes per parameter.
    assert (stage2.weights, stage3.weights) == (2 * LLAMA_8B, 2 * LLAMA_8B // 8)
    for memory in (stage2, stage3):
        assert (memory.gradients, memory.optimiser) == (2 * LLAMA_8B // 8, 12 * LLAMA_8B // 8)


def test_offload_moves_the_states_to_the_host() -> None:
    memory = _memory("himed-8b/la", "launch.accelerate=zero2-offload")
    assert (memory.gradients, memory.optimiser, memory.host) == (0, 0, 14 * LLAMA_8B // 8)
    assert _memory("himed-8b/la", "launch.accelerate=zero3-offload").host == 16 * LLAMA_8B // 8


def test_activations_follow_the_formula_with_and_without_recomputation() -> None:
    # arXiv:2205.05198: s b h (34 + 5 a s / h) bytes per block; a block's input alone is 2 s b h.
    s, b, h, a, blocks = 4096, 4, 4096, 32, 32
    sbh = s * b * h
    assert _memory("himed-8b/la").activations == blocks * 2 * sbh + 34 * sbh
    whole = _memory("himed-8b/la", "trainer.gradient_checkpointing=false")
    assert whole.activations == blocks * 34 * sbh
    eager = ["trainer.gradient_checkpointing=false", "model.attn_implementation=eager"]
    assert _memory("himed-8b/la", *eager).activations == blocks * sbh * (34 + 5 * a * s // h)


def test_lora_trains_its_adapters_only_and_needs_no_reference_model() -> None:
    memory = _memory("himed-8b/dsr-rl")
    trained = 41_943_040  # 32 blocks x rank 16 x (inputs + outputs) of the seven projections
    assert memory.weights == 2 * (LLAMA_8B + trained)
    assert memory.optimiser == 12 * trained // 8
    assert memory.reference_model == 0
    assert _memory("himed-8b/dsr-rl", "lora=null").reference_model == 2 * LLAMA_8B


def test_the_reference_model_is_there_only_with_a_kl_term() -> None:
    assert _memory("cure-med-7b/rl-high").reference_model == 2 * 7_615_616_512 // 8
    assert _memory("cure-med-7b/rl-high", "trainer.beta=0.0").reference_model == 0


def test_a_colocated_vllm_takes_its_share_of_the_gpu() -> None:
    memory = _memory("himed-8b/dsr-rl")
    assert memory.vllm_weights == 2 * LLAMA_8B
    assert memory.smallest_gpu == pytest.approx(max(memory.training / 0.7, 2 * LLAMA_8B / 0.3), abs=1)
    assert _memory("himed-8b/dsr-rl", "trainer.vllm_mode=server").smallest_gpu == memory.training


def test_dsr_rl_counts_the_reward_model_that_it_loads() -> None:
    classifier = _shape("himed-8b/reward-model").parameters(2)
    assert make_plan("himed-8b/dsr-rl").memory.reward_model == 2 * classifier


def test_fewer_gpus_keep_the_effective_batch_by_more_accumulation() -> None:
    plan = make_plan("himed-8b/la", gpus=4)
    assert plan.recipe.effective_batch == 256
    assert (plan.recipe.launch.world_size, plan.recipe.trainer.gradient_accumulation_steps) == (4, 16)
    words = shlex.split(plan.command)
    assert words[words.index("--num_processes") + 1] == "4"
    # The command says all that differs from the file.
    overrides = [words[place + 1] for place, word in enumerate(words) if word == "--set"]
    assert load_recipe("himed-8b/la", overrides) == plan.recipe


def test_gpus_that_do_not_divide_the_batch_are_refused() -> None:
    with pytest.raises(InputError, match="256 rows per step do not divide over 3 GPUs"):
        make_plan("himed-8b/la", gpus=3)
    with pytest.raises(InputError, match="trains on the CPU"):
        make_plan("demo/la", gpus=2)


@pytest.mark.parametrize(
    ("name", "rows", "steps"),
    [
        ("himed-8b/la", 256, 3),
        ("himed-8b/la", 257, 6),  # the smaller last batch is a step too
        ("himed-8b/dsr-rl", 32, 2 * 3),  # 32 prompts a step, 3 iterations, 2 epochs
        ("himed-8b/dsr-rl", 63, 2 * 3),  # what fills no batch of prompts is dropped
        ("cure-med-7b/rl-high", 80, 10),
    ],
)
def test_steps_are_counted_as_the_trainer_counts_them(name: str, rows: int, steps: int) -> None:
    assert count_steps(load_recipe(name), rows) == steps


def test_too_few_rows_for_one_step_are_an_error() -> None:
    with pytest.raises(InputError, match="give at least 32"):
        count_steps(load_recipe("himed-8b/dsr-rl"), 31)


def test_the_plan_shows_warm_up_in_steps_and_is_yaml() -> None:
    shown = yaml.safe_load(yaml.safe_dump(make_plan("himed-8b/la", size=Size(25_600, 9_000_000)).as_dict()))
    assert (shown["steps"], shown["warmup_steps"]) == (300, 9)
    assert make_plan("himed-8b/reward-model").as_dict()["warmup_steps"] == 30
    assert make_plan("himed-8b/la").as_dict()["steps"] is None


def test_the_size_of_a_local_base_is_read_from_its_config(tiny_checkpoint: Path) -> None:
    from safetensors import safe_open

    with safe_open(tiny_checkpoint / "model.safetensors", framework="np") as weights:
        counted = sum(_product(weights.get_slice(name).get_shape()) for name in weights.keys())  # noqa: SIM118
    plan = make_plan("demo/la", [f"model.base={tiny_checkpoint}"])
    assert plan.parameters == counted


def _product(sizes: list[int]) -> int:
    product = 1
    for size in sizes:
        product *= size
    return product


def test_a_base_of_unknown_size_is_an_error() -> None:
    with pytest.raises(InputError, match="the size of some/model is unknown"):
        make_plan("himed-8b/la", ["model.base=some/model", "model.shape=null"])


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (None, "cannot be read"),
        ("{", "is no JSON"),
        ('{"model_type": "mamba"}', "model_type is 'mamba'"),
        ('{"model_type": "llama", "hidden_size": 64}', "field 'num_hidden_layers': Field required"),
    ],
)
def test_a_broken_base_is_named(tmp_path: Path, config: str | None, said: str) -> None:
    if config is not None:
        (tmp_path / "config.json").write_text(config)
    with pytest.raises(InputError, match=r"config\.json") as raised:
        make_plan("demo/la", [f"model.base={tmp_path}"])
    assert said in str(raised.value)
