"""Reports: every figure whole, every text as text, exports that read back."""

import csv
import io
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from report_examples import HOSTILE, comparison, make_record, make_report, many_metrics_report
from rich.console import Console

from app.errors import InputError
from evaluation.reports.definitions import DEFINITIONS, in_order, title
from evaluation.reports.markdown import comparison_to_markdown, to_markdown
from evaluation.reports.model import Failure, Metric, Report
from evaluation.reports.tables import FIGURE_COLUMNS, to_csv, to_json, write_items_csv, write_items_parquet
from evaluation.reports.terminal import render_comparison, render_report
from evaluation.results.records import Generation, Record
from evaluation.statistics import Comparison, MetricComparison


def print_at(width: int, render: Callable[[Console], None]) -> str:
    console = Console(width=width, file=io.StringIO(), record=True, force_terminal=False)
    render(console)
    return console.export_text()


# --- terminal ---------------------------------------------------------------------------------------------------------


def test_terminal_shows_head_metrics_baselines_and_what_was_left_out() -> None:
    shown = print_at(80, lambda console: render_report(make_report(), console))
    assert "HiMed-West · tiny_model" in shown
    assert re.search(r"Accuracy +23\.77 % +21\.86–25\.80† +1,784 +0\n", shown)
    assert re.search(r"best constant answer \(D\) +23\.77 % +1,784", shown)
    assert re.search(r"chance +13\.40 % +1,784", shown)
    assert re.search(r"Judged correct +— +— +0 +1,784", shown)
    assert "12 invalid rows left out" in shown
    assert "exam.json, row 10, field 'answer': the gold answer is empty" in shown
    assert "row 11," not in shown
    assert "and 2 more" in shown
    assert "94 items that repeat an earlier one exactly" in shown
    assert "item a3f09c11 (row 90, sample 0): the endpoint answered 500" in shown


@pytest.mark.parametrize("width", [80, 120, 200])
def test_terminal_shows_every_figure_whole_within_its_width(width: int) -> None:
    from rich.cells import cell_len

    report = many_metrics_report()
    shown = print_at(width, lambda console: render_report(report, console))
    assert "…" not in shown
    assert max(cell_len(line) for line in shown.splitlines()) <= width
    for values in report.groups.values():
        for metrics in values.values():
            for one in metrics.values():
                assert one.value is not None
                assert f"{100 * one.value:.2f} ({one.n:,})" in shown
    for one in report.metrics.values():
        assert one.value is not None
        assert f"{100 * one.value:.2f} %" in shown


def test_terminal_does_not_repeat_the_overall_figures_for_a_group_of_one() -> None:
    shown = print_at(80, lambda console: render_report(make_report(), console))
    assert "By language" not in shown
    assert "By system" in shown


def test_terminal_prints_brackets_of_a_model_as_text() -> None:
    report = make_report(failures=[Failure(item="i", row=1, sample=0, error="[red]not a colour[/red] [/]")])
    assert "[red]not a colour[/red] [/]" in print_at(80, lambda console: render_report(report, console))


def test_terminal_shows_a_comparison_whole_at_80_columns() -> None:
    shown = print_at(80, lambda console: render_comparison(comparison(), console))
    row = comparison().metrics[0]
    assert "run [a]" in shown
    assert row.difference is not None
    assert row.ci95 is not None
    assert f"{100 * row.difference:+.2f}".replace("-", "−") in shown
    assert f"{100 * row.ci95[0]:+.2f} to {100 * row.ci95[1]:+.2f}".replace("-", "−") in shown
    assert f"{row.p:.4f}" in shown
    assert f"{100 * (row.smallest_difference or 0):.2f}" in shown
    assert "…" not in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_terminal_fits_the_widest_comparison_into_80_columns() -> None:
    row = MetricComparison(
        "reasoning_language_undetermined", 286_657, 286_657, 1.0, 1.0, -1.0, (-1.0, -1.0), "mcnemar-exact", 0, 0, 1e-9,
        1e-9, 1.0,
    )  # fmt: skip
    shown = print_at(80, lambda console: render_comparison(Comparison("a", "b", (row,)), console))
    for figure in ("100.00", "−100.00 to −100.00", "<0.0001", "286,657"):
        assert figure in shown
    assert max(map(len, shown.splitlines())) <= 80


# --- Markdown ---------------------------------------------------------------------------------------------------------

GOLDEN = """\
# HiMed-West · tiny\\_model

- Run: 01JGJ0Q8M3T1W9XKZV5R7N2PAB (finished)
- Model: tiny\\_model (format himed, from endpoint)
- Benchmark: HiMed-West 1, 1,784 items
- SHA-256: ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12
- Items: 1,784 in this run, 1 of 1,784 generations failed or missing
- Invalid rows: 12 left out of every figure
- Duplicates: 94 items that repeat an earlier one exactly
- Started: 2026-01-02 03:04 UTC
- Finished: 2026-01-02 03:16 UTC
- Code: 0.1.0

## Metrics

| Metric | Value | 95 % interval | n | Missing |
| --- | --- | --- | --- | --- |
| Accuracy | 23.77 % | 21.86–25.80† | 1,784 | 0 |
| best constant answer (D) | 23.77 % |  | 1,784 |  |
| chance | 13.40 % |  | 1,784 |  |
| Unparsed | 100.00 % | 99.79–100.00 | 1,784 | 0 |
| Judged correct | — | — | 0 | 1,784 |
| Language consistency | 92.67 % | 91.38–93.89 | 1,733 | 51 |
| Cut off | 1.56 % | 1.09–2.24 | 1,784 | 0 |

95 % intervals by Wilson; † by bootstrap over clusters of repeated questions.

## By system

| system | Accuracy | Cut off |
| --- | --- | --- |
| आयुर्वेद | 40.00 % (37.0–43.0), n 1,000 | 1.00 % (0.5–2.0), n 1,000 |
| Unani\\|Siddha | 3.00 % (2.0–4.5), n 784 | — |

## Invalid rows (12)

| File | Row | Field | Reason |
| --- | --- | --- | --- |
"""


def test_markdown_is_the_golden_one() -> None:
    text = to_markdown(make_report())
    assert text.startswith(GOLDEN)
    rest = text[len(GOLDEN) :]
    assert rest.count("| exam.json |") == 10
    assert "and 2 more, in the JSON and HTML reports" in rest
    assert "| a3f09c11 | 90 | 0 | the endpoint answered 500 |" in rest
    assert '| sampling.stop | \\["\\</answer\\>"\\] |' in rest
    assert "| package numpy | 2.3.5 |" in rest
    assert "- **Accuracy** (`accuracy`): Right choices divided by" in rest


def test_markdown_keeps_a_row_of_hostile_text_in_one_cell() -> None:
    report = make_report(failures=[Failure(item="i", row=1, sample=0, error=f"a|b\n\n# c {HOSTILE}")])
    line = next(line for line in to_markdown(report).splitlines() if "a\\|b" in line)
    assert line == "| i | 1 | 0 | a\\|b \\# c \\<script\\>alert('x')\\</script\\> |"


def test_markdown_of_a_comparison_gives_every_figure_of_every_metric() -> None:
    lines = comparison_to_markdown(comparison()).splitlines()
    assert "- A: run \\[a\\]" in lines
    row = comparison().metrics[0]
    accuracy = next(line for line in lines if line.startswith("| Accuracy |")).strip("| ").split(" | ")
    assert accuracy[1:4] == ["33.33 %", "50.00 %", "−16.67"]
    assert accuracy[5:] == [
        f"{row.p:.4f}",
        f"{row.p_holm:.4f}",
        "60",
        "0",
        f"{100 * (row.smallest_difference or 0):.2f}",
    ]
    assert "| Cut off | — | — | — | — | — | — | 0 | 1 | — |" in lines


# --- JSON, CSV, Parquet -----------------------------------------------------------------------------------------------


def test_json_has_the_documented_keys_and_reads_back_as_the_same_report() -> None:
    text = to_json(make_report())
    document = json.loads(text)
    assert {"run", "benchmark", "metrics", "groups"} <= document.keys()
    assert document["run"]["id"] == "01JGJ0Q8M3T1W9XKZV5R7N2PAB"
    assert {"name", "sha256", "n", "invalid", "duplicates"} <= document["benchmark"].keys()
    assert document["metrics"]["accuracy"] == {
        "value": 0.237668, "n": 1784, "ci95": [0.2186, 0.258012], "missing": 0, "method": "cluster-bootstrap",
    }  # fmt: skip
    assert document["metrics"]["judge_correct"]["value"] is None
    assert document["groups"]["system"]["आयुर्वेद"]["accuracy"]["n"] == 1000
    assert "आयुर्वेद" in text
    assert Report.model_validate_json(text) == make_report()


def test_csv_reads_back_every_figure_exactly() -> None:
    report = make_report()
    rows = list(csv.DictReader(io.StringIO(to_csv(report))))
    assert tuple(rows[0]) == FIGURE_COLUMNS
    read: dict[tuple[str, str, str], Metric] = {}
    for row in rows:
        known = row["value"] != ""
        read[row["group"], row["group_value"], row["metric"]] = Metric(
            value=float(row["value"]) if known else None,
            n=int(row["n"]),
            ci95=(float(row["lo"]), float(row["hi"])) if known else None,
            missing=int(row["missing"]),
            method=row["method"] or None,  # type: ignore[arg-type]
        )
    expected = {("", "", name): one for name, one in report.metrics.items()}
    for group, values in report.groups.items():
        for value, metrics in values.items():
            expected |= {(group, value, name): one for name, one in metrics.items()}
    assert read == expected


def export_records() -> list[Record]:
    failed = make_record(2, choice=None)
    failed.generations = [Generation(0, None, error="timed out")]
    return [make_record(1, text='रेखा 1\r\n"उद्धरण", ; अंत'), failed]


def test_items_csv_has_one_line_per_generation_and_keeps_texts(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    write_items_csv(export_records(), path)
    with path.open(encoding="utf-8", newline="") as file:
        first, second = csv.DictReader(file)
    assert first["text"] == 'रेखा 1\r\n"उद्धरण", ; अंत'
    assert json.loads(first["options"]) == {"A": "एक", "B": "दो"}
    assert (first["language"], first["score_language"], first["score_language_label"]) == ("hi", "0.9", "consistent")
    assert (first["score_choice"], first["score_choice_label"], first["group_system"]) == ("1.0", "B", "Ayurveda")
    assert (second["text"], second["error"], second["score_choice"]) == ("", "timed out", "")


def test_items_parquet_keeps_types_and_nulls(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    path = tmp_path / "items.parquet"
    write_items_parquet(export_records(), path)
    table = pq.read_table(path)
    first, second = table.to_pylist()
    assert (first["row"], first["latency_s"], first["score_choice"]) == (1, 0.25, 1.0)
    assert (second["text"], second["completion_tokens"], second["score_choice"]) == (None, None, None)
    assert {str(table.schema.field(name).type) for name in ("row", "sample")} == {"int64"}
    assert str(table.schema.field("score_choice").type) == "double"


def test_items_parquet_without_generations_still_has_its_columns(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    write_items_parquet([], tmp_path / "none.parquet")
    table = pq.read_table(tmp_path / "none.parquet")
    assert table.num_rows == 0
    assert "question" in table.column_names


def test_parquet_without_pyarrow_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match=r"pip install 'himed\[data\]'"):
        write_items_parquet(export_records(), tmp_path / "items.parquet")


# --- definitions ------------------------------------------------------------------------------------------------------


def test_metrics_come_in_the_order_of_their_definitions_and_unknown_ones_last() -> None:
    assert in_order({"cut_off", "zzz_metric", "accuracy", "unparsed"}) == [
        "accuracy",
        "unparsed",
        "cut_off",
        "zzz_metric",
    ]
    assert title("zzz_metric") == "Zzz metric"


def test_every_metric_of_the_public_json_is_defined() -> None:
    public = (
        "accuracy accuracy_deduplicated unparsed cut_off language_consistency language_mixed language_undetermined"
        " langdetect_agreement well_formed judge_correct judge_language"
    )
    assert set(public.split()) <= DEFINITIONS.keys()
    assert all(name and definition.endswith(".") for name, definition in DEFINITIONS.values())
