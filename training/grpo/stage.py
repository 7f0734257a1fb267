"""One GRPO stage: DSR-RL with LoRA, or a curriculum stage with full weights."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from app.errors import InputError
from training.checkpoints import Metric
from training.data import RLPrompt, TokenCounter, load_rl_prompts
from training.grpo.measure import Measure, draw_prompts, show
from training.grpo.phases import PhaseClock
from training.grpo.rewards import build_reward, end_weights, keep_scores
from training.grpo.trainer import Watched, scoring_completions_only
from training.recipe.stages import GrpoRecipe
from training.stage.data import StageData, file_records, load_stage_data
from training.stage.finish import Made, save_draft, save_result
from training.stage.folder import weights_folder
from training.stage.job import Job
from training.stage.loop import run_trainer
from training.stage.monitor import Monitored
from training.stage.weights import load_causal_model, load_tokenizer

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase


def load_prompts(job: Job[GrpoRecipe], tokenizer: "PreTrainedTokenizerBase") -> StageData[RLPrompt]:
    """The stage's prompts that fit.

    Raises:
        InputError: as `training.stage.data.load_stage_data`, or there are too few for one step.
    """
    recipe = job.recipe

    def load(files: Sequence[Any]) -> Any:
        return load_rl_prompts(
            files,
            benchmarks=job.benchmarks,
            allow_overlap=job.allow_overlap,
            count_tokens=TokenCounter(tokenizer),
            max_length=recipe.data.max_prompt_length,
        )

    data = load_stage_data(recipe.data, load, recipe.trainer.data_seed)
    per_step = recipe.prompts_per_step
    if len(data.train) < per_step:
        raise InputError(
            f"there are {len(data.train)} prompts, and a step takes {per_step}",
            field="effective_batch",
            remedy="give more prompts, or a smaller batch",
        )
    return data


def unused_prompts(recipe: GrpoRecipe, prompts: int) -> int:
    """How many of the prompts an epoch does not use: TRL's sampler drops the last batch where it is not whole. The next
    epoch, in another order, drops others."""
    return prompts % recipe.prompts_per_step


def train_grpo(job: Job[GrpoRecipe]) -> None:
    """Run the stage in this process, one of all that the launcher started.

    Raises:
        InputError: the weights, the data or the reward cannot be used, or a guard has stopped the run.
        StopRequested: a signal stopped it.
    """
    from transformers import set_seed
    from trl import GRPOConfig, GRPOTrainer

    class Trainer(Watched, Monitored, GRPOTrainer):  # type: ignore[misc]
        """TRL's trainer, watched, with our figures."""

    recipe = job.recipe
    clock = PhaseClock.of_device()
    reward = build_reward(recipe, clock)
    # Before the weights: DeepSpeed's stage 3 divides them as they are loaded, when it knows the arguments.
    arguments = GRPOConfig(**make_arguments(job))
    set_seed(recipe.trainer.seed)
    tokenizer = load_tokenizer(job.start)
    data = load_prompts(job, tokenizer)
    job.begin(data)
    keep_scores(reward, recipe, job.folder)
    seed = recipe.trainer.data_seed
    measured = draw_prompts(data.held_out or data.train, recipe.measure_prompts, seed)
    measure = Measure(measured, end_weights(recipe.reward), recipe.trainer.measured_generations, job.folder.path)
    trainer = Trainer(
        model=load_causal_model(job.start, recipe.model),
        reward_funcs=reward,
        args=arguments,
        train_dataset=to_dataset(data.train),
        eval_dataset=to_dataset(measured) if measured else None,
        processing_class=tokenizer,
        peft_config=_lora(recipe),
        recipe=recipe,
        folder=job.folder,
        measure=measure if measured else None,
        clock=clock,
    )
    if trainer.is_world_process_zero() and (unused := unused_prompts(recipe, len(data.train))):
        step = f"a step takes {recipe.prompts_per_step} (effective_batch / num_generations)"
        print(f"{recipe.name}: each epoch leaves {unused} of {len(data.train):,} prompts unused: {step}", flush=True)
    metrics: dict[str, Metric] = {}
    with scoring_completions_only():
        run_trainer(trainer, job.folder, recipe.launch)
        if measured:
            trainer.evaluate()
    if measured and trainer.is_world_process_zero():
        metrics = measure.figures(seed)
        show(metrics)
    made = Made(
        start=job.start,
        data=file_records(data),
        languages=data.languages,
        steps=trainer.state.global_step,
        tokens=round(trainer.state.num_input_tokens_seen),
        metrics=metrics,
        command=job.command,
    )
    if recipe.best.by == "himed-eval":
        save_draft(trainer, job.folder, recipe, made)
    else:
        save_result(trainer, tokenizer, weights_folder(recipe, job.folder), recipe, made)


def make_arguments(job: Job[GrpoRecipe]) -> dict[str, Any]:
    """The arguments of `trl.GRPOConfig`: the recipe's, and those that follow from where the run stands."""
    recipe = job.recipe
    arguments = job.arguments()
    # An evaluation's batches hold whole groups too.
    group = recipe.trainer.measured_generations
    whole = group // math.gcd(group, recipe.launch.world_size)
    arguments["per_device_eval_batch_size"] = math.ceil(recipe.trainer.per_device_eval_batch_size / whole) * whole
    # Only a run's true beginning is measured: a resumed one finds the first measure in its folder.
    arguments["eval_on_start"] = recipe.measure_prompts > 0 and job.folder.newest_checkpoint() is None
    if not job.start.is_folder and recipe.lora is None and recipe.trainer.beta:
        arguments["model_init_kwargs"] = job.start.arguments  # TRL loads the reference model by itself
    return arguments


def to_dataset(prompts: Sequence[RLPrompt]) -> "Dataset":
    """Prompts as TRL and the rewards read them: ``prompt`` (messages), ``row`` (its number from 0), ``question``,
    ``language``, ``reference``, ``reference_reasoning`` (may be None) and ``reference_answer``."""
    from datasets import Dataset

    return Dataset.from_list(
        [
            {
                "prompt": list(prompt.messages),
                "row": number,
                "question": prompt.question or "",
                "language": prompt.language,
                "reference": prompt.reference,
                "reference_reasoning": prompt.reasoning,
                "reference_answer": prompt.answer,
            }
            for number, prompt in enumerate(prompts)
        ]
    )


def _lora(recipe: GrpoRecipe) -> Any:
    if recipe.lora is None:
        return None
    from peft import LoraConfig

    return LoraConfig(**recipe.lora.model_dump(mode="json"), task_type="CAUSAL_LM")
