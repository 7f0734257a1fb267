"""Rows that cannot be read, that training would set aside, and whose tags are not in pairs."""

import re
from collections import defaultdict
from typing import Final

from app.formats import ANSWER_TAG, THINKING_TAG
from app.rows import RowError
from training.corpus.auditing.findings import Finding, Tally
from training.corpus.auditing.read import ID_FIELDS, Source
from training.data.layouts import read_judged, read_record, step_fault

# What a reason quotes differs from row to row: one finding a cause.
_QUOTED: Final = re.compile(r"'.*'|options? [A-Z](?:(?:, | and )[A-Z])*\b")
_TAGS: Final = (f"<{THINKING_TAG}> block", f"<{ANSWER_TAG}> block")


def audit_rows(source: Source, limit: int) -> list[Finding]:
    """Lines that are no rows, rows that training sets aside by reason, unpaired tags, ids that stand twice."""
    findings: list[Finding] = []
    total = len(source.file.rows) + len(source.file.invalid)
    broken = Tally(limit)
    for invalid in source.file.invalid:
        broken.add(invalid.row, invalid.field, invalid.reason)
    findings += broken.finding(
        "rows-unreadable",
        "rows",
        "fault",
        "Rows that are no rows",
        total,
        "rows",
        "no JSON object, or a broken line",
        always=True,
    )
    if source.training_layout is None:
        return findings + _ids(source, limit)
    reasons: dict[tuple[str, str], Tally] = defaultdict(lambda: Tally(limit))
    steps = Tally(limit)
    for row in source.rows:
        try:
            if source.training_layout == "triples":
                read_judged(row.row.fields, row.language)
                continue
            # A file whose language is known from nowhere is none that training cannot read for other reasons.
            record = read_record(row.row.fields, source.training_layout, row.language or "en")
        except RowError as error:
            reasons[error.field, _QUOTED.sub("…", error.reason)].add(row.number, error.field, error.reason)
            continue
        if source.training_layout == "cure-med" and record.tagged and (fault := step_fault(record.reasoning or "")):
            steps.add(row.number, record.reasoning_field or "reasoning", fault)
    for (field, reason), tally in sorted(reasons.items(), key=lambda item: -item[1].count):
        tags = any(tag in reason for tag in _TAGS)
        unknown = reason == "there is no verdict"
        findings += tally.finding(
            f"rows-set-aside-{field}",
            "rows",
            "fault" if tags else "figure" if unknown else "warning",
            f"Set aside: field '{field}': {reason}",
            len(source.rows),
            "rows",
            "the row is refused by the reader of training data",
        )
    findings += steps.finding(
        "tags-steps",
        "rows",
        "warning",
        "Step tags that are not in pairs from 1 upwards",
        len(source.rows),
        "rows",
        "<step1>…</step1><step2>… are expected in order",
    )
    return findings + _ids(source, limit)


def _ids(source: Source, limit: int) -> list[Finding]:
    field = next((name for name in ID_FIELDS if any(name in row.fields for row in source.file.rows)), None)
    if field is None:
        return []
    seen: dict[str, int] = {}
    again = Tally(limit)
    for row in source.file.rows:
        value = str(row.fields.get(field))
        if value in seen:
            again.add(row.number, field, f"{value}, as in row {seen[value]}")
        seen.setdefault(value, row.number)
    return again.finding(
        "ids-repeated",
        "rows",
        "fault",
        f"Rows with the '{field}' of an earlier row",
        len(source.file.rows),
        "rows",
        "the same value, character by character",
    )
