"""What a vLLM server is started with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from app.errors import InputError

# Options that himed sets itself, and code from a checkpoint, which it never runs.
_REFUSED_ARGS = {
    "--trust-remote-code": "himed never runs a checkpoint's own code",
    "--api-key": "himed gives each server a key of its own",
    "--model": "name the model in the settings",
    "--host": "the server listens on the loopback interface only",
    "--port": "name the port in the settings",
    "--served-model-name": "name it in the settings",
}


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """One model, served by vLLM.

    Attributes:
        model: a checkpoint's folder; a hub name only with ``allow_download``.
        served_model_name: the name that requests ask for; the folder's name by default.
        max_model_len: longest prompt plus completion in tokens; by default 8,192 or what the model bears, if less.
        chat_template: a Jinja file, for checkpoints that bring none.
        lora: adapters by the name that requests ask for.
        log_dir: folder of the server's log.
        port: on the loopback interface; a free one by default.
        allow_download: whether a model that is not on this machine may be fetched from the hub.
        start_timeout_s: longest wait for the first answer; large models take minutes to load.
        extra_args: further options of vLLM's server; they go before himed's.
        environment: variables of the server's environment; they go before this process's own.

    Raises:
        InputError: an option among ``extra_args`` that himed sets itself, or a number out of range.
    """

    model: Path | str
    served_model_name: str | None = None
    max_model_len: int | None = None
    chat_template: Path | None = None
    lora: Mapping[str, Path] = field(default_factory=dict)
    log_dir: Path = Path(".himed") / "logs"
    port: int | None = None
    allow_download: bool = False
    start_timeout_s: float = 1800.0
    extra_args: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for argument in self.extra_args:
            name = argument.split("=", 1)[0].replace("_", "-")
            if name in _REFUSED_ARGS:
                raise InputError(f"{name} cannot be passed on to vLLM", remedy=_REFUSED_ARGS[name])
        if self.max_model_len is not None and self.max_model_len < 1:
            raise InputError(f"max_model_len is {self.max_model_len}", remedy="use 1 or more")
        if self.served_name in self.lora:
            raise InputError(f"the model and an adapter are both named {self.served_name!r}", remedy="rename one")

    @property
    def served_name(self) -> str:
        """The name that requests ask for."""
        return self.served_model_name or Path(self.model).resolve().name
