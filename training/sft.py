"""Supervised fine-tuning on TRL: LA, RC and CURE-Med's code-switching SFT.

The loss is taken over the completion and the token that ends it, never over the prompt. Rows are laid end to end, or
packed into bins (best fit decreasing), without attention between them; none is cut.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from app.errors import InputError
from training.data import Example, TokenCounter, load_examples
from training.recipe.stages import SftRecipe
from training.sft_loss import CompletionLoss
from training.stage.data import StageData, file_records, load_stage_data
from training.stage.finish import Made, held_out_loss, save_draft, save_result
from training.stage.job import Job
from training.stage.loop import run_trainer
from training.stage.monitor import Monitored
from training.stage.order import ShuffledRows
from training.stage.weights import load_causal_model, load_tokenizer

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def load_sft_data(job: Job[SftRecipe], tokenizer: "PreTrainedTokenizerBase") -> StageData[Example]:
    """The stage's rows that fit.

    Raises:
        InputError: as `training.stage.data.load_stage_data`.
    """
    recipe = job.recipe

    def load(files: Sequence[Any]) -> Any:
        return load_examples(
            files,
            recipe.data.kind,
            benchmarks=job.benchmarks,
            allow_overlap=job.allow_overlap,
            count_tokens=TokenCounter(tokenizer),
            max_length=recipe.data.max_length,
        )

    return load_stage_data(recipe.data, load, recipe.trainer.data_seed)


def train_sft(job: Job[SftRecipe]) -> None:
    """Run the stage in this process, one of all that the launcher started.

    Raises:
        InputError: the weights or the data cannot be used.
        StopRequested: a signal stopped it.
    """
    from transformers import set_seed
    from trl import SFTConfig

    recipe = job.recipe
    # Before the weights: DeepSpeed's stage 3 divides them as they are loaded, when it knows the arguments.
    arguments = SFTConfig(**job.arguments())
    set_seed(recipe.trainer.seed)
    tokenizer = load_tokenizer(job.start)
    data = load_sft_data(job, tokenizer)
    job.begin(data)
    train = encode_examples(tokenizer, data.train)
    held_out = encode_examples(tokenizer, data.held_out) if data.held_out else None
    trainer = make_trainer(arguments, load_causal_model(job.start, recipe.model), tokenizer, train, held_out)
    run_trainer(trainer, job.folder, recipe.launch)
    metrics = {}
    if data.held_out:
        loss = trainer.evaluate()["eval_loss"]
        # One of the earlier checkpoints may be good where himed-eval chooses.
        lost = recipe.best.by != "himed-eval"
        metrics["held_out_loss"] = held_out_loss(loss, len(data.held_out), job.folder, lost=lost)
    epochs = float(trainer.state.epoch or 0.0)
    made = Made(
        start=job.start,
        data=file_records(data),
        languages=data.languages,
        steps=trainer.state.global_step,
        tokens=round(epochs * sum(map(len, train["input_ids"]))),
        metrics=metrics,
        command=job.command,
    )
    if recipe.best.by == "himed-eval":
        # The checkpoints are compared when the GPUs are free again: training.select.
        save_draft(trainer, job.folder, recipe, made)
    else:
        save_result(trainer, tokenizer, job.folder.final, recipe, made)


def make_trainer(
    arguments: Any,
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    train: "Dataset",
    held_out: "Dataset | None" = None,
) -> Any:
    """TRL's trainer with our figures and loss, on rows of `encode_examples`; ``arguments`` is its `trl.SFTConfig`."""
    from trl import SFTTrainer

    class Trainer(Monitored, CompletionLoss, SFTTrainer):  # type: ignore[misc]
        """With our figures and loss, and an order of rows that a resumed run keeps."""

        def _get_train_sampler(self, *args: Any, **kwargs: Any) -> Any:
            if self.accelerator.num_processes == 1:
                return super()._get_train_sampler(*args, **kwargs)  # accelerate passes the epoch on to it
            return ShuffledRows(len(self.train_dataset), self)

    return Trainer(model=model, args=arguments, train_dataset=train, eval_dataset=held_out, processing_class=tokenizer)


def encode_examples(tokenizer: "PreTrainedTokenizerBase", examples: Sequence[Example]) -> "Dataset":
    """Examples as token ids: ``input_ids`` and ``completion_mask`` (1 where the loss is taken), one list per row.

    Raises:
        InputError: the chat template writes the prompt otherwise before an answer than without one, or it does not end
            the answer by a token that ends a generation.
    """
    from datasets import Dataset

    rows = [encode_example(tokenizer, example) for example in examples]
    return Dataset.from_dict({"input_ids": [ids for ids, _ in rows], "completion_mask": [mask for _, mask in rows]})


def encode_example(tokenizer: "PreTrainedTokenizerBase", example: Example) -> tuple[list[int], list[int]]:
    """Token ids of an example, and 1 for each token of its completion, 0 for each of its prompt.

    Raises:
        InputError: as `encode_examples`.
    """
    template: Any = tokenizer.apply_chat_template
    prompt = template(list(example.messages), tokenize=True, add_generation_prompt=True, return_dict=False)
    whole = template(example.chat, tokenize=True, return_dict=False)
    if whole[: len(prompt)] != prompt:
        raise InputError(
            "the chat template writes the prompt otherwise before an answer",
            field="chat_template",
            remedy="name a model whose template keeps a chat's beginning as it is",
        )
    if tokenizer.eos_token_id not in whole[len(prompt) :]:
        raise InputError(
            f"the chat template does not end an answer by {tokenizer.eos_token}",
            field="chat_template",
            remedy="name an instruct model, whose end token its template writes",
        )
    return whole, [0] * len(prompt) + [1] * (len(whole) - len(prompt))
