import json
from pathlib import Path

from evaluation.revision import checkpoint_revision, trained_format


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
    assert checkpoint_revision(copy) == first
    changed = bytearray(weights)
    changed[-1] ^= 1
    assert checkpoint_revision(_checkpoint(tmp_path / "b", bytes(changed))) != first


def test_the_trained_format_comes_from_the_lineage(tmp_path: Path) -> None:
    assert trained_format(tmp_path) is None
    (tmp_path / "lineage.json").write_text(json.dumps({"format": "himed"}))
    assert trained_format(tmp_path) == "himed"
    (tmp_path / "lineage.json").write_text(json.dumps({"format": "other"}))
    assert trained_format(tmp_path) is None
