"""The base of every section of a recipe: validated, frozen, unknown keys refused, one docstring per field."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Strict


class Section(BaseModel):
    """A group of settings.

    Strict, since YAML reads yes and on as true, which would otherwise pass for the number 1.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


Folder = Annotated[Path, Strict(False)]
"""A folder, which YAML has as text."""
Files = Annotated[tuple[str, ...], Strict(False)]
"""Names, which YAML has as a list."""
