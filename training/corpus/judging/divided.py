"""The text that items are shown in: parts under headings that none of them can hold."""

import hashlib
from collections.abc import Iterable, Sequence


def divided(parts: Iterable[tuple[str, str]]) -> str:
    """Texts under headings, each of which begins with a mark that is made of the texts.

    An item is what a model wrote from a scanned book. Without such a mark it could end itself and go on as the next
    item, or as us.

    Args:
        parts: heading and text.
    """
    parts = list(parts)
    mark = _mark([text for _heading, text in parts])
    lines = [f"Divider: {mark}"]
    for heading, text in parts:
        lines += [f"{mark} {heading}", text]
    return "\n".join([*lines, f"{mark} end"])


def _mark(texts: Sequence[str]) -> str:
    mark = ""
    while not mark or any(mark in text for text in texts):
        mark = hashlib.sha256("\0".join([mark, *texts]).encode()).hexdigest()[:12]
    return mark
