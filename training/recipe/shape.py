"""The shape of a decoder-only transformer, and what it says about size: no weights are read."""

from pathlib import Path
from typing import Any, Self

import orjson
from pydantic import PositiveInt, ValidationError

from app.errors import InputError
from training.recipe.section import Section


class Shape(Section):
    """Shape of a Llama or Qwen2 model; the names are those of its ``config.json``."""

    hidden_size: PositiveInt
    """Width of the residual stream, h."""
    num_hidden_layers: PositiveInt
    """Transformer blocks, L."""
    intermediate_size: PositiveInt
    """Width of the gated MLP."""
    num_attention_heads: PositiveInt
    """Query heads, a."""
    num_key_value_heads: PositiveInt
    """Key and value heads (grouped-query attention)."""
    vocab_size: PositiveInt
    """Rows of the embedding, V."""
    tie_word_embeddings: bool
    """Whether the output layer is the embedding, which is then counted once."""
    qkv_bias: bool
    """Whether the query, key and value projections have biases (Qwen2 has, Llama has not)."""

    @classmethod
    def from_folder(cls, folder: Path) -> Self:
        """Read the ``config.json`` of a local checkpoint.

        Raises:
            InputError: the file is missing or broken, or describes another kind of model.
        """
        file = folder / "config.json"
        remedy = "give a whole Llama or Qwen2 checkpoint, or name its shape in the recipe"
        try:
            config: dict[str, Any] = orjson.loads(file.read_bytes())
        except OSError as error:
            raise InputError(f"cannot be read ({error.strerror})", file=file, remedy=remedy) from None
        except orjson.JSONDecodeError as error:
            raise InputError(f"is no JSON ({error})", file=file, remedy=remedy) from None
        if (kind := config.get("model_type")) not in ("llama", "qwen2"):
            raise InputError(f"model_type is {kind!r}", file=file, field="model_type", remedy=remedy)
        config.setdefault("tie_word_embeddings", False)  # both architectures' default, which files may leave out
        bias = kind == "qwen2" or bool(config.get("attention_bias"))
        known = {name: config[name] for name in cls.model_fields if name in config}
        try:
            return cls(**{**known, "qkv_bias": bias})
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            raise InputError(first["msg"], file=file, field=str(first["loc"][0]), remedy=remedy) from None

    @property
    def _key_value_size(self) -> int:
        return self.hidden_size // self.num_attention_heads * self.num_key_value_heads

    @property
    def projections(self) -> dict[str, tuple[int, int]]:
        """Inputs and outputs of the seven linear projections of one block, by their names in transformers."""
        h, kv, f = self.hidden_size, self._key_value_size, self.intermediate_size
        return {
            "q_proj": (h, h),
            "k_proj": (h, kv),
            "v_proj": (h, kv),
            "o_proj": (h, h),
            "gate_proj": (h, f),
            "up_proj": (h, f),
            "down_proj": (f, h),
        }

    def parameters(self, labels: int | None = None) -> int:
        """Parameters of the causal model, or of the classifier with ``labels`` outputs in place of the output layer."""
        h = self.hidden_size
        block = sum(inputs * outputs for inputs, outputs in self.projections.values()) + 2 * h  # two RMS norms
        if self.qkv_bias:
            block += h + 2 * self._key_value_size
        head = 0 if self.tie_word_embeddings else self.vocab_size * h
        if labels is not None:
            head = labels * h
        return self.vocab_size * h + self.num_hidden_layers * block + h + head  # h: the last norm

    def lora_parameters(self, rank: int, modules: tuple[str, ...]) -> int:
        """Trainable parameters of LoRA (arXiv:2106.09685): rank x (inputs + outputs) per projection and block."""
        block = sum(rank * sum(sizes) for name, sizes in self.projections.items() if name in modules)
        return self.num_hidden_layers * block
