"""HiMed's reward model R1: a sequence classifier that says whether a response is right by its reference.

transformers' own trainer: TRL's RewardTrainer insists on one label, R1 has two. It reads the text of
`training.rewards.template`, as the verifier does that DSR-RL asks for its task reward; no row is cut.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import orjson
from datasets import Dataset
from scipy.special import softmax
from torch.utils.data import SequentialSampler
from transformers import DataCollatorWithPadding, Trainer, TrainingArguments, set_seed
from transformers.loss.loss_utils import fixed_cross_entropy
from transformers.trainer_pt_utils import DistributedLengthGroupedSampler

from app.errors import InputError
from app.files import write_whole
from app.prompts import Message
from training.checkpoints import Metric
from training.classification import Floats, measure, reliability
from training.data import Triple, load_triples
from training.recipe.stages import RewardModelRecipe
from training.rewards.template import LABELS, THRESHOLD
from training.stage.data import StageData, file_records, load_stage_data
from training.stage.finish import Made, held_out_loss, save_result
from training.stage.job import Job
from training.stage.loop import run_trainer
from training.stage.monitor import Monitored
from training.stage.order import ShuffledRows
from training.stage.weights import load_classifier, load_tokenizer

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

CALIBRATION_FILE: Final = "calibration.json"
PREDICTIONS_FILE: Final = "predictions.jsonl"


def load_reward_data(job: Job[RewardModelRecipe], tokenizer: "PreTrainedTokenizerBase") -> StageData[Triple]:
    """The stage's rows that fit, measured as the verifier reads them.

    Raises:
        InputError: as `training.stage.data.load_stage_data`, or all rows have the same verdict.
    """
    recipe = job.recipe

    def count_tokens(messages: Sequence[Message]) -> int:
        return len(tokenizer(messages[0]["content"])["input_ids"])

    def load(files: Sequence[Path]) -> Any:
        return load_triples(
            files,
            benchmarks=job.benchmarks,
            allow_overlap=job.allow_overlap,
            count_tokens=count_tokens,
            max_length=recipe.data.max_length,
        )

    data = load_stage_data(recipe.data, load, recipe.trainer.data_seed)
    if len({row.correct for row in data.train}) == 1:
        problem = f"all {len(data.train)} rows to train on are {LABELS[data.train[0].correct]}"
        remedy = "give right and wrong responses: nothing can be learnt from one label"
        raise InputError(problem, file=data.train[0].file, field="correct", remedy=remedy)
    return data


def train_reward_model(job: Job[RewardModelRecipe]) -> None:
    """Run the stage in this process, one of all that the launcher started.

    Raises:
        InputError: the weights or the data cannot be used.
        StopRequested: a signal stopped it.
    """
    recipe = job.recipe
    # Before the weights: DeepSpeed's stage 3 divides them as they are loaded, when it knows the arguments.
    arguments = TrainingArguments(**job.arguments())
    set_seed(recipe.trainer.seed)
    tokenizer = load_tokenizer(job.start)
    tokenizer.padding_side = "right"  # the verifier's
    data = load_reward_data(job, tokenizer)
    job.begin(data)
    train, held_out = encode_triples(tokenizer, data.train), encode_triples(tokenizer, data.held_out)
    order = np.argsort([-len(ids) for ids in held_out["input_ids"]], kind="stable")  # the longest first, to fail early
    trainer = RewardModelTrainer(
        model=load_classifier(job.start, recipe.model, LABELS, tokenizer.pad_token_id),
        args=arguments,
        train_dataset=train,
        eval_dataset=held_out.select(order),
        processing_class=tokenizer,
        data_collator=DataCollatorWithPadding(tokenizer),
        compute_loss_func=cross_entropy,
    )
    run_trainer(trainer, job.folder, recipe.launch)
    loss, sorted_probabilities = predict(trainer)
    measured_loss = held_out_loss(loss, len(data.held_out), job.folder)  # where it is NaN, so are the probabilities
    probabilities = np.empty_like(sorted_probabilities)
    probabilities[order] = sorted_probabilities
    metrics = measure(probabilities, np.array([row.correct for row in data.held_out]), THRESHOLD)
    metrics["held_out_loss"] = measured_loss
    if trainer.is_world_process_zero():
        write_figures(job.folder.path, data, probabilities, metrics)
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
    save_result(trainer, tokenizer, job.folder.final, recipe, made)


def encode_triples(tokenizer: "PreTrainedTokenizerBase", triples: Sequence[Triple]) -> Dataset:
    """Triples as ``input_ids``, tokenized as the verifier does, and ``labels``, the index in LABELS."""
    texts = [triple.chat[0]["content"] for triple in triples]
    labels = [LABELS.index(str(triple.correct)) for triple in triples]
    return Dataset.from_dict({"input_ids": tokenizer(texts)["input_ids"], "labels": labels})


class RewardModelTrainer(Monitored, Trainer):  # type: ignore[misc]
    """transformers' trainer with our figures, an order of rows that a resumed run keeps, and held-out rows in order."""

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> Any:
        if self.args.train_sampling_strategy != "group_by_length":
            return ShuffledRows(len(self.train_dataset), self)
        return RowsByLength(self)

    def _get_eval_sampler(self, eval_dataset: Dataset) -> Any:
        # transformers' would group by length at random here too, and hand the predictions back in its order.
        return SequentialSampler(eval_dataset)


class RowsByLength(DistributedLengthGroupedSampler):  # type: ignore[misc]
    """Rows of like length in one batch, in an order that data_seed and the epoch alone decide.

    `training.stage.order` says why.
    """

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer
        arguments = trainer.args
        super().__init__(
            arguments.train_batch_size * arguments.gradient_accumulation_steps,
            lengths=[len(ids) for ids in trainer.train_dataset["input_ids"]],
            num_replicas=1,  # accelerate gives each process its batches
            rank=0,
            seed=arguments.data_seed,
        )

    def __iter__(self) -> Iterator[int]:
        # Asked for at the beginning of an epoch, where a resumed run's epoch has a fraction. Accelerate's own
        # `set_epoch` does not get here in an epoch that is resumed on several processes.
        self.set_epoch(int(self._trainer.state.epoch))
        return super().__iter__()


def cross_entropy(outputs: Any, labels: "torch.Tensor", num_items_in_batch: Any = None) -> "torch.Tensor":
    """The mean over an optimiser step's rows, in float32: transformers' own has the three digits of bfloat16 weights.

    Args:
        outputs: the model's, with ``logits`` (rows, labels).
        labels: indices in LABELS (rows,).
        num_items_in_batch: rows of the step over all accumulated batches and processes; None takes this batch's.
    """
    return fixed_cross_entropy(outputs.logits.float(), labels, num_items_in_batch)


def predict(trainer: RewardModelTrainer) -> tuple[float, Floats]:
    """Mean loss of the trainer's held-out rows, and P(True) (rows,) of each; the same in every process."""
    output = trainer.predict(trainer.eval_dataset, metric_key_prefix="held_out")
    probabilities: Floats = softmax(output.predictions.astype(np.float64), axis=-1)[:, LABELS.index("True")]
    return output.metrics["held_out_loss"], probabilities


def write_figures(folder: Path, data: StageData[Triple], probabilities: Floats, metrics: dict[str, Metric]) -> None:
    """Write the reliability table and each held-out row's P(True), and print the figures.

    Args:
        folder: where the run writes.
        data: its rows.
        probabilities: P(True) (rows,) of the held-out ones, in their order.
        metrics: the figures by name.
    """
    table = reliability(probabilities, np.array([row.correct for row in data.held_out]))
    record = {
        "rows": len(data.held_out),
        "threshold": THRESHOLD,
        "metrics": {name: metric.model_dump() for name, metric in metrics.items()},
        "bins": [asdict(each) for each in table],
    }
    write_whole(folder / CALIBRATION_FILE, orjson.dumps(record, option=orjson.OPT_INDENT_2))
    lines = []
    for row, probability in zip(data.held_out, probabilities.tolist(), strict=True):
        line = {"file": data.name(str(row.file)), "row": row.row, "correct": row.correct, "p_true": probability}
        lines.append(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
    write_whole(folder / PREDICTIONS_FILE, b"".join(lines))
    print(f"{len(data.held_out):,} held-out rows (threshold {THRESHOLD}):")
    for name, metric in metrics.items():
        interval = "" if metric.ci95 is None else f"  ({metric.ci95[0]:.4f} to {metric.ci95[1]:.4f})"
        print(f"  {name:22}{'unknown' if metric.value is None else f'{metric.value:.4f}'}{interval}")
    print("  P(True)     rows    mean    true")
    for each in table:
        means = "" if each.mean_probability is None else f"{each.mean_probability:8.3f}{each.share_true:8.3f}"
        print(f"  {each.low:.1f} to {each.high:.1f}{each.rows:7,}{means}", flush=True)
