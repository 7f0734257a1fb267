"""The engine's checks, its supervision of processes, and real vLLM servers."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from app.endpoint import Endpoint, EndpointError, Sampling
from app.engine import Engine, EngineError, EngineSettings
from app.engine import command as engine_command
from app.engine.checkpoint import Checkpoint, check_adapter, check_checkpoint
from app.engine.command import build_command, build_environment, kv_cache_gib, serving_length, shows_gpu
from app.engine.failure import explain_failure
from app.engine.process import ServerProcess
from app.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
GREEDY = Sampling(temperature=0.0, max_tokens=12)
MESSAGES = [{"role": "user", "content": "बुखार का कारण क्या है?"}]

needs_vllm = pytest.mark.skipif(find_spec("vllm") is None, reason="vLLM is not installed: run `make setup`")


def write_safetensors(file: Path, body: int = 8) -> None:
    header = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    file.write_bytes(len(header).to_bytes(8, "little") + header + b"\0" * body)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """Whole by its files' form, with Llama-3.1-8B's sizes."""
    folder = tmp_path / "himed-8b"
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


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    folder = tmp_path / "adapter"
    folder.mkdir()
    (folder / "adapter_config.json").write_text('{"r": 12}')
    write_safetensors(folder / "adapter_model.safetensors")
    return folder


def test_a_whole_checkpoint_passes_with_its_sizes(checkpoint: Path) -> None:
    assert check_checkpoint(checkpoint) == Checkpoint(max_length=131072, kv_bytes_per_token=128 * 1024)


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def write(name: str, text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(text)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (shutil.rmtree, "no such checkpoint; name the folder that holds its config.json"),
        (remove("config.json"), "no config.json: this is no checkpoint"),
        (write("config.json", '{"architectures": '), r"config.json: no valid JSON \(.*; copy the checkpoint again"),
        (write("config.json", "[]"), "config.json: no JSON object"),
        (write("config.json", "{}"), "config.json, field 'architectures': names no architecture"),
        (remove("model.safetensors"), r"no weights \(\*\.safetensors\)"),
        (
            lambda folder: write_safetensors(folder / "model.safetensors", 3),
            "holds 7. bytes where its header speaks of",
        ),
        (write("model.safetensors", "nonsense that is no tensor"), "model.safetensors: no valid safetensors file"),
        (write("model.safetensors", ""), "no valid safetensors file"),
        (write("model.safetensors", "version https://git-lfs.github.com/spec/v1\noid"), "a Git LFS pointer"),
        (
            write("model.safetensors.index.json", '{"weight_map": {"w": "model-2.safetensors"}}'),
            "model-2.safetensors is missing",
        ),
        (write("model.safetensors.index.json", "{}"), "field 'weight_map': holds no map"),
        (remove("tokenizer.json"), "no tokenizer; copy tokenizer.json"),
        (write("tokenizer.json", '{"model": '), "tokenizer.json: no valid JSON"),
        (write("tokenizer_config.json", "{}"), "no chat template: this is a base model"),
        (remove("tokenizer_config.json"), "no chat template"),
    ],
)
def test_a_broken_checkpoint_is_refused_with_a_remedy(
    checkpoint: Path, damage: Callable[[Path], object], message: str
) -> None:
    damage(checkpoint)
    with pytest.raises(InputError, match=message):
        check_checkpoint(checkpoint)


def test_a_file_is_no_checkpoint(checkpoint: Path) -> None:
    with pytest.raises(InputError, match="a checkpoint is a folder, this is a file"):
        check_checkpoint(checkpoint / "model.safetensors")


def test_a_chat_template_may_be_given_or_stand_in_its_own_file(checkpoint: Path, tmp_path: Path) -> None:
    (checkpoint / "tokenizer_config.json").write_text("{}")
    template = tmp_path / "template.jinja"
    with pytest.raises(InputError, match="no such chat template; name a Jinja file"):
        check_checkpoint(checkpoint, chat_template=template)
    template.write_text("{{ messages }}")
    assert check_checkpoint(checkpoint, chat_template=template).max_length == 131072
    (checkpoint / "chat_template.jinja").write_text("{{ messages }}")
    assert check_checkpoint(checkpoint).max_length == 131072


def test_an_adapter_is_told_from_a_model(checkpoint: Path, adapter: Path) -> None:
    assert check_adapter(adapter) == 12
    with pytest.raises(InputError, match="this is a LoRA adapter, not a whole model; serve its base model"):
        check_checkpoint(adapter)
    with pytest.raises(InputError, match="no adapter_config.json: this is no LoRA adapter"):
        check_adapter(checkpoint)
    (adapter / "adapter_model.safetensors").unlink()
    with pytest.raises(InputError, match=r"no adapter_model\.safetensors"):
        check_adapter(adapter)
    (adapter / "adapter_config.json").write_text('{"r": "eight"}')
    with pytest.raises(InputError, match="field 'r': the rank is no positive number"):
        check_adapter(adapter)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"extra_args": ("--trust_remote_code",)}, "himed never runs a checkpoint's own code"),
        ({"extra_args": ("--api-key=abc",)}, "a key of its own"),
        ({"extra_args": ("--port", "1")}, "name the port in the settings"),
        ({"max_model_len": 0}, "max_model_len is 0"),
        ({"lora": {"himed": Path("a")}, "served_model_name": "himed"}, "both named 'himed'"),
    ],
)
def test_impossible_settings_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        EngineSettings(**({"model": "m"} | changes))


def test_the_command_line_of_a_cpu_server(checkpoint: Path, adapter: Path, tmp_path: Path) -> None:
    settings = EngineSettings(
        checkpoint,
        lora={"rl": adapter},
        chat_template=tmp_path / "t.jinja",
        extra_args=("--max-num-seqs", "64"),
    )
    line = " ".join(build_command(settings, "cpu", 8123, 1024, 12))
    assert "--host 127.0.0.1 --port 8123" in line
    assert f"--model {checkpoint} --served-model-name himed-8b --max-model-len 1024" in line
    assert f"--enable-lora --max-lora-rank 16 --max-loras 1 --lora-modules rl={adapter}" in line
    assert "--enforce-eager" in line
    assert line.endswith("--max-num-seqs 16 --max-num-seqs 64")


def test_a_gpu_server_compiles_and_sizes_itself(checkpoint: Path) -> None:
    settings = EngineSettings(checkpoint, served_model_name="himed")
    line = " ".join(build_command(settings, "gpu", 8123, None, 0))
    for absent in ("--enforce-eager", "--max-num-seqs", "--max-model-len", "--enable-lora", "--chat-template"):
        assert absent not in line
    assert "VLLM_CPU_KVCACHE_SPACE" not in build_environment(settings, "gpu", "key", None, None)


def test_the_environment_is_offline_untracked_and_holds_no_key_of_ours(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIMED_API_KEY", "sk-secret")
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "7")
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    environment = build_environment(EngineSettings(checkpoint), "cpu", "own-key", 1024, None)
    assert environment["VLLM_API_KEY"] == "own-key"
    assert environment["VLLM_CPU_KVCACHE_SPACE"] == "7"
    assert environment["VLLM_ENABLE_V1_MULTIPROCESSING"] == "0"
    assert environment["HF_HUB_OFFLINE"] == environment["TRANSFORMERS_OFFLINE"] == "1"
    assert environment["VLLM_NO_USAGE_STATS"] == environment["VLLM_DO_NOT_TRACK"] == "1"
    assert "sk-secret" not in environment.values()
    allowed = build_environment(EngineSettings(checkpoint, allow_download=True), "cpu", "k", 1024, None)
    assert allowed["HF_HUB_OFFLINE"] == "0"


def test_the_key_value_cache_fits_the_model() -> None:
    llama = Checkpoint(max_length=131072, kv_bytes_per_token=128 * 1024)
    assert kv_cache_gib(1024, Checkpoint(4096, 1024)) == 1
    assert kv_cache_gib(1024, llama) == 2
    assert kv_cache_gib(8192, llama) == 4
    assert kv_cache_gib(65536, llama) == 8  # one sequence must fit
    assert kv_cache_gib(None, None) == 1


def test_the_length_is_the_models_up_to_a_bound_unless_given(checkpoint: Path) -> None:
    assert serving_length(EngineSettings("m"), Checkpoint(131072, 1)) == 8192
    assert serving_length(EngineSettings("m"), Checkpoint(4096, 1)) == 4096
    assert serving_length(EngineSettings("m"), Checkpoint(0, 0)) == 8192
    assert serving_length(EngineSettings("m", max_model_len=512), Checkpoint(4096, 1)) == 512
    assert serving_length(EngineSettings("m"), None) is None


def test_a_gpu_is_seen_by_its_device_file_unless_hidden(tmp_path: Path) -> None:
    (tmp_path / "nvidiactl").touch()
    assert not shows_gpu(None, tmp_path)
    (tmp_path / "nvidia3").touch()
    assert shows_gpu(None, tmp_path)
    assert shows_gpu("3", tmp_path)
    assert not shows_gpu("", tmp_path)
    assert not shows_gpu("-1", tmp_path)


def pretend_installed(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    def distribution(name: str) -> None:
        if name not in names:
            raise PackageNotFoundError(name)

    monkeypatch.setattr(engine_command, "distribution", distribution)


async def test_without_vllm_the_error_says_how_to_install_it(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pretend_installed(monkeypatch)
    with pytest.raises(EngineError, match=r"vLLM is not installed; run `make setup`, or install himed\[cpu\]"):
        await Engine(EngineSettings(checkpoint, log_dir=tmp_path / "logs")).__aenter__()
    assert not (tmp_path / "logs").exists()


def test_a_gpu_build_on_a_machine_without_gpu_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_installed(monkeypatch, "vllm")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(EngineError, match="installed for GPUs, and this machine shows none"):
        engine_command.find_device()
    monkeypatch.setattr(engine_command, "shows_gpu", lambda _visible, _devices: True)
    assert engine_command.find_device() == "gpu"
    pretend_installed(monkeypatch, "vllm-cpu")
    assert engine_command.find_device() == "cpu"


async def test_a_hub_name_is_not_downloaded_unasked() -> None:
    with pytest.raises(InputError, match="nothing is downloaded unless you allow it"):
        await Engine(EngineSettings("Qwen/Qwen2.5-7B-Instruct")).__aenter__()


async def test_a_port_in_use_is_refused_before_the_start(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pretend_installed(monkeypatch, "vllm-cpu")
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(InputError, match=f"port {port} cannot be used .Address already in use"):
            await Engine(EngineSettings(checkpoint, port=port, log_dir=tmp_path)).__aenter__()
    with pytest.raises(InputError, match="port 99999 cannot be used .no port number"):
        await Engine(EngineSettings(checkpoint, port=99999, log_dir=tmp_path)).__aenter__()


async def test_a_log_folder_that_cannot_be_written_is_said(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pretend_installed(monkeypatch, "vllm-cpu")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="no log can be written"):
        await Engine(EngineSettings(checkpoint, log_dir=tmp_path / "file")).__aenter__()


# What vLLM 0.31 wrote, or by its source writes.
LOGS = [
    (
        "(EngineCore pid=7) ERROR 11-21 01:28:53 [core.py:1433] ValueError: Available memory on node 0 (5.62/6.96 GiB) on kv "
        "cache allocation is less than requested memory for kv (500.0 GiB). Decrease --kv-cache-memory-bytes\n"
        "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}",
        "out of memory: the key-value cache asks for 500.0 GiB and 5.62 GiB are free; close other programs",
    ),
    (
        "ValueError: Free memory on device cuda:0 (3.1/139.8 GiB) on startup is less than desired GPU memory utilization",
        "out of memory: of the GPU's 139.8 GiB only 3.1 GiB are free",
    ),
    (
        "ValueError: To serve at least one request with the models's max seq len (131072), (16.0 GiB KV cache is needed, "
        "which is larger than the available KV cache memory (4.5 GiB).",
        "one sequence of full length needs a key-value cache of 16.0 GiB and 4.5 GiB are free; lower max_model_len",
    ),
    (
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.",
        "out of memory while loading the model",
    ),
    (
        "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {'EngineCore': -9}",
        "the engine was killed, most likely by the system because memory ran out",
    ),
    ("OSError: [Errno 98] Address already in use", "the port was taken by another program"),
    (
        "  Value error, Model architectures ['FooForCausalLM'] are not supported for now. Supported architectures: dict_k",
        r"m: vLLM does not know the architecture \['FooForCausalLM'\]; serve it with another program",
    ),
    (
        "  Value error, The checkpoint you are trying to load has model type `foo` but Transformers does not recognize this",
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


# A server that starts a child as vLLM does its engine. With "stubborn" both ignore SIGTERM.
SERVER = """
import os, signal, subprocess, sys, time
stubborn = sys.argv[2] == "stubborn"
if stubborn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
code = "import signal, time; "
code += "signal.signal(signal.SIGTERM, signal.SIG_IGN); " if stubborn else ""
child = subprocess.Popen([sys.executable, "-c", code + "print('up', flush=True); time.sleep(600)"], stdout=subprocess.PIPE)
child.stdout.readline()
with open(sys.argv[1] + ".new", "w") as file:
    file.write(f"{os.getpid()} {child.pid}")
os.rename(sys.argv[1] + ".new", sys.argv[1])
print("log line", flush=True)
if sys.argv[2] == "crash":
    sys.exit(7)
time.sleep(600)
"""


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


async def until(holds: Callable[[], bool], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110  # other processes' lives
            await asyncio.sleep(0.02)


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")


async def start_server(folder: Path, manner: str, grace_s: float = 5.0) -> tuple[ServerProcess, list[int]]:
    script = [sys.executable, "-c", SERVER, str(folder / "pids"), manner]
    process = ServerProcess(script, dict(os.environ), folder / "log", grace_s=grace_s)
    await until((folder / "pids").exists)
    return process, [int(pid) for pid in (folder / "pids").read_text().split()]


@needs_proc
async def test_stopping_ends_the_server_and_its_children(tmp_path: Path) -> None:
    process, pids = await start_server(tmp_path, "plain")
    assert all(map(alive, pids))
    assert process.status() is None
    await process.stop()
    assert not any(map(alive, pids))
    assert process.status() == 128 + signal.SIGTERM
    assert (tmp_path / "log").read_text() == "log line\n"
    await process.stop()


@needs_proc
async def test_a_server_that_ignores_sigterm_is_killed_after_the_grace(tmp_path: Path) -> None:
    process, pids = await start_server(tmp_path, "stubborn", grace_s=0.3)
    await process.stop()
    assert not any(map(alive, pids))
    assert process.status() == 128 + signal.SIGKILL


@needs_proc
async def test_a_crashed_server_leaves_no_children_and_its_status(tmp_path: Path) -> None:
    process, pids = await start_server(tmp_path, "crash")
    await until(lambda: process.status() is not None)
    assert process.status() == 7
    assert not any(map(alive, pids))


@needs_proc
async def test_a_cancelled_stop_is_finished_by_the_supervisor(tmp_path: Path) -> None:
    process, pids = await start_server(tmp_path, "stubborn", grace_s=0.5)
    stopping = asyncio.create_task(process.stop())
    await asyncio.sleep(0.1)
    stopping.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await stopping
    await until(lambda: process.status() is not None)
    assert not any(map(alive, pids))


@needs_proc
async def test_the_server_ends_when_its_owner_is_killed(tmp_path: Path) -> None:
    owner = f"""
    import os, sys, time
    from pathlib import Path
    from app.engine.process import ServerProcess
    ServerProcess([sys.executable, "-c", {SERVER!r}, {str(tmp_path / "pids")!r}, "plain"], dict(os.environ), Path({str(tmp_path / "log")!r}))
    time.sleep(600)
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(owner)], cwd=ROOT)
    await until((tmp_path / "pids").exists)
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert all(map(alive, pids))
    process.kill()
    process.wait()
    await until(lambda: not any(map(alive, pids)))


def processes_of(engine_or_log: str) -> list[int]:
    """Ids of the processes whose command line names a string."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if engine_or_log.encode() in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return found


def group_of(pids: list[int]) -> list[int]:
    """All processes in the process sessions of some."""
    sessions = {os.getsid(pid) for pid in pids}
    members = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.getsid(int(folder.name)) in sessions:
                members.append(int(folder.name))
    return members


@pytest.mark.slow
@needs_vllm
async def test_vllm_answers_whole_and_streamed_alike(vllm_server: Engine) -> None:
    async with Endpoint(vllm_server.endpoint_settings()) as endpoint:
        assert await endpoint.models() == [vllm_server.served_model_name]
        whole = await endpoint.chat(MESSAGES, GREEDY)
        async with endpoint.stream(MESSAGES, GREEDY) as stream:
            pieces = [delta.text async for delta in stream]
    assert len(pieces) > 1
    assert "".join(pieces) == stream.reply.text == whole.text
    assert whole.finish_reason == stream.reply.finish_reason == "length"
    assert whole.prompt_tokens == stream.reply.prompt_tokens
    assert whole.completion_tokens == stream.reply.completion_tokens == 12
    assert whole.latency_s > 0


@pytest.mark.slow
@needs_vllm
async def test_vllm_takes_every_sampling_setting_and_repeats_a_seed(vllm_server: Engine) -> None:
    full = Sampling(temperature=0.6, top_p=0.95, top_k=20, repetition_penalty=1.2, max_tokens=12, stop=("<|x|>",))
    choice = Sampling(max_tokens=8, extra={"structured_outputs": {"choice": ["A", "B"]}})
    async with Endpoint(vllm_server.endpoint_settings()) as endpoint:
        first, again, other = [await endpoint.chat(MESSAGES, full, seed=seed) for seed in (1, 1, 2)]
        chosen = await endpoint.chat(MESSAGES, choice)
    assert first.text == again.text != other.text
    assert chosen.text in ("A", "B")


@pytest.mark.slow
@needs_vllm
async def test_vllm_refuses_strangers_and_too_long_prompts(vllm_server: Engine) -> None:
    long = [{"role": "user", "content": "बुखार " * 3000}]
    async with Endpoint(vllm_server.endpoint_settings(api_key=None)) as stranger:
        with pytest.raises(EndpointError, match="HTTP 401 .*set the key in the environment variable HIMED_API_KEY"):
            await stranger.chat(MESSAGES, GREEDY)
    async with Endpoint(vllm_server.endpoint_settings(model="another")) as endpoint:
        with pytest.raises(EndpointError, match="HTTP 404 .*another"):
            await endpoint.chat(MESSAGES, GREEDY)
    async with Endpoint(vllm_server.endpoint_settings()) as endpoint:
        with pytest.raises(EndpointError, match="HTTP 400 .*maximum context length is 2048") as caught:
            await endpoint.chat(long, GREEDY)
    assert not caught.value.retryable
    assert "बुखार" not in str(caught.value)


@pytest.mark.slow
@needs_vllm
def test_the_servers_key_is_in_no_command_line_and_no_log(vllm_server: Engine) -> None:
    assert processes_of(vllm_server.base_url.rpartition(":")[2].removesuffix("/v1"))
    assert processes_of(vllm_server.api_key.get_secret_value()) == []
    assert vllm_server.api_key.get_secret_value() not in vllm_server.log.read_text()
    assert vllm_server.running


@pytest.mark.slow
@needs_vllm
@needs_proc
async def test_vllm_is_gone_after_an_error_in_the_block(tiny_checkpoint: Path, tmp_path: Path) -> None:
    settings = EngineSettings(tiny_checkpoint, served_model_name="gone-soon", max_model_len=512, log_dir=tmp_path)
    pids: list[int] = []
    with pytest.raises(ZeroDivisionError):
        async with Engine(settings) as engine:
            pids = group_of(processes_of("gone-soon"))
            raise ZeroDivisionError
    assert len(pids) >= 3  # the supervisor, the server, its engine
    assert not any(map(alive, pids))
    assert not engine.running


@pytest.mark.slow
@needs_vllm
@needs_proc
async def test_vllm_is_gone_after_its_owner_was_killed(tiny_checkpoint: Path, tmp_path: Path) -> None:
    owner = f"""
    import asyncio
    from pathlib import Path
    from app.engine import Engine, EngineSettings
    async def main():
        log_dir = Path({str(tmp_path)!r})
        async with Engine(EngineSettings({str(tiny_checkpoint)!r}, "owner-killed", 512, log_dir=log_dir)):
            (log_dir / "ready").touch()
            await asyncio.sleep(600)
    asyncio.run(main())
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(owner)], cwd=ROOT)
    try:
        await until(lambda: (tmp_path / "ready").exists() or process.poll() is not None, 300)
        pids = group_of([pid for pid in processes_of("owner-killed") if pid != process.pid])
        assert len(pids) >= 3
    finally:
        process.kill()
        process.wait()
    await until(lambda: not any(map(alive, pids)))


@pytest.mark.slow
@needs_vllm
async def test_an_architecture_that_vllm_does_not_know_is_said(tiny_checkpoint: Path, tmp_path: Path) -> None:
    folder = tmp_path / "unknown"
    shutil.copytree(tiny_checkpoint, folder)
    config = json.loads((folder / "config.json").read_text()) | {"architectures": ["FooForCausalLM"]}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(
        InputError, match=r"unknown: vLLM does not know the architecture \['FooForCausalLM'\]"
    ) as caught:
        async with Engine(EngineSettings(folder, log_dir=tmp_path / "logs")):
            pass
    (log,) = (tmp_path / "logs").iterdir()
    assert str(log) in str(caught.value)


@pytest.mark.slow
@needs_vllm
async def test_a_start_that_takes_too_long_is_ended(tiny_checkpoint: Path, tmp_path: Path) -> None:
    settings = EngineSettings(tiny_checkpoint, log_dir=tmp_path, start_timeout_s=1.0)
    engine = Engine(settings)
    with pytest.raises(EngineError, match="vLLM was not ready within 1 s; allow it more time; the server's log is"):
        await engine.__aenter__()
    assert not engine.running
