"""A failed start is explained in one sentence, from the server's log."""

from pathlib import Path

import pytest

from app.engine import EngineSettings
from app.engine.failure import explain_failure
from app.errors import InputError

# What vLLM 0.31 wrote, or by its source writes.
LOGS = [
    (
        "(EngineCore pid=7) ERROR 11-21 [core.py:1433] ValueError: Available memory on node 0 (5.62/6.96 GiB) on "
        "kv cache allocation is less than requested memory for kv (500.0 GiB). Decrease --kv-cache-memory-bytes\n"
        "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}",
        "out of memory: the key-value cache asks for 500.0 GiB and 5.62 GiB are free; close other programs",
    ),
    (
        "ValueError: Free memory on device cuda:0 (3.1/139.8 GiB) on startup is less than desired GPU memory",
        "out of memory: of the GPU's 139.8 GiB only 3.1 GiB are free",
    ),
    (
        "ValueError: To serve at least one request with the models's max seq len (131072), (16.0 GiB KV cache is "
        "needed, which is larger than the available KV cache memory (4.5 GiB).",
        "one sequence of full length needs a key-value cache of 16.0 GiB and 4.5 GiB are free; lower max_model_len",
    ),
    (
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.",
        "out of memory while loading the model",
    ),
    (
        "RuntimeError: Engine core initialization failed. See root cause. Failed core proc(s): {'EngineCore': -9}",
        "the engine was killed, most likely by the system because memory ran out",
    ),
    ("OSError: [Errno 98] Address already in use", "the port was taken by another program"),
    (
        "  Value error, Model architectures ['FooForCausalLM'] are not supported for now. Supported architectures: dic",
        r"m: vLLM does not know the architecture \['FooForCausalLM'\]; serve it with another program",
    ),
    (
        "  Value error, The checkpoint you are trying to load has model type `foo` but Transformers does not recognize",
        "transformers does not know the model type 'foo'",
    ),
    (
        "  Value error, The repository /m contains custom code which must be executed to correctly load the model.",
        "the checkpoint asks to run code of its own, which himed never does",
    ),
    (
        "  Value error, User-specified max_model_len (99999) is greater than the derived max_model_len "
        "(max_position_embeddings=4096.0 or model_max_length=None in model's config.json).",
        r"max_model_len is 99999, and the model bears 4096.0 tokens; lower max_model_len",
    ),
    (
        "RuntimeError: The size of tensor a (256) must match the size of tensor b (128) at non-singleton dimension 1",
        "the weights do not fit config.json",
    ),
    (
        "entry.py: error: unrecognized arguments: --no-such-option",
        "vLLM does not take the option --no-such-option; correct extra_args",
    ),
    (
        "(EngineCore pid=7) ERROR 11-21 [core.py:1] ValueError: something new\nTraceback\nRuntimeError: Engine core "
        "initialization failed. See root cause above. Failed core proc(s): {'EngineCore': 1}",
        "vLLM ended with status 1: ValueError: something new; the server's log is",
    ),
    ("", "vLLM ended with status 1; the server's log is"),
]


@pytest.mark.parametrize(("text", "message"), LOGS)
def test_a_failed_start_becomes_one_sentence_with_the_log(tmp_path: Path, text: str, message: str) -> None:
    log = tmp_path / "vllm.log"
    log.write_text(f"INFO starting\nTraceback (most recent call last):\n{text}\n")
    error = explain_failure(EngineSettings("m"), 1, log)
    with pytest.raises(InputError, match=message):
        raise error
    assert str(log) in str(error)
    assert "\n" not in str(error)


def test_a_server_that_was_killed_most_likely_lacked_memory(tmp_path: Path) -> None:
    log = tmp_path / "vllm.log"
    log.write_text("INFO loading weights\n")
    assert "memory ran out" in str(explain_failure(EngineSettings("m"), 137, log))
