"""Passages that cannot stand alone join the one before them, and those that can be used are picked."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from training.corpus.passages.passage import Flags, Passage, all_of, any_of


def combine(passages: Iterable[Passage], max_chars: int | None = None) -> list[Passage]:
    """Join each run of ambiguous passages to the unambiguous one before it.

    The whole is in the first one's language, medical where any part is, ambiguous and a title where all parts are.
    A run joins as far as it fits. What does not fit stays as it is, ambiguous, and so do runs at the beginning of the
    book or behind a passage of which nobody knows whether it is ambiguous: nothing is joined over a gap.

    Args:
        passages: in the order of the book.
        max_chars: longest joined text in characters, its line ends included; None for any.
    """
    combined: list[Passage] = []
    parts: list[Passage] = []  # the unambiguous one and what joins it; empty where nothing may join
    length = 0
    for passage in passages:
        grown = length + 1 + len(passage.text)
        if parts and passage.flags.has_ambiguity is True and (max_chars is None or grown <= max_chars):
            parts.append(passage)
            length = grown
            continue
        if parts:
            combined.append(_joined(parts))
        parts, length = [], 0
        if passage.flags.has_ambiguity is False:
            parts, length = [passage], len(passage.text)
        else:
            combined.append(passage)
    if parts:
        combined.append(_joined(parts))
    return combined


def pick(passages: Iterable[Passage], language: str = "Hindi") -> list[tuple[Passage, str | None]]:
    """Each passage with the first reason against it; None for one that goes on.

    What goes on is in the language, medical, unambiguous and no title, and known to be so.
    """
    return [(passage, _reason_against(passage.flags, language)) for passage in passages]


def _reason_against(flags: Flags, language: str) -> str | None:
    wanted = (
        ("is_hindi", True, f"not {language}"),
        ("is_medical", True, "not medical"),
        ("has_ambiguity", False, "ambiguous"),
        ("is_title_or_heading", False, "title or heading"),
    )
    for name, value, reason in wanted:
        flag = getattr(flags, name)
        if flag is not value:
            return f"unknown: {name}" if flag is None else reason
    return None


def _joined(parts: Sequence[Passage]) -> Passage:
    if len(parts) == 1:
        return parts[0]
    flags = [part.flags for part in parts]
    return replace(
        parts[0],
        text="\n".join(part.text for part in parts),
        pages=tuple(sorted({page for part in parts for page in part.pages})),
        flags=Flags(
            is_hindi=flags[0].is_hindi,
            is_medical=any_of(each.is_medical for each in flags),
            has_ambiguity=all_of(each.has_ambiguity for each in flags),
            is_title_or_heading=all_of(each.is_title_or_heading for each in flags),
        ),
        trouble=next((part.trouble for part in parts if part.trouble), ""),
    )
