"""A checkpoint is finished when its lineage stands beside it, and the lineage tells whether anything has changed."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from checkpoint_sample import SETTINGS, sample_lineage, write_weights
from pydantic import ValidationError

from app.checkpoint import checkpoint_revision, trained_format
from app.errors import InputError
from app.formats import FORMATS, Format
from training.checkpoints import (
    DataFile,
    Lineage,
    Metric,
    Parent,
    RecipeRecord,
    base_model,
    begin_checkpoint,
    finish_checkpoint,
    is_finished,
    lineage_chain,
    read_lineage,
    settings_hash,
    store,
)
from training.recipe import load_recipe, recipe_hash


class Killed(BaseException):
    """What no handler of ours takes for an error."""


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    write_weights(tmp_path)
    assert not is_finished(tmp_path)
    written = finish_checkpoint(tmp_path, sample_lineage())
    assert is_finished(tmp_path)
    assert read_lineage(tmp_path) == written
    assert written == sample_lineage(revision=checkpoint_revision(tmp_path))
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "README.md",
        "config.json",
        "lineage.json",
        "model.safetensors",
    ]


@pytest.mark.parametrize("format", FORMATS)
def test_evaluation_reads_the_format_that_training_writes(tmp_path: Path, format: Format) -> None:
    finish_checkpoint(write_weights(tmp_path), sample_lineage(format=format))
    assert trained_format(tmp_path) == format


def test_code_packages_and_time_fill_themselves_in() -> None:
    fields = sample_lineage().model_dump(exclude={"code_version", "packages", "created", "revision"})
    filled = Lineage(**fields)
    assert filled.code_version.startswith("0.")
    assert filled.packages["python"].startswith("3.")
    assert abs((datetime.now(filled.created.tzinfo) - filled.created).total_seconds()) < 600


@pytest.mark.parametrize("victim", ["README.md", "the disk", "lineage.json"])
def test_a_crash_before_the_last_write_leaves_it_unfinished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, victim: str
) -> None:
    finish_checkpoint(write_weights(tmp_path), sample_lineage())
    write_weights(tmp_path, b"\1" * 8)  # trained again
    write_whole = store.write_whole

    def crash(file: Path, content: str) -> None:
        if file.name == victim:
            raise Killed
        write_whole(file, content)

    def crash_on_disk(folder: Path) -> None:
        raise Killed

    monkeypatch.setattr(store, "write_whole", crash)
    if victim == "the disk":
        monkeypatch.setattr(store, "_flush", crash_on_disk)
    with pytest.raises(Killed):
        finish_checkpoint(tmp_path, sample_lineage())
    assert not is_finished(tmp_path)
    monkeypatch.undo()
    finish_checkpoint(tmp_path, sample_lineage())
    assert is_finished(tmp_path)


def test_a_checkpoint_that_is_written_again_is_unfinished_from_the_start(tmp_path: Path) -> None:
    finish_checkpoint(write_weights(tmp_path / "la"), sample_lineage())
    begin_checkpoint(tmp_path / "la")
    assert not is_finished(tmp_path / "la")
    begin_checkpoint(tmp_path / "new" / "rc")
    assert (tmp_path / "new" / "rc").is_dir()


def test_only_whole_weights_in_safetensors_are_finished(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such checkpoint folder"):
        finish_checkpoint(tmp_path / "none", sample_lineage())
    write_weights(tmp_path, b"half")
    with pytest.raises(InputError, match="bytes where its header speaks of"):
        finish_checkpoint(tmp_path, sample_lineage())
    write_weights(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(InputError, match="pickled weights can run code"):
        finish_checkpoint(tmp_path, sample_lineage())
    (tmp_path / "pytorch_model.bin").unlink()
    (tmp_path / "config.json").unlink()
    with pytest.raises(InputError, match=r"no config\.json or adapter_config\.json"):
        finish_checkpoint(tmp_path, sample_lineage())
    assert not (tmp_path / "lineage.json").exists()


def test_changed_weights_are_an_error_not_an_unfinished_checkpoint(tmp_path: Path) -> None:
    finish_checkpoint(write_weights(tmp_path), sample_lineage())
    write_weights(tmp_path, b"\1" * 8)
    with pytest.raises(InputError, match="its lineage speaks of"):
        is_finished(tmp_path)
    with pytest.raises(InputError, match="field 'revision'"):
        lineage_chain(tmp_path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "the checkpoint is unfinished"),
        ("", "Invalid JSON"),
        ('{"format": "himed"', "Invalid JSON"),
        ("[]", "should be an object"),
    ],
)
def test_a_missing_or_broken_lineage_is_refused(tmp_path: Path, content: str | None, said: str) -> None:
    if content is not None:
        (tmp_path / "lineage.json").write_text(content)
    with pytest.raises(InputError, match=said) as caught:
        read_lineage(tmp_path)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        (["format"], "other", "format"),
        (["lineage_version"], 2, "lineage_version"),
        (["steps"], -1, "steps"),
        (["surprise"], 1, "surprise"),
        (["languages"], ["hindi"], "languages.0"),
        (["recipe", "settings", "learning_rate"], 1e-3, "recipe"),
        (["recipe", "sha256"], "0" * 64, "recipe"),
        (["data", 0, "used"], 1000, "data.0"),
        (["parent", "path"], "some/where/else", "parent"),
        (["created"], "2026-03-01T12:00:00", "created"),
    ],
)
def test_a_lineage_that_was_edited_is_refused_by_its_field(
    tmp_path: Path, path: list[Any], value: object, field: str
) -> None:
    finish_checkpoint(write_weights(tmp_path), sample_lineage())
    file = tmp_path / "lineage.json"
    content = json.loads(file.read_text())
    place = content
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    file.write_text(json.dumps(content))
    with pytest.raises(InputError) as caught:
        read_lineage(tmp_path)
    assert (caught.value.file, caught.value.field) == (file, field)
    with pytest.raises(InputError):
        is_finished(tmp_path)


def test_settings_hash_alike_whatever_the_order_of_their_keys() -> None:
    turned = dict(reversed(SETTINGS.items()))
    assert settings_hash(SETTINGS) == settings_hash(turned) == RecipeRecord(name="x", settings=turned).sha256
    assert settings_hash(SETTINGS | {"epochs": 4}) != settings_hash(SETTINGS)


def test_a_recipes_hash_is_the_one_that_its_checkpoint_records() -> None:
    recipe = load_recipe("himed-8b/la")
    record = RecipeRecord(name="himed-8b/la", settings=recipe.model_dump(mode="json"))
    assert record.sha256 == recipe_hash(recipe)
    assert RecipeRecord.model_validate_json(record.model_dump_json()) == record


def test_a_figure_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValidationError):
        Metric(value=float("nan"))
    with pytest.raises(ValidationError):
        DataFile(name="a", sha256="short", rows=1, used=1)


def test_the_chain_follows_parents_to_the_base(tmp_path: Path) -> None:
    first, second, third = tmp_path / "a" / "la", tmp_path / "rc", tmp_path / "rl"
    finish_checkpoint(write_weights(first), sample_lineage())
    write_weights(second, b"\1" * 8)
    finish_checkpoint(second, sample_lineage(stage="rc", parent=Parent.of_folder(first, second)))
    write_weights(third, b"\2" * 8)
    finish_checkpoint(third, sample_lineage(stage="dsr-rl", parent=Parent.of_folder(second, third)))
    chain = lineage_chain(third)
    assert [each.stage for each in chain] == ["dsr-rl", "rc", "la"]
    assert chain[1].parent is not None
    assert chain[1].parent.path == "../a/la"
    base = base_model(chain)
    assert base is not None
    assert base.path == "meta-llama/Llama-3.1-8B-Instruct"


def test_a_tree_of_checkpoints_can_be_moved(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    finish_checkpoint(write_weights(tree / "la"), sample_lineage())
    write_weights(tree / "rc")
    finish_checkpoint(tree / "rc", sample_lineage(parent=Parent.of_folder(tree / "la", tree / "rc")))
    tree.rename(tmp_path / "moved")
    assert len(lineage_chain(tmp_path / "moved" / "rc")) == 2


def test_the_chain_ends_at_a_local_base_and_at_random_weights(tmp_path: Path) -> None:
    base = write_weights(tmp_path / "base")
    write_weights(tmp_path / "la", b"\1" * 8)
    parent = Parent.of_folder(base, tmp_path / "la")
    finish_checkpoint(tmp_path / "la", sample_lineage(parent=parent))
    assert base_model(lineage_chain(tmp_path / "la")) == parent
    finish_checkpoint(write_weights(tmp_path / "scratch"), sample_lineage(parent=None))
    assert base_model(lineage_chain(tmp_path / "scratch")) is None


def test_a_parent_that_is_gone_or_changed_is_named(tmp_path: Path) -> None:
    finish_checkpoint(write_weights(tmp_path / "la"), sample_lineage())
    write_weights(tmp_path / "rc")
    finish_checkpoint(tmp_path / "rc", sample_lineage(parent=Parent.of_folder(tmp_path / "la", tmp_path / "rc")))
    write_weights(tmp_path / "la", b"\1" * 8)
    with pytest.raises(InputError, match=r"its parent \.\./la is revision \w+, not \w+"):
        lineage_chain(tmp_path / "rc")
    (tmp_path / "la").rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=r"its parent \.\./la is gone"):
        lineage_chain(tmp_path / "rc")


def test_a_checkpoint_that_descends_from_itself_is_refused(tmp_path: Path) -> None:
    write_weights(tmp_path / "la")
    parent = Parent(path="../la", revision=checkpoint_revision(tmp_path / "la"))
    with pytest.raises(InputError, match="descends from itself"):
        finish_checkpoint(tmp_path / "la", sample_lineage(parent=parent))
    assert not is_finished(tmp_path / "la")
