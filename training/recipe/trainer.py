"""The trainer's settings. Every field is an argument of the same name of TRL's or transformers' configuration.

Nothing else may stand here, so that no key is read by nobody; a test builds each recipe's real TRL configuration.
"""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from training.recipe.rewards import Share
from training.recipe.section import Section


class TrainerSettings(Section):
    """What all stages share: `transformers.TrainingArguments`.

    Weight decay leaves biases and norms out: the Trainer does so by itself.
    """

    per_device_train_batch_size: PositiveInt
    """Rows (GRPO: completions) per process in one forward pass."""
    gradient_accumulation_steps: PositiveInt
    """Forward passes per optimiser step."""
    num_train_epochs: PositiveFloat
    """Passes over the data."""
    max_steps: Annotated[int, Field(ge=-1)] = -1
    """Optimiser steps in place of epochs; -1: epochs decide."""
    learning_rate: PositiveFloat
    """Highest learning rate."""
    lr_scheduler_type: Literal["cosine", "linear", "constant", "constant_with_warmup"]
    """Course of the learning rate after the warm-up."""
    warmup_steps: NonNegativeFloat
    """Warm-up: below 1 a share of all steps, from 1 on a number of steps."""
    weight_decay: NonNegativeFloat
    """AdamW's weight decay."""
    optim: Literal["adamw_torch", "adamw_torch_fused"] = "adamw_torch_fused"
    """Optimiser; under DeepSpeed it is the one that DeepSpeed partitions."""
    adam_beta1: Share = 0.9
    """AdamW's beta 1."""
    adam_beta2: Share = 0.999
    """AdamW's beta 2."""
    adam_epsilon: PositiveFloat = 1e-8
    """AdamW's epsilon."""
    max_grad_norm: NonNegativeFloat = 1.0
    """Gradients are clipped to this norm."""
    bf16: bool
    """Mixed precision in bfloat16."""
    gradient_checkpointing: bool
    """Recompute activations in the backward pass: less memory for about a third more compute."""
    use_cpu: bool = False
    """Train on the CPU although there may be a GPU."""
    seed: NonNegativeInt
    """Seed of new weights, dropout and sampling."""
    data_seed: NonNegativeInt
    """Seed of the order of the rows and of the held-out split."""
    logging_steps: PositiveInt = 1
    """Steps between two log lines."""
    save_steps: PositiveInt
    """Steps between two checkpoints; with best.by held-out-loss also between two evaluations."""
    save_total_limit: PositiveInt = 3
    """Checkpoints that are kept, beside the best one."""
    per_device_eval_batch_size: PositiveInt = 8
    """Rows per process in one forward pass over the held-out data."""
    report_to: Annotated[tuple[Literal["tensorboard", "wandb"], ...], Field(strict=False)] = ("tensorboard",)
    """Where figures are logged beside the terminal."""


class SftSettings(TrainerSettings):
    """TRL's `SFTConfig`."""

    packing: bool
    """Bins of several rows, without attention between them; a batch then counts bins in place of rows."""
    padding_free: bool
    """Rows of a batch are laid end to end in place of padded, without attention between them; a batch counts rows."""
    completion_only_loss: Literal[True] = True
    """The loss is taken over the completion, never over the prompt."""


class RewardModelSettings(TrainerSettings):
    """`transformers.TrainingArguments`: the reward model has two labels, and TRL's RewardTrainer insists on one."""

    train_sampling_strategy: Literal["random", "group_by_length"] = "group_by_length"
    """Rows of like length share a batch, which saves padding."""


class GrpoSettings(TrainerSettings):
    """TRL's `GRPOConfig`."""

    num_generations: Annotated[int, Field(ge=2)]
    """Completions per prompt, G."""
    num_generations_eval: Annotated[int, Field(ge=2)] | None = None
    """Completions per prompt where the reward is measured; G by default."""
    max_completion_length: PositiveInt
    """Longest completion in tokens."""
    num_iterations: PositiveInt
    """Optimiser steps per generated batch, mu."""
    epsilon: PositiveFloat
    """Clip range of the probability ratio."""
    beta: NonNegativeFloat
    """Weight of the KL divergence from the reference model; 0 loads none."""
    temperature: PositiveFloat
    """Sampling temperature of the completions."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Nucleus sampling of the completions."""
    loss_type: Literal["grpo", "bnpo", "dr_grpo", "dapo"] = "grpo"
    """Normalisation of the loss; grpo is the published one (arXiv:2402.03300), TRL's own default is dapo."""
    scale_rewards: Literal["group", "batch", "none"] = "group"
    """Over what the rewards' standard deviation is taken."""
    importance_sampling_level: Literal["token", "sequence"] = "token"
    """Ratios per token, or per sequence (GSPO)."""
    mask_truncated_completions: bool = False
    """Leave cut-off completions out of the loss."""
    use_vllm: bool
    """Generate by vLLM (a GPU is needed) in place of transformers."""
    vllm_mode: Literal["colocate", "server"] = "colocate"
    """vLLM inside the training processes, or a server of its own."""
    vllm_gpu_memory_utilization: Annotated[float, Field(gt=0, lt=1)] = 0.3
    """Share of each GPU's memory that a colocated vLLM takes."""
    vllm_tensor_parallel_size: PositiveInt = 1
    """GPUs that share one copy of the weights for generation."""
    vllm_enable_sleep_mode: bool = False
    """A colocated vLLM hands its memory back during the optimiser step."""

    @property
    def measured_generations(self) -> int:
        """Completions per prompt where the reward is measured."""
        return self.num_generations_eval or self.num_generations
