"""The words of the page in each of its languages, from `ui/texts/CODE/SECTION.yaml`."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

import yaml

# The languages of the page itself, by their own names; models answer in more.
INTERFACE_LANGUAGES: Final[Mapping[str, str]] = {"en": "English", "hi": "हिन्दी"}
FALLBACK: Final = "en"

_FOLDER = Path(__file__).parent


class Texts:
    """The words of one language: ``texts("ask.send")``, with values for their {placeholders}."""

    def __init__(self, code: str, entries: Mapping[str, str]) -> None:
        self.code, self.entries = code, entries

    def __call__(self, key: str, **values: object) -> str:
        """The words of a key ``section.name``.

        Raises:
            KeyError: there is no such key, or a placeholder has no value.
        """
        return self.entries[key].format(**values) if values else self.entries[key]

    def count(self, key: str, n: int, **values: object) -> str:
        """The words for a number of things: ``key.one`` for 1, else ``key.many``; both may hold {n}."""
        return self(f"{key}.{'one' if n == 1 else 'many'}", n=f"{n:,}", **values)


@cache
def texts(code: str) -> Texts:
    """The words in an interface language; in English for any other code."""
    known = code if code in INTERFACE_LANGUAGES else FALLBACK
    entries: dict[str, str] = {}
    for file in sorted((_FOLDER / known).glob("*.yaml")):
        for name, text in yaml.safe_load(file.read_text(encoding="utf-8")).items():
            entries[f"{file.stem}.{name}"] = text
    return Texts(known, entries)


def preferred(accept_language: str | None) -> str:
    """The interface language that a browser's ``Accept-Language`` asks for first; English where it knows none.

    The header's own order counts; browsers write it by weight (RFC 9110, section 12.5.4).
    """
    for part in (accept_language or "").split(","):
        if (code := part.partition(";")[0].strip().partition("-")[0].lower()) in INTERFACE_LANGUAGES:
            return code
    return FALLBACK
