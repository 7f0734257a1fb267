"""Rows to instances, one file after another; a row that cannot be used is set aside by name."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from app.answers import parse_completion
from app.data_files import language_of_name
from app.errors import InputError
from app.prompts import Message, build_messages, render_completion
from app.rows import InvalidRow, Row, RowError, RowFile, read_rows
from training.data.instances import Example, Instance, RLPrompt, Stage, Triple
from training.data.layouts import Layout, Record, find_layout, read_judged, read_record, step_fault
from training.data.model import Duplicate, FileSummary, Overlap
from training.data.overlap import QuestionIndex

# The tokens of a chat, template included; `TokenCounter` is one.
CountTokens = Callable[[Sequence[Message]], int]

# The stages of each layout, the usual one first.
STAGES_OF: Final[dict[Layout, tuple[Stage, ...]]] = {
    "himed-west": ("rc", "la", "rl"),
    "himed-trad": ("rc", "la", "rl"),
    "cure-med": ("sft", "rl"),
    "triples": ("reward-model",),
    "questions": ("rl",),
}
_HINDI: Final[tuple[Layout, ...]] = ("himed-west", "himed-trad")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a row is held against: benchmark questions and, where ``count_tokens`` is given, a length in tokens."""

    index: QuestionIndex | None = None
    allow_overlap: bool = False
    count_tokens: CountTokens | None = None
    max_length: int | None = None


@dataclass(slots=True)
class Sieve:
    """Takes files one after another and keeps what can be used."""

    limits: Limits
    instances: list[Instance] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)  # of each instance; empty without count_tokens
    files: list[FileSummary] = field(default_factory=list)
    set_aside: list[InvalidRow] = field(default_factory=list)
    notes: list[InvalidRow] = field(default_factory=list)
    duplicates: list[Duplicate] = field(default_factory=list)
    overlap: list[Overlap] = field(default_factory=list)
    not_compared: int = 0
    _first: dict[object, Instance] = field(default_factory=dict)

    def add(self, path: Path, *, stage: Stage | None = None, language: str | None = None) -> None:
        """Read one file for a stage, the usual one of its layout by default.

        ``language`` is the code of rows that name none, where the file's name says nothing.

        Raises:
            InputError: the file cannot be read as a whole, has no known layout, or one of another stage.
        """
        file = read_rows(path)
        layout = find_layout(file)
        stage = stage or STAGES_OF[layout][0]
        if stage not in STAGES_OF[layout]:
            usual = ", ".join(STAGES_OF[layout])
            raise InputError(f"the layout {layout} is no data for {stage}", file=path, remedy=f"it serves {usual}")
        default = language_of_name(path) or ("hi" if layout in _HINDI else language)
        outcomes = Counter(self._add_row(file, row, layout, stage, default) for row in file.rows)
        self.set_aside += [replace(row, file=str(path)) for row in file.invalid]
        self.files.append(
            FileSummary(
                file=str(path),
                sha256=file.sha256,
                layout=layout,
                stage=stage,
                rows=len(file.rows) + len(file.invalid),
                kept=outcomes["kept"],
                set_aside=outcomes["set aside"] + len(file.invalid),
                duplicates=outcomes["duplicate"],
                overlap=outcomes["overlap"],
            )
        )

    def _add_row(self, file: RowFile, row: Row, layout: Layout, stage: Stage, language: str | None) -> str:
        try:
            instance, note = _make(row, file.path, layout, stage, language)
            tokens = self._measure(instance)
        except RowError as error:
            self.set_aside.append(InvalidRow(str(file.path), row.number, error.field, error.reason))
            return "set aside"
        first = self._first.setdefault(_content(instance), instance)
        if first is not instance:
            self.duplicates.append(Duplicate(str(file.path), row.number, str(first.file), first.row))
            return "duplicate"
        if self._overlaps(instance) and not self.limits.allow_overlap:
            return "overlap"
        if note:
            self.notes.append(InvalidRow(str(file.path), row.number, note.field, note.reason))
        self.instances.append(instance)
        if tokens is not None:
            self.tokens.append(tokens)
        return "kept"

    def _measure(self, instance: Instance) -> int | None:
        if self.limits.count_tokens is None:
            return None
        tokens = self.limits.count_tokens(instance.chat)
        if self.limits.max_length is not None and tokens > self.limits.max_length:
            raise RowError("row", f"longer than {self.limits.max_length} tokens")
        return tokens

    def _overlaps(self, instance: Instance) -> bool:
        if self.limits.index is None:
            return False
        if instance.question is None:
            self.not_compared += 1
            return False
        match = self.limits.index.find(instance.question)
        if match is None:
            return False
        self.overlap.append(
            Overlap(
                file=str(instance.file),
                row=instance.row,
                benchmark=str(match.question.file),
                benchmark_row=match.question.row,
                kind=match.kind,
                similarity=round(match.similarity, 4),
            )
        )
        return True


def _make(row: Row, file: Path, layout: Layout, stage: Stage, language: str | None) -> tuple[Instance, RowError | None]:
    """The row's instance for a stage, and a fault that does not keep it from being used.

    Raises:
        RowError: it cannot be used.
    """
    if layout == "triples":
        judged = read_judged(row.fields, language)
        triple = Triple(
            stage=stage,
            question=judged.question,
            language=judged.language,
            groups=judged.groups,
            file=file,
            row=row.number,
            response=judged.response,
            reference=judged.reference,
            correct=judged.correct,
        )
        return triple, None
    record = read_record(row.fields, layout, language)
    if stage == "rl":
        return _rl_prompt(record, file, row.number), None
    note = None
    if stage == "la":
        completion = record.answer
    else:
        completion = _completion(record)
        if record.format == "cure-med" and (fault := step_fault(record.reasoning or "")):
            note = RowError(record.reasoning_field or "reasoning", fault)
    example = Example(
        stage=stage,
        question=record.question,
        language=record.language,
        groups=record.groups,
        file=file,
        row=row.number,
        messages=_messages(record),
        completion=completion,
    )
    return example, note


def _completion(record: Record) -> str:
    field_name = record.reasoning_field or "reasoning"
    if record.reasoning is None:
        raise RowError(field_name, "the reasoning is missing or empty")
    if record.format == "cure-med" and not record.tagged:
        raise RowError(field_name, "the <thinking> and <answer> blocks are missing")
    completion = render_completion(record.reasoning, record.answer, record.format)
    # What the evaluator would not read back as reasoning and answer must not be taught.
    parsed = parse_completion(completion, record.format)
    if not parsed.well_formed or (parsed.reasoning, parsed.answer) != (record.reasoning, record.answer):
        raise RowError(field_name, "the completion's own markers stand inside the reasoning or the answer")
    return completion


def _rl_prompt(record: Record, file: Path, row: int) -> RLPrompt:
    return RLPrompt(
        stage="rl",
        question=record.question,
        language=record.language,
        groups=record.groups,
        file=file,
        row=row,
        messages=_messages(record),
        answer=record.answer,
        reasoning=record.reasoning,
    )


def _messages(record: Record) -> tuple[Message, ...]:
    return tuple(
        build_messages(record.question, format=record.format, language=record.language, options=record.options)
    )


def _content(instance: Instance) -> object:
    """What two rows of one stage must share to be the same instance."""
    if isinstance(instance, Triple):
        return instance.stage, instance.response, instance.reference, instance.correct
    return instance.stage, instance.language, *instance.parts
