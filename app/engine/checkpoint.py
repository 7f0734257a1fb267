"""What is wrong with a checkpoint, found in milliseconds, before a server spends a quarter of a minute on it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from app.checkpoint import check_safetensors
from app.errors import InputError

_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "tekken.json", "tiktoken.model", "qwen.tiktoken")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What starting a server needs to know of a checkpoint: 0 where its config does not say."""

    max_length: int  # tokens
    kv_bytes_per_token: int  # of the key-value cache, in 16 bits


def check_checkpoint(folder: Path, *, chat_template: Path | None = None) -> Checkpoint:
    """Check that a folder holds a whole checkpoint that can chat.

    Raises:
        InputError: no folder, no config, no or cut weights, no tokenizer, no chat template.
    """
    if not folder.exists():
        raise InputError("no such checkpoint", file=folder, remedy="name the folder that holds its config.json")
    if not folder.is_dir():
        raise InputError("a checkpoint is a folder, this is a file", file=folder, remedy="name the folder around it")
    config_file = folder / "config.json"
    if not config_file.is_file():
        if (folder / "adapter_config.json").is_file():
            raise InputError(
                "this is a LoRA adapter, not a whole model",
                file=folder,
                remedy="serve its base model and name it as lora",
            )
        raise InputError("no config.json: this is no checkpoint", file=folder, remedy="name the folder that holds it")
    config = _read_object(config_file)
    _check_weights(folder)
    _check_tokenizer(folder)
    _check_chat_template(folder, chat_template)
    return _read_config(config, config_file)


def check_adapter(folder: Path) -> int:
    """Check a LoRA adapter's folder. Returns its rank.

    Raises:
        InputError: it is none.
    """
    config_file = folder / "adapter_config.json"
    if not config_file.is_file():
        raise InputError(
            "no adapter_config.json: this is no LoRA adapter", file=folder, remedy="name an adapter's folder"
        )
    rank = _read_object(config_file).get("r")
    if not isinstance(rank, int) or rank < 1:
        raise InputError("the rank is no positive number", file=config_file, field="r", remedy="repair the file")
    weights = sorted(folder.glob("adapter_model.safetensors"))
    if not weights:
        raise InputError("no adapter_model.safetensors", file=folder, remedy="copy the whole adapter")
    check_safetensors(weights[0])
    return rank


def _read_object(file: Path) -> dict[str, Any]:
    try:
        value = orjson.loads(file.read_bytes())
    except orjson.JSONDecodeError as error:
        raise InputError(f"no valid JSON ({error})", file=file, remedy="copy the checkpoint again") from None
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", file=file) from None
    if not isinstance(value, dict):
        raise InputError("no JSON object", file=file, remedy="copy the checkpoint again")
    return value


def _read_config(config: dict[str, Any], file: Path) -> Checkpoint:
    if not config.get("architectures") and not config.get("model_type"):
        raise InputError("names no architecture", file=file, field="architectures", remedy="copy the checkpoint again")
    heads = _number(config, "num_attention_heads")
    head_size = _number(config, "head_dim") or _number(config, "hidden_size") // max(heads, 1)
    key_value_heads = _number(config, "num_key_value_heads") or heads
    # Keys and values of every layer, two bytes a number.
    kv_bytes = 2 * _number(config, "num_hidden_layers") * key_value_heads * head_size * 2
    return Checkpoint(_number(config, "max_position_embeddings"), kv_bytes)


def _number(config: dict[str, Any], key: str) -> int:
    value = config.get(key)
    return value if isinstance(value, int) else 0


def _check_weights(folder: Path) -> None:
    index_file = folder / "model.safetensors.index.json"
    files = sorted(folder.glob("*.safetensors"))
    if index_file.is_file():
        shards = _read_object(index_file).get("weight_map")
        if not isinstance(shards, dict):
            raise InputError("holds no map", file=index_file, field="weight_map", remedy="copy the checkpoint again")
        if missing := sorted(set(shards.values()) - {file.name for file in files}):
            raise InputError(f"{', '.join(missing)} is missing", file=folder, remedy="copy the checkpoint again")
    if not files and not any(folder.glob("*.bin")):
        raise InputError("no weights (*.safetensors)", file=folder, remedy="copy the whole checkpoint")
    for file in files:
        check_safetensors(file)


def _check_tokenizer(folder: Path) -> None:
    if not any((folder / name).is_file() for name in _TOKENIZERS):
        raise InputError(
            "no tokenizer", file=folder, remedy="copy tokenizer.json and tokenizer_config.json beside the weights"
        )
    for name in ("tokenizer.json", "tokenizer_config.json"):
        if (folder / name).is_file():
            _read_object(folder / name)


def _check_chat_template(folder: Path, given: Path | None) -> None:
    if given is not None:
        if not given.is_file():
            raise InputError("no such chat template", file=given, remedy="name a Jinja file")
        return
    if any((folder / name).is_file() for name in ("chat_template.jinja", "chat_template.json")):
        return
    config_file = folder / "tokenizer_config.json"
    if config_file.is_file() and _read_object(config_file).get("chat_template"):
        return
    raise InputError(
        "no chat template: this is a base model, or its tokenizer was saved without one",
        file=folder,
        remedy="copy chat_template.jinja from the model that it was trained from, or name one",
    )
