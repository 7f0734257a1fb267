"""SFT: what the loss is taken over, no leakage between packed rows, and a run that can be killed."""

import json
import signal
import subprocess
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sft_run import environment, kill_at, run, sft_command, write_rows

from app.errors import InputError
from training.checkpoints import read_lineage
from training.data import load_examples

pytest.importorskip("trl", reason="TRL is not installed: run `make setup`")


def _tokenizer(folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


def test_the_loss_is_taken_over_the_completion_and_its_end(tiny_checkpoint: Path, tmp_path: Path) -> None:
    from training.sft import encode_example

    tokenizer = _tokenizer(tiny_checkpoint)
    examples, _ = load_examples([write_rows(tmp_path / "rows.jsonl")], "rc")
    for example in examples:
        ids, mask = encode_example(tokenizer, example)
        learnt = [token for token, flag in zip(ids, mask, strict=True) if flag]
        assert tokenizer.decode(learnt) == f"{example.completion}<|eot_id|>"
        given = [token for token, flag in zip(ids, mask, strict=True) if not flag]
        assert tokenizer.decode(given).endswith("<|start_header_id|>assistant<|end_header_id|>\n\n")


def test_a_template_without_an_end_token_is_refused(tiny_checkpoint: Path, tmp_path: Path) -> None:
    from training.sft import encode_examples

    tokenizer = _tokenizer(tiny_checkpoint)
    examples, _ = load_examples([write_rows(tmp_path / "rows.jsonl", 2)], "la")
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }}\n{% endfor %}"
    with pytest.raises(InputError, match="does not end an answer by"):
        encode_examples(tokenizer, examples)
    tokenizer.chat_template = "{{ messages | length }}{% for m in messages %}{{ m['content'] }}{% endfor %}<|eot_id|>"
    with pytest.raises(InputError, match="writes the prompt otherwise"):
        encode_examples(tokenizer, examples)


@pytest.mark.parametrize("packing", [True, False])
def test_rows_in_one_bin_do_not_see_each_other(packing: bool, tiny_checkpoint: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM
    from trl import SFTConfig, SFTTrainer

    from training.recipe import load_recipe
    from training.sft import encode_examples

    examples, _ = load_examples([write_rows(tmp_path / "rows.jsonl", 12)], "rc")
    tokenizer = _tokenizer(tiny_checkpoint)
    rows = encode_examples(tokenizer, examples)
    model = AutoModelForCausalLM.from_pretrained(tiny_checkpoint, dtype=torch.float32, attn_implementation="sdpa")
    recipe = load_recipe("demo/rc", [f"trainer.packing={packing}", "trainer.padding_free=true", f"output={tmp_path}"])
    arguments = SFTConfig(**recipe.arguments())
    trainer = SFTTrainer(model=model, args=arguments, train_dataset=rows, eval_dataset=rows, processing_class=tokenizer)
    alone = {tuple(row["input_ids"]): row for row in rows}
    compared = 0
    for batch in trainer.get_train_dataloader():
        assert "attention_mask" not in batch
        with torch.inference_mode():
            packed = model(input_ids=batch["input_ids"], position_ids=batch["position_ids"]).logits[0]
        starts = [*(batch["position_ids"][0] == 0).nonzero().flatten().tolist(), batch["input_ids"].shape[1]]
        for start, end in pairwise(starts):
            ids = batch["input_ids"][0, start:end]
            row = alone[tuple(ids.tolist())]  # whole, neither cut nor merged with another
            labels = [
                token if flag else -100 for token, flag in zip(row["input_ids"], row["completion_mask"], strict=True)
            ]
            assert batch["labels"][0, start:end].tolist() == labels
            with torch.inference_mode():
                single = model(input_ids=ids[None]).logits[0]
            torch.testing.assert_close(packed[start:end], single, atol=2e-4, rtol=2e-4)
            compared += 1
    assert compared == len(rows)


@pytest.mark.parametrize("packing", ["true", "false"])
def test_the_loss_and_its_gradients_are_trls(packing: str, tiny_checkpoint: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM
    from trl import SFTConfig, SFTTrainer

    from training.recipe import load_recipe
    from training.sft import encode_examples, make_trainer

    examples, _ = load_examples([write_rows(tmp_path / "rows.jsonl", 12)], "rc")
    tokenizer = _tokenizer(tiny_checkpoint)
    rows = encode_examples(tokenizer, examples)
    laid = [f"trainer.packing={packing}", f"trainer.padding_free={packing}"]
    recipe = load_recipe("demo/rc", [*laid, f"output={tmp_path}"])
    trainer = make_trainer(
        SFTConfig(**recipe.arguments()),
        AutoModelForCausalLM.from_pretrained(tiny_checkpoint, dtype=torch.float32),
        tokenizer,
        rows,
        rows,
    )
    model = trainer.model.train()
    batch = next(iter(trainer.get_train_dataloader()))
    for count in (None, torch.tensor(1000)):
        found = []
        for way in (trainer.compute_loss, lambda *given, **named: SFTTrainer.compute_loss(trainer, *given, **named)):
            model.zero_grad()
            loss = way(model, dict(batch), num_items_in_batch=count)
            loss.backward()
            found.append((loss.detach(), [weights.grad.clone() for weights in model.parameters()]))
        (ours, our_gradients), (theirs, their_gradients) = found
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
        for one, other in zip(our_gradients, their_gradients, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)
    ours, theirs = (
        trainer._metrics["train"]["mean_token_accuracy"][0::2],
        trainer._metrics["train"]["mean_token_accuracy"][1::2],
    )
    assert ours == pytest.approx(theirs)


@pytest.mark.slow
def test_a_run_finishes_with_its_lineage_and_is_not_run_twice(tiny_checkpoint: Path, tmp_path: Path) -> None:
    data = write_rows(tmp_path / "rows.jsonl")
    command = sft_command(tiny_checkpoint, data, tmp_path / "out", "data.held_out_share=0.1")
    done = run(command)
    assert done.returncode == 0, done.stderr[-3000:]
    lineage = read_lineage(tmp_path / "out" / "final")
    assert (lineage.stage, lineage.format, lineage.languages, lineage.seeds["seed"]) == ("la", "himed", ("hi",), 42)
    assert lineage.metrics["held_out_loss"].n == 5
    assert [(file.held_out, file.used) for file in lineage.data] == [(True, 5), (False, 43)]
    assert not list((tmp_path / "out" / "final").glob("*.bin"))
    history = json.loads((next((tmp_path / "out").glob("checkpoint-*")) / "trainer_state.json").read_text())
    logged = [line for line in history["log_history"] if "loss" in line]
    assert all({"tokens_per_second", "memory_gib", "grad_norm", "learning_rate"} <= line.keys() for line in logged)
    assert list((tmp_path / "out" / "logs").glob("events.out.tfevents.*"))
    again = run(command)
    assert (again.returncode, "finished before" in again.stdout) == (0, True)
    other = run([*command, "--set", "trainer.learning_rate=1e-4"])
    assert other.returncode == 2
    assert "field 'trainer.learning_rate': the run there has 0.001, not 0.0001" in other.stderr


@pytest.mark.slow
def test_killed_and_resumed_weights_are_those_of_an_uninterrupted_run(tiny_checkpoint: Path, tmp_path: Path) -> None:
    data = write_rows(tmp_path / "rows.jsonl", 96)
    packed = ("trainer.packing=true", "trainer.padding_free=true", "effective_batch=1", "data.max_length=256")
    packed += ("trainer.per_device_train_batch_size=1", "data.held_out_share=0.1")
    whole = run(sft_command(tiny_checkpoint, data, tmp_path / "whole", *packed))
    assert whole.returncode == 0, whole.stderr[-3000:]
    command = sft_command(tiny_checkpoint, data, tmp_path / "killed", *packed)
    kill_at(command, tmp_path / "killed" / "checkpoint-6")
    assert not (tmp_path / "killed" / "final").exists()
    resumed = run(command)
    assert resumed.returncode == 0, resumed.stderr[-3000:]
    assert "goes on from" in resumed.stdout
    names = ["model.safetensors", "config.json", "tokenizer.json"]
    for name in names:
        one, other = (tmp_path / run_name / "final" / name for run_name in ("whole", "killed"))
        assert one.read_bytes() == other.read_bytes(), name
    assert read_lineage(tmp_path / "whole" / "final").revision == read_lineage(tmp_path / "killed" / "final").revision


@pytest.mark.slow
def test_an_interrupt_saves_a_checkpoint_and_ends_with_130(tiny_checkpoint: Path, tmp_path: Path) -> None:
    data = write_rows(tmp_path / "rows.jsonl", 96)
    never = ("trainer.save_steps=1000", "trainer.num_train_epochs=40", "data.held_out_share=0.1")
    command = sft_command(tiny_checkpoint, data, tmp_path / "out", *never)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())
    end = time.monotonic() + 120
    while not any((tmp_path / "out" / "logs").glob("events*")):
        assert process.poll() is None, process.communicate()[1][-3000:]
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.02)
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said[-2000:]
    (saved,) = (tmp_path / "out").glob("checkpoint-*")
    step = json.loads((saved / "trainer_state.json").read_text())["global_step"]
    assert 0 < step < 440
    assert not (tmp_path / "out" / "final").exists()


@pytest.mark.slow
def test_a_run_that_diverges_is_one_line_and_exit_code_2(tiny_checkpoint: Path, tmp_path: Path) -> None:
    data, output = write_rows(tmp_path / "rows.jsonl"), tmp_path / "out"
    much = ("trainer.learning_rate=1e30", "trainer.max_steps=3", "data.held_out_share=0.1")
    done = run(sft_command(tiny_checkpoint, data, output, *much))
    assert done.returncode == 2, done.stderr[-3000:]
    assert done.stderr.splitlines()[-1] == (
        f"himed-train: error: {output}, field 'held_out_loss': the held-out loss is nan: the training has diverged; "
        f"look at loss and grad_norm in {output / 'logs'}, lower trainer.learning_rate and add --restart"
    )
    assert "Traceback" not in done.stderr
    assert not (output / "final").exists()
