"""The configuration of an evaluation: command-line options over an optional YAML file, validated."""

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator

from app.errors import InputError
from app.formats import Format
from app.yaml_file import read_yaml

_GENERATING = (
    "samples",
    "few_shot",
    "shuffle_options",
    "temperature",
    "top_p",
    "top_k",
    "repetition_penalty",
    "max_tokens",
)


class EvalConfig(BaseModel):
    """Everything that `himed-eval` can be told; a YAML file given by ``--config`` has the same names."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    bench: str
    # What answers: exactly one of the three.
    model: Path | None = None
    endpoint: str | None = None
    served_model: Annotated[str | None, Field(min_length=1, max_length=200)] = None
    predictions: Path | None = None
    model_name: Annotated[str | None, Field(min_length=1, max_length=200)] = None
    format: Format | None = None
    # Which items.
    data_dir: Path | None = None
    allow_hub: bool = False
    language: str | None = None
    languages: Annotated[list[str] | None, Field(min_length=1)] = None
    group: list[Annotated[str, Field(pattern=r"^[^=]+=.+$")]] = []
    limit: Annotated[int | None, Field(ge=1)] = None
    # How they are asked.
    samples: Annotated[int, Field(ge=1, le=1000)] = 1
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    shuffle_options: Annotated[int | None, Field(ge=0)] = None
    few_shot: Annotated[int, Field(ge=0, le=64)] = 0
    temperature: Annotated[float | None, Field(ge=0, le=2)] = None
    top_p: Annotated[float | None, Field(gt=0, le=1)] = None
    top_k: Annotated[int | None, Field(ge=-1)] = None
    repetition_penalty: Annotated[float | None, Field(gt=0)] = None
    max_tokens: Annotated[int | None, Field(ge=1)] = None
    max_model_len: Annotated[int | None, Field(ge=16)] = None
    chat_template: Path | None = None
    concurrency: Annotated[int, Field(ge=1, le=4096)] = 64
    timeout: Annotated[float, Field(gt=0)] = 600.0
    # Who judges.
    judge_endpoint: str | None = None
    judge_model: Annotated[str | None, Field(min_length=1, max_length=200)] = None
    judge_language: bool = False
    # Where results go.
    db: str | None = None
    json_file: Annotated[Path | None, Field(alias="json")] = None
    new: bool = False
    dry_run: bool = False

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        given = [name for name in ("model", "endpoint", "predictions") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of --model, --endpoint and --predictions (given: {len(given)})")
        if (self.endpoint is None) != (self.served_model is None):
            raise ValueError("--endpoint and --served-model go together")
        if (self.judge_endpoint is None) != (self.judge_model is None):
            raise ValueError("--judge-endpoint and --judge-model go together")
        if self.judge_language and self.judge_endpoint is None:
            raise ValueError("--judge-language needs --judge-endpoint")
        if self.predictions is not None:
            self._refuse(_GENERATING, "with --predictions: nothing is generated")
        if self.model is None:
            self._refuse(("max_model_len", "chat_template"), "without --model: they are vLLM's, started for the run")
        return self

    def _refuse(self, names: tuple[str, ...], why: str) -> None:
        fields = type(self).model_fields
        if given := [name for name in names if getattr(self, name) != fields[name].default]:
            options = ", ".join(f"--{name.replace('_', '-')}" for name in given)
            raise ValueError(f"{options} cannot be used {why}")

    @field_validator("*", mode="before")
    @classmethod
    def _no_boolean_numbers(cls, value: object, info: ValidationInfo) -> object:
        # YAML reads yes and on as true, which would pass for the number 1.
        if isinstance(value, bool) and cls.model_fields[info.field_name or ""].annotation is not bool:
            raise ValueError("Input should not be true or false")
        return value

    @property
    def groups(self) -> dict[str, set[str]]:
        """``--group`` options as group -> allowed values."""
        groups: dict[str, set[str]] = {}
        for pair in self.group:
            name, _, value = pair.partition("=")
            groups.setdefault(name.strip(), set()).add(value.strip())
        return groups


def read_config(options: dict[str, Any], file: Path | None) -> EvalConfig:
    """Options over the file's values.

    Raises:
        InputError: the file cannot be read, or a name is unknown or a value invalid; says which and where.
    """
    values = _read_options(file) if file is not None else {}
    merged = values | options
    if "bench" not in merged:
        raise InputError("no benchmark is named", remedy="give --bench NAME or a file")
    try:
        return EvalConfig(**merged)
    except ValidationError as error:
        raise _input_error(error, options, file) from None


def _read_options(file: Path) -> dict[str, Any]:
    values = read_yaml(file)
    if len({key.replace("-", "_") for key in values}) < len(values):
        raise InputError("an option is given twice, with - and with _", file=file, remedy="keep one of them")
    return {key.replace("-", "_"): value for key, value in values.items()}


def _input_error(error: ValidationError, options: dict[str, Any], file: Path | None) -> InputError:
    first = error.errors(include_url=False)[0]
    name = str(first["loc"][0]) if first["loc"] else None
    if name is None:
        return InputError(first["msg"].removeprefix("Value error, "), file=file, remedy="see himed-eval --help")
    where = file if name not in options else None
    if first["type"] == "extra_forbidden":
        known = ", ".join("json" if known == "json_file" else known for known in EvalConfig.model_fields)
        return InputError("unknown option", file=where, field=name, remedy=f"use one of {known}")
    given = f" (given: {first['input']!r})"
    return InputError(
        first["msg"].removeprefix("Value error, ") + given, file=where, field=name, remedy="see himed-eval --help"
    )
