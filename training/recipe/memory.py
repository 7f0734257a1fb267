"""An estimate of the memory of one GPU, from the model's shape and the recipe alone.

States: Rajbhandari et al., ZeRO (arXiv:1910.02054), section 3.1: mixed-precision Adam keeps 2 bytes of weights, 2 of
gradients and K = 12 of fp32 states (weights, momentum, variance) per trained parameter; stage 2 divides gradients and
states by the number of processes, stage 3 the weights as well. Offload moves the states, at stage 3 also the weights,
to the host (ZeRO-Offload, arXiv:2101.06840), which also receives the gradients.

Activations: Korthikanti et al. (arXiv:2205.05198), equation 1: s b h (34 + 5 a s / h) bytes per block at 16 bits. The
second term is the attention matrix, which fused attention (sdpa, flash) never stores; with full recomputation
(section 5) a block keeps only its input, 2 s b h, and one block at a time is whole. The formula is GPT's, with an MLP
of 4 h; Llama and Qwen2 differ from it by some tenths of a block.

Not counted: buffers of DeepSpeed and NCCL, fragments, the CUDA context; leave a tenth of the GPU free for them.
"""

from dataclasses import asdict, dataclass
from math import ceil
from typing import Final

from training.recipe.shape import Shape
from training.recipe.stages import GrpoRecipe, Recipe, RewardModelRecipe

GIB: Final = 2**30
_LABELS: Final = 2
_ADAM: Final = 12  # bytes per trained parameter: fp32 copy, momentum, variance
_LOGIT: Final = 4 + 4  # bytes per logit: the fp32 value and its gradient
_CHUNK: Final = 256  # positions whose logits exist at a time in TRL's chunked loss


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes on one GPU by purpose, and on the host per process. ``vllm_share`` is the share of the GPU that a
    colocated vLLM takes beside them, ``vllm_weights`` the bytes of its own copy of the weights within that share."""

    weights: int
    gradients: int
    optimiser: int
    activations: int
    logits: int
    reference_model: int
    reward_model: int
    host: int
    vllm_share: float
    vllm_weights: int

    @property
    def training(self) -> int:
        """Bytes on the GPU without vLLM."""
        return sum(asdict(self)[name] for name in _ON_GPU)

    @property
    def smallest_gpu(self) -> int:
        """Bytes of the smallest GPU on which training and vLLM's weights fit, nothing left over."""
        beside_vllm = ceil(self.training / (1 - self.vllm_share))
        return max(beside_vllm, ceil(self.vllm_weights / self.vllm_share)) if self.vllm_share else beside_vllm

    def in_gib(self) -> dict[str, float]:
        """The figures in GiB (2^30 bytes), to one place."""
        purposes = {name: round(asdict(self)[name] / GIB, 1) for name in (*_ON_GPU, "vllm_weights", "host")}
        return purposes | {"training": round(self.training / GIB, 1), "smallest_gpu": round(self.smallest_gpu / GIB, 1)}


_ON_GPU: Final = ("weights", "gradients", "optimiser", "activations", "logits", "reference_model", "reward_model")


def estimate_memory(recipe: Recipe, shape: Shape, reward_model: Shape | None = None) -> Memory:
    """Estimate the memory of one process; see the module for formulas and sources.

    Args:
        recipe: the stage.
        shape: shape of the model that it trains.
        reward_model: shape of the reward model that the processes load beside it, if any.
    """
    launch = recipe.launch
    split = launch.world_size
    total = shape.parameters(_LABELS if isinstance(recipe, RewardModelRecipe) else None)
    lora = recipe.lora if isinstance(recipe, GrpoRecipe) else None
    trained = shape.lora_parameters(lora.r, lora.target_modules) if lora else total
    # Adapters come on top of the weights; full training keeps no second set.
    held = total + trained if lora else total

    width = 2 if recipe.model.dtype == "bfloat16" else 4
    # In fp32 the weights are their own master copy.
    states = _ADAM if width == 2 else _ADAM - 4
    weights = width * held // (split if launch.zero_stage == 3 else 1)
    gradients = width * trained // (split if launch.zero_stage else 1)
    optimiser = states * trained // (split if launch.zero_stage else 1)
    reference = _reference_bytes(recipe, width * total) // (split if launch.zero_stage == 3 else 1)
    host = 0
    if launch.offload:
        # Per process: each keeps its own part of the states.
        host = optimiser + gradients
        optimiser = gradients = 0
        if launch.zero_stage == 3:
            host += weights
            host += reference
            weights = width * total // shape.num_hidden_layers  # the block in use, gathered
            reference = 0  # its blocks pass through one after another, before the model's
    share, vllm_weights = _vllm(recipe, shape)
    return Memory(
        weights=weights,
        gradients=gradients,
        optimiser=optimiser,
        activations=_activation_bytes(recipe, shape, width),
        logits=_logit_bytes(recipe, shape),
        reference_model=reference,
        reward_model=2 * reward_model.parameters(_LABELS) if reward_model else 0,
        host=host,
        vllm_share=share,
        vllm_weights=vllm_weights,
    )


def longest_sequence(recipe: Recipe) -> int:
    """Tokens of the longest sequence that the stage trains on."""
    if isinstance(recipe, GrpoRecipe):
        return recipe.data.max_prompt_length + recipe.trainer.max_completion_length
    return recipe.data.max_length


def _reference_bytes(recipe: Recipe, weights: int) -> int:
    """The reference model of the KL term; with LoRA it is the base without its adapter and costs nothing."""
    needed = isinstance(recipe, GrpoRecipe) and recipe.lora is None and recipe.trainer.beta > 0
    return weights if needed else 0


def _activation_bytes(recipe: Recipe, shape: Shape, width: int) -> int:
    length, batch = longest_sequence(recipe), recipe.trainer.per_device_train_batch_size
    tokens = length * batch  # s b
    block = 34 * tokens * shape.hidden_size
    if recipe.model.attn_implementation == "eager":
        block += 5 * shape.num_attention_heads * length * tokens
    kept = 2 * tokens * shape.hidden_size
    layers = shape.num_hidden_layers
    at_16_bits = layers * kept + block if recipe.trainer.gradient_checkpointing else layers * block
    return at_16_bits * width // 2


def _logit_bytes(recipe: Recipe, shape: Shape) -> int:
    batch = recipe.trainer.per_device_train_batch_size
    if isinstance(recipe, GrpoRecipe):
        positions = batch * recipe.trainer.max_completion_length
    elif isinstance(recipe, RewardModelRecipe):
        return _LOGIT * _LABELS * batch
    else:
        positions = min(_CHUNK, batch * recipe.data.max_length)
    return _LOGIT * positions * shape.vocab_size


def _vllm(recipe: Recipe, shape: Shape) -> tuple[float, int]:
    """Share of the GPU and bytes of weights of a colocated vLLM, which holds the model in bfloat16."""
    if not isinstance(recipe, GrpoRecipe) or not recipe.trainer.use_vllm or recipe.trainer.vllm_mode != "colocate":
        return 0.0, 0
    trainer = recipe.trainer
    return trainer.vllm_gpu_memory_utilization, 2 * shape.parameters() // trainer.vllm_tensor_parallel_size
