"""Folders that are whole checkpoints by their files' form, without a model in them."""

import json
from pathlib import Path


def write_checkpoint(folder: Path) -> Path:
    """With Llama-3.1-8B's sizes."""
    folder.mkdir()
    config = {
        "architectures": ["LlamaForCausalLM"],
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "hidden_size": 4096,
        "max_position_embeddings": 131072,
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text("{}")
    (folder / "tokenizer_config.json").write_text('{"chat_template": "{{ messages }}"}')
    write_safetensors(folder / "model.safetensors")
    return folder


def write_adapter(folder: Path, rank: int) -> Path:
    folder.mkdir()
    (folder / "adapter_config.json").write_text(json.dumps({"r": rank}))
    write_safetensors(folder / "adapter_model.safetensors")
    return folder


def write_safetensors(file: Path, body: int = 8) -> None:
    """One tensor of 8 bytes, of which ``body`` are there."""
    header = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    file.write_bytes(len(header).to_bytes(8, "little") + header + b"\0" * body)
