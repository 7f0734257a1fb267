"""The releases' layouts, and rows of them as plain records.

- ``himed-west``: ``{prompt, Complex_CoT, ground_truth, source}``, Hindi.
- ``himed-trad``: ``{question, answer, cot, type, system, subject, source}``, Hindi; an MCQ's options stand inside
  ``question``, its ``answer`` is a letter.
- ``cure-med``: ``{question, reasoning, answer, language}``, with ``<thinking>`` and ``<answer>`` inside the fields.
- ``triples``: ``{response, reference, correct}``, with ``question`` and ``language`` or without; a file of predictions
  with a judge's verdicts (``judge_correct``) is one too.
- ``questions``: ``{question, answer, language}`` and no reasoning.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from app.answers import extract_choice
from app.errors import InputError
from app.formats import ANSWER_TAG, STEP_TAG, THINKING_TAG, Format
from app.options import read_options
from app.row_fields import row_groups, row_language
from app.rows import RowError, RowFile, first_field, read_text

Layout = Literal["himed-west", "himed-trad", "cure-med", "triples", "questions"]

VERDICT_FIELDS = ("correct", "judge_correct")

# A row's layout is the first whose fields it has all.
_SIGNS: Final[Mapping[Layout, tuple[str, ...]]] = {
    "himed-west": ("prompt", "ground_truth"),
    "himed-trad": ("question", "answer", "cot"),
    "cure-med": ("question", "answer", "reasoning"),
    "triples": ("response", "reference"),
    "questions": ("question", "answer"),
}
_FIELDS: Final[Mapping[Layout, tuple[str, str, str | None]]] = {
    "himed-west": ("prompt", "ground_truth", "Complex_CoT"),
    "himed-trad": ("question", "answer", "cot"),
    "cure-med": ("question", "answer", "reasoning"),
    "questions": ("question", "answer", None),
}
_FORMATS: Final[Mapping[Layout, Format]] = {
    "himed-west": "himed",
    "himed-trad": "himed",
    "cure-med": "cure-med",
    "questions": "cure-med",
}
_VERDICTS: Final[Mapping[str, bool]] = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}
_STEP = re.compile(rf"<(/?){STEP_TAG}(\d*)>")


@dataclass(frozen=True, slots=True)
class Record:
    """A question and its solution. ``options`` as letter to text, None for an open question; the answer as it stands,
    without tags; ``tagged`` says that reasoning and answer stood in CURE-Med's blocks."""

    question: str
    options: Mapping[str, str] | None
    answer: str
    reasoning: str | None
    reasoning_field: str | None
    language: str
    format: Format
    groups: Mapping[str, str]
    tagged: bool


@dataclass(frozen=True, slots=True)
class Judged:
    """A response, its reference and the verdict; the question and its language where the row has them."""

    response: str
    reference: str
    correct: bool
    question: str | None
    language: str | None
    groups: Mapping[str, str]


def find_layout(file: RowFile) -> Layout:
    """The layout that most rows have; in a draw the one that comes first in the list above.

    Raises:
        InputError: no row has the fields of any.
    """
    votes: Counter[Layout] = Counter()
    for row in file.rows:
        if found := next((layout for layout, names in _SIGNS.items() if row.fields.keys() >= set(names)), None):
            votes[found] += 1
    if not votes:
        known = "; ".join(", ".join(names) for names in _SIGNS.values())
        fields = ", ".join(file.rows[0].fields) if file.rows else "none"
        raise InputError(f"no training data: its fields are {fields}", file=file.path, remedy=f"a row needs {known}")
    return max(_SIGNS, key=lambda layout: votes[layout])


def read_record(fields: Mapping[str, object], layout: Layout, default_language: str | None) -> Record:
    """A row of any layout but ``triples``. The language is the row's own, else the default.

    Raises:
        RowError: a field is missing, empty or malformed.
    """
    question_field, answer_field, reasoning_field = _FIELDS[layout]
    question = _required(fields, question_field)
    answer = _required(fields, answer_field, numbers=True)
    reasoning = ""
    if reasoning_field is not None and reasoning_field in fields:
        reasoning = read_text(fields, reasoning_field)
    tagged = False
    if layout in ("cure-med", "questions"):
        tagged = _has_tag(answer, ANSWER_TAG) or _has_tag(reasoning, THINKING_TAG)
        if tagged:
            answer = _unwrap(answer, ANSWER_TAG, answer_field)
            if reasoning:
                reasoning = _unwrap(reasoning, THINKING_TAG, reasoning_field or "reasoning")
    language = row_language(fields, default_language)
    if language is None:
        raise RowError("language", "the language is missing")
    groups = row_groups(fields)
    question, options = _read_options(fields, layout, _kind(layout, groups), question, answer_field, answer)
    return Record(
        question=question,
        options=options,
        answer=answer,
        reasoning=reasoning or None,
        reasoning_field=reasoning_field,
        language=language,
        format=_FORMATS[layout],
        groups=groups,
        tagged=tagged,
    )


def read_judged(fields: Mapping[str, object], default_language: str | None) -> Judged:
    """A row of the layout ``triples``.

    Raises:
        RowError: a field is missing, empty or malformed; a row without a verdict is no training data.
    """
    response, reference = _required(fields, "response"), _required(fields, "reference")
    question = read_text(fields, "question") if "question" in fields else ""
    named = "language" in fields or default_language is not None
    return Judged(
        response=response,
        reference=reference,
        correct=_verdict(fields),
        question=question or None,
        language=row_language(fields, default_language) if named else None,
        groups=row_groups(fields),
    )


def step_fault(reasoning: str) -> str | None:
    """What is wrong with CURE-Med's step tags: they should be ``<step1>…</step1><step2>…`` in order; None if right."""
    tags = _STEP.findall(reasoning)
    if not tags:
        return "the reasoning has no step tags"
    expected = [(close, str(number)) for number in range(1, len(tags) // 2 + 1) for close in ("", "/")]
    return None if tags == expected else "the step tags are not in pairs from 1 upwards"


def _read_options(
    fields: Mapping[str, object], layout: Layout, kind: str | None, question: str, answer_field: str, answer: str
) -> tuple[str, Mapping[str, str] | None]:
    """The question without its options, and these. CURE-Med's answers are sentences: with options they may state one.

    Raises:
        RowError: the options cannot be used, or the gold is none of them.
    """
    try:
        return read_options(fields, kind, question, answer_field, answer)[:2]
    except RowError as error:
        if error.field != answer_field or layout != "cure-med":
            raise
        question, options, _ = read_options(fields, kind, question, answer_field, "A")
        if options is None or extract_choice(answer, options).letter is None:
            raise error from None
        return question, options


def _required(fields: Mapping[str, object], name: str, *, numbers: bool = False) -> str:
    if name not in fields:
        raise RowError(name, "the field is missing")
    text = read_text(fields, name, numbers=numbers)
    if not text:
        raise RowError(name, "the field is empty")
    return text


def _kind(layout: Layout, groups: Mapping[str, str]) -> str | None:
    """The kind that `read_options` goes by: the same as in evaluation, so that prompts are the same too."""
    if layout in ("cure-med", "questions"):
        return "qa"  # CURE-Med answers lists in words too: only a field ``options`` makes a question multiple choice
    stated = groups.get("type", "").casefold()
    return stated if stated in ("mcq", "qa", "dialogue") else None


def _verdict(fields: Mapping[str, object]) -> bool:
    name = first_field(fields, VERDICT_FIELDS)
    if name is None:
        raise RowError(VERDICT_FIELDS[0], "the field is missing")
    value = fields[name]
    if isinstance(value, bool):
        return value
    text = read_text(fields, name, numbers=True).casefold()
    if not text:
        raise RowError(name, "there is no verdict")
    if text not in _VERDICTS:
        raise RowError(name, "the verdict is neither true nor false")
    return _VERDICTS[text]


def _has_tag(text: str, tag: str) -> bool:
    return f"<{tag}>" in text or f"</{tag}>" in text


def _unwrap(text: str, tag: str, field: str) -> str:
    opened, closed = text.count(f"<{tag}>"), text.count(f"</{tag}>")
    if not opened and not closed:
        raise RowError(field, f"the <{tag}> block is missing")
    if not opened or not closed:
        raise RowError(field, f"the <{tag}> block is not {'closed' if opened else 'opened'}")
    if opened > 1 or closed > 1:
        raise RowError(field, f"there is more than one <{tag}> block")
    if not text.startswith(f"<{tag}>") or not text.endswith(f"</{tag}>"):
        raise RowError(field, f"text stands outside the <{tag}> block")
    inner = text[len(tag) + 2 : -len(tag) - 3].strip()
    if not inner:
        raise RowError(field, f"the <{tag}> block is empty")
    return inner
