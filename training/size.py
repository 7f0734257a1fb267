"""The size of a stage's training data for its plan: by the stage's own loaders and tokenizer, without weights."""

from collections.abc import Sequence
from typing import Any

from training.data import TokenCounter
from training.recipe import GrpoRecipe, Recipe, RewardModelRecipe, SftRecipe
from training.recipe.plan import Size
from training.stage.data import data_files
from training.stage.folder import RunFolder
from training.stage.job import Job
from training.stage.weights import Start, load_tokenizer


def measure_data(recipe: Recipe, *, allow_hub: bool = False) -> Size:
    """Rows that would be trained on and their tokens (of RL data the prompts'), with packing also the bins.

    The base's tokenizer counts: a parent need not be trained yet.

    Raises:
        InputError: a data file or the tokenizer is not there, or the data cannot be used.
    """
    data_files(recipe.data, recipe.data.train)  # found missing before the tokenizer is loaded
    start = Start(recipe.model.base, recipe.model.revision, allow_hub)
    tokenizer = load_tokenizer(start)
    # Overlap with a benchmark stops a run, not its plan.
    job: Job[Any] = Job(recipe, start, RunFolder(recipe.output), allow_overlap=True, command="")
    match recipe:
        case SftRecipe():
            from training.sft import encode_examples, load_sft_data

            ids = encode_examples(tokenizer, load_sft_data(job, tokenizer).train)["input_ids"]
            lengths = [len(row) for row in ids]
            packed = recipe.trainer.packing
            return Size(len(lengths), sum(lengths), count_bins(lengths, recipe.data.max_length) if packed else None)
        case RewardModelRecipe():
            from training.reward_model import encode_triples, load_reward_data

            rows = encode_triples(tokenizer, load_reward_data(job, tokenizer).train)["input_ids"]
            return Size(len(rows), sum(map(len, rows)))
        case GrpoRecipe():
            from training.grpo import load_prompts

            prompts, count = load_prompts(job, tokenizer).train, TokenCounter(tokenizer)
            return Size(len(prompts), sum(count(prompt.chat) for prompt in prompts))


def count_bins(lengths: Sequence[int], size: int) -> int:
    """The bins that TRL packs rows into: best fit, the longest first."""
    from datasets import Dataset
    from trl import pack_dataset

    rows = Dataset.from_dict({"input_ids": [[0] * length for length in lengths]})
    return len(pack_dataset(rows, size, "bfd"))
