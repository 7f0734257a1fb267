"""A local checkpoint: its revision, the format it was trained in, and whether its weights are whole and safe."""

import json
import pickle
from pathlib import Path

import pytest
from checkpoint_files import write_adapter, write_checkpoint, write_safetensors

from app.checkpoint import check_safetensors, check_weights, checkpoint_revision, trained_format
from app.errors import InputError


def _checkpoint(folder: Path, weights: bytes) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(weights)
    return folder


def test_a_revision_changes_with_the_weights_and_not_with_time_or_notes(tmp_path: Path) -> None:
    weights = bytes(range(256)) * 40_000  # 10 MB: sampled
    first = checkpoint_revision(_checkpoint(tmp_path / "a", weights))
    copy = _checkpoint(tmp_path / "b", weights)
    (copy / "README.md").write_text("a model card")
    (copy / "lineage.json").write_text("{}")
    (copy / "training_args.bin").write_bytes(b"paths of one machine")
    assert checkpoint_revision(copy) == first
    changed = bytearray(weights)
    changed[-1] ^= 1
    assert checkpoint_revision(_checkpoint(tmp_path / "b", bytes(changed))) != first


@pytest.mark.parametrize("name", ["config.json", "merges.txt", "tokenizer.json"])
def test_a_revision_changes_with_what_else_makes_the_model(tmp_path: Path, name: str) -> None:
    folder = _checkpoint(tmp_path / "a", b"weights")
    first = checkpoint_revision(folder)
    (folder / name).write_text('{"changed": true}')
    assert checkpoint_revision(folder) != first


def test_the_trained_format_comes_from_the_lineage(tmp_path: Path) -> None:
    assert trained_format(tmp_path) is None
    (tmp_path / "lineage.json").write_text(json.dumps({"format": "himed"}))
    assert trained_format(tmp_path) == "himed"
    (tmp_path / "lineage.json").write_text(json.dumps({"format": "other"}))
    assert trained_format(tmp_path) is None
    (tmp_path / "lineage.json").write_text("[]")
    assert trained_format(tmp_path) is None


def test_whole_weights_pass(tmp_path: Path) -> None:
    check_weights(write_checkpoint(tmp_path / "model"))
    check_weights(write_adapter(tmp_path / "adapter", 16))


@pytest.mark.parametrize(
    "name",
    ["pytorch_model.bin", "pytorch_model-00001-of-00002.bin", "adapter_model.bin", "model.pt", "m.pkl", "last.ckpt"],
)
def test_pickled_weights_are_refused_even_beside_safetensors(tmp_path: Path, name: str) -> None:
    folder = write_checkpoint(tmp_path / "model")
    (folder / name).write_bytes(pickle.dumps({}))
    with pytest.raises(InputError, match=rf"{name}: pickled weights can run code .*; convert them to safetensors"):
        check_weights(folder)


def test_the_trainers_own_state_is_no_weights(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model")
    for name in ("training_args.bin", "optimizer.pt", "scheduler.pt", "rng_state.pth", "rng_state_1.pth"):
        (folder / name).write_bytes(b"state")
    check_weights(folder)


def test_missing_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such checkpoint folder"):
        check_weights(tmp_path / "none")
    with pytest.raises(InputError, match="no weights"):
        check_weights(tmp_path)


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    shards = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    write_safetensors(tmp_path / shards["a"])
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": shards}))
    with pytest.raises(InputError, match=r"model-00002-of-00002\.safetensors is missing"):
        check_weights(tmp_path)
    write_safetensors(tmp_path / shards["b"])
    check_weights(tmp_path)
    index.write_text("[]")
    with pytest.raises(InputError, match="field 'weight_map'"):
        check_weights(tmp_path)


@pytest.mark.parametrize("body", [0, 7, 9])
def test_a_file_of_another_length_than_its_header_says_is_refused(tmp_path: Path, body: int) -> None:
    write_safetensors(tmp_path / "model.safetensors", body)
    with pytest.raises(InputError, match=r"bytes where its header speaks of"):
        check_weights(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\xff" * 8, b"\x02" + b"\0" * 7 + b"[]"])
def test_another_kind_of_file_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(content)
    with pytest.raises(InputError, match="no valid safetensors file"):
        check_safetensors(file)


def test_a_git_lfs_pointer_is_told_from_a_broken_file(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 16\n")
    with pytest.raises(InputError, match="a Git LFS pointer, not the weights; run `git lfs pull`"):
        check_safetensors(file)
