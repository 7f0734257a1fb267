"""Reports as files for other programs: JSON and CSV of the figures, CSV and Parquet of every generation."""

import csv
import io
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from app.errors import InputError
from evaluation.reports.model import Metric, Report
from evaluation.results.records import Generation, Record

if TYPE_CHECKING:
    import pyarrow

FIGURE_COLUMNS = ("group", "group_value", "metric", "value", "lo", "hi", "n", "missing", "method")

# Columns of a generation and its item, with their types; groups and scores come behind them.
_COLUMNS: dict[str, type] = {
    "item": str,
    "row": int,
    "number": str,
    "kind": str,
    "language": str,
    "question": str,
    "options": str,  # a JSON object, letter -> text
    "gold": str,
    "reference": str,
    "cluster": str,
    "duplicate_of": str,
    "sample": int,
    "text": str,
    "reasoning": str,
    "finish_reason": str,
    "prompt_tokens": int,
    "completion_tokens": int,
    "latency_s": float,
    "error": str,
}


def to_json(report: Report) -> str:
    """The report exactly as `Report` is built, indented."""
    return report.model_dump_json(indent=2) + "\n"


def to_csv(report: Report) -> str:
    """One line per figure, at full precision, under `FIGURE_COLUMNS`.

    ``group`` and ``group_value`` are empty for the figures over all items; an unknown value or interval is empty.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(FIGURE_COLUMNS)
    writer.writerows(figure_rows(report))
    return buffer.getvalue()


def figure_rows(report: Report) -> Iterator[list[object]]:
    """The rows of `to_csv`."""
    for name, metric in report.metrics.items():
        yield _figure("", "", name, metric)
    for group, values in report.groups.items():
        for value, metrics in values.items():
            for name, metric in metrics.items():
                yield _figure(group, value, name, metric)


def _figure(group: str, value: str, name: str, metric: Metric) -> list[object]:
    low, high = metric.ci95 or (None, None)
    return [group, value, name, metric.value, low, high, metric.n, metric.missing, metric.method]


def write_items_csv(records: Sequence[Record], path: Path) -> None:
    """Write one line per generation: item, groups (``group_NAME``), completion, scores.

    A score is two columns: ``score_SCORER`` with its value and ``score_SCORER_label``. Unknown is empty.
    """
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, item_columns(records), lineterminator="\n")
        writer.writeheader()
        writer.writerows(_item_rows(records))


def write_items_parquet(records: Sequence[Record], path: Path) -> None:
    """The same as a Parquet file (zstd), with nulls where a value is unknown.

    Raises:
        InputError: pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise InputError(
            "Parquet needs pyarrow, which is not installed",
            file=path,
            remedy="install the extra: pip install 'himed[data]', or export to a .csv file",
        ) from None
    types: dict[type, pyarrow.DataType] = {str: pa.string(), int: pa.int64(), float: pa.float64()}
    schema = pa.schema([(name, types[kind]) for name, kind in item_columns(records).items()])
    pq.write_table(pa.Table.from_pylist(list(_item_rows(records)), schema=schema), path, compression="zstd")


def item_columns(records: Sequence[Record]) -> dict[str, type]:
    """The columns of `write_items_csv` with the types of their values; groups and scores are those of the records."""
    groups = dict.fromkeys(f"group_{name}" for record in records for name in record.item.groups)
    generations = chain.from_iterable(record.generations for record in records)
    scorers = dict.fromkeys(scorer for generation in generations for scorer in generation.scores)
    columns: dict[str, type] = _COLUMNS | dict.fromkeys(groups, str)
    for scorer in scorers:
        columns |= {f"score_{scorer}": float, f"score_{scorer}_label": str}
    return columns


def _item_rows(records: Sequence[Record]) -> Iterator[dict[str, Any]]:
    for record in records:
        for generation in record.generations:
            yield item_row(record, generation)


def item_row(record: Record, generation: Generation) -> dict[str, Any]:
    """A generation's line by column; what it has no group or score for is left out."""
    item = record.item
    row: dict[str, Any] = {
        "item": item.id,
        "row": item.row,
        "number": item.number,
        "kind": item.kind,
        "language": item.language,
        "question": item.question,
        "options": None if item.options is None else orjson.dumps(item.options).decode(),
        "gold": item.gold,
        "reference": item.reference,
        "cluster": item.cluster,
        "duplicate_of": item.duplicate_of,
        "sample": generation.sample,
        "text": generation.text,
        "reasoning": generation.reasoning,
        "finish_reason": generation.finish_reason,
        "prompt_tokens": generation.prompt_tokens,
        "completion_tokens": generation.completion_tokens,
        "latency_s": generation.latency_s,
        "error": generation.error,
    }
    row |= {f"group_{name}": value for name, value in item.groups.items()}
    for name, score in generation.scores.items():
        row |= {f"score_{name}": score.value, f"score_{name}_label": score.label}
    return row
