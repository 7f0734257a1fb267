"""An adapter and the model that it was merged into give the same answers."""

import hashlib
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from checkpoint_sample import sample_lineage

from app.checkpoint import trained_format
from app.endpoint import Endpoint, Sampling
from app.engine import Engine, EngineSettings
from app.engine.checkpoint import check_checkpoint
from app.errors import InputError
from training.checkpoints import Parent, finish_checkpoint, is_finished, lineage_chain
from training.merge import merge_adapter

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("peft") is None, reason="peft is not installed: run `make setup`"),
]

PROMPT = "रोगी को तीन दिन से बुखार है। Which option is right?"


def _digests(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(folder.iterdir())}


def _adapter(folder: Path, base: Path, *, seed: int = 1) -> Path:
    """A finished adapter of rank 4 on all projections, with random weights in both matrices."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
        settings = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM")
        wrapped = get_peft_model(model, settings)
        for name, weights in wrapped.named_parameters():
            if "lora_B" in name:  # zero at the start, which would test nothing
                torch.nn.init.normal_(weights, std=0.05)
    wrapped.save_pretrained(folder)
    finish_checkpoint(folder, sample_lineage(stage="dsr-rl", parent=Parent.of_folder(base, folder)))
    return folder


def _logits(model: Any, tokenizer: Any) -> Any:
    import torch

    with torch.no_grad():
        return model(**tokenizer(PROMPT, return_tensors="pt")).logits


def _both_logits(adapter: Path, base: Path, merged: Path) -> tuple[Any, Any, Any]:
    """Of the base, of the adapter on it, and of the merged model: (1, tokens, vocabulary) each, in 32 bits."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(merged)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    plain = _logits(model, tokenizer)
    adapted = _logits(PeftModel.from_pretrained(model, adapter), tokenizer)
    whole = _logits(AutoModelForCausalLM.from_pretrained(merged, dtype=torch.float32), tokenizer)
    return plain, adapted, whole


@pytest.fixture
def wide_base(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    """The tiny checkpoint in 32 bits."""
    import torch
    from transformers import AutoModelForCausalLM

    base = tmp_path / "base"
    shutil.copytree(tiny_checkpoint, base)
    AutoModelForCausalLM.from_pretrained(tiny_checkpoint, dtype=torch.float32).save_pretrained(base)
    return base


def test_in_32_bits_the_logits_are_the_same(wide_base: Path, tmp_path: Path) -> None:
    """Within 1e-3 (measured: 7e-5, where the adapter moves them by up to 5.6): 32-bit sums in another order."""
    import torch

    adapter = _adapter(tmp_path / "adapter", wide_base)
    merge_adapter(adapter, tmp_path / "merged")
    plain, adapted, whole = _both_logits(adapter, wide_base, tmp_path / "merged")
    assert (adapted - plain).abs().max() > 1  # the adapter does something
    torch.testing.assert_close(whole, adapted, atol=1e-3, rtol=0)


def test_in_16_bits_every_weight_is_the_sum_rounded_once(tiny_checkpoint: Path, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file

    adapter = _adapter(tmp_path / "adapter", tiny_checkpoint)
    merge_adapter(adapter, tmp_path / "merged")
    base, merged = (load_file(folder / "model.safetensors") for folder in (tiny_checkpoint, tmp_path / "merged"))
    low_rank = load_file(adapter / "adapter_model.safetensors")
    assert merged.keys() == base.keys()
    adapted = 0
    for name, weights in base.items():
        stem = f"base_model.model.{name.removesuffix('.weight')}"
        expected = weights.float()
        if f"{stem}.lora_A.weight" in low_rank:
            adapted += 1
            expected += low_rank[f"{stem}.lora_B.weight"] @ low_rank[f"{stem}.lora_A.weight"] * (8 / 4)
        assert merged[name].dtype == torch.bfloat16
        assert torch.equal(merged[name], expected.bfloat16()), name
    assert adapted == len(low_rank) / 2 == 2 * 7  # layers, projections


def test_the_merged_checkpoint_is_whole_and_the_adapter_is_kept(tiny_checkpoint: Path, tmp_path: Path) -> None:
    adapter = _adapter(tmp_path / "runs" / "adapter", tiny_checkpoint)
    before = _digests(adapter)
    partial = tmp_path / ".merged.partial"
    partial.mkdir()
    (partial / "model.safetensors").write_text("of a merge that was killed")
    merged = tmp_path / "merged"
    lineage = merge_adapter(adapter, merged)
    assert _digests(adapter) == before
    assert is_finished(merged)
    assert trained_format(merged) == "himed"
    assert check_checkpoint(merged).max_length == check_checkpoint(tiny_checkpoint).max_length
    assert [each.stage for each in lineage_chain(merged)] == ["merge", "dsr-rl"]
    assert lineage.parent is not None
    assert lineage.parent.path == "../runs/adapter"
    assert lineage.command == f"himed-train merge {adapter} --to {merged}"
    assert not partial.exists()
    assert not list(merged.glob("adapter*"))
    with pytest.raises(InputError, match="holds something already"):
        merge_adapter(adapter, merged)


@pytest.mark.skipif(find_spec("vllm") is None, reason="vLLM is not installed: run `make setup`")
@pytest.mark.vllm
async def test_vllm_gives_the_same_answers_with_the_adapter_and_with_the_merged_model(
    wide_base: Path, tmp_path: Path
) -> None:
    adapter, merged = _adapter(tmp_path / "adapter", wide_base), tmp_path / "merged"
    merge_adapter(adapter, merged)
    settings = EngineSettings(wide_base, max_model_len=512, log_dir=tmp_path / "logs", lora={"rl": adapter})
    async with Engine(settings) as engine:
        plain = await _answers(engine, engine.served_model_name)
        adapted = await _answers(engine, "rl")
    async with Engine(EngineSettings(merged, max_model_len=512, log_dir=tmp_path / "logs")) as engine:
        whole = await _answers(engine, engine.served_model_name)
    assert adapted == whole
    assert all(one != other for one, other in zip(plain, adapted, strict=True))


async def _answers(engine: Engine, model: str) -> list[str]:
    questions = ("बुखार का कारण क्या है?", "मधुमेह में क्या बढ़ता है?", PROMPT)
    async with Endpoint(engine.endpoint_settings(model=model)) as endpoint:
        greedy = Sampling(temperature=0.0, max_tokens=16)
        return [(await endpoint.chat([{"role": "user", "content": text}], greedy)).text for text in questions]


def test_the_adapters_own_tokenizer_and_template_go_before_the_bases(tiny_checkpoint: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    adapter = _adapter(tmp_path / "adapter", tiny_checkpoint)
    tokenizer = AutoTokenizer.from_pretrained(tiny_checkpoint)
    tokenizer.chat_template = "{{ messages[0]['content'] }}!"
    tokenizer.save_pretrained(adapter)
    finish_checkpoint(adapter, sample_lineage(parent=Parent.of_folder(tiny_checkpoint, adapter)))
    merge_adapter(adapter, tmp_path / "merged")
    assert AutoTokenizer.from_pretrained(tmp_path / "merged").chat_template == tokenizer.chat_template


def test_what_cannot_be_merged_is_refused_before_the_work(tiny_checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "merged"
    with pytest.raises(InputError, match="this is no LoRA adapter"):
        merge_adapter(tiny_checkpoint, out)
    adapter = _adapter(tmp_path / "adapter", tiny_checkpoint)
    lineage = (adapter / "lineage.json").read_text()
    (adapter / "lineage.json").unlink()
    with pytest.raises(InputError, match="the checkpoint is unfinished"):
        merge_adapter(adapter, out)
    finish_checkpoint(adapter, sample_lineage(parent=None))
    with pytest.raises(InputError, match="names no base"):
        merge_adapter(adapter, out)
    (adapter / "lineage.json").write_text(lineage)
    (adapter / "adapter_model.bin").write_bytes(b"pickle")
    with pytest.raises(InputError, match="pickled weights"):
        merge_adapter(adapter, out)
    assert not out.exists()
