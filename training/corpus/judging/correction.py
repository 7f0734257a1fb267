"""People's corrections put into an instance's row, which must still be an instance after them."""

from typing import Any

from app.formats import ANSWER_TAG, THINKING_TAG
from app.rows import RowError
from training.corpus.calls import Unusable
from training.corpus.instances.checks import check_parts
from training.corpus.judging.items import HIMED_LANGUAGE, Item
from training.corpus.judging.reviewed import Reviewed
from training.corpus.judging.scores import NO_SCORES
from training.data.layouts import Layout, Record, read_record, step_fault

_COLUMNS = {
    "question": "corrected_question",
    "options": "corrected_question",
    "cot": "corrected_reasoning",
    "reasoning": "corrected_reasoning",
    "answer": "corrected_answer",
}


def correct(item: Item, review: Reviewed) -> dict[str, Any]:
    """The row with its corrections and the note ``review``.

    Corrected texts have no scores and no back-translation: those are of other texts.

    Raises:
        InputError: with its corrections the row is no instance of its kind any more.
    """
    row = dict(item.row)
    changed = []
    for field in ("question", item.reasoning_field, "answer"):
        text = review.corrections.get(_COLUMNS[field])
        if text is not None and (text := _tagged(text, field, str(row[field]))) != row[field]:
            row[field] = text
            changed.append(field)
    if changed:
        _check(item, review, row, changed)
        row["scores"] = dict(NO_SCORES)
        if "back_translation" in row:
            row["back_translation"] = None
    row["review"] = {
        "reviewer": review.reviewer or None,
        "verdict": review.verdict,
        "comment": review.comment or None,
        "corrected": changed,
    }
    return row


def _check(item: Item, review: Reviewed, row: dict[str, Any], changed: list[str]) -> None:
    if item.kind == "MCQ":
        _check_choice(item, review, row, changed)
    _check_parts(_read(row, item, review), item, review, changed)
    fault = step_fault(row["reasoning"]) if "reasoning" in changed else None
    if fault is not None and step_fault(item.reasoning) is None:
        raise review.fault("corrected_reasoning", fault, "number the steps <step1>…</step1>, <step2>…</step2>, …")


def _check_parts(record: Record, item: Item, review: Reviewed, changed: list[str]) -> None:
    """Training takes no reasoning or answer that it would read back as others."""
    parts = [field for field in (item.reasoning_field, "answer") if field in changed]
    try:
        if parts:
            check_parts(record.reasoning or "", record.answer, record.format)
    except Unusable as unusable:
        problem = f"with it the instance {unusable.reason} of its format"
        raise review.fault(_COLUMNS[parts[0]], problem, "leave such headings and tags away") from None


def _check_choice(item: Item, review: Reviewed, row: dict[str, Any], changed: list[str]) -> None:
    before = _read(item.row, item, review).options or {}
    letters = ", ".join(before)
    if "answer" in changed:
        row["answer"] = row["answer"].upper()
        if row["answer"] not in before:
            raise review.fault(
                "corrected_answer", f"{row['answer']!r} is no letter of an option", f"write one of {letters}"
            )
    if (after := _read(row, item, review).options or {}).keys() != before.keys():
        raise review.fault(
            "corrected_question",
            f"the question had the options {letters}, and now has {', '.join(after) or 'none'}",
            "copy the whole question with its options and change what is wrong",
        )
    if row["answer"] != item.answer and item.reasoning_field not in changed:
        raise review.fault(
            "corrected_reasoning",
            f"the reasoning leads to {item.answer}, not to {row['answer']}",
            "write the reasoning that leads to the corrected answer",
        )


def _read(row: dict[str, Any], item: Item, review: Reviewed) -> Record:
    layout: Layout = "himed-trad" if item.reasoning_field == "cot" else "cure-med"
    try:
        return read_record(row, layout, HIMED_LANGUAGE)
    except RowError as error:
        column = _COLUMNS.get(error.field, error.field)
        raise review.fault(column, error.reason, "correct the correction") from None


def _tagged(text: str, field: str, original: str) -> str:
    """What somebody typed, in the tags that the original stands in."""
    tag = {"answer": ANSWER_TAG, "reasoning": THINKING_TAG}.get(field)
    if tag is None or not original.lstrip().startswith(f"<{tag}>") or f"<{tag}>" in text or f"</{tag}>" in text:
        return text
    return f"<{tag}>{text}</{tag}>"
