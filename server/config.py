"""`serve.yaml`: the models, where they run, and the server's limits. Unknown keys are errors."""

import os
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from app.checkpoint import trained_format
from app.endpoint import Sampling
from app.endpoint.settings import normalise_base_url
from app.errors import InputError
from app.formats import Format
from app.languages import find_language, get_language
from app.yaml_file import read_yaml

AUTO = "auto"  # the model name that asks the gateway to choose by language


def _language_code(value: str) -> str:
    try:
        return get_language(value).code
    except InputError as error:
        raise ValueError(str(error)) from None


def _base_url(value: str) -> str:
    try:
        return normalise_base_url(value, "a variable that api_key_variable names")
    except InputError as error:
        raise ValueError(str(error)) from None


LanguageCode = Annotated[str, AfterValidator(_language_code)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class BackendConfig(_Section):
    """An OpenAI-compatible server that runs elsewhere."""

    url: Annotated[str, AfterValidator(_base_url), Field(description="http(s)://HOST:PORT, with or without /v1.")]
    model: Annotated[str | None, Field(min_length=1, description="The model's name there, if it is another.")] = None
    api_key_variable: Annotated[
        str | None, Field(pattern=r"^[A-Z][A-Z0-9_]*$", description="Environment variable that holds its key.")
    ] = None
    stream_usage: Annotated[
        bool, Field(description="Whether it knows stream_options; without it, streams' tokens are not counted.")
    ] = True

    def api_key(self) -> SecretStr | None:
        """The key, from the environment.

        Raises:
            InputError: the variable is not set.
        """
        if self.api_key_variable is None:
            return None
        if not (value := os.environ.get(self.api_key_variable, "").strip()):
            raise InputError(
                f"the environment variable {self.api_key_variable} is not set",
                field="api_key_variable",
                remedy=f"set it to the key of {self.url}",
            )
        return SecretStr(value)


class EngineConfig(_Section):
    """How vLLM is started for a model's checkpoint."""

    replicas: Annotated[int, Field(ge=1, le=64, description="vLLM servers of this checkpoint.")] = 1
    max_model_len: Annotated[int | None, Field(ge=1, description="Longest prompt plus completion in tokens.")] = None
    chat_template: Annotated[Path | None, Field(description="Jinja file, where the checkpoint brings none.")] = None
    allow_download: Annotated[bool, Field(description="Whether the hub may be asked for the model.")] = False
    start_timeout_s: Annotated[Seconds, Field(description="Longest wait for the first answer.")] = 1800.0
    args: Annotated[
        tuple[str, ...], Field(description="More options of vLLM's server, as in --tensor-parallel-size 8.")
    ] = ()
    devices: Annotated[
        tuple[str, ...],
        Field(description="CUDA_VISIBLE_DEVICES of each replica, as in ['0,1', '2,3']; else all see all."),
    ] = ()

    @model_validator(mode="after")
    def _devices_for_each(self) -> Self:
        if self.devices and len(self.devices) != self.replicas:
            raise ValueError(f"{len(self.devices)} devices for {self.replicas} replicas: give one entry for each")
        return self


class ModelConfig(_Section):
    """One model by the name that requests ask for: a checkpoint that is started here, servers elsewhere, or both."""

    format: Annotated[
        Format | None, Field(description="Completion format; default: the checkpoint's lineage, else plain.")
    ] = None
    languages: Annotated[tuple[LanguageCode, ...], Field(description="Languages that model: auto sends here.")] = ()
    checkpoint: Annotated[str | None, Field(min_length=1, description="Folder (a hub name with allow_download).")] = (
        None
    )
    engine: Annotated[EngineConfig, Field(description="How its vLLM is started.")] = EngineConfig()
    adapters: Annotated[
        dict[str, Path | None],
        Field(description="LoRA adapters by name; the folder for a checkpoint here, null where backends hold it."),
    ] = {}
    backends: Annotated[tuple[BackendConfig, ...], Field(description="Servers elsewhere.")] = ()
    sampling: Annotated[
        Sampling | None, Field(description="Of the medical routes; default: greedy, for cure-med the published one.")
    ] = None

    @model_validator(mode="after")
    def _runs_somewhere(self) -> Self:
        if self.checkpoint is None and not self.backends:
            raise ValueError("names neither a checkpoint nor backends")
        for name, folder in self.adapters.items():
            if self.checkpoint is not None and folder is None:
                raise ValueError(f"the adapter {name} needs a folder: its checkpoint is started here")
        return self

    def resolved_format(self) -> Format:
        """The format: as given, else the checkpoint's own, else plain."""
        own = trained_format(Path(self.checkpoint)) if self.checkpoint else None
        return self.format or own or "plain"


class AutoConfig(_Section):
    """Which model answers when a request asks for ``auto``."""

    routes: Annotated[
        dict[LanguageCode, str], Field(description="Language to model; goes before the models' own languages.")
    ] = {}
    default: Annotated[
        str | None, Field(description="For languages that no model names; default: the first model.")
    ] = None

    @field_validator("routes", mode="before")
    @classmethod
    def _each_language_once(cls, routes: Any) -> Any:
        keys = [key for key in routes if isinstance(key, str)] if isinstance(routes, dict) else []
        codes = [language.code for key in keys if (language := find_language(key)) is not None]
        if repeated := next((code for code in codes if codes.count(code) > 1), None):
            raise ValueError(f"the language {repeated} is given twice")
        return routes


class LimitsConfig(_Section):
    """What one request may take."""

    body_bytes: Annotated[int, Field(ge=1024, description="Largest request body.")] = 4 << 20
    max_tokens: Annotated[
        int | None, Field(ge=1, description="Most completion tokens that a request gets; default: the model's room.")
    ] = None
    choices: Annotated[int, Field(ge=1, description="Most choices (n, best_of) and samples of a request.")] = 64
    header_s: Annotated[Seconds, Field(description="Longest wait for a request's head.")] = 10.0
    body_s: Annotated[Seconds, Field(description="Longest wait for a request's body.")] = 30.0
    request_s: Annotated[Seconds, Field(description="Longest time for a whole answer.")] = 900.0
    connections: Annotated[int, Field(ge=1, description="Most connections at once to one gateway process.")] = 4096


class RequestLogConfig(_Section):
    """The request log in the database: off unless switched on, for it may hold what patients are asked about."""

    enabled: Annotated[bool, Field(description="Whether requests are stored.")] = False
    bodies: Annotated[bool, Field(description="Whether questions and answers are stored too.")] = False
    keep_days: Annotated[float, Field(gt=0, description="Rows older than this are deleted.")] = 30.0


class ServeConfig(_Section):
    """All of ``serve.yaml``."""

    host: Annotated[str, Field(description="Interface to listen on; 0.0.0.0 and :: are all.")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535, description="0 takes a free one.")] = 8000
    workers: Annotated[int, Field(ge=1, le=256, description="Gateway processes that share the port.")] = 1
    open: Annotated[bool, Field(description="No keys; on the loopback interface only.")] = False
    models: Annotated[dict[str, ModelConfig], Field(min_length=1, description="Models by the name to ask for.")]
    auto: Annotated[AutoConfig, Field(description="Who answers model: auto.")] = AutoConfig()
    limits: Annotated[LimitsConfig, Field(description="What one request may take.")] = LimitsConfig()
    request_log: Annotated[RequestLogConfig, Field(description="Requests in the database.")] = RequestLogConfig()
    probe_s: Annotated[Seconds, Field(description="Between two probes of a backend that is out.")] = 1.0
    drain_s: Annotated[Seconds, Field(description="Time that open requests get after SIGTERM.")] = 60.0

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        names = [*self.models, *(name for model in self.models.values() for name in model.adapters)]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"the name {repeated[0]!r} is given twice among models and adapters")
        if AUTO in names:
            raise ValueError(f"{AUTO!r} is the gateway's own name: rename the model")
        wanted = [*self.auto.routes.values(), *([self.auto.default] if self.auto.default else [])]
        if unknown := [name for name in wanted if name not in names]:
            raise ValueError(f"auto names {unknown[0]!r}, which is none of {', '.join(names)}")
        if self.open and not is_loopback(self.host):
            raise ValueError("open serves without keys, which is for the loopback interface only: set host: 127.0.0.1")
        return self


def is_loopback(host: str) -> bool:
    """Whether the host is this machine alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def load_config(file: Path, overrides: Mapping[str, Any] = MappingProxyType({})) -> ServeConfig:
    """Read ``serve.yaml``. Its relative paths start at the file's folder; ``overrides`` go before its values.

    Raises:
        InputError: unreadable, an unknown key, or a value out of range; says which.
    """
    values = read_yaml(file)
    _anchor_paths(values, file.resolve().parent)
    return build_config({**values, **overrides}, file)


def build_config(values: dict[str, Any], file: Path | None = None) -> ServeConfig:
    """Validate configuration values.

    Raises:
        InputError: an unknown key, or a value out of range; says which.
    """
    try:
        return ServeConfig.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or None
        problem = "unknown key" if first["type"] == "extra_forbidden" else first["msg"].removeprefix("Value error, ")
        raise InputError(problem, file=file, field=field, remedy="see himed-serve config --help") from None


def _anchor_paths(values: dict[str, Any], folder: Path) -> None:
    for model in _mappings((values.get("models") or {}).values() if isinstance(values.get("models"), dict) else ()):
        if isinstance(name := model.get("checkpoint"), str) and (folder / name).exists():
            model["checkpoint"] = str(folder / name)
        if isinstance(adapters := model.get("adapters"), dict):
            for name, path in adapters.items():
                if isinstance(path, str):
                    adapters[name] = str(folder / path)
        engine = model.get("engine")
        if isinstance(engine, dict) and isinstance(template := engine.get("chat_template"), str):
            engine["chat_template"] = str(folder / template)


def _mappings(values: Iterable[Any]) -> list[dict[str, Any]]:
    return [value for value in values if isinstance(value, dict)]
