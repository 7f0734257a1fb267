"""The HTML report: one self-contained page, without scripts, that works offline and prints."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from evaluation.benchmarks.item import Item
from evaluation.reports import charts, figures
from evaluation.reports.definitions import DEFINITIONS, HEADLINES, in_order, title
from evaluation.reports.model import Metric, Report
from evaluation.results.records import Generation, Record, Score

# Cases shown of each kind, and characters of one text: with all of them the page would open in no browser.
CASES = 50
MAX_CHARACTERS = 20_000
_EXCERPT = 140

KINDS = {"wrong": "wrong", "unparsed": "no choice read", "language": "other language"}


@dataclass(frozen=True, slots=True)
class Case:
    """A completion to read: what was asked, what was expected, what came, and why it is listed."""

    kinds: tuple[str, ...]  # keys of KINDS
    item: Item
    generation: Generation
    excerpt: str
    expected: str
    facts: tuple[tuple[str, str], ...]
    foreign: tuple[tuple[str, str], ...]  # (text, language) of each span in another language


def render_html(report: Report, records: Sequence[Record]) -> str:
    """The page. All text of models and benchmarks is escaped, and the page's own policy forbids scripts and loading."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.globals.update(figures=figures, title=title, kinds=KINDS, max_characters=MAX_CHARACTERS)
    cases, found = failing_cases(records)
    return environment.get_template("report.html").render(
        report=report,
        summary=figures.summary(report),
        headlines=[(name, report.metrics[name]) for name in HEADLINES if name in report.metrics],
        metric_rows=_metric_rows(report),
        groups=[_group(report, group, values) for group, values in figures.telling_groups(report).items()],
        confusion=charts.confusion(records),
        cases=cases,
        found=found,
        settings=figures.flat(report.run.settings),
        packages=sorted(report.run.packages.items()),
        definitions=[(name, *DEFINITIONS[name]) for name in in_order(set(report.metrics)) if name in DEFINITIONS],
    )


def _metric_rows(report: Report) -> list[dict[str, Any]]:
    """The metrics with their dots; behind accuracy what no knowledge would score."""
    rows: list[dict[str, Any]] = []
    for name in in_order(set(report.metrics)):
        metric = report.metrics[name]
        rows.append({"label": title(name), "metric": metric, "dot": charts.dot(title(name), metric)})
        if name == "accuracy":
            rows += [{"label": label, "baseline": value, "n": n} for label, value, n in figures.baseline_rows(report)]
    return rows


def _group(report: Report, group: str, values: Mapping[str, Mapping[str, Metric]]) -> dict[str, Any]:
    """A group's charts, and the table of all its figures."""
    names = figures.group_metrics(values)
    charted = [charts.best_metric(report.metrics), "language_consistency" if group == "language" else None]
    drawn = [charts.group_chart(report, group, name) for name in charted if name is not None]
    rows = [
        (figures.value_label(group, value), [metrics.get(name) for name in names]) for value, metrics in values.items()
    ]
    return {
        "name": group,
        "charts": [chart for chart in drawn if chart],
        "heads": list(map(title, names)),
        "rows": rows,
    }


def failing_cases(records: Sequence[Record]) -> tuple[list[Case], Counter[str]]:
    """The completions to read, in file order, at most `CASES` of each kind; and how many there are of each kind."""
    cases: list[Case] = []
    found: Counter[str] = Counter()
    for record in records:
        for generation in record.generations:
            kinds = _kinds(generation)
            if any(found[kind] < CASES for kind in kinds):
                cases.append(_case(record.item, generation, kinds))
            found.update(kinds)
    return cases, found


def _kinds(generation: Generation) -> tuple[str, ...]:
    """Why a completion is worth reading: keys of `KINDS`, none for a good one."""
    choice, judge, language = (generation.scores.get(name) for name in ("choice", "judge_correct", "language"))
    kinds = []
    if any(score is not None and score.value == 0 for score in (choice, judge)):
        kinds.append("wrong")
    if choice is not None and choice.value is None:
        kinds.append("unparsed")
    if language is not None and language.label in ("inconsistent", "mixed"):
        kinds.append("language")
    return tuple(kinds)


def _case(item: Item, generation: Generation, kinds: tuple[str, ...]) -> Case:
    facts = [(title(name), _score_text(score)) for name, score in generation.scores.items()]
    if generation.finish_reason is not None:
        facts.append(("Finish reason", generation.finish_reason))
    if generation.completion_tokens is not None:
        facts.append(("Completion tokens", figures.number(generation.completion_tokens)))
    language = generation.scores.get("language")
    spans = (language.detail or {}).get("foreign", []) if language is not None else []
    question = " ".join(item.question.split())
    return Case(
        kinds=kinds,
        item=item,
        generation=generation,
        excerpt=question if len(question) <= _EXCERPT else question[:_EXCERPT].rstrip() + "…",
        expected=" · ".join(part for part in (item.gold, item.reference) if part) or figures.NONE,
        facts=tuple(facts),
        foreign=tuple((text, code or "unknown") for text, _start, _end, code in spans),
    )


def _score_text(score: Score) -> str:
    """A score in short: its label, its value, and its detail but for the foreign spans, which stand apart."""
    detail = {key: value for key, value in (score.detail or {}).items() if key != "foreign"}
    value = None if score.value is None else f"value {score.value:.3g}"
    extra = ", ".join(
        f"{key}: {text if isinstance(text, str) else orjson.dumps(text).decode()}" for key, text in detail.items()
    )
    return " · ".join(part for part in (score.label, value, extra) if part) or figures.NONE
