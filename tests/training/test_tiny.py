"""The tiny checkpoint: whole, repeatable, and true to Hindi text."""

import hashlib
import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from app.engine.checkpoint import check_checkpoint
from app.errors import InputError
from training.tiny import MARKER, build_tiny_checkpoint

pytestmark = [
    pytest.mark.skipif(find_spec("transformers") is None, reason="transformers is not installed: run `make setup`"),
]

TEXTS = ["रोगी को बुखार है।", "The patient has a fever.", "उत्तर: D"]
SETTINGS = {"vocab_size": 320, "hidden": 64, "layers": 1, "max_length": 256}


def digests(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(folder.iterdir())}


@pytest.mark.slow
def test_it_loads_generates_and_chats(tiny_checkpoint: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_checkpoint)
    model = AutoModelForCausalLM.from_pretrained(tiny_checkpoint)
    messages = [{"role": "system", "content": "चिकित्सक"}, {"role": "user", "content": " बुखार का कारण? "}]
    prompt = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert prompt == (
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nचिकित्सक<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nबुखार का कारण?<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n"
    )
    ids = tokenizer(prompt, add_special_tokens=False, return_tensors="pt")
    assert ids["input_ids"][0, 0] == tokenizer.bos_token_id
    with torch.no_grad():
        written = model.generate(**ids, max_new_tokens=8, do_sample=False)
    assert written.shape[1] > ids["input_ids"].shape[1]
    assert model.config.architectures == ["LlamaForCausalLM"]
    assert model.generation_config.eos_token_id == tokenizer.eos_token_id
    assert model.generation_config.pad_token_id == tokenizer.pad_token_id
    assert len({tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id}) == 3


@pytest.mark.slow
def test_the_template_marks_what_the_assistant_said(tiny_checkpoint: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_checkpoint)
    messages = [{"role": "user", "content": "बुखार?"}, {"role": "assistant", "content": "उत्तर: D"}]
    marked = tokenizer.apply_chat_template(messages, return_dict=True, return_assistant_tokens_mask=True)
    said = [token for token, ours in zip(marked["input_ids"], marked["assistant_masks"], strict=True) if ours]
    assert tokenizer.decode(said) == "उत्तर: D<|eot_id|>"


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "चिकित्सा विज्ञान में क्ष-किरण (X-ray) का प्रयोग; ज़ुकाम, हृदय, ट्राइग्लिसराइड्स १२३ mg/dL",
        "निर्‍दिष्ट क्‌ष ﷺ é é 漢字 አማርኛ ภาษาไทย\n\n\tTiếng  Việt 🙂",
    ],
)
def test_text_comes_back_byte_for_byte(tiny_checkpoint: Path, text: str) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_checkpoint)
    assert tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]) == text


@pytest.mark.slow
def test_a_hindi_word_may_be_one_token_with_its_vowel_signs(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    folder = build_tiny_checkpoint(tmp_path / "m", ["बुखार " * 50], **SETTINGS)
    assert len(AutoTokenizer.from_pretrained(folder)(" बुखार", add_special_tokens=False)["input_ids"]) == 1


@pytest.mark.slow
def test_a_phrase_is_one_token_wherever_it_stands(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    phrases = ["Read every word.", "Read every word.\n\nThen answer:"]
    folder = build_tiny_checkpoint(tmp_path / "m", TEXTS, phrases=phrases, **SETTINGS)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert len(tokenizer) <= SETTINGS["vocab_size"]
    text = "बुखारRead every word. और Read every word.\n\nThen answer:खाँसी"
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert [tokenizer.decode([id]) for id in ids if id in tokenizer.convert_tokens_to_ids(phrases)] == phrases
    assert tokenizer.decode(ids, skip_special_tokens=True) == text
    before = digests(folder)
    for wrong, message in (("", "a phrase is empty"), ("Réponse:", "'Réponse:' does not come back")):
        with pytest.raises(InputError, match=message):
            build_tiny_checkpoint(folder, TEXTS, phrases=[wrong], **SETTINGS)
    assert digests(folder) == before
    build_tiny_checkpoint(folder, TEXTS, phrases=phrases[:1], **SETTINGS)
    assert digests(folder)[MARKER] != before[MARKER]


@pytest.mark.slow
def test_the_same_arguments_build_the_same_files_in_another_process(tmp_path: Path) -> None:
    first = build_tiny_checkpoint(tmp_path / "first", TEXTS, seed=3, **SETTINGS)
    script = (
        "import sys, json, pathlib, training.tiny as tiny;"
        "tiny.build_tiny_checkpoint(pathlib.Path(sys.argv[1]), json.loads(sys.argv[2]), **json.loads(sys.argv[3]))"
    )
    arguments = [str(tmp_path / "second"), json.dumps(TEXTS), json.dumps(SETTINGS | {"seed": 3})]
    subprocess.run([sys.executable, "-c", script, *arguments], check=True, cwd=Path(__file__).parents[2])
    assert digests(tmp_path / "second") == digests(first)
    other = build_tiny_checkpoint(tmp_path / "other", TEXTS, seed=4, **SETTINGS)
    assert digests(other)["model.safetensors"] != digests(first)["model.safetensors"]
    assert digests(other)["tokenizer.json"] == digests(first)["tokenizer.json"]


@pytest.mark.slow
def test_a_finished_checkpoint_is_kept_and_one_of_other_settings_is_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "tiny"
    build_tiny_checkpoint(folder, TEXTS, **SETTINGS)
    (folder / "note.txt").write_text("kept with the folder")
    assert build_tiny_checkpoint(folder, iter(TEXTS), **SETTINGS) == folder
    assert (folder / "note.txt").is_file()
    before = digests(folder)
    build_tiny_checkpoint(folder, [*TEXTS, "मलेरिया"], **SETTINGS)
    assert not (folder / "note.txt").exists()
    assert digests(folder)[MARKER] != before[MARKER]
    assert sorted(file.name for file in folder.parent.iterdir()) == ["tiny"]


@pytest.mark.slow
def test_weights_for_training_are_small_and_in_the_dtype_that_was_asked_for(tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    folder = build_tiny_checkpoint(tmp_path / "m", TEXTS, **SETTINGS, initializer_range=0.02, dtype="float32")
    assert json.loads((folder / MARKER).read_text())["dtype"] == "float32"
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert model.dtype == torch.float32
    assert model.config.initializer_range == 0.02
    assert model.lm_head.weight.std().item() == pytest.approx(0.02, rel=0.05)
    build_tiny_checkpoint(folder, TEXTS, **SETTINGS)
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert model.dtype == torch.bfloat16
    assert model.lm_head.weight.float().std().item() == pytest.approx(0.3, rel=0.05)


@pytest.mark.slow
def test_a_build_that_was_killed_is_built_again(tmp_path: Path) -> None:
    partial = tmp_path / ".tiny.partial"
    partial.mkdir()
    (partial / "model.safetensors").write_text("half")
    (tmp_path / "tiny").mkdir()
    folder = build_tiny_checkpoint(tmp_path / "tiny", TEXTS, **SETTINGS)
    assert not partial.exists()
    # Two numbers of 16 bits, one layer, one head for keys and values, 32 wide.
    assert check_checkpoint(folder).kv_bytes_per_token == 2 * 2 * 1 * 1 * 32
    assert check_checkpoint(folder).max_length == 256


@pytest.mark.slow
def test_building_leaves_the_random_state_alone(tmp_path: Path) -> None:
    import torch

    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    build_tiny_checkpoint(tmp_path / "tiny", TEXTS, **SETTINGS)
    assert torch.rand(1) == expected


@pytest.mark.parametrize("marker", [None, "{}", "[]", '{"builder": "somebody else"}', "not json"])
def test_a_folder_of_something_else_is_never_overwritten(tmp_path: Path, marker: str | None) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    if marker is not None:
        (tmp_path / MARKER).write_text(marker)
    with pytest.raises(InputError, match="holds something else; name another folder"):
        build_tiny_checkpoint(tmp_path, TEXTS, **SETTINGS)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


@pytest.mark.parametrize(
    ("name", "value"), [("hidden", 96), ("hidden", 0), ("vocab_size", 100), ("initializer_range", 0.0)]
)
def test_impossible_sizes_are_refused(tmp_path: Path, name: str, value: float) -> None:
    with pytest.raises(InputError, match=f"{name} is {value}"):
        build_tiny_checkpoint(tmp_path / "tiny", TEXTS, **(SETTINGS | {name: value}))
    assert not any(tmp_path.iterdir())
