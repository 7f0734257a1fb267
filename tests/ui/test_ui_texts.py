import re
from pathlib import Path

import pytest

import ui
from ui.texts import INTERFACE_LANGUAGES, preferred, texts

SOURCES = Path(ui.__file__).parent


def placeholders(text: str) -> set[str]:
    return set(re.findall(r"{(\w+)", text))


@pytest.mark.parametrize("code", INTERFACE_LANGUAGES)
def test_every_language_says_all_that_english_says_with_the_same_placeholders(code: str) -> None:
    english, other = texts("en").entries, texts(code).entries
    assert set(other) == set(english)
    assert {key for key in english if placeholders(english[key]) != placeholders(other[key])} == set()
    assert all(isinstance(text, str) and text.strip() for text in other.values())


def test_the_hindi_texts_are_in_hindi() -> None:
    def is_hindi(text: str) -> bool:
        letters = [char for char in re.sub(r"{\w+}", "", text) if char.isalpha()]
        return not letters or any("\u0900" <= char <= "\u097f" for char in letters)

    foreign = {key for key, text in texts("hi").entries.items() if not is_hindi(text)}
    assert foreign == {"page.title"}


def test_every_key_that_the_code_names_exists() -> None:
    known = set(texts("en").entries)
    sections = "|".join(sorted({key.partition(".")[0] for key in known}))
    named = set()
    for file in [*SOURCES.rglob("*.py"), *SOURCES.rglob("*.html")]:
        named |= set(re.findall(rf"""["']((?:{sections})\.[a-z0-9_.]+)["']""", file.read_text(encoding="utf-8")))
    plural = {key for key in named if f"{key}.many" in known}
    missing = {key for key in named - plural - known if not key.endswith((".html", ".js", ".css"))}
    assert missing == set()
    assert len(named) > 30


def test_every_key_is_used_somewhere() -> None:
    """In the sections whose keys the code names whole."""
    sources = "\n".join(file.read_text(encoding="utf-8") for file in [*SOURCES.rglob("*.py"), *SOURCES.rglob("*.html")])
    problems = set(re.findall(r'"(\w+)"', (SOURCES / "problems.py").read_text(encoding="utf-8")))
    whole = {key for key in texts("en").entries if key.partition(".")[0] in ("ask", "feedback", "problem")}
    named = set(re.findall(r"""["']([a-z_]+\.[a-z_]+)["']""", sources))
    assert {key for key in whole - named if key.partition(".")[2] not in problems} == set()


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("hi-IN,hi;q=0.9,en;q=0.8", "hi"),
        ("am,en-US;q=0.7", "en"),
        ("fr-FR,hi;q=0.5", "hi"),
        ("", "en"),
        (None, "en"),
        ("*;;;,", "en"),
    ],
)
def test_the_browsers_first_known_language_is_preferred(header: str | None, code: str) -> None:
    assert preferred(header) == code


def test_counts_choose_their_words_and_unknown_codes_are_english() -> None:
    assert texts("sw").code == "en"
    with pytest.raises(KeyError):
        texts("en")("ask.nothing_of_the_kind")
