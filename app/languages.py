"""The fourteen languages: English and CURE-Med's thirteen, defined once for training, serving and evaluation."""

from dataclasses import dataclass
from functools import cache
from typing import Literal

from app.errors import InputError

Tier = Literal["high", "medium", "low"]


@dataclass(frozen=True, slots=True)
class Language:
    """One language.

    ``code`` is ISO 639-1, ``script`` the ISO 15924 code of the script it is written in, ``tier`` CURE-Med's resource
    tier (None for English, which is no target language there).
    """

    code: str
    english: str
    own: str
    script: str
    tier: Tier | None
    iso639_3: str


LANGUAGES: tuple[Language, ...] = (
    Language("am", "Amharic", "አማርኛ", "Ethi", "low", "amh"),
    Language("bn", "Bengali", "বাংলা", "Beng", "medium", "ben"),
    Language("en", "English", "English", "Latn", None, "eng"),
    Language("fr", "French", "Français", "Latn", "high", "fra"),
    Language("ha", "Hausa", "Hausa", "Latn", "low", "hau"),
    Language("hi", "Hindi", "हिन्दी", "Deva", "low", "hin"),
    Language("ja", "Japanese", "日本語", "Jpan", "high", "jpn"),
    Language("ko", "Korean", "한국어", "Kore", "medium", "kor"),
    Language("es", "Spanish", "Español", "Latn", "high", "spa"),
    Language("sw", "Swahili", "Kiswahili", "Latn", "low", "swa"),
    Language("th", "Thai", "ไทย", "Thai", "medium", "tha"),
    Language("tr", "Turkish", "Türkçe", "Latn", "medium", "tur"),
    Language("vi", "Vietnamese", "Tiếng Việt", "Latn", "high", "vie"),
    Language("yo", "Yoruba", "Yorùbá", "Latn", "low", "yor"),
)

# Names and codes in use beside the ones above: another spelling, an ISO 639-3 code of the individual language.
_ALIASES = {"हिंदी": "hi", "swh": "sw", "bangla": "bn", "yoruba": "yo", "español": "es", "castellano": "es", "jp": "ja"}


@cache
def _index() -> dict[str, Language]:
    index = {}
    for language in LANGUAGES:
        for key in (language.code, language.iso639_3, language.english, language.own):
            index[key.casefold()] = language
    return index | {alias: index[code] for alias, code in _ALIASES.items()}


def find_language(key: str) -> Language | None:
    """The language of an ISO 639 code, an English or own name, or a BCP-47 tag (``hi-IN``, ``sw_KE``); else None."""
    name = key.strip().casefold()
    if found := _index().get(name):
        return found
    # BCP-47 (RFC 5646): the primary subtag names the language. Names in own words hold no hyphen.
    primary = name.replace("_", "-").split("-", 1)[0]
    return _index().get(primary) if primary != name and len(primary) in (2, 3) else None


def get_language(key: str) -> Language:
    """Like `find_language`, but an unknown key is an error that lists the known languages.

    Raises:
        InputError: the key names none of the fourteen.
    """
    if found := find_language(key):
        return found
    known = ", ".join(f"{language.english} ({language.code})" for language in LANGUAGES)
    raise InputError(f"unknown language {key!r}", remedy=f"use one of {known}")
