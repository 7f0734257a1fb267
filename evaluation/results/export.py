"""A run as a file for other programs, or for people: the suffix says which."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson

from app.errors import InputError
from app.files import write_whole
from app.formats import cure_med_completion, himed_completion
from evaluation.reports.model import Report
from evaluation.results.records import Generation, Record

# One line per generation.
_ITEM_SUFFIXES = (".csv", ".jsonl", ".parquet")
SUFFIXES = (*_ITEM_SUFFIXES, ".json", ".html", ".md")


def export_run(report: Report, records: Sequence[Record], to: Path) -> None:
    """Write a run to ``to``, whole or not at all.

    ``.csv`` and ``.parquet`` hold one line per generation with its item and scores; ``.jsonl`` the predictions that
    ``himed-eval --predictions`` reads; ``.json``, ``.md`` and ``.html`` the report.

    Raises:
        InputError: an unknown suffix, a folder that cannot be written, a missing library, or see `predictions`.
    """
    check_suffix(to)
    suffix = to.suffix.lower()
    if suffix == ".jsonl":
        write_whole(to, predictions(report, records))
    elif suffix in _ITEM_SUFFIXES:
        write_whole(to, _table(records, to))
    else:
        write_whole(to, render(report, records, suffix))


def check_suffix(to: Path) -> None:
    """Refuse a file whose suffix says nothing, before any work is done.

    Raises:
        InputError: the suffix is none of `SUFFIXES`.
    """
    if to.suffix.lower() not in SUFFIXES:
        raise InputError(
            f"unknown kind of file {to.suffix!r}" if to.suffix else "the file name has no suffix",
            file=to,
            remedy=f"end its name in one of {', '.join(SUFFIXES)}",
        )


def render(report: Report, records: Sequence[Record], suffix: str) -> str:
    """The report as ``.json``, ``.md`` or ``.html``; ``.csv`` gives its figures, one line each."""
    # Each imports what only it needs.
    if suffix == ".html":
        from evaluation.reports.html import render_html

        return render_html(report, records)
    if suffix == ".md":
        from evaluation.reports.markdown import to_markdown

        return to_markdown(report)
    from evaluation.reports.tables import to_csv, to_json

    return to_csv(report) if suffix == ".csv" else to_json(report)


def predictions(report: Report, records: Sequence[Record]) -> bytes:
    """JSON lines that ``himed-eval --predictions`` reads. A generation that failed has the response null.

    Raises:
        InputError: predictions cannot say what the run has: several samples per item, or shuffled options.
    """
    run = report.run
    if run.samples > 1 or run.settings.get("shuffle_options") is not None:
        why = f"{run.samples} samples per item" if run.samples > 1 else "shuffled options, so its letters are its own"
        raise InputError(f"run {run.id} has {why}: it makes no predictions", remedy="export it to .csv or .parquet")
    lines = [
        orjson.dumps(_prediction(record, generation, run.format)) + b"\n"
        for record in records
        for generation in record.generations
    ]
    return b"".join(lines)


def _prediction(record: Record, generation: Generation, format: str) -> dict[str, Any]:
    line: dict[str, Any] = {
        "id": record.item.id,
        "language": record.item.language,
        "question": record.item.question,
        "response": _response(generation, format),
        "finish_reason": generation.finish_reason,
    }
    for name in ("judge_language", "judge_correct"):
        if (score := generation.scores.get(name)) is not None:
            line[name] = None if score.value is None else bool(score.value)
    return line


def _response(generation: Generation, format: str) -> str | None:
    """The completion in the run's format again, where the endpoint had taken the reasoning out of it."""
    if generation.text is None or generation.reasoning is None or format == "plain":
        return generation.text
    compose = himed_completion if format == "himed" else cure_med_completion
    return compose(generation.reasoning, generation.text)


def _table(records: Sequence[Record], to: Path) -> bytes:
    from evaluation.reports.tables import write_items_csv, write_items_parquet

    write = write_items_parquet if to.suffix.lower() == ".parquet" else write_items_csv
    with TemporaryDirectory() as folder:
        path = Path(folder) / to.name
        try:
            write(records, path)
        except InputError as error:  # names the file that was meant
            raise InputError(error.problem, file=to, remedy=error.remedy) from None
        return path.read_bytes()
