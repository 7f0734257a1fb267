"""A recipe: one training stage. Three kinds, told apart by ``stage``: sft, reward-model and grpo."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from app.formats import Format
from training.recipe.rewards import CompositeReward, DualReward, Guards, Share
from training.recipe.section import Files, Folder, Section
from training.recipe.shape import Shape
from training.recipe.trainer import GrpoSettings, RewardModelSettings, SftSettings, TrainerSettings

Projection = Literal["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


class Model(Section):
    """The weights that a stage starts from."""

    base: str
    """Hub id or local folder of the pretrained model. Code from the hub is never run."""
    revision: str | None = None
    """Commit of the hub's repository; None is its newest."""
    parent: str | None = None
    """Recipe whose finished checkpoint this stage starts from, or that checkpoint's folder; None starts from base."""
    license: str
    """The base's licence, which its descendants carry: the hub's identifier."""
    dtype: Literal["bfloat16", "float32"]
    """Number format that the weights are loaded in."""
    attn_implementation: Literal["sdpa", "flash_attention_2", "eager"]
    """Attention kernel; flash_attention_2 is fastest for rows laid end to end, and needs the flash-attn package."""
    shape: Shape | None = None
    """The base's shape, for estimates without the weights; the config.json of a local base goes before it."""


class Launch(Section):
    """How the processes are started."""

    accelerate: Literal["zero2", "zero2-offload", "zero3", "zero3-offload", "cpu"]
    """File of training/recipes/accelerate: DeepSpeed ZeRO stage 2 or 3, with or without offload; cpu has none."""
    nodes: PositiveInt = 1
    """Machines."""
    processes: PositiveInt
    """Processes per machine: one per GPU."""

    @property
    def world_size(self) -> int:
        """Processes in all."""
        return self.nodes * self.processes

    @property
    def zero_stage(self) -> int:
        """DeepSpeed's ZeRO stage; 0 without DeepSpeed."""
        return {"zero2": 2, "zero3": 3}.get(self.accelerate.removesuffix("-offload"), 0)

    @property
    def offload(self) -> bool:
        """Whether optimiser states (at stage 3 also weights) live in the host's memory."""
        return self.accelerate.endswith("-offload")


class Data(Section):
    """Files by role. Names are relative to the data folder; ``*`` stands for any part of a name."""

    folder: Folder | None = None
    """Data folder; None is HIMED_DATA_DIR, else the current folder."""
    train: Annotated[Files, Field(min_length=1)]
    """Files to train on."""
    held_out: Files = ()
    """Files to measure on."""
    held_out_share: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the training rows that is held out, drawn by data_seed; in place of files."""
    benchmarks: Files = ()
    """Benchmark files; training rows whose question stands in one are refused."""

    @model_validator(mode="after")
    def _one_held_out(self) -> Self:
        if self.held_out and self.held_out_share:
            raise ValueError("give held_out files or held_out_share, not both")
        return self


class SftData(Data):
    """Files of an SFT stage."""

    kind: Literal["la", "rc", "sft"]
    """Instances of training/data: prompt -> answer; prompt -> reasoning and answer; CURE-Med's code-switched SFT."""
    max_length: PositiveInt
    """Longest row in tokens, prompt and completion; longer rows are set aside, never cut."""


class TripleData(Data):
    """Files of a reward model."""

    kind: Literal["reward-model"]
    """Instances of training/data: (response, reference, correct)."""
    max_length: PositiveInt
    """Longest pair in tokens; longer ones are set aside, never cut."""


class PromptData(Data):
    """Files of a GRPO stage."""

    kind: Literal["rl"]
    """Instances of training/data: a prompt, and the reference (reasoning and answer) that the reward needs."""
    max_prompt_length: PositiveInt
    """Longest prompt in tokens; longer ones are set aside, never cut."""


class HeldOutLoss(Section):
    """The checkpoint with the lowest loss on held-out rows."""

    by: Literal["held-out-loss"]
    """Names this way."""


class EvalMetric(Section):
    """The checkpoint that `himed-eval` finds best."""

    by: Literal["himed-eval"]
    """Names this way."""
    bench: str
    """File of validation questions; choosing on the benchmark that is reported makes the report too good."""
    metric: str
    """Name of the metric in himed-eval's report."""
    higher_is_better: bool = True
    """Which end of the metric is best."""


class Last(Section):
    """The final weights, as published for the RL stages: a loss says little there and a reward can be gamed."""

    by: Literal["last"]
    """Names this way."""


class Lora(Section):
    """`peft.LoraConfig`: the base is frozen, the adapter is kept, and merged at the end."""

    r: PositiveInt
    """Rank."""
    lora_alpha: PositiveInt
    """Scale: the update counts alpha / r."""
    lora_dropout: Share
    """Dropout before the adapter."""
    target_modules: Annotated[tuple[Projection, ...], Field(min_length=1, strict=False)]
    """Projections that get an adapter."""


class BaseRecipe(Section):
    """What every stage has."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*(/[a-z0-9][a-z0-9.-]*)*$")]
    """Name by which other recipes and commands call it; a shipped one's is its place under training/recipes."""
    summary: str
    """What the stage teaches, in one line."""
    format: Format
    """Completion format, of app.formats: training, serving and evaluation all use it."""
    output: Folder
    """Folder of the checkpoints and logs."""
    effective_batch: PositiveInt
    """Rows (GRPO: completions) per optimiser step over all processes; must be the product of its three factors."""
    model: Model
    """The weights to start from."""
    launch: Launch
    """Processes and DeepSpeed."""

    def _check_batch(self, trainer: TrainerSettings) -> None:
        per_process = trainer.per_device_train_batch_size * trainer.gradient_accumulation_steps
        if (product := per_process * self.launch.world_size) != self.effective_batch:
            raise ValueError(
                f"effective_batch is {self.effective_batch}, but {trainer.per_device_train_batch_size} per process x "
                f"{trainer.gradient_accumulation_steps} accumulation steps x {self.launch.world_size} processes "
                f"is {product}"
            )
        if self.launch.accelerate == "cpu" and not trainer.use_cpu:
            raise ValueError("launch.accelerate: cpu needs trainer.use_cpu: true")

    def _base_arguments(self, trainer: TrainerSettings) -> dict[str, Any]:
        arguments = trainer.model_dump(mode="json")
        return arguments | {"output_dir": str(self.output), "save_strategy": "steps"}


def _held_out_loss(trainer: TrainerSettings) -> Mapping[str, Any]:
    return {
        "eval_strategy": "steps",
        "eval_steps": trainer.save_steps,
        "load_best_model_at_end": True,
        "metric_for_best_model": "eval_loss",
        "greater_is_better": False,
    }


def _check_held_out(data: Data, best: HeldOutLoss | EvalMetric | Last) -> None:
    if best.by == "held-out-loss" and not data.held_out and not data.held_out_share:
        raise ValueError("best.by: held-out-loss needs data.held_out or data.held_out_share")


class SftRecipe(BaseRecipe):
    """Supervised fine-tuning."""

    stage: Literal["sft"]
    """Kind of stage."""
    data: SftData
    """Files."""
    trainer: SftSettings
    """TRL's settings."""
    best: Annotated[HeldOutLoss | EvalMetric, Field(discriminator="by")]
    """Which checkpoint is the stage's result: never the one with the lowest training loss."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        self._check_batch(self.trainer)
        _check_held_out(self.data, self.best)
        return self

    def arguments(self) -> dict[str, Any]:
        """The arguments of `trl.SFTConfig`."""
        arguments = self._base_arguments(self.trainer)
        if self.best.by == "held-out-loss":
            arguments |= _held_out_loss(self.trainer)
        # Longer rows were set aside before; TRL wants no limit where it lays rows end to end without bins.
        unlimited = self.trainer.padding_free and not self.trainer.packing
        return arguments | {"max_length": None if unlimited else self.data.max_length}


class RewardModelRecipe(BaseRecipe):
    """Sequence classification of (response, reference) into wrong and right: the task reward R1."""

    stage: Literal["reward-model"]
    """Kind of stage."""
    data: TripleData
    """Files."""
    trainer: RewardModelSettings
    """transformers' settings."""
    best: HeldOutLoss
    """Which checkpoint is the stage's result: never the one with the lowest training loss."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        self._check_batch(self.trainer)
        _check_held_out(self.data, self.best)
        return self

    def arguments(self) -> dict[str, Any]:
        """The arguments of `transformers.TrainingArguments`."""
        return {**self._base_arguments(self.trainer), **_held_out_loss(self.trainer)}


class GrpoRecipe(BaseRecipe):
    """Reinforcement learning by GRPO (arXiv:2402.03300)."""

    stage: Literal["grpo"]
    """Kind of stage."""
    data: PromptData
    """Files."""
    trainer: GrpoSettings
    """TRL's settings."""
    lora: Lora | None = None
    """Low-rank adapters; None trains the full weights."""
    reward: Annotated[DualReward | CompositeReward, Field(discriminator="kind")]
    """What is rewarded."""
    guards: Guards
    """When the run is going wrong."""
    best: Annotated[EvalMetric | Last, Field(discriminator="by")]
    """Which checkpoint is the stage's result."""
    sample_completions_every: PositiveInt = 20
    """Steps between two tables of sample completions with their rewards."""
    measure_prompts: NonNegativeInt = 64
    """Prompts on which the reward is measured before and after the training, of the held-out ones where there are any;
    0 measures nothing."""

    @property
    def prompts_per_step(self) -> int:
        """Prompts whose completions make one batch."""
        return self.effective_batch // self.trainer.num_generations

    @model_validator(mode="after")
    def _fits(self) -> Self:
        self._check_batch(self.trainer)
        if self.effective_batch % self.trainer.num_generations:
            raise ValueError(
                f"effective_batch {self.effective_batch} holds no whole groups of {self.trainer.num_generations} "
                "generations"
            )
        if self.lora is not None and self.best.by == "himed-eval":
            raise ValueError("best.by: himed-eval compares whole models: with lora use best.by: last")
        if self.trainer.use_vllm and self.launch.accelerate == "cpu":
            raise ValueError("trainer.use_vllm needs GPUs: TRL cannot hand weights to vLLM on a CPU")
        processes, parallel = self.launch.nodes * self.launch.processes, self.trainer.vllm_tensor_parallel_size
        if self.trainer.use_vllm and processes % parallel:
            raise ValueError(
                f"trainer.vllm_tensor_parallel_size {parallel} does not divide the {processes} processes: each copy of "
                "vLLM is spread over so many of them"
            )
        return self

    def arguments(self) -> dict[str, Any]:
        """The arguments of `trl.GRPOConfig`."""
        arguments = self._base_arguments(self.trainer)
        if self.trainer.use_vllm:
            longest = self.data.max_prompt_length + self.trainer.max_completion_length
            arguments["vllm_max_model_length"] = longest
        return arguments


Recipe = SftRecipe | RewardModelRecipe | GrpoRecipe
