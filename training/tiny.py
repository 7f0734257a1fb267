"""A tiny model with random weights and its own tokenizer, built in seconds without the hub.

It answers nonsense, but it is a whole checkpoint: Llama's architecture in safetensors, a byte-level BPE tokenizer, a
chat template and a generation config. The demo and the tests serve and train it as they would a real one.
"""

import hashlib
import json
import math
import re
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from app.errors import InputError

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

MARKER = "settings.json"

_VERSION = 2  # raise it when the same settings build another checkpoint
_HEAD = 32  # the smallest attention head that vLLM runs on a CPU
_BOS, _HEADER, _END_HEADER = "<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>"
_EOT, _PAD = "<|eot_id|>", "<|finetune_right_pad_id|>"
_SPECIAL = (_BOS, _HEADER, _END_HEADER, _EOT, _PAD)
_SMALLEST_VOCABULARY = 256 + len(_SPECIAL)

# Words keep their vowel signs (\p{M}), which GPT-2's and Llama's patterns cut off Hindi words.
_WORDS = r"[^\r\n\p{L}\p{M}\p{N}]?[\p{L}\p{M}]+|\p{N}{1,3}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s+"

# Llama 3's layout. The content is trimmed there too; `generation` marks what assistant-only losses train on.
_CHAT_TEMPLATE = """\
{{- bos_token }}
{%- for message in messages %}
{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}
{%- if message['role'] == 'assistant' %}
{%- generation %}
{{- message['content'] | trim + '<|eot_id|>' }}
{%- endgeneration %}
{%- else %}
{{- message['content'] | trim + '<|eot_id|>' }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""


def build_tiny_checkpoint(
    folder: Path,
    texts: Iterable[str],
    *,
    phrases: Sequence[str] = (),
    seed: int = 0,
    vocab_size: int = 2048,
    hidden: int = 128,
    layers: int = 2,
    max_length: int = 4096,
    initializer_range: float = 0.3,
    dtype: Literal["bfloat16", "float32"] = "bfloat16",
) -> Path:
    """Build a checkpoint in ``folder``, or keep the one that the same settings and texts built before.

    The same arguments give the same files, byte for byte, with the same package versions.

    Args:
        folder: built beside it and moved there when whole; a checkpoint of other settings is replaced.
        texts: what the tokenizer is trained on.
        phrases: passages that are one token each wherever they stand, such as an instruction that every prompt repeats.
        seed: seed of the weights.
        vocab_size: tokens with the phrases, fewer when the texts do not hold so many pairs.
        hidden: width, a multiple of 64; there are ``hidden / 32`` attention heads, half as many for keys and values.
        layers: transformer blocks.
        max_length: longest sequence in tokens.
        initializer_range: standard deviation of the random weights. With Llama's usual 0.02 all logits of a model that
            is served untrained lie within rounding of one another, and its greedy text would hang on the batch's size;
            0.3 keeps them apart. To train from, about 1 / sqrt(hidden) learns fastest.
        dtype: of the saved weights.

    Raises:
        InputError: ``folder`` holds something else, a number is impossible, or a phrase cannot be a token.
    """
    if hidden < 64 or hidden % 64:
        raise InputError(f"hidden is {hidden}", remedy="use a multiple of 64")
    if vocab_size < (smallest := _SMALLEST_VOCABULARY + len(phrases)):
        raise InputError(f"vocab_size is {vocab_size}", remedy=f"use at least {smallest}")
    if not 0 < initializer_range < math.inf:
        raise InputError(f"initializer_range is {initializer_range}", remedy="use a number above 0")
    if not all(phrases):
        raise InputError("a phrase is empty", remedy="leave it out")
    texts, target = list(texts), folder.resolve()
    settings = {
        "builder": f"himed tiny checkpoint {_VERSION}",
        "seed": seed,
        "vocab_size": vocab_size,
        "hidden": hidden,
        "layers": layers,
        "max_length": max_length,
        "initializer_range": initializer_range,
        "dtype": dtype,
        "texts_sha256": _digest(texts),
        "phrases_sha256": _digest(phrases),
    }
    built = _read_marker(target)
    if built == settings:
        return folder
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # of a build that was killed
    partial.mkdir(parents=True)
    tokenizer = _train_tokenizer(texts, phrases, vocab_size, max_length)
    tokenizer.save_pretrained(partial)
    model = _make_model(tokenizer, seed, hidden, layers, max_length, initializer_range)
    _save_model(model, partial, dtype)
    (partial / MARKER).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    if built is not None:
        shutil.rmtree(target)
    partial.replace(target)  # over nothing or an empty folder
    return folder


def _digest(texts: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def _read_marker(folder: Path) -> dict[str, Any] | None:
    """The settings that built the folder; None if it is empty or absent."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return None
    try:
        settings = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        if str(settings["builder"]).startswith("himed tiny checkpoint"):
            return dict(settings)
    except (OSError, ValueError, KeyError, TypeError):
        pass  # somebody else's folder, which is never overwritten
    raise InputError("the folder holds something else", file=folder, remedy="name another folder")


def _train_tokenizer(
    texts: list[str], phrases: Sequence[str], vocab_size: int, max_length: int
) -> "PreTrainedTokenizerFast":
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    # No normaliser: text goes in and comes out byte for byte.
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - len(phrases),
        special_tokens=list(_SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    if phrases:  # their words are never read as words
        pattern = re.compile("|".join(map(re.escape, sorted(phrases, key=len, reverse=True))))
        texts = [part for text in texts for part in pattern.split(text)]
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_tokens([AddedToken(phrase, normalized=False) for phrase in phrases])
    for phrase in phrases:
        # The byte-level decoder takes a word of accented letters for bytes.
        if tokenizer.decode(tokenizer.encode(phrase).ids) != phrase:
            raise InputError(f"the phrase {phrase!r} does not come back", remedy="use one with a space")
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{_BOS} $A", pair=f"{_BOS} $A {_BOS} $B", special_tokens=[(_BOS, tokenizer.token_to_id(_BOS))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=_BOS,
        eos_token=_EOT,
        pad_token=_PAD,
        additional_special_tokens=[_HEADER, _END_HEADER],
        chat_template=_CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
        model_max_length=max_length,
    )


def _make_model(
    tokenizer: "PreTrainedTokenizerFast", seed: int, hidden: int, layers: int, max_length: int, initializer_range: float
) -> "LlamaForCausalLM":
    import torch
    from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

    tokens = {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=hidden // _HEAD,
        num_key_value_heads=hidden // _HEAD // 2,
        max_position_embeddings=max_length,
        rope_theta=500_000.0,
        initializer_range=initializer_range,
        **tokens,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
    model.generation_config = GenerationConfig(do_sample=True, temperature=1.0, **tokens)
    return model


def _save_model(model: "LlamaForCausalLM", folder: Path, dtype: str) -> None:
    import torch
    from transformers.utils import logging

    model.to(getattr(torch, dtype))
    with_bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # one shard of a megabyte needs none
    try:
        model.save_pretrained(folder)
    finally:
        if with_bars:
            logging.enable_progress_bar()
