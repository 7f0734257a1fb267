"""What is asked of every item, whatever its kind: text, no marks, no passage behind it, its language."""

import re
from collections.abc import Iterable
from typing import Final

from app.answers import parse_completion
from app.consistency import assess
from app.formats import ANSWER_TAG, STEP_TAG, THINKING_TAG, Format
from app.languages import get_language
from app.prompts import render_completion
from app.rows import check_storable
from training.corpus.calls import Unusable
from training.corpus.instances.refers import reference_to_passage

VERSION: Final = 1  # of all rules about items: another number makes all instances anew

# A model that declines inside an item, or passes on the message of a failure.
_FAILED = re.compile(r"<\s*/?\s*FAIL\s*/?\s*>|\[\s*(?:ERROR|FAIL)\b|\A\s*ERROR\s*:", re.IGNORECASE)
_TAG = re.compile(rf"<\s*/?\s*(?:{THINKING_TAG}|{ANSWER_TAG}|{STEP_TAG}\s*\d*|think)\s*/?\s*>", re.IGNORECASE)


def check_text(texts: Iterable[str]) -> None:
    """Every text says something, can be stored, and is no failure in words.

    Raises:
        Unusable: ``empty``, ``cannot be stored`` or ``declined``.
    """
    for text in texts:
        if not any(map(str.isalnum, text)):
            raise Unusable("empty")
        try:
            check_storable(text)
        except ValueError as error:
            raise Unusable("cannot be stored", str(error)) from None
        if ("<" in text or "[" in text or ":" in text) and (found := _FAILED.search(text)):
            raise Unusable("declined", found[0])


def check_no_tags(texts: Iterable[str]) -> None:
    """No text holds a tag of the completion formats.

    Raises:
        Unusable: ``holds a tag``.
    """
    for text in texts:
        if found := _TAG.search(text):
            raise Unusable("holds a tag", found[0])


def check_parts(reasoning: str, answer: str, format: Format) -> None:
    """A completion of them reads as the same two parts.

    Raises:
        Unusable: ``holds a heading`` or ``holds a tag``, of the format's own.
    """
    if "#" not in reasoning + answer and "<" not in reasoning + answer:
        return  # no heading and no tag
    read = parse_completion(render_completion(reasoning, answer, format), format)
    if (read.reasoning, read.answer, read.well_formed) != (reasoning, answer, True):
        marker = "heading" if format == "himed" else "tag"
        raise Unusable(f"holds a {marker}", "the completion would be read otherwise")


def check_no_reference(texts: Iterable[str], language: str) -> None:
    """No text sends its reader to the passage.

    Raises:
        Unusable: ``refers to the passage``.
    """
    if found := reference_to_passage("\n\n".join(texts), language):
        raise Unusable("refers to the passage", found)


def check_language(text: str, language: str, what: str = "") -> None:
    """The text is in a language (ISO 639-1), or too short to tell.

    Raises:
        Unusable: ``not in Hindi``, or ``partly not in Hindi`` where it is a part; behind ``what``.
    """
    found = assess(text, language)
    if found.verdict in ("consistent", "undetermined"):
        return
    partly = "partly " if found.verdict == "mixed" else ""
    reason = f"{what} {partly}not in {get_language(language).english}".strip()
    raise Unusable(reason, found.foreign[0].text[:80] if found.foreign else "")
