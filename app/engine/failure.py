"""Why a vLLM server did not start, in one sentence, from its log."""

import re
from pathlib import Path

from app.engine.errors import EngineError
from app.engine.settings import EngineSettings
from app.errors import InputError

_TAIL_BYTES = 1_000_000
_MAX_DETAIL = 300
_KILLED = 128 + 9

# Lines look like "(EngineCore pid=1) ERROR 11-21 01:28:15 [core.py:1433] ValueError: …", or without the prefix.
_EXCEPTION = re.compile(r"^(?:\(.*?\] )?([A-Za-z_][\w.]*(?:Error|Exception|Interrupt)): (.+)$", re.MULTILINE)
_PYDANTIC = re.compile(r"^  (?:Value|Assertion) error, (.+?)(?: \[type=|$)", re.MULTILINE)

_LESS_MEMORY = "close other programs, serve fewer tokens (max_model_len), or take a smaller model"
_COPY_AGAIN = "copy the checkpoint again, or check how it was saved"
_NO_CODE = "convert the checkpoint to an architecture that transformers knows"


class _Reason:
    """A pattern in the log, what it means, and what to do. ``{0}`` in the words is the pattern's first group."""

    def __init__(self, pattern: str, problem: str, remedy: str, *, checkpoint: bool = False) -> None:
        self.pattern = re.compile(pattern)
        self.problem, self.remedy, self.checkpoint = problem, remedy, checkpoint


# The first that is found counts.
_REASONS = (
    _Reason(
        r"Free memory on device \S+ \(([\d.]+)/([\d.]+) GiB\)",
        "out of memory: of the GPU's {1} GiB only {0} GiB are free",
        "end the other programs on it, or pass --gpu-memory-utilization with a smaller share",
    ),
    _Reason(
        r"Available memory on node \d+ \(([\d.]+)/[\d.]+ GiB\).*?requested memory for kv \(([\d.]+)",
        "out of memory: the key-value cache asks for {1} GiB and {0} GiB are free",
        "close other programs, or lower max_model_len or VLLM_CPU_KVCACHE_SPACE",
    ),
    _Reason(
        r"\(([\d.]+) GiB KV cache is needed, which is larger than the available KV cache memory \(([\d.]+) GiB",
        "out of memory: one sequence of full length needs a key-value cache of {0} GiB and {1} GiB are free",
        "lower max_model_len",
    ),
    _Reason(r"No available memory for the cache blocks", "out of memory: the weights leave no room", _LESS_MEMORY),
    _Reason(
        r"OutOfMemoryError|CUDA out of memory|can't allocate memory|MemoryError|Cannot allocate memory",
        "out of memory while loading the model",
        _LESS_MEMORY,
    ),
    _Reason(
        r"Failed core proc\(s\): \{.*?-9\D",
        "the engine was killed, most likely by the system because memory ran out",
        _LESS_MEMORY,
    ),
    _Reason(
        r"Address already in use",
        "the port was taken by another program",
        "run the command again, or name another port",
    ),
    _Reason(
        r"contains custom code which must be executed",
        "the checkpoint asks to run code of its own, which himed never does",
        _NO_CODE,
        checkpoint=True,
    ),
    _Reason(
        r"Model architectures (\[.*?\]) (?:are not supported|failed to be inspected)",
        "vLLM does not know the architecture {0}",
        "serve it with another program and give its URL as the endpoint",
        checkpoint=True,
    ),
    _Reason(
        r"has model type `(.*?)` but Transformers does not recognize",
        "transformers does not know the model type {0!r}",
        "serve it with another program and give its URL as the endpoint",
        checkpoint=True,
    ),
    _Reason(
        r"max_model_len \((\d+)\) is greater than the derived max_model_len \(\D+([\d.]+)",
        "max_model_len is {0}, and the model bears {1} tokens",
        "lower max_model_len",
        checkpoint=True,
    ),
    _Reason(
        r"The size of tensor a|shape mismatch|size mismatch|Attempted to load weight|There is no module or parameter",
        "the weights do not fit config.json",
        _COPY_AGAIN,
        checkpoint=True,
    ),
    _Reason(
        r"following weights were not initialized from checkpoint|InvalidHeader|safetensors_rust|MetadataIncomplete",
        "weights are missing or broken",
        _COPY_AGAIN,
        checkpoint=True,
    ),
    _Reason(
        r"unrecognized arguments: (.+)|error: argument (.+)",
        "vLLM does not take the option {0}",
        "correct extra_args",
    ),
    _Reason(
        r"OfflineModeIsEnabled|couldn't connect to 'https://huggingface.co'|LocalEntryNotFoundError",
        "the model is not whole on this machine, and nothing is downloaded unless you allow it",
        "allow the download, or name a checkpoint's folder",
    ),
)


def explain_failure(settings: EngineSettings, status: int, log: Path) -> InputError | EngineError:
    """The error to raise for a server that ended before it was ready.

    An InputError when the checkpoint is at fault, an EngineError when the machine is or when nothing is known.
    """
    text = _tail(log)
    for reason in _REASONS:
        if found := reason.pattern.search(text):
            groups = [group for group in found.groups() if group is not None]
            problem = reason.problem.format(*groups)
            if reason.checkpoint:
                return InputError(problem, file=settings.model, remedy=f"{reason.remedy}; the server's log is {log}")
            return EngineError(f"vLLM did not start: {problem}", log=log, remedy=reason.remedy)
    if status == _KILLED:
        return EngineError(
            "vLLM was killed, most likely by the system because memory ran out", log=log, remedy=_LESS_MEMORY
        )
    detail = _last_exception(text)
    return EngineError(f"vLLM ended with status {status}{f': {detail}' if detail else ''}", log=log)


def _tail(log: Path) -> str:
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - _TAIL_BYTES))
        return stream.read().decode("utf-8", "replace")


def _last_exception(text: str) -> str:
    """The exception at the root: vLLM's processes report each other's end on top of it."""
    if found := _PYDANTIC.findall(text):
        return str(found[-1])[:_MAX_DETAIL]
    causes = [f"{name}: {words}" for name, words in _EXCEPTION.findall(text) if "Engine core init" not in words]
    return causes[-1][:_MAX_DETAIL] if causes else ""
