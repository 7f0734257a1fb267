"""A run's report on the page: built once for as long as the run stands as it is, drawn in either language."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from app.database import open_session
from app.tables import GenerationRow, RunRow, ScoreRow
from evaluation.metrics import report_records
from evaluation.reports import charts, figures
from evaluation.reports.definitions import DEFINITIONS, HEADLINES, in_order
from evaluation.reports.model import Metric, Report
from evaluation.reports.tables import FIGURE_COLUMNS, figure_rows
from evaluation.results.listing import shown_status
from evaluation.results.records import load_records
from ui.csv_text import csv_text
from ui.markup import render
from ui.results.memory import Memory
from ui.results.words import (
    NotShownError,
    chart_in_words,
    group_title,
    language_label,
    macro_values,
    metric_title,
    status_label,
    value_label,
)
from ui.results.words import join as join_parts
from ui.texts import Texts

_KEPT: Final = 16  # a report is some 100 kB
_LISTED: Final = 100  # failures and rows left out; an export of the run holds them all


@dataclass(frozen=True, slots=True)
class BuiltReport:
    """A report, and the languages of the run's answers."""

    report: Report
    confusion: charts.Confusion | None


class ReportStore:
    """The reports of a database's runs."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._built = Memory[BuiltReport](_KEPT)

    def load(self, run_id: str) -> BuiltReport:
        """A run's report as the run stands now.

        Raises:
            InputError: there is no such run.
        """
        with open_session(self._engine) as session:
            run = find_run(session, run_id)
            state = run_state(session, run)
        built = self._built.get(state, lambda: _build(self._engine, run_id))
        # A process may have died since, which no row tells.
        info = built.report.run.model_copy(update={"status": shown_status(run)})
        return replace(built, report=built.report.model_copy(update={"run": info}))


def find_run(session: Session, run_id: str) -> RunRow:
    """The run of an id.

    Raises:
        InputError: there is none.
    """
    if (run := session.get(RunRow, run_id)) is None:
        raise NotShownError("results.run_gone")
    return run


def run_state(session: Session, run: RunRow) -> tuple[Any, ...]:
    """What changes whenever a run's figures do: it goes on, is finished, or is scored anew."""
    mine = select(func.max(ScoreRow.id), func.count()).join(GenerationRow, GenerationRow.id == ScoreRow.generation_id)
    last, count = session.execute(mine.where(GenerationRow.run_id == run.id)).one()
    return run.id, run.heartbeat, run.finished, last, count


def _build(engine: Engine, run_id: str) -> BuiltReport:
    with open_session(engine) as session:
        run = find_run(session, run_id)
        records = load_records(session, run)
        return BuiltReport(report_records(run, records), charts.confusion(records))


def report_csv(built: BuiltReport) -> str:
    """All figures of a report, one line each."""
    return csv_text(FIGURE_COLUMNS, figure_rows(built.report))


def draw_report(built: BuiltReport, say: Texts) -> str:
    """The report as HTML."""
    report = built.report
    return render(
        "results_run.html",
        **macro_values(say),
        report=report,
        status=status_label(report.run.status, say),
        title=lambda name: metric_title(name, say),
        headlines=[(name, report.metrics[name]) for name in HEADLINES if name in report.metrics],
        metric_rows=_metric_rows(report, say),
        groups=[_group(report, group, values, say) for group, values in figures.telling_groups(report).items()],
        confusion=_confusion(built.confusion, say),
        head=_head(report, say),
        settings=figures.flat(report.run.settings),
        packages=sorted(report.run.packages.items()),
        failures=report.failures[:_LISTED],
        invalid_rows=report.benchmark.invalid_rows[:_LISTED],
        definitions=[
            (metric_title(name, say), name, DEFINITIONS[name][1])
            for name in in_order(set(report.metrics))
            if name in DEFINITIONS
        ],
    )


def _metric_rows(report: Report, say: Texts) -> list[dict[str, Any]]:
    """The metrics with their dots; behind accuracy what no knowledge would score."""
    rows: list[dict[str, Any]] = []
    for name in in_order(set(report.metrics)):
        metric, label = report.metrics[name], metric_title(name, say)
        rows.append({"label": label, "metric": metric, "dot": charts.dot(label, metric)})
        if name == "accuracy" and report.baselines is not None:
            base = report.baselines
            for key, value in (("constant", base.constant_accuracy), ("chance_row", base.chance)):
                label = say(f"results.{key}", answer=base.constant_answer)
                rows.append({"label": label, "baseline": figures.percent(value), "n": figures.number(base.n)})
    return rows


def _group(report: Report, group: str, values: Mapping[str, Mapping[str, Metric]], say: Texts) -> dict[str, Any]:
    """A group's charts, and the table of all its figures."""
    names = figures.group_metrics(values)
    charted = [charts.best_metric(report.metrics), "language_consistency" if group == "language" else None]
    drawn = [(name, charts.group_chart(report, group, name)) for name in charted if name is not None]
    return {
        "name": group_title(group, say),
        "charts": [chart_in_words(chart, group, name, say) for name, chart in drawn if chart],
        "heads": [metric_title(name, say) for name in names],
        "rows": [
            (value_label(group, value, say), [metrics.get(name) for name in names]) for value, metrics in values.items()
        ],
    }


def _confusion(found: charts.Confusion | None, say: Texts) -> charts.Confusion | None:
    if found is None:
        return None
    rows = tuple((language_label(label, say), total, cells) for label, total, cells in found.rows)
    return charts.Confusion(tuple(language_label(column, say) for column in found.columns), rows)


def _head(report: Report, say: Texts) -> list[tuple[str, str]]:
    """What the run is, as (name, value) pairs."""
    run, benchmark = report.run, report.benchmark
    samples = say("results.samples", n=run.samples) if run.samples > 1 else None
    counts = {"n": run.n, "failed": run.failed, "wanted": run.n * run.samples}
    pairs = [
        ("run", run.id),
        ("model", join_parts([run.model, say("results.in_format", format=run.format), samples])),
        ("judge", run.judge or figures.NONE),
        ("benchmark", join_parts([benchmark.name, benchmark.version, say.count("results.items_n", benchmark.n)])),
        ("sha256", benchmark.sha256),
        ("source", say(f"results.source_{run.source}")),
        ("items", say("results.items_failed", **{name: figures.number(n) for name, n in counts.items()})),
        ("started", figures.moment(run.started)),
        ("finished", figures.moment(run.finished)),
        ("code", run.code_version),
    ]
    return [(say(f"results.{name}"), value) for name, value in pairs]
