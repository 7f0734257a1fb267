"""Settings from the environment (prefix ``HIMED_``): validated, and unknown names are errors."""

import os
from pathlib import Path

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.errors import InputError

PREFIX = "HIMED_"


class Settings(BaseSettings):
    """What every command shares. A command-line option of the same name goes before the environment."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    db: str = Field("sqlite:///himed.db", description="SQLAlchemy URL of the results database.")
    data_dir: Path | None = Field(None, description="Folder in which benchmark files are looked for.")
    api_key: SecretStr | None = Field(None, description="API key of the endpoint under test.")
    judge_api_key: SecretStr | None = Field(None, description="API key of the judge's endpoint.")
    log_dir: Path = Field(Path(".himed") / "logs", description="Folder of the logs of servers that himed starts.")


def load_settings() -> Settings:
    """Read the environment.

    Raises:
        InputError: a variable's value is invalid, or a ``HIMED_`` variable is unknown (a misspelt one would
            otherwise be ignored in silence).
    """
    known = {f"{PREFIX}{name}".upper() for name in Settings.model_fields}
    for name in os.environ:
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            raise InputError(
                f"unknown environment variable {name}", remedy=f"unset it, or use one of {', '.join(sorted(known))}"
            )
    try:
        return Settings()  # type: ignore[call-arg]  # the environment gives the arguments
    except ValidationError as error:
        first = error.errors()[0]
        name = f"{PREFIX}{first['loc'][0]}".upper()
        raise InputError(f"environment variable {name}: {first['msg']}", remedy="correct it or unset it") from None
