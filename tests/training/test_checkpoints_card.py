"""The model card says what the lineages say, in the words that a person reads on the hub."""

from pathlib import Path

import yaml
from checkpoint_sample import sample_lineage, write_weights

from training.checkpoints import Parent, finish_checkpoint, model_card

GOLDEN = Path(__file__).with_name("model_card.md")


def test_the_card_of_two_stages_word_by_word() -> None:
    first = sample_lineage(revision="1111111111111111", metrics={})
    second = sample_lineage(
        stage="rc",
        revision="2222222222222222",
        command="himed-train run himed-8b/rc --set seed=3",
        recipe={"name": "himed-8b/rc", "settings": {"epochs": 3, "prompt": "```\nक\n```"}},
        parent={"path": "../la", "revision": first.revision},
        data=(),
        seeds={},
    )
    assert model_card([second, first]) == GOLDEN.read_text(encoding="utf-8")


def test_the_front_matter_is_the_hubs(tmp_path: Path) -> None:
    finish_checkpoint(write_weights(tmp_path), sample_lineage())
    _, front, body = (tmp_path / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    assert yaml.safe_load(front) == {
        "language": ["hi", "en"],
        "license": "llama3.1",
        "base_model": "meta-llama/Llama-3.1-8B-Instruct",
        "tags": ["himed", "medical", "la"],
    }
    assert body.startswith("\n# himed-8b/la\n")


def test_a_local_base_is_named_in_the_text_only(tmp_path: Path) -> None:
    base, folder = write_weights(tmp_path / "base"), write_weights(tmp_path / "la", b"\1" * 8)
    parent = Parent.of_folder(base, folder)
    finish_checkpoint(folder, sample_lineage(parent=parent))
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "base_model" not in card
    assert f"It began with `../base`, revision `{parent.revision}`." in card
    assert str(tmp_path) not in card


def test_random_weights_are_called_so() -> None:
    assert "It began with random weights." in model_card([sample_lineage(parent=None)])
