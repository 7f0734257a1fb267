"""Where the configuration of a run comes from: a file, or one checkpoint; options go before both."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.errors import InputError

if TYPE_CHECKING:
    from server.config import ServeConfig


@dataclass(frozen=True, slots=True)
class Source:
    """Options of the command line.

    Attributes:
        file: ``serve.yaml``.
        checkpoint: a folder; one of the two.
        name: of the checkpoint's model; default: the folder's.
        overrides: fields of the configuration that were given.
    """

    file: Path | None
    checkpoint: str | None
    name: str | None = None
    overrides: dict[str, Any] = field(default_factory=dict)

    def read(self) -> "ServeConfig":
        """The configuration as it is now.

        Raises:
            InputError: neither or both were given, or the configuration is wrong.
        """
        from server.config import build_config, load_config

        if (self.file is None) == (self.checkpoint is None):
            both = "both a checkpoint and a configuration" if self.file else "neither a checkpoint nor a configuration"
            raise InputError(f"{both} to serve", remedy="give --model or --config")
        if self.file is not None:
            if self.name is not None:
                raise InputError("--name is for --model", remedy="name the models in the configuration")
            return load_config(self.file, self.overrides)
        assert self.checkpoint is not None
        name = self.name or Path(self.checkpoint).resolve().name
        return build_config({"models": {name: {"checkpoint": self.checkpoint}}} | self.overrides)
