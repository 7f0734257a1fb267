"""Fields that rows of benchmarks, predictions and training data have in common, read in one way."""

from collections.abc import Mapping

from app.languages import find_language
from app.rows import RowError, read_text

GROUP_FIELDS = ("system", "type", "subject", "source")


def row_language(fields: Mapping[str, object], default: str | None = None) -> str | None:
    """ISO 639-1 code of the language that a row names, else ``default``.

    Raises:
        RowError: it names none of the fourteen.
    """
    named = read_text(fields, "language") if "language" in fields else ""
    if not named:
        return default
    found = find_language(named)
    if found is None:
        raise RowError("language", f"unknown language {named!r}")
    return found.code


def row_groups(fields: Mapping[str, object]) -> dict[str, str]:
    """What a row says of its system, type, subject and source."""
    groups = {name: read_text(fields, name, numbers=True) for name in GROUP_FIELDS if name in fields}
    return {name: value for name, value in groups.items() if value}
