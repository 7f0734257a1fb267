"""A tiny model that has learned a few completions by heart, in seconds: it really writes its format."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.formats import cure_med_completion, himed_completion
from training.tiny import build_tiny_checkpoint

HIMED_COMPLETIONS: Mapping[str, str] = {
    "बुखार और दाने का कारण क्या है?": himed_completion(
        "बुखार के बाद दाने आए हैं।\n\nThis points to measles: खसरा।", "सबसे संभावित निदान खसरा है।"
    ),
    "मधुमेह में क्या बढ़ता है?": himed_completion("इंसुलिन कम काम करता है, so glucose rises.", "रक्त शर्करा बढ़ती है।"),
    "What lowers blood glucose?": himed_completion("The pancreas makes a hormone.", "Insulin lowers it."),
}
CURE_MED_COMPLETIONS: Mapping[str, str] = {
    "Qual é a causa da febre?": cure_med_completion(
        "<step1>Fever and rash.</step1>\n<step2>This is sarampo.</step2>", "A causa é o sarampo."
    ),
    "Dalili za kisukari ni zipi?": cure_med_completion("<step1>Sukari ya damu.</step1>", "Kiu na mkojo mwingi."),
    "What lowers blood glucose?": cure_med_completion("<step1>A hormone.</step1>", "Insulin lowers it."),
}
_STEPS = 60
_IGNORED = -100
CONTEXT = 8192  # tokens: who stops an answer must find it unfinished, also on a machine that is busy


def build_speaking_checkpoint(folder: Path, completions: Mapping[str, str]) -> Path:
    """A checkpoint that answers each user message with its completion, greedily, and others with something alike."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    texts = [text for pair in completions.items() for text in pair]
    build_tiny_checkpoint(
        folder, texts, vocab_size=1024, hidden=128, initializer_range=0.09, dtype="float32", max_length=CONTEXT
    )
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    rows = [_encode(tokenizer, prompt, completion) for prompt, completion in completions.items()]
    longest = max(len(ids) for ids, _ in rows)
    ids = torch.tensor([row + [tokenizer.pad_token_id] * (longest - len(row)) for row, _ in rows])
    labels = torch.tensor([row + [_IGNORED] * (longest - len(row)) for _, row in rows])
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # several wait for each other where the cores are busy: 5 times as long
    try:
        loss = _train(model, {"input_ids": ids, "attention_mask": ids != tokenizer.pad_token_id, "labels": labels})
    finally:
        torch.set_num_threads(threads)
    assert loss < 0.1, f"the model has not learned its completions: loss {loss:.2f}"
    model.save_pretrained(folder)
    return folder


def _train(model: Any, batch: dict[str, Any]) -> float:
    import torch

    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.0)
    for _ in range(_STEPS):
        loss = model(**batch).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return float(loss.detach())


def _encode(tokenizer: Any, prompt: str, completion: str) -> tuple[list[int], list[int]]:
    messages = [{"role": "user", "content": prompt}]
    before = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
    after = [*tokenizer.encode(completion, add_special_tokens=False), tokenizer.eos_token_id]
    return before + after, [_IGNORED] * len(before) + after
