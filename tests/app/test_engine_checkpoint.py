"""Checkpoints and adapters that are broken are refused before a server starts."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from checkpoint_files import write_safetensors

from app.engine.checkpoint import Checkpoint, check_adapter, check_checkpoint
from app.errors import InputError


def test_a_whole_checkpoint_passes_with_its_sizes(checkpoint: Path) -> None:
    assert check_checkpoint(checkpoint) == Checkpoint(max_length=131072, kv_bytes_per_token=128 * 1024)


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def write(name: str, text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(text)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (shutil.rmtree, "no such checkpoint; name the folder that holds its config.json"),
        (remove("config.json"), "no config.json: this is no checkpoint"),
        (write("config.json", '{"architectures": '), r"config.json: no valid JSON \(.*; copy the checkpoint again"),
        (write("config.json", "[]"), "config.json: no JSON object"),
        (write("config.json", "{}"), "config.json, field 'architectures': names no architecture"),
        (remove("model.safetensors"), r"no weights \(\*\.safetensors\)"),
        (
            lambda folder: write_safetensors(folder / "model.safetensors", 3),
            "holds 7. bytes where its header speaks of",
        ),
        (write("model.safetensors", "nonsense that is no tensor"), "model.safetensors: no valid safetensors file"),
        (write("model.safetensors", ""), "no valid safetensors file"),
        (write("model.safetensors", "version https://git-lfs.github.com/spec/v1\noid"), "a Git LFS pointer"),
        (
            write("model.safetensors.index.json", '{"weight_map": {"w": "model-2.safetensors"}}'),
            "model-2.safetensors is missing",
        ),
        (write("model.safetensors.index.json", "{}"), "field 'weight_map': holds no map"),
        (remove("tokenizer.json"), "no tokenizer; copy tokenizer.json"),
        (write("tokenizer.json", '{"model": '), "tokenizer.json: no valid JSON"),
        (write("tokenizer_config.json", "{}"), "no chat template: this is a base model"),
        (remove("tokenizer_config.json"), "no chat template"),
    ],
)
def test_a_broken_checkpoint_is_refused_with_a_remedy(
    checkpoint: Path, damage: Callable[[Path], object], message: str
) -> None:
    damage(checkpoint)
    with pytest.raises(InputError, match=message):
        check_checkpoint(checkpoint)


def test_a_file_is_no_checkpoint(checkpoint: Path) -> None:
    with pytest.raises(InputError, match="a checkpoint is a folder, this is a file"):
        check_checkpoint(checkpoint / "model.safetensors")


def test_a_chat_template_may_be_given_or_stand_in_its_own_file(checkpoint: Path, tmp_path: Path) -> None:
    (checkpoint / "tokenizer_config.json").write_text("{}")
    template = tmp_path / "template.jinja"
    with pytest.raises(InputError, match="no such chat template; name a Jinja file"):
        check_checkpoint(checkpoint, chat_template=template)
    template.write_text("{{ messages }}")
    assert check_checkpoint(checkpoint, chat_template=template).max_length == 131072
    (checkpoint / "chat_template.jinja").write_text("{{ messages }}")
    assert check_checkpoint(checkpoint).max_length == 131072


def test_an_adapter_is_told_from_a_model(checkpoint: Path, adapter: Path) -> None:
    assert check_adapter(adapter) == 12
    with pytest.raises(InputError, match="this is a LoRA adapter, not a whole model; serve its base model"):
        check_checkpoint(adapter)
    with pytest.raises(InputError, match=r"no adapter_config\.json: this is no LoRA adapter"):
        check_adapter(checkpoint)
    (adapter / "adapter_model.safetensors").unlink()
    with pytest.raises(InputError, match=r"no adapter_model\.safetensors"):
        check_adapter(adapter)
    (adapter / "adapter_config.json").write_text('{"r": "eight"}')
    with pytest.raises(InputError, match="field 'r': the rank is no positive number"):
        check_adapter(adapter)
