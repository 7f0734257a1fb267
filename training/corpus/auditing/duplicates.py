"""Questions that stand twice: in one file, in several named files, and in files that it is held against."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from app.data_files import data_files
from app.options import fold_space
from app.questions import normalise_question
from training.corpus.auditing.findings import Figures, Finding, Tally, excerpt, printable
from training.corpus.auditing.golds import read_gold
from training.corpus.auditing.near import near_matches
from training.corpus.auditing.read import ID_FIELDS, AuditRow, Source
from training.data.overlap import QuestionIndex, read_benchmarks

# More different questions of one file than this are not compared pair by pair here.
MOST_NEAR: Final = 20_000

_SHOWN: Final = 70
_NORMALISED: Final = "case, runs of white space and outer punctuation aside, vowel signs kept"


@dataclass(slots=True)
class Earlier:
    """The questions of the files audited before: normalised question -> its first file and row."""

    first: dict[str, tuple[str, int]] = field(default_factory=dict)


def audit_duplicates(source: Source, earlier: Earlier, limit: int) -> list[Finding]:
    """Rows, questions and questions with options that repeat an earlier one; near ones; golds that then differ."""
    rows = [(row, text) for row in source.rows if (text := _asked(row))]
    if not rows:
        return _rows_again(source, limit)
    findings = _rows_again(source, limit) + _questions(rows, limit) + _with_options(rows, limit)
    findings += _near(rows, limit) + _responses(source, limit)
    return findings + _in_earlier(source, rows, earlier, limit)


def _asked(row: AuditRow) -> str:
    return normalise_question(row.stem or row.question or "")


def _rows_again(source: Source, limit: int) -> list[Finding]:
    seen: dict[str, int] = {}
    again = Tally(limit)
    for row in source.file.rows:
        content = repr(sorted((name, repr(value)) for name, value in row.fields.items() if name not in ID_FIELDS))
        if content in seen:
            again.add(row.number, "row", f"is row {seen[content]} again")
        seen.setdefault(content, row.number)
    return again.finding(
        "rows-repeated",
        "duplicates",
        "fault",
        "Rows that repeat an earlier row",
        len(source.file.rows),
        "rows",
        "every field equal but for its number or id",
        always=True,
    )


def _questions(rows: Sequence[tuple[AuditRow, str]], limit: int) -> list[Finding]:
    seen: dict[str, tuple[int, str | None]] = {}
    again, alike = Tally(limit), 0
    for row, text in rows:
        gold = _gold_text(row)
        if text in seen:
            again.add(row.number, row.question_field, f"as row {seen[text][0]}: {row.stem}")
            alike += gold is not None and gold == seen[text][1]
        seen.setdefault(text, (row.number, gold))
    several = sum(n > 1 for n in Counter(text for _, text in rows).values())
    return again.finding(
        "question-repeated",
        "duplicates",
        "warning",
        "Questions that repeat an earlier question, whatever their options",
        len(rows),
        "questions",
        f"the question without its options; {_NORMALISED}",
        f"{len(seen):,} different questions; {several:,} of them stand more than once; {alike:,} "
        "repeats have the same right answer, word for word",
        always=True,
    )


def _gold_text(row: AuditRow) -> str | None:
    """The right answer in words; None where the gold is empty or names no option."""
    if not row.answer or not row.options:
        return fold_space(row.answer) if row.answer and not row.is_choice else None
    letter = read_gold(row.answer, row.options).letter
    return fold_space(row.options[letter]) if letter else None


def _with_options(rows: Sequence[tuple[AuditRow, str]], limit: int) -> list[Finding]:
    """Rows that ask the same with the same options, in whatever order; and those of them with another right option."""
    seen: dict[object, tuple[int, str | None]] = {}
    again, conflicts = Tally(limit), Tally(limit)
    same_order = 0
    orders: set[object] = set()
    choices = [(row, text) for row, text in rows if row.options]
    for row, text in choices:
        options = row.options or {}
        texts = [fold_space(option) for option in options.values()]
        key, order = (text, tuple(sorted(texts))), (text, tuple(texts))
        gold = _gold_text(row)
        if key in seen:
            first, other = seen[key]
            again.add(row.number, row.question_field, f"as row {first}: {row.stem}")
            same_order += order in orders
            if gold is not None and other is not None and gold != other:
                conflicts.add(row.number, row.answer_field, f"“{gold}”, in row {first} “{other}”: {row.stem}")
        seen.setdefault(key, (row.number, gold))
        orders.add(order)
    findings = again.finding(
        "question-and-options-repeated",
        "duplicates",
        "fault",
        "Exact double questions: same question, same options",
        len(choices),
        "multiple-choice rows with options",
        f"question: {_NORMALISED}; options: equal as a set but for runs of white space",
        f"{same_order} of them with the options in the same order",
        always=bool(choices),
    )
    return findings + conflicts.finding(
        "double-golds-differ",
        "duplicates",
        "fault",
        "Double questions with another right option",
        len(choices),
        "multiple-choice rows with options",
        "same question and options as an earlier row, another option's text as gold",
    )


def _near(rows: Sequence[tuple[AuditRow, str]], limit: int) -> list[Finding]:
    first: dict[str, AuditRow] = {}
    for row, text in rows:
        first.setdefault(text, row)
    title = "Questions nearly the same as an earlier one"
    counted = "similarity of 0.7 and more: Jaccard over sets of character 5-grams; exact repeats are counted above"
    if len(first) > MOST_NEAR:
        note = f"not looked for: more than {MOST_NEAR:,} different questions; `decontaminate` looks for them"
        return [
            Finding("question-near", "duplicates", "figure", title, 0, 0, "different questions", counted, note=note)
        ]
    texts, owners = list(first), list(first.values())
    near = Tally(limit)
    for number, (other, similarity) in near_matches(texts).items():
        row, twin = owners[number], owners[other]
        shown = f"{similarity:.2f} to row {twin.number}: {excerpt(row.stem, _SHOWN)} ≈ {excerpt(twin.stem, _SHOWN)}"
        near.add(row.number, row.question_field, shown)
    return near.finding(
        "question-near",
        "duplicates",
        "warning",
        title,
        len(first),
        "different questions",
        counted,
        always=True,
    )


def _responses(source: Source, limit: int) -> list[Finding]:
    """One answer given to many questions, which open answers of some length should not be."""
    seen: dict[str, tuple[int, str]] = {}
    again = Tally(limit)
    answers = [row for row in source.rows if row.answer and not row.is_choice and len(row.answer) >= _LONG_ANSWER]
    for row in answers:
        text, asked = normalise_question(row.answer or ""), _asked(row)
        if text in seen and seen[text][1] != asked:
            again.add(row.number, row.answer_field, f"as row {seen[text][0]}: {row.answer}")
        seen.setdefault(text, (row.number, asked))
    return again.finding(
        "answer-repeated",
        "duplicates",
        "warning",
        "Long answers that were given to another question before",
        len(answers),
        f"open answers of {_LONG_ANSWER} and more characters",
        _NORMALISED,
    )


_LONG_ANSWER: Final = 100


def _in_earlier(source: Source, rows: Sequence[tuple[AuditRow, str]], earlier: Earlier, limit: int) -> list[Finding]:
    """Questions that stand in a file that was named before this one."""
    again = Tally(limit)
    files: Counter[str] = Counter()
    own = str(source.file.path)
    for row, text in rows:
        at = earlier.first.setdefault(text, (own, row.number))
        if at[0] != own:
            files[at[0]] += 1
            again.add(row.number, row.question_field, f"as row {at[1]} of {short(at[0])}: {row.stem}")
    return again.finding(
        "question-in-other-file",
        "duplicates",
        "warning",
        "Questions that stand in a file named before",
        len(rows),
        "questions",
        _NORMALISED,
        "; ".join(f"{short(name)}: {n:,}" for name, n in sorted(files.items())) or None,
    )


@dataclass(slots=True)
class Others:
    """The questions of the files to be held against, with the files by their resolved paths."""

    files: tuple[Path, ...]
    indexes: dict[Path, QuestionIndex] = field(default_factory=dict)


def read_others(paths: Sequence[Path]) -> Others:
    """Index each file, those of folders one by one.

    Raises:
        InputError: a path does not exist or cannot be read, or a file has no question.
    """
    files = tuple(file for path in paths for file in (data_files(path) if path.is_dir() else [path]))
    return Others(files, {file: QuestionIndex(read_benchmarks([file])) for file in files})


def audit_overlap(source: Source, others: Others, limit: int) -> tuple[list[Finding], list[Figures]]:
    """Questions that stand, exactly or nearly, in a file to be held against; a file is not held against itself."""
    own = source.file.path.resolve()
    indexes = {file: index for file, index in others.indexes.items() if file.resolve() != own}
    rows = [row for row in source.rows if row.question]
    if not indexes or not rows:
        return [], []
    tallies = {"exact": Tally(limit), "near": Tally(limit)}
    by_file: dict[Path, Counter[str]] = {file: Counter() for file in indexes}
    for row in rows:
        kinds: dict[str, str] = {}
        for file, index in indexes.items():
            if match := index.find(row.stem or row.question or ""):
                by_file[file][match.kind] += 1
                place = f"row {match.question.row} of {short(str(file))}"
                words = place if match.kind == "exact" else f"{match.similarity:.2f} to {place}"
                kinds.setdefault(
                    match.kind, f"{words}: {excerpt(row.stem, _SHOWN)} ≈ {excerpt(match.question.text, _SHOWN)}"
                )
        kind = "exact" if "exact" in kinds else "near"
        if kinds:
            tallies[kind].add(row.number, row.question_field, kinds[kind])
    findings = tallies["exact"].finding(
        "overlap-exact",
        "overlap",
        "fault",
        "Questions that stand in another file",
        len(rows),
        "questions",
        _NORMALISED,
        always=True,
    )
    findings += tallies["near"].finding(
        "overlap-near",
        "overlap",
        "warning",
        "Questions nearly the same as one in another file",
        len(rows),
        "questions",
        "similarity of 0.7 and more: Jaccard over sets of character 5-grams; no exact ones",
        always=True,
    )
    table = Figures(
        "overlap-files",
        "overlap",
        "Overlap by file",
        ("File", "Questions there", "Exact", "Near"),
        tuple((short(str(file)), len(indexes[file]), n["exact"], n["near"]) for file, n in by_file.items()),
        "A question may stand in several files: these counts may add up to more than the findings.",
    )
    return findings, [table]


def short(file: str) -> str:
    """The file with its folder: every release has a ``Hindi.jsonl``."""
    return printable("/".join(Path(file).parts[-2:]))
