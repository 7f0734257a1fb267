"""The R1 reward model on a tiny random classifier, and both rewards inside TRL's trainer."""

import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest
from grpo_sample import build_reward_model

from app.errors import InputError
from app.lexicon import Lexicon
from training.rewards.decaying import DecayingScaffoldReward
from training.rewards.scaffold import ScaffoldReward
from training.rewards.schedule import WeightSchedule
from training.rewards.task import TaskReward
from training.rewards.template import LABELS, pair_text
from training.rewards.verifier import RewardModel

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("transformers") is None, reason="transformers is not installed: run `make setup`"),
]

PAIRS = [
    ("उत्तर: D", "उत्तर: D"),
    ("रोगी को तीन दिन से बुखार, खांसी और सिर दर्द है। " * 20, "उत्तर: A"),
    ("The heart has four chambers.", "Insulin lowers blood glucose."),
    ("A", "B " * 150),
]


@pytest.fixture(scope="session")
def tiny_reward_model(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole reward model with random weights."""
    return build_reward_model(tiny_checkpoint, tmp_path_factory.mktemp("reward-model"))


@pytest.fixture
def broken(tiny_reward_model: Path, tmp_path: Path) -> Path:
    """A copy that a test may break."""
    return Path(shutil.copytree(tiny_reward_model, tmp_path / "model"))


def change_config(folder: Path, **fields: object) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | fields), encoding="utf-8")


def test_probabilities_are_the_softmax_of_the_label_true_whatever_the_batch(tiny_reward_model: Path) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_reward_model, local_files_only=True)
    model = AutoModelForSequenceClassification.from_pretrained(tiny_reward_model, local_files_only=True).eval()
    expected = []
    for response, reference in PAIRS:
        with torch.inference_mode():
            logits = model(**tokenizer(pair_text(response, reference), return_tensors="pt")).logits[0]
        expected.append(float(logits.softmax(-1)[1]))
    assert max(expected) - min(expected) > 0.1  # the pairs can be told apart
    for batch_size in (1, 3, 16):
        found = RewardModel(tiny_reward_model, device="cpu", batch_size=batch_size).probabilities(PAIRS)
        assert found == pytest.approx(expected, abs=1e-4)


def test_batches_are_sorted_by_length_the_longest_first(tiny_reward_model: Path) -> None:
    model = RewardModel(tiny_reward_model, device="cpu", batch_size=2)
    rows = [[0] * length for length in (5, 90, 4000, 7, 80)]
    assert list(model._batches(rows)) == [[1, 4], [3, 0]]


def test_a_pair_longer_than_the_model_reads_has_no_probability(tiny_reward_model: Path) -> None:
    model = RewardModel(tiny_reward_model, device="cpu", max_length=128)
    assert [probability is None for probability in model.probabilities(PAIRS)] == [False, True, False, True]
    assert model.probabilities([]) == []


def test_the_task_reward_is_one_or_a_tenth_with_the_real_model(tiny_reward_model: Path) -> None:
    model = RewardModel(tiny_reward_model, device="cpu")
    responses, references = (list(column) for column in zip(*PAIRS, strict=True))
    rewards = TaskReward(model)(completions=responses, reference=references)
    assert rewards == [1.0 if p is not None and p > 0.65 else 0.1 for p in model.probabilities(PAIRS)]
    assert set(rewards) == {1.0, 0.1}


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no reward model here; name the folder that holds its config\.json"):
        RewardModel(tmp_path)


def test_other_labels_are_refused(broken: Path) -> None:
    change_config(broken, id2label={"0": "True", "1": "False"}, label2id={"True": 0, "False": 1})
    with pytest.raises(InputError, match=r"'id2label': the labels are True, False"):
        RewardModel(broken)


def test_a_model_that_was_never_trained_to_classify_is_refused(broken: Path, tiny_checkpoint: Path) -> None:
    shutil.rmtree(broken)
    shutil.copytree(tiny_checkpoint, broken)
    change_config(broken, id2label=dict(enumerate(LABELS)), label2id={label: n for n, label in enumerate(LABELS)})
    with pytest.raises(InputError, match=r"the weights lack score\.weight"):
        RewardModel(broken)


def test_another_padding_token_is_refused(broken: Path) -> None:
    change_config(broken, pad_token_id=None)
    with pytest.raises(InputError, match="pad_token_id"):
        RewardModel(broken)


def test_weights_that_are_no_safetensors_are_refused(broken: Path) -> None:
    (broken / "model.safetensors").rename(broken / "pytorch_model.bin")
    with pytest.raises(InputError, match="cannot be loaded"):
        RewardModel(broken)


def test_code_in_the_folder_is_never_run(broken: Path, tmp_path: Path) -> None:
    (broken / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n", encoding="utf-8")
    change_config(broken, model_type="evil", auto_map={"AutoConfig": "evil.EvilConfig"})
    with pytest.raises(InputError, match="cannot be loaded"):
        RewardModel(broken)
    assert not (tmp_path / "ran").exists()


@pytest.mark.skipif(find_spec("trl") is None, reason="TRL is not installed: run `make setup`")
def test_the_scheduled_weights_reach_trls_trainer_and_are_logged_at_every_step(
    tiny_checkpoint: Path, tiny_reward_model: Path, tmp_path: Path
) -> None:
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    schedule = WeightSchedule("cosine", 0.1, 0.9)
    reward = DecayingScaffoldReward(
        TaskReward(RewardModel(tiny_reward_model, device="cpu")),
        ScaffoldReward(Lexicon([("insulin", "इंसुलिन")])),
        schedule,
    )
    prompts = [{"prompt": [{"role": "user", "content": "सही विकल्प?"}], "reference": "उत्तर: A"}] * 8
    arguments = GRPOConfig(
        output_dir=str(tmp_path), max_steps=3, per_device_train_batch_size=4, num_generations=4,
        max_completion_length=16, logging_steps=1, report_to="none", save_strategy="no", use_cpu=True, bf16=False,
        disable_tqdm=True,
    )  # fmt: skip
    trainer = GRPOTrainer(str(tiny_checkpoint), reward, args=arguments, train_dataset=Dataset.from_list(prompts))
    trainer.train()
    steps = [entry for entry in trainer.state.log_history if "weight/task" in entry]
    assert [entry["weight/task"] for entry in steps] == pytest.approx([schedule.at(n, 3).task for n in range(3)])
    for entry in steps:
        weighted = entry["weight/task"] * entry["reward/task"] + entry["weight/scaffold"] * entry["reward/scaffold"]
        assert entry["reward/weighted"] == pytest.approx(weighted, abs=1e-5)
        # What TRL computes advantages from.
        assert entry["reward"] == pytest.approx(entry["reward/weighted"], abs=1e-5)
