"""The reward model: its figures, and runs whose result the verifier loads with the same probabilities."""

import inspect
import json
import shutil
import sys
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest
from sft_run import run
from statsmodels.stats.proportion import proportion_confint

from app.errors import InputError
from training.checkpoints import read_lineage
from training.rewards.task import TaskReward
from training.run import run_recipe

pytest.importorskip("trl", reason="TRL is not installed: run `make setup`")

from training.classification import auroc, brier, calibration_error, f1, measure, reliability

TRUTH = np.array([True, True, False, False, True])
SAID = np.array([0.95, 0.6, 0.55, 0.05, 0.45])


def test_figures_are_those_computed_by_hand() -> None:
    found = {name: metric.value for name, metric in measure(SAID, TRUTH, 0.65).items()}
    assert found == {
        "accuracy": pytest.approx(3 / 5),  # wrong: 0.55 and 0.45
        "accuracy_at_threshold": pytest.approx(3 / 5),  # wrong: 0.6 and 0.45
        "f1": pytest.approx(2 / 3),  # 2 TP, 1 FP, 1 FN
        "auroc": pytest.approx(5 / 6),  # of 3 x 2 pairs only 0.45 lies below 0.55
        # alone in their bins: 0.95, 0.6, 0.55, 0.05, 0.45
        "ece": pytest.approx((0.05 + 0.4 + 0.55 + 0.05 + 0.55) / 5),
        "brier": pytest.approx((0.05**2 + 0.4**2 + 0.55**2 + 0.05**2 + 0.55**2) / 5),
    }


def test_ties_count_half_in_auroc() -> None:
    assert auroc(np.array([0.5, 0.5, 0.2]), np.array([1.0, 0.0, 0.0])) == pytest.approx((0.5 + 1) / 2)
    assert auroc(np.full(6, 0.5), np.array([1.0, 0, 1, 0, 1, 0])) == pytest.approx(0.5)


def test_auroc_is_mann_whitneys_u_over_the_pairs() -> None:
    from scipy.stats import mannwhitneyu

    generator = np.random.default_rng(1)
    said, truth = generator.random(200).round(2), generator.random(200) < 0.3
    expected = mannwhitneyu(said[truth], said[~truth]).statistic / (truth.sum() * (~truth).sum())
    assert auroc(said, truth.astype(float)) == pytest.approx(expected)


def test_calibration_error_weighs_bins_by_their_rows() -> None:
    said = np.array([0.8, 0.8, 0.8, 0.8, 1.0, 0.0])
    truth = np.array([1.0, 1.0, 0.0, 0.0, 1.0, 0.0])
    assert calibration_error(said, truth) == pytest.approx(4 / 6 * 0.3)
    bins = reliability(said, truth.astype(bool))
    assert [(each.low, each.rows) for each in bins if each.rows] == [(0.0, 1), (0.8, 4), (0.9, 1)]
    assert (bins[8].mean_probability, bins[8].share_true) == (pytest.approx(0.8), 0.5)
    assert (bins[5].mean_probability, bins[5].share_true) == (None, None)


def test_every_figure_is_taken_over_the_last_axis() -> None:
    generator = np.random.default_rng(2)
    said, truth = generator.random((7, 30)), (generator.random((7, 30)) < 0.5).astype(float)
    for figure in (f1, auroc, calibration_error, brier):
        assert figure(said, truth, axis=-1) == pytest.approx(
            [float(figure(*rows)) for rows in zip(said, truth, strict=True)]
        )


def test_intervals_of_accuracies_are_wilsons_and_the_others_hold_their_value_and_repeat() -> None:
    generator = np.random.default_rng(3)
    truth = generator.random(300) < 0.5
    said = np.clip(truth * 0.3 + generator.random(300) * 0.7, 0, 1)
    metrics = measure(said, truth, 0.65)
    for name, threshold in (("accuracy", 0.5), ("accuracy_at_threshold", 0.65)):
        right = int(((said > threshold) == truth).sum())
        assert metrics[name].ci95 == pytest.approx(proportion_confint(right, 300, method="wilson"))
    for name in ("f1", "auroc", "ece", "brier"):
        low, high = metrics[name].ci95 or (1.0, 0.0)
        assert low < high
        assert metrics[name].n == 300
    value, (low, high) = metrics["auroc"].value, metrics["auroc"].ci95 or (1.0, 0.0)
    assert value is not None
    assert low < value < high
    assert measure(said, truth, 0.65) == metrics


def test_the_bootstraps_interval_of_a_mean_is_the_normal_one() -> None:
    generator = np.random.default_rng(4)
    said, truth = generator.random(2_000), generator.random(2_000) < 0.5
    squares = np.square(said - truth)
    half = 1.96 * squares.std() / np.sqrt(2_000)
    low, high = measure(said, truth, 0.65)["brier"].ci95 or (0.0, 0.0)
    assert (low, high) == pytest.approx((squares.mean() - half, squares.mean() + half), abs=0.1 * half)


@pytest.mark.parametrize("label", [True, False])
def test_without_rows_of_a_label_auroc_is_unknown_and_not_zero(label: bool) -> None:
    metrics = measure(SAID, np.full(5, label), 0.65)
    assert (metrics["auroc"].value, metrics["auroc"].ci95, metrics["auroc"].n) == (None, None, 5)
    assert (metrics["f1"].value is None) == (not label)
    assert metrics["accuracy"].value == pytest.approx(0.6 if label else 0.4)
    one = measure(np.array([0.9]), np.array([True]), 0.65)
    assert (one["brier"].value, one["brier"].ci95) == (pytest.approx(0.01), None)


def test_the_threshold_is_the_task_rewards() -> None:
    from training.reward_model import THRESHOLD

    assert inspect.signature(TaskReward).parameters["threshold"].default == THRESHOLD


def write_triples(file: Path, rows: int = 200, label: bool | None = None) -> Path:
    """Triples of different lengths, right where the response says D; every fourth names its question."""
    with file.open("w", encoding="utf-8") as stream:
        for number in range(rows):
            correct = number % 2 == 0 if label is None else label
            filler = "रोगी को तीन दिन से बुखार, खांसी और सिर दर्द है। " * (number * 7 % 5)
            row: dict[str, Any] = {
                "response": f"{filler}{number} उत्तर: {'D' if correct else 'A'}",
                "reference": f"उत्तर: D {number}",
                "correct": correct,
            }
            if number % 4 == 0:
                row["question"] = f"प्रश्न {number}?"
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")
    return file


def overrides(base: Path, data: Path, output: Path, *more: str) -> list[str]:
    """`demo/reward-model` on a file of triples."""
    return [
        f"model.base={base}",
        "model.parent=null",
        f"data.folder={data.parent}",
        f"data.train=[{data.name}]",
        "data.held_out_share=0.2",
        f"output={output}",
        "effective_batch=16",
        "trainer.per_device_train_batch_size=16",
        "trainer.learning_rate=1e-3",
        "trainer.num_train_epochs=5",
        *more,
    ]


def assert_the_verifier_agrees(output: Path, data: Path, *, usual: float, most: float) -> None:
    """The verifier finds in ``final`` the probabilities that the trainer wrote down, row by row: the median of the
    differences is at most ``usual``, none is above ``most``."""
    from training.rewards.verifier import RewardModel

    rows = [json.loads(line) for line in data.read_text(encoding="utf-8").splitlines()]
    written = [json.loads(line) for line in (output / "predictions.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["correct"] for line in written] == [rows[line["row"] - 1]["correct"] for line in written]
    assert [line["row"] for line in written] == sorted(line["row"] for line in written)
    pairs = [(rows[line["row"] - 1]["response"], rows[line["row"] - 1]["reference"]) for line in written]
    found = RewardModel(output / "final", device="cpu").probabilities(pairs)
    differences = [abs(own - line["p_true"]) for own, line in zip(found, written, strict=True)]
    assert median(differences) <= usual, differences
    assert max(differences) <= most, differences


def test_a_file_of_one_label_is_refused_by_name(tiny_checkpoint: Path, tmp_path: Path) -> None:
    data = write_triples(tmp_path / "triples.jsonl", 20, label=True)
    with pytest.raises(InputError, match=r"triples\.jsonl.*'correct': all 16 rows to train on are True"):
        run_recipe("demo/reward-model", overrides(tiny_checkpoint, data, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_rows_are_measured_as_the_verifier_reads_them_and_never_cut(tiny_checkpoint: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    from training.recipe import RewardModelRecipe, load_recipe
    from training.reward_model import encode_triples, load_reward_data
    from training.rewards.template import pair_text
    from training.stage.job import Job

    data = write_triples(tmp_path / "triples.jsonl", 20)
    rows = [json.loads(line) for line in data.read_text(encoding="utf-8").splitlines()]
    tokenizer = AutoTokenizer.from_pretrained(tiny_checkpoint)
    texts = [pair_text(row["response"], row["reference"]) for row in rows]
    expected = tokenizer(texts)["input_ids"]  # how the verifier tokenizes
    limit = sorted(map(len, expected))[10]
    recipe = load_recipe(
        "demo/reward-model", overrides(tiny_checkpoint, data, tmp_path / "out", f"data.max_length={limit}")
    )
    assert isinstance(recipe, RewardModelRecipe)
    loaded = load_reward_data(Job.of(recipe, command="x"), tokenizer)
    kept = sorted([*loaded.train, *loaded.held_out], key=lambda row: row.row)
    assert [row.row for row in kept] == [n for n, ids in enumerate(expected, 1) if len(ids) <= limit]
    assert len(kept) < 20
    encoded = encode_triples(tokenizer, kept)
    assert encoded["input_ids"] == [expected[row.row - 1] for row in kept]
    assert encoded["labels"] == [int(row.correct) for row in kept]


@pytest.mark.slow
def test_a_run_learns_and_its_result_is_the_verifiers(tiny_checkpoint: Path, tmp_path: Path) -> None:
    data, output = write_triples(tmp_path / "triples.jsonl"), tmp_path / "out"
    final = run_recipe("demo/reward-model", overrides(tiny_checkpoint, data, output, "data.max_length=512"))
    metrics = read_lineage(final).metrics
    assert set(metrics) == {
        "accuracy", "accuracy_at_threshold", "f1", "auroc", "ece", "brier", "held_out_loss",
    }  # fmt: skip
    assert {metric.n for metric in metrics.values()} == {40}
    assert (metrics["accuracy"].value or 0) >= 0.9
    assert_the_verifier_agrees(output, data, usual=1e-5, most=1e-5)
    record = json.loads((output / "calibration.json").read_text(encoding="utf-8"))
    assert (record["rows"], sum(each["rows"] for each in record["bins"])) == (40, 40)
    assert record["metrics"]["ece"]["value"] == metrics["ece"].value
    config = json.loads((final / "config.json").read_text(encoding="utf-8"))
    assert config["id2label"] == {"0": "False", "1": "True"}
    assert config["pad_token_id"] is not None


@pytest.mark.slow
def test_a_run_that_diverges_is_refused_by_its_loss(tiny_checkpoint: Path, tmp_path: Path) -> None:
    data, output = write_triples(tmp_path / "triples.jsonl", 40), tmp_path / "out"
    much = ("data.max_length=512", "trainer.learning_rate=1e30", "trainer.max_steps=3")
    with pytest.raises(InputError, match="'held_out_loss': the held-out loss is nan: the training has diverged"):
        run_recipe("demo/reward-model", overrides(tiny_checkpoint, data, output, *much))
    assert not (output / "final").exists()
    assert not (output / "calibration.json").exists()


@pytest.mark.slow
def test_a_run_resumed_in_its_second_epoch_sees_the_rows_it_would_have_seen(
    tiny_checkpoint: Path, tmp_path: Path
) -> None:
    data, output = write_triples(tmp_path / "triples.jsonl", 80), tmp_path / "out"
    more = ("trainer.num_train_epochs=2", "trainer.save_steps=3", "data.max_length=512", "trainer.save_total_limit=9")
    words = overrides(tiny_checkpoint, data, output, *more)
    final = run_recipe("demo/reward-model", words)  # 4 steps an epoch
    whole = (final / "model.safetensors").read_bytes()
    predictions = (output / "predictions.jsonl").read_bytes()
    shutil.rmtree(final)
    for checkpoint in output.glob("checkpoint-*"):
        if checkpoint.name != "checkpoint-6":
            shutil.rmtree(checkpoint)
    assert json.loads((output / "checkpoint-6" / "trainer_state.json").read_text())["epoch"] == 1.5
    run_recipe("demo/reward-model", words)
    assert (final / "model.safetensors").read_bytes() == whole
    assert (output / "predictions.jsonl").read_bytes() == predictions


@pytest.mark.slow
def test_two_deepspeed_processes_learn_with_a_random_head_and_predict_every_row_in_order(
    tiny_checkpoint: Path, tmp_path: Path
) -> None:
    pytest.importorskip("deepspeed", reason="DeepSpeed is not installed: run `make setup`")
    from safetensors.torch import load_file

    data, output = write_triples(tmp_path / "triples.jsonl", 205), tmp_path / "out"
    two = ("launch.processes=2", "trainer.per_device_train_batch_size=4", "trainer.gradient_accumulation_steps=2")
    more = ("launch.accelerate=zero3", "trainer.bf16=true", "trainer.num_train_epochs=8", "data.max_length=512")
    command = [sys.executable, "-m", "training.cli", "run", "demo/reward-model"]
    for override in overrides(tiny_checkpoint, data, output, *two, *more):
        command += ["--set", override]
    done = run(command)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    assert "ZeRO stage 3, 2 processes" in done.stdout
    assert done.stdout.count("41 held-out rows (threshold 0.65)") == 1
    head = load_file(output / "final" / "model.safetensors")["score.weight"].float()
    assert head.shape == (2, 128)
    assert 0.2 < head.std() < 0.4  # the tiny model's initializer_range is 0.3; steps of 1e-3 move it little
    assert (read_lineage(output / "final").metrics["accuracy"].value or 0) >= 0.9
    # bfloat16 here, float32 there: a row near P(True) = 0.5 moves much, a wrong order moves half of them by 1.
    assert_the_verifier_agrees(output, data, usual=0.03, most=0.25)
