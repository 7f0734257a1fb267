"""A server's settings, its command line, and what is said when it cannot even be started."""

import socket
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest

from app.engine import Engine, EngineError, EngineSettings
from app.engine import command as engine_command
from app.engine.checkpoint import Checkpoint
from app.engine.command import build_command, build_environment, kv_cache_gib, serving_length, shows_gpu
from app.errors import InputError


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
    assert "--dtype float32" in line
    assert line.endswith("--max-num-seqs 64")  # the user's own go last, and so before himed's


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


def test_the_settings_environment_goes_before_the_processs_own(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3")
    settings = EngineSettings(checkpoint, environment={"CUDA_VISIBLE_DEVICES": "2,3", "VLLM_API_KEY": "another"})
    environment = build_environment(settings, "gpu", "own-key", None, None)
    assert environment["CUDA_VISIBLE_DEVICES"] == "2,3"
    assert environment["VLLM_API_KEY"] == "own-key"


def test_a_check_reads_the_checkpoint_and_its_adapters(checkpoint: Path, adapter: Path) -> None:
    found, rank = Engine(EngineSettings(checkpoint, lora={"rl": adapter})).check()
    assert found is not None
    assert rank > 0
    with pytest.raises(InputError, match=r"no adapter_config\.json"):
        Engine(EngineSettings(checkpoint, lora={"rl": checkpoint})).check()


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
        with pytest.raises(InputError, match=rf"port {port} cannot be used \(Address already in use\)"):
            await Engine(EngineSettings(checkpoint, port=port, log_dir=tmp_path)).__aenter__()
    with pytest.raises(InputError, match=r"port 99999 cannot be used \(no port number\)"):
        await Engine(EngineSettings(checkpoint, port=99999, log_dir=tmp_path)).__aenter__()


async def test_a_log_folder_that_cannot_be_written_is_said(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pretend_installed(monkeypatch, "vllm-cpu")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="no log can be written"):
        await Engine(EngineSettings(checkpoint, log_dir=tmp_path / "file")).__aenter__()
