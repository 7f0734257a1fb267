"""Data, models and recipes of small GRPO runs."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from sft_run import write_rows

from training.rewards.judge_cache import ScoreCache
from training.rewards.schedule import WeightSchedule
from training.rewards.template import LABELS

SMALL = (
    "effective_batch=8",
    "trainer.per_device_train_batch_size=8",
    "trainer.gradient_accumulation_steps=1",
    "trainer.num_generations=4",
    "trainer.num_generations_eval=null",
    "trainer.max_completion_length=16",
    "trainer.logging_steps=1",
    "trainer.save_steps=4",
    "data.max_prompt_length=2000",
    "measure_prompts=6",
    "sample_completions_every=4",
)


def write_questions(file: Path, rows: int = 24) -> Path:
    """CURE-Med rows: question, reasoning, answer, language."""
    with file.open("w", encoding="utf-8") as stream:
        for number in range(rows):
            row = {
                "question": f"Kwa nini homa {number} hutokea?",
                "reasoning": "<thinking><step1>First the symptoms.</step1></thinking>",
                "answer": "<answer>Kwa sababu ya maambukizi.</answer>",
                "language": "Swahili",
            }
            stream.write(json.dumps(row) + "\n")
    return file


def curriculum_overrides(base: Path, folder: Path, output: Path, *more: str) -> list[str]:
    """Overrides of demo/rl-high for a small run on `write_questions`' file."""
    data = write_questions(folder / "questions.jsonl")
    own = (f"model.base={base}", "model.parent=null", f"data.folder={folder}", f"data.train=[{data.name}]")
    return [*own, f"output={output}", *SMALL, *more]


def dsr_overrides(base: Path, reward_model: Path, folder: Path, output: Path, *more: str) -> list[str]:
    """Overrides of demo/dsr-rl for a small run on HiMed-West rows."""
    data = write_rows(folder / "prompts.jsonl")
    (folder / "lexicon.csv").write_text("English,Hindi\ninsulin,इंसुलिन\n", encoding="utf-8")
    own = (f"model.base={base}", "model.parent=null", f"data.folder={folder}", f"data.train=[{data.name}]")
    reward = (f"reward.task.model={reward_model}", "reward.scaffold.lexicon=lexicon.csv")
    return [*own, *reward, f"output={output}", *SMALL, *more]


def wide_checkpoint(tiny: Path, folder: Path) -> Path:
    """The tiny checkpoint in 32 bits, in which a trained one is saved as well."""
    import torch
    from transformers import AutoModelForCausalLM

    shutil.copytree(tiny, folder)
    AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32).save_pretrained(folder)
    return folder


def build_reward_model(tiny: Path, folder: Path) -> Path:
    """A whole reward model with random weights."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForSequenceClassification

    tokenizer = AutoTokenizer.from_pretrained(tiny, local_files_only=True)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=4096, initializer_range=0.3, num_labels=2,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
        id2label=dict(enumerate(LABELS)), label2id={label: index for index, label in enumerate(LABELS)},
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        LlamaForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def assert_on_schedule(lines: Sequence[Mapping[str, Any]], steps: int) -> None:
    """Every step is logged once, with the cosine's weights from 0.1 to 0.9, and TRL learns from the weighted sum."""
    assert [line["step"] for line in lines] == list(range(1, steps + 1))
    schedule = WeightSchedule("cosine", 0.1, 0.9)
    for line in lines:
        expected = schedule.at(line["step"] - 1, steps)
        assert (line["weight/task"], line["weight/scaffold"]) == pytest.approx((expected.task, expected.scaffold))
        weighted = expected.task * line["reward/task"] + expected.scaffold * line["reward/scaffold"]
        assert line["reward"] == pytest.approx(weighted, abs=1e-5)


def add_scores(file: Path, process: int) -> None:
    """Fill a judge's cache, as one of several processes does."""
    for number in range(20):
        ScoreCache(file).add({f"{process}-{number}": number / 20, f"all-{number}": 0.5})
