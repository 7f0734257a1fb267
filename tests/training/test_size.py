"""The size of a stage's data against a count by hand, without weights."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from data_rows import CURE_MED, QUESTION, TRIPLE, WEST, write_rows

from app.errors import InputError
from app.prompts import build_messages
from training.recipe import load_recipe
from training.recipe.plan import Size
from training.size import count_bins, measure_data

pytest.importorskip("trl", reason="TRL is not installed: run `make setup`")


@pytest.fixture
def tokenizer_only(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    """The tiny checkpoint without its weights."""
    return Path(shutil.copytree(tiny_checkpoint, tmp_path / "base", ignore=shutil.ignore_patterns("*.safetensors")))


def measure(recipe: str, base: Path, data: Path, *overrides: str) -> Size:
    own = [f"model.base={base}", f"data.folder={data.parent}", f"data.train=[{data.name}]"]
    return measure_data(load_recipe(recipe, [*own, f"output={data.parent / 'out'}", *overrides]))


def count(base: Path, text: str) -> int:
    from transformers import AutoTokenizer

    return len(AutoTokenizer.from_pretrained(base)(text, add_special_tokens=False)["input_ids"])


def turn(role: str, content: str) -> str:
    """A turn as the tiny checkpoint's chat template writes it, from Llama 3's layout."""
    return f"<|start_header_id|>{role}<|end_header_id|>\n\n{content}<|eot_id|>"


def chat(row: dict[str, Any]) -> str:
    return "<|begin_of_text|>" + turn("user", row["prompt"]) + turn("assistant", row["ground_truth"])


def west(number: int, words: int) -> dict[str, Any]:
    """An open question with an answer of so many words."""
    answer = " ".join(["ज्वर"] * words)
    return {"prompt": f"रोग {number} क्या है?", "Complex_CoT": "लक्षण।", "ground_truth": answer, "source": "test"}


def test_rows_and_tokens_of_sft_are_those_that_would_be_trained_on(tokenizer_only: Path, tmp_path: Path) -> None:
    rows = [west(number, words) for number, words in enumerate((3, 9, 5, 200))]
    data = write_rows(tmp_path / "rows.jsonl", *rows, rows[0], {"prompt": "अधूरा?", "source": "test"})
    lengths = [count(tokenizer_only, chat(row)) for row in rows]
    assert lengths[3] > 100 > max(lengths[:3])
    no_held_out = ("data.held_out_share=0", "best={by: himed-eval, bench: b.jsonl, metric: accuracy}")
    # The repeated row, the one without an answer and the one that is too long are left out.
    found = measure("demo/la", tokenizer_only, data, *no_held_out, "data.max_length=100")
    assert found == Size(3, sum(lengths[:3]))
    assert found.batched == 3
    assert sorted(file.name for file in tmp_path.iterdir()) == ["base", "rows.jsonl"]  # nothing is written


def test_held_out_rows_are_not_counted(tokenizer_only: Path, tmp_path: Path) -> None:
    rows = [west(number, 4) for number in range(10)]
    data = write_rows(tmp_path / "rows.jsonl", *rows)
    length = count(tokenizer_only, chat(rows[0]))  # all alike but for a digit
    assert measure("demo/la", tokenizer_only, data, "data.held_out_share=0.3") == Size(7, 7 * length)
    other = write_rows(tmp_path / "other.jsonl", *(west(number, 4) for number in range(10, 14)))
    files = ("data.held_out_share=0", f"data.held_out=[{other.name}]")
    assert measure("demo/la", tokenizer_only, data, *files).rows == 10


@pytest.mark.parametrize(
    ("lengths", "bins"),
    [
        ([6, 5, 4, 3, 2], 2),  # 6 + 4, 5 + 3 + 2
        ([6, 6, 6], 3),
        ([7, 5, 5, 3], 2),  # 7 + 3, 5 + 5
        ([10], 1),
        ([4, 4, 6, 6], 2),  # 6 + 4 twice; in their own order they would take 3
    ],
)
def test_bins_are_filled_from_the_longest_row_on(lengths: list[int], bins: int) -> None:
    assert count_bins(lengths, 10) == bins


def test_with_packing_a_batch_counts_bins(tokenizer_only: Path, tmp_path: Path) -> None:
    rows = [west(number, words) for number, words in enumerate((30, 20, 10, 1))]
    data = write_rows(tmp_path / "rows.jsonl", *rows)
    lengths = [count(tokenizer_only, chat(row)) for row in rows]
    size = lengths[0] + lengths[3]  # the longest with the shortest, and the other two
    assert lengths[0] + lengths[2] > size >= lengths[1] + lengths[2]
    no_held_out = ("data.held_out_share=0", "best={by: himed-eval, bench: b.jsonl, metric: accuracy}")
    packed = ("trainer.packing=true", "trainer.padding_free=true", f"data.max_length={size}", *no_held_out)
    found = measure("demo/la", tokenizer_only, data, *packed)
    assert found == Size(4, sum(lengths), 2)
    assert found.batched == 2


def test_a_reward_models_rows_are_the_texts_that_it_reads(tokenizer_only: Path, tmp_path: Path) -> None:
    rows = [TRIPLE, TRIPLE | {"response": "Ni homa ya dengue.", "correct": False}]
    data = write_rows(tmp_path / "triples.jsonl", *rows)
    held_out = write_rows(tmp_path / "held_out.jsonl", TRIPLE | {"response": "Sijui."})
    files = ("data.held_out_share=0", f"data.held_out=[{held_out.name}]")
    # As the verifier's text is laid out, after the token that opens every text.
    texts = [
        f"<|begin_of_text|><response>\n{row['response']}\n</response>\n<reference>\n{row['reference']}\n</reference>\n"
        "Does the response reach the same medical conclusion as the reference, and where options are given the same "
        "option?"
        for row in rows
    ]
    expected = sum(count(tokenizer_only, text) for text in texts)
    assert measure("demo/reward-model", tokenizer_only, data, *files) == Size(2, expected)


def test_of_rl_data_the_prompts_are_counted(tokenizer_only: Path, tmp_path: Path) -> None:
    data = write_rows(tmp_path / "rows.jsonl", CURE_MED, QUESTION)
    texts = []
    for row, language in ((CURE_MED, "sw"), (QUESTION, "fr")):
        messages = build_messages(row["question"], format="cure-med", language=language)
        turns = "".join(turn(message["role"], message["content"].strip()) for message in messages)
        texts.append(f"<|begin_of_text|>{turns}<|start_header_id|>assistant<|end_header_id|>\n\n")
    step = ("effective_batch=8", "trainer.per_device_train_batch_size=8", "trainer.gradient_accumulation_steps=1")
    found = measure("demo/rl-high", tokenizer_only, data, *step, "data.max_prompt_length=4000")
    assert found == Size(2, sum(count(tokenizer_only, text) for text in texts))


def test_what_is_missing_is_named(tokenizer_only: Path, tmp_path: Path) -> None:
    data = write_rows(tmp_path / "rows.jsonl", WEST)
    with pytest.raises(InputError, match=r"absent\.jsonl: there is no such file; name the data folder"):
        measure("demo/la", tmp_path / "nowhere", tmp_path / "absent.jsonl")
    for field in ("held_out", "benchmarks"):
        given = (f"data.{field}=[absent*.jsonl]", f"data.held_out_share={0 if field == 'held_out' else 0.5}")
        with pytest.raises(InputError, match=r"absent\*\.jsonl: there is no such file"):
            measure("demo/la", tokenizer_only, data, *given)
    (tokenizer_only / "tokenizer.json").unlink()
    (tokenizer_only / "tokenizer_config.json").unlink()
    with pytest.raises(InputError, match="the tokenizer cannot be loaded"):
        measure("demo/la", tokenizer_only, data)
    with pytest.raises(InputError, match=r"'model\.base': absent/model is not on this machine"):
        measure("demo/la", Path("absent/model"), data)


@pytest.mark.slow
def test_the_plan_shows_the_size_or_says_why_it_cannot(tokenizer_only: Path, tmp_path: Path) -> None:
    rows = [west(number, 4) for number in range(10)]
    data = write_rows(tmp_path / "rows.jsonl", *rows)
    words = [sys.executable, "-m", "training.cli", "plan", "demo/la"]
    for override in (f"model.base={tokenizer_only}", f"data.folder={tmp_path}", "data.held_out_share=0.3"):
        words += ["--set", override]

    def plan(name: str) -> "subprocess.CompletedProcess[str]":
        command = [*words, "--set", f"data.train=[{name}]"]
        return subprocess.run(command, capture_output=True, text=True, check=True)

    shown = yaml.safe_load(plan(data.name).stdout)
    # 7 rows in batches of 8 are a step an epoch.
    assert (shown["rows"], shown["tokens"], shown["steps"]) == (7, 7 * count(tokenizer_only, chat(rows[0])), 5)
    done = plan("absent.jsonl")
    assert yaml.safe_load(done.stdout)["rows"] is None
    assert "himed-train: rows, tokens and steps are unknown: " in done.stderr
    assert "absent.jsonl: there is no such file" in done.stderr
