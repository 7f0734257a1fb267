"""Splits a completion into reasoning and answer by its format.

One rule for all formats: once reasoning has been opened, nothing counts as the answer until it is closed. A completion
cut off inside its reasoning has no answer; the reasoning is never passed off as one. A completion without any marker of
its format is all answer (a model that only says "D" has answered), but not well formed.
"""

import re
from dataclasses import dataclass

from app.formats import ANSWER_TAG, RESPONSE_HEADING, STEP_TAG, THINKING_HEADING, THINKING_TAG, Format


@dataclass(frozen=True, slots=True)
class Completion:
    """A completion's parts, stripped; None where a part is absent or empty.

    ``well_formed`` says that the format was kept to the letter: for ``plain`` an answer and no open reasoning, for
    ``himed`` both headings once each, in order, nothing before them, for ``cure-med`` exactly one thinking and one
    answer block in order; in the last two neither part empty.
    """

    reasoning: str | None
    answer: str | None
    well_formed: bool


def parse_completion(text: str, format: Format) -> Completion:
    """Splits a completion of the given format.

    Reasoning models' ``<think>…</think>`` is taken off first in every format, also when the prompt's template has
    opened it and only ``</think>`` is left; in ``himed`` and ``cure-med`` it costs the completion its good form. Where
    a format's answer block stands several times the last one is read. An answer block that was opened and cut off is
    read as far as it goes: that it was cut off is the finish reason's business.
    """
    thought, rest, closed = _split_think(text)
    if not closed:
        return Completion(thought, None, False)
    if format == "plain":
        answer = _some(rest)
        return Completion(thought, answer, answer is not None)
    completion = _parse_himed(rest) if format == "himed" else _parse_cure_med(rest)
    if rest is text:
        return completion
    return Completion(completion.reasoning or thought, completion.answer, False)


def _some(text: str) -> str | None:
    return text.strip() or None


_THINK = re.compile(r"<(/?)think>", re.IGNORECASE)


def _split_think(text: str) -> tuple[str | None, str, bool]:
    """The thought, the text after it, and whether the thought was closed; the same text where there is none."""
    tags = list(_THINK.finditer(text))
    if not tags:
        return None, text, True
    # A thought stands first; a tag named in the middle of an answer opens nothing.
    start = tags[0].end() if not tags[0][1] else 0
    if not tags[0][1] and text[: tags[0].start()].strip():
        return None, text, True
    for tag in tags:
        if tag[1]:
            return _some(text[start : tag.start()]), text[tag.end() :], True
    return _some(text[start:]), "", False


_HIMED_HEADING = re.compile(
    # A heading stands alone on its line. Bold, a colon, another level or case are read but not to the letter; words
    # behind a colon on the line are read as its block, unless the same heading stands alone on a line too.
    r"^[ \t]*#{1,6}[ \t]*[*_]*(?P<name>thinking|response)[*_]*[ \t]*(?::[*_]*(?P<more>[^\n]*))?$",
    re.IGNORECASE | re.MULTILINE,
)
_HIMED_EXACT = frozenset((THINKING_HEADING, RESPONSE_HEADING))


def _inline(heading: re.Match[str]) -> bool:
    return bool((heading["more"] or "").strip())


def _parse_himed(text: str) -> Completion:
    found = list(_HIMED_HEADING.finditer(text))
    alone = {heading["name"].lower() for heading in found if not _inline(heading)}
    headings = [heading for heading in found if not (_inline(heading) and heading["name"].lower() in alone)]
    if not headings:
        return Completion(None, _some(text), False)

    names = [heading["name"].lower() for heading in headings]
    ends = [heading.start() for heading in headings[1:]] + [len(text)]
    starts = [heading.start("more") if _inline(heading) else heading.end() for heading in headings]
    blocks = [_some(text[start:end]) for start, end in zip(starts, ends, strict=True)]
    before = _some(text[: headings[0].start()])

    answers = [block for name, block in zip(names, blocks, strict=True) if name == "response"]
    thoughts = [block for name, block in zip(names, blocks, strict=True) if name == "thinking"]
    reasoning = next((thought for thought in thoughts if thought), before)
    answer = answers[-1] if answers else None
    exact = all(heading[0].rstrip() in _HIMED_EXACT for heading in headings)
    in_order = names == ["thinking", "response"] and before is None
    return Completion(reasoning, answer, exact and in_order and bool(reasoning) and bool(answer))


_TAG = re.compile(rf"<(?P<close>/?)\s*(?P<name>{THINKING_TAG}|{ANSWER_TAG})\s*>", re.IGNORECASE)
_ANSWER_OPENING = re.compile(rf"<{ANSWER_TAG}>", re.IGNORECASE)
_STEP = re.compile(rf"<(?P<close>/?){STEP_TAG}\d*>", re.IGNORECASE)
_CURE_MED_EXACT = [f"<{THINKING_TAG}>", f"</{THINKING_TAG}>", f"<{ANSWER_TAG}>", f"</{ANSWER_TAG}>"]


def _parse_cure_med(text: str) -> Completion:
    reasoning, rest, closed = _split_thinking(text)
    answer = _last_answer(rest, whole=closed)
    if reasoning is None and (opening := _ANSWER_OPENING.search(rest)):
        reasoning = _some(rest[: opening.start()])
    well_formed = [tag[0] for tag in _TAG.finditer(text)] == _CURE_MED_EXACT and bool(reasoning) and bool(answer)
    return Completion(reasoning, answer, well_formed)


def _split_thinking(text: str) -> tuple[str | None, str, bool]:
    """The thinking block, the text that may hold the answer, and whether the block was closed."""
    tags = [tag for tag in _TAG.finditer(text) if tag["name"].lower() == THINKING_TAG]
    closing = next((tag for tag in tags if tag["close"]), None)
    if closing:
        opening = tags[0] if not tags[0]["close"] else None
        return _some(text[opening.end() if opening else 0 : closing.start()]), text[closing.end() :], True
    if tags:
        return _open_thinking(text, tags[0].end())
    # Steps without a thinking tag around them are reasoning all the same.
    steps = list(_STEP.finditer(text))
    if not steps:
        return None, text, True
    if steps[-1]["close"]:
        return _some(text[steps[0].start() : steps[-1].end()]), text[steps[-1].end() :], True
    return _open_thinking(text, steps[0].start())


def _open_thinking(text: str, start: int) -> tuple[str | None, str, bool]:
    """Reasoning that nobody closed: only an answer block that ends the text is not part of it."""
    tags = [tag for tag in _TAG.finditer(text, start) if tag["name"].lower() == ANSWER_TAG]
    if len(tags) > 1 and tags[-1]["close"] and not tags[-2]["close"] and not text[tags[-1].end() :].strip():
        return _some(text[start : tags[-2].start()]), text[tags[-2].start() :], False
    return _some(text[start:]), "", False


def _last_answer(text: str, *, whole: bool) -> str | None:
    """The last answer block's content; all the text where there is no tag and ``whole`` allows it."""
    tags = [tag for tag in _TAG.finditer(text) if tag["name"].lower() == ANSWER_TAG]
    if not tags:
        return _some(text) if whole else None
    opening = next((i for i in reversed(range(len(tags))) if not tags[i]["close"]), None)
    if opening is None:
        return _some(text[: tags[-1].start()])
    end = tags[opening + 1].start() if opening + 1 < len(tags) else len(text)
    return _some(text[tags[opening].end() : end])
