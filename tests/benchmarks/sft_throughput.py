"""Useful tokens per second of our SFT beside a padded loop: the same model, rows and batch, in one run.

    python tests/benchmarks/sft_throughput.py [--data FILE ...] [--rows 256] [--batch 32] [--hidden 256] [--layers 4]

Ours is the trainer of `himed-train run` with packing. The padded loop is what the published code does: batches in the
data's random order, every row padded to the longest of its batch. Both take the loss over the completion only and
update all weights with AdamW. Useful are tokens that are no padding. Rounds alternate; the medians are compared. Ends
with 1 below the target, 1.5 times.
"""

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from lexicon import DEFAULT_DATA
from rich.console import Console
from rich.table import Table
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel
from transformers.utils import logging
from trl import SFTConfig

from training.data import load_examples
from training.recipe import load_recipe
from training.sft import encode_examples, make_trainer
from training.tiny import build_tiny_checkpoint

TARGET = 1.5


def padded_tokens_per_second(model: PreTrainedModel, rows: Sequence[Any], batch: int, steps: int) -> float:
    """The loop that pads every batch to its longest row."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)
    device, tokens, begin = model.device, 0, 0.0
    for step in range(steps + 1):
        if step == 1:  # the first one warms up
            begin = _now(device)
            tokens = 0
        part = [rows[(step * batch + place) % len(rows)] for place in range(batch)]
        longest = max(len(row["input_ids"]) for row in part)
        ids = torch.zeros(batch, longest, dtype=torch.long)
        seen, labels = torch.zeros_like(ids), torch.full_like(ids, -100)
        for place, row in enumerate(part):
            own = torch.tensor(row["input_ids"])
            ids[place, : len(own)], seen[place, : len(own)] = own, 1
            labels[place, : len(own)] = torch.where(torch.tensor(row["completion_mask"]) == 1, own, -100)
        model(input_ids=ids.to(device), attention_mask=seen.to(device), labels=labels.to(device)).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        tokens += int(seen.sum())
    return tokens / (_now(device) - begin)


def our_tokens_per_second(
    model: PreTrainedModel, tokenizer: Any, rows: Any, bins: int, length: int, steps: int
) -> float:
    """The trainer of `himed-train run`; a batch is as many bins as hold the other loop's rows on average."""
    with tempfile.TemporaryDirectory() as folder:
        overrides = [
            f"output={folder}", f"effective_batch={bins}", "trainer.per_device_train_batch_size=1",
            f"trainer.gradient_accumulation_steps={bins}", f"trainer.max_steps={steps + 1}", "trainer.packing=true",
            "trainer.padding_free=true", f"data.max_length={length}", "trainer.report_to=[]", "trainer.logging_steps=1",
            f"trainer.use_cpu={str(model.device.type == 'cpu').lower()}", "trainer.save_steps=100000",
        ]  # fmt: skip
        recipe = load_recipe("demo/sft", overrides)
        arguments = SFTConfig(**recipe.arguments() | _quiet())
        trainer = make_trainer(arguments, model, tokenizer, rows)
        trainer.train()
        logged = [line for line in trainer.state.log_history if "tokens_per_second" in line][1:]
        # Each line speaks of its own step; the mean over time is harmonic.
        counts = [after["num_tokens"] - before["num_tokens"] for before, after in _pairs(trainer.state.log_history)]
        seconds = [count / line["tokens_per_second"] for count, line in zip(counts, logged, strict=True)]
        return sum(counts) / sum(seconds)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, nargs="+", default=[DEFAULT_DATA / "curemed" / "sft"])
    parser.add_argument("--rows", type=int, default=256)
    parser.add_argument("--batch", type=int, default=32, help="rows of a step, as published per GPU")
    parser.add_argument("--length", type=int, default=1536, help="of a bin, in tokens")
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--steps", type=int, default=4, help="measured steps of a round")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()

    logging.disable_progress_bar()
    examples, _ = load_examples(options.data, "sft")
    examples = random.Random(0).sample(examples, options.rows)
    with tempfile.TemporaryDirectory() as folder:
        base = build_tiny_checkpoint(
            Path(folder) / "base", ("\n".join(example.parts) for example in examples), vocab_size=8192,
            hidden=options.hidden, layers=options.layers,
        )  # fmt: skip
        tokenizer = AutoTokenizer.from_pretrained(base)
        rows = encode_examples(tokenizer, examples)
        lengths = [len(row) for row in rows["input_ids"]]
        kept = [number for number, length in enumerate(lengths) if length <= options.length]
        rows = rows.select(kept)
        lengths = [lengths[number] for number in kept]
        bins = max(1, round(options.batch * statistics.mean(lengths) / options.length))

        def model() -> PreTrainedModel:
            device = "cuda" if torch.cuda.is_available() else "cpu"
            dtype = torch.bfloat16 if device == "cuda" else torch.float32
            return AutoModelForCausalLM.from_pretrained(base, dtype=dtype).to(device)

        ways: dict[str, Callable[[], float]] = {
            "himed": lambda: our_tokens_per_second(model(), tokenizer, rows, bins, options.length, options.steps),
            "padded loop": lambda: padded_tokens_per_second(model(), list(rows), options.batch, options.steps),
        }
        rates = {name: [] for name in ways}
        for _ in range(options.rounds):
            for name, way in ways.items():
                rates[name].append(way())
        weights = sum(parameter.numel() for parameter in model().parameters())

    ours, theirs = (statistics.median(rates[name]) for name in ways)
    mean, longest = statistics.mean(lengths), max(lengths)
    title = f"{weights / 1e6:.1f} M weights; {len(rows)} rows of {mean:.0f} tokens, {longest} at most"
    table = Table(title=title)
    for heading in ("", "useful tokens/s", "rounds", "batch"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, batch in (("himed", f"{bins} bins of {options.length}"), ("padded loop", f"{options.batch} rows")):
        table.add_row(name, f"{statistics.median(rates[name]):,.0f}", " ".join(f"{r:,.0f}" for r in rates[name]), batch)
    table.add_row("ratio", f"{ours / theirs:.2f}", "", f"target ≥ {TARGET}")
    Console(width=120).print(table)
    raise SystemExit(0 if ours / theirs >= TARGET else 1)


def _pairs(history: list[dict[str, Any]]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    lines = [line for line in history if "tokens_per_second" in line]
    return list(pairwise(lines))


def _quiet() -> dict[str, Any]:
    return {"disable_tqdm": True, "eval_strategy": "no", "load_best_model_at_end": False, "save_strategy": "no"}


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


if __name__ == "__main__":
    main()
