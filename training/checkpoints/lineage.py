"""How a checkpoint was made: the record beside its weights that also says that it is finished."""

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, model_validator
from pydantic.functional_validators import AfterValidator

from app.checkpoint import checkpoint_revision
from app.formats import Format
from app.languages import LANGUAGES, find_language
from app.version import code_version, package_versions

_HUB_NAME: Final = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")  # `model` or `owner/model`
_SHA256 = r"[0-9a-f]{64}"


def _known_language(code: str) -> str:
    language = find_language(code)
    if language is None or language.code != code:
        raise ValueError(f"use the codes {', '.join(each.code for each in LANGUAGES)}")
    return code


class _Record(BaseModel):
    # Infinite losses happen and would make the file no JSON; an unknown figure is null.
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class RecipeRecord(_Record):
    """The recipe that a stage ran with, after every override."""

    name: str = Field(min_length=1, description="As the command line names it, `himed-8b/la`.")
    settings: dict[str, JsonValue] = Field(description="The resolved settings, whole.")
    sha256: str = Field(
        default="", pattern=rf"^({_SHA256})?$", description="Hash of the settings; filled in when empty."
    )

    @model_validator(mode="after")
    def _check_hash(self) -> Self:
        expected = settings_hash(self.settings)
        if not self.sha256:
            object.__setattr__(self, "sha256", expected)  # frozen for everyone else
        elif self.sha256 != expected:
            raise ValueError(f"the settings hash to {expected}: they were changed after the training")
        return self


class Parent(_Record):
    """The checkpoint or the hub's model that training began with."""

    path: str = Field(min_length=1, description="A hub name, an absolute folder, or one that begins with `.`.")
    revision: str = Field(min_length=1, description="Its `checkpoint_revision`, or the hub's commit.")

    @model_validator(mode="after")
    def _check_path(self) -> Self:
        if not self.is_folder and not _HUB_NAME.fullmatch(self.path):
            raise ValueError(f"{self.path!r} is no hub name; a relative folder begins with ./ or ../")
        return self

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder, which relative paths name from the child's folder on; else the hub's model."""
        return self.path.startswith(".") or Path(self.path).is_absolute()

    @classmethod
    def of_folder(cls, parent: Path, child: Path) -> Self:
        """A local parent. Its path is relative: a tree of checkpoints can be moved, and a model card tells no home."""
        relative = Path(os.path.relpath(parent.resolve(), child.resolve())).as_posix()
        return cls(path=relative, revision=checkpoint_revision(parent))


class DataFile(_Record):
    """One file of training or held-out data."""

    name: str = Field(min_length=1)
    sha256: str = Field(pattern=rf"^{_SHA256}$")
    rows: int = Field(ge=0, description="Rows in the file.")
    used: int = Field(ge=0, description="Rows that were used.")
    set_aside: dict[str, int] = Field(default_factory=dict, description="Rows left out, by reason.")
    held_out: bool = Field(default=False, description="Measured on, not trained on.")

    @model_validator(mode="after")
    def _check_rows(self) -> Self:
        if self.used + sum(self.set_aside.values()) != self.rows:
            raise ValueError(f"{self.rows} rows are not {self.used} used and {sum(self.set_aside.values())} set aside")
        return self


class Metric(_Record):
    """A figure with its 95 % interval and its denominator; None where it is not known."""

    value: float | None
    n: int | None = Field(default=None, ge=0)
    ci95: tuple[float, float] | None = None
    missing: int = Field(default=0, ge=0, description="Items without a figure, left out of n.")


class Lineage(_Record):
    """What made a checkpoint, whole enough to make it again."""

    lineage_version: Literal[1] = 1
    format: Format
    stage: str = Field(min_length=1, description="`la`, `rc`, `reward-model`, `dsr-rl`, `sft`, `rl-high`, `merge`, …")
    languages: tuple[Annotated[str, AfterValidator(_known_language)], ...] = Field(min_length=1)
    license: str = Field(min_length=1, description="The hub's identifier: `apache-2.0`, `llama3.1`, …")
    command: str = Field(min_length=1, description="The exact command that makes this checkpoint.")
    recipe: RecipeRecord
    parent: Parent | None = Field(default=None, description="None for weights that began at random.")
    data: tuple[DataFile, ...] = ()
    seeds: dict[str, int] = Field(default_factory=dict)
    steps: int = Field(ge=0, description="Optimizer steps of this stage.")
    tokens: int = Field(ge=0, description="Tokens of this stage without padding.")
    metrics: dict[str, Metric] = Field(default_factory=dict)
    code_version: str = Field(default_factory=code_version)
    packages: dict[str, str] = Field(default_factory=package_versions)
    created: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))
    revision: str = Field(default="", description="The checkpoint's own; `finish_checkpoint` fills it in.")


def settings_hash(settings: Mapping[str, Any]) -> str:
    """SHA-256 in hexadecimal of settings, whatever the order of their keys."""
    text = json.dumps(settings, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def base_model(chain: Sequence[Lineage]) -> Parent | None:
    """Where a chain began: the last parent; None for weights that began at random."""
    return chain[-1].parent
