"""A tiny model in NLLB's shape, with random weights and a tokenizer of its own, built in seconds."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LANGUAGES = ("eng_Latn", "hin_Deva")


def build_tiny_nllb(folder: Path, pairs: Mapping[str, str], *, steps: int = 0, seed: int = 0) -> Path:
    """A transformers checkpoint: M2M100 with one layer each side, and NLLB's tokenizer over the texts.

    Args:
        folder: where it is written.
        pairs: English and Hindi.
        steps: of learning the pairs by heart; 0 leaves the weights random.
        seed: of the weights.
    """
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import M2M100Config, M2M100ForConditionalGeneration, NllbTokenizer

    words = Tokenizer(models.BPE(unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always", split=True)
    words.decoder = decoders.Metaspace()
    words.train_from_iterator(
        [*pairs, *pairs.values()],
        trainers.BpeTrainer(vocab_size=300, special_tokens=["<s>", "<pad>", "</s>", "<unk>"], show_progress=False),
    )
    model = json.loads(words.to_str())["model"]
    tokenizer = NllbTokenizer(
        vocab=model["vocab"],
        merges=[tuple(pair) for pair in model["merges"]],
        extra_special_tokens=list(LANGUAGES),
        src_lang=LANGUAGES[0],
        tgt_lang=LANGUAGES[1],
    )
    torch.manual_seed(seed)
    config = M2M100Config(
        vocab_size=len(tokenizer),
        d_model=64,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=128,
        decoder_ffn_dim=128,
        max_position_embeddings=256,
        init_std=0.02 if steps else 0.3,
        dropout=0.0,
        attention_dropout=0.0,
        activation_dropout=0.0,
        encoder_layerdrop=0.0,
        decoder_layerdrop=0.0,
        decoder_start_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=tokenizer.bos_token_id,
        scale_embedding=True,
    )
    network = M2M100ForConditionalGeneration(config)
    _learn(network, tokenizer, pairs, steps)
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _learn(network: Any, tokenizer: Any, pairs: Mapping[str, str], steps: int) -> None:
    import torch

    batch = tokenizer(list(pairs), text_target=list(pairs.values()), padding=True, return_tensors="pt")
    batch["labels"][batch["labels"] == tokenizer.pad_token_id] = -100
    optimizer = torch.optim.AdamW(network.parameters(), lr=5e-3)
    network.train()
    # Threads that wait for one another on a busy machine take twenty times as long over matrices this small.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for _ in range(steps):
        network(**batch).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    torch.set_num_threads(threads)
    network.eval()


def convert_to_ctranslate2(checkpoint: Path, folder: Path, *, quantization: str | None = None) -> Path:
    """The same model for CTranslate2, as its own converter makes it; the tokenizer's files stand beside it."""
    from ctranslate2.converters import TransformersConverter

    copied = [file.name for file in checkpoint.iterdir() if file.name.startswith("tokenizer")]
    TransformersConverter(str(checkpoint), copy_files=copied).convert(str(folder), quantization=quantization)
    return folder
