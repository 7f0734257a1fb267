"""`docs/evaluation.md` and `docs/results-queries.md`: queries, figures and worked examples, held against the code."""

import contextlib
import io
import itertools
import re
import shlex
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
import typer
from rich.console import Console
from sqlalchemy import Engine, Row, insert, select, text, update
from sqlalchemy.orm import Session

sys.path.append(str(Path(__file__).parents[1] / "evaluation"))

from pages import GUIDE, PROSE, ROOT, told_blocks, write_lines
from results_sample import RUN_A, RUN_B, RUN_EN, fill_database

from app.languages import get_language
from app.schema import open_database
from app.settings import load_settings
from app.tables import ComparisonVoteRow, FeedbackRow, GenerationRow, ModelRow, RequestLogRow, RunRow, ScoreRow
from evaluation import predictions as imports
from evaluation.benchmarks import KNOWN, load_benchmark
from evaluation.cli import app as eval_app
from evaluation.config import read_config
from evaluation.metrics import build_report, item_values
from evaluation.plan import DEFAULT_SAMPLING, make_plan
from evaluation.reports.model import Metric, Report
from evaluation.reports.terminal import render_comparison, render_report
from evaluation.results.cli import app as results_app
from evaluation.results.listing import list_runs
from evaluation.results.pairing import compare_runs
from evaluation.results.records import load_records, load_run
from evaluation.runner import Runner
from evaluation.statistics import smallest_difference

QUERIES = (ROOT / "docs" / "results-queries.md").read_text(encoding="utf-8")
SHIPPED = ROOT / "evaluation" / "benchmarks" / "sample" / "predictions.jsonl"
KILLED = "01KJMK00000000000000000000"


def queries() -> dict[str, list[str]]:
    """The page's queries by the bold words before them; several where each is for one database."""
    found: dict[str, list[str]] = defaultdict(list)
    title = ""
    for before, sql in told_blocks(QUERIES, "sql"):
        title = next(iter(re.findall(r"^\*\*(.+?)\.?\*\*", before, re.MULTILINE)), title)
        found[title].append(sql)
    return dict(found)


def evaluate(engine: Engine, predictions: Path, bench: str = "sample", data: Path | None = None, **more: Any) -> RunRow:
    """A run of `himed-eval`, without its process."""
    config = read_config({"bench": bench, "predictions": predictions} | more, None)
    with contextlib.redirect_stderr(io.StringIO()):
        return Runner(make_plan(config, data), load_settings(), engine).execute()


def always_d(folder: Path) -> Path:
    """The predictions that the guide's own line of shell makes."""
    lines = [line for _, body in told_blocks(GUIDE, "bash") for line in body.splitlines() if line.startswith("sed ")]
    command, _, name = lines[0].rpartition(" > ")
    subprocess.run(f"{command} > {shlex.quote(str(folder / name))}", shell=True, cwd=ROOT, check=True)
    return folder / name


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One database for all tests of this file: the guide's two runs, `results_sample`, and what these lack."""
    folder = tmp_path_factory.mktemp("results")
    url = f"sqlite:///{folder / 'himed.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_database")
    engine = open_database(url)
    try:
        fill_database(engine)
        first = evaluate(engine, SHIPPED)
        evaluate(engine, always_d(folder), group=["type=MCQ"])
        right = [{"id": item.id, "response": f"उत्तर: {item.gold}"} for item in load_benchmark("sample").items[:9]]
        file = write_lines(folder / "right.jsonl", right)
        again = [evaluate(engine, file, limit=9, new=True) for _ in "12"]
        with Session(engine) as session, session.begin():
            add_costs(session, first.id)
            score_otherwise(session, again[1].id)
            add_the_rest(session)
        yield engine
    finally:
        engine.dispose()
        if request.param == "postgresql":
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("DROP SCHEMA public CASCADE")
                connection.execute("CREATE SCHEMA public")


def add_costs(session: Session, run: str) -> None:
    """Tokens and latencies of the replies of an imported run, but for the last."""
    replied = select(GenerationRow.id).where(GenerationRow.run_id == run, GenerationRow.text.is_not(None))
    for place, id in enumerate(list(session.scalars(replied.order_by(GenerationRow.id)))[:-1], start=1):
        costs = {"latency_s": (place * 29 % 44 + 1) / 8, "prompt_tokens": 20, "completion_tokens": place}
        session.execute(update(GenerationRow).where(GenerationRow.id == id).values(costs))


def score_otherwise(session: Session, run: str) -> None:
    """A later version of the scorers gives other scores."""
    for score in list(session.scalars(select(ScoreRow).join(GenerationRow).where(GenerationRow.run_id == run))):
        value = 1.0 if score.value is None else 1.0 - score.value
        label = "consistent" if score.scorer == "language" else score.label
        new = {"generation_id": score.generation_id, "scorer": score.scorer, "version": "9"}
        session.add(ScoreRow(**new, value=value, label=label))


def add_the_rest(session: Session) -> None:
    """A reply without a choice to an item that no other model was asked, a killed run, feedback, votes and requests."""
    one = select(GenerationRow.id).where(GenerationRow.run_id == RUN_EN, GenerationRow.item_id == "en-item-2")
    session.execute(update(ScoreRow).where(ScoreRow.generation_id.in_(one)).values(value=None, label="unparsed"))
    model = ModelRow(name="killed", format="himed")
    session.add(model)
    session.flush()
    run = session.get_one(RunRow, RUN_A)
    killed = {column.name: getattr(run, column.name) for column in RunRow.__table__.c}
    beat = datetime.now(UTC) - timedelta(minutes=3)
    killed |= {"id": KILLED, "model_id": model.id, "status": "running", "heartbeat": beat, "finished": None}
    session.execute(insert(RunRow).values(killed))
    said = {"who": "Dr Rao", "model": "himed-8b", "language": "hi"}
    pair = {"question": "?", "model_a": "claude-3-haiku", "model_b": "himed-8b"}
    asked = {"key_name": "clinic", "model": "himed-8b"}
    session.add_all(
        [
            FeedbackRow(**said, request_id="req-2", rating=-1, correction="विटामिन C", created=beat),
            FeedbackRow(**said, request_id="req-3", rating=None, correction="स्कर्वी"),
            FeedbackRow(**said, request_id="req-4", rating=-1, comment="?", created=beat - timedelta(days=1)),
            ComparisonVoteRow(**pair, vote="tie"),
            ComparisonVoteRow(**pair, vote="b"),
            RequestLogRow(**asked, request_id="req-2", status=200, duration_s=1.5, completion_tokens=30),
            RequestLogRow(**asked, request_id="req-4", status=429),
        ]
    )


def ask(engine: Engine, title: str) -> Sequence[Row[Any]]:
    """The rows of a query of the page; where there are two, of the one for this database."""
    other = {"sqlite": "-- PostgreSQL\n", "postgresql": "-- SQLite\n"}[engine.dialect.name]
    (sql,) = (sql for sql in queries()[title] if not sql.startswith(other))
    with engine.connect() as connection:
        return connection.execute(text(sql)).all()


def latest(session: Session) -> list[RunRow]:
    """The newest run of each benchmark and model."""
    runs = session.scalars(select(RunRow).order_by(RunRow.id))
    return list({(run.benchmark_id, run.model_id): run for run in runs}.values())


def reports(engine: Engine) -> dict[str, Report]:
    """The reports of the latest runs but the killed one, which has no item."""
    with Session(engine) as session:
        return {run.id: build_report(session, run) for run in latest(session) if run.id != KILLED}


def count(metric: Metric) -> int:
    """How many items have the metric, of those that are 0 or 1."""
    return round((metric.value or 0) * metric.n)


def test_there_are_queries_and_each_has_a_title() -> None:
    assert sum(map(len, queries().values())) == 17
    assert {title: len(found) for title, found in queries().items() if len(found) > 1} == {"Killed": 2}


@pytest.mark.parametrize("title", queries())
def test_every_query_finds_something_on_both_databases(engine: Engine, title: str) -> None:
    assert ask(engine, title)


def test_latest_runs_have_the_reports_accuracy_and_denominators(engine: Engine) -> None:
    found = {row.run: (float(row.accuracy), row.n, row.missing) for row in ask(engine, "Latest runs")}
    for id, report in reports(engine).items():
        accuracy = report.metrics["accuracy"]
        assert found.pop(id) == (pytest.approx(accuracy.value), accuracy.n, accuracy.missing)
    assert found == {}


def test_accuracy_by_group_is_the_reports_when_put_together(engine: Engine) -> None:
    rows = ask(engine, "By language, system and subject")
    compared = 0
    assert {row.run for row in rows} == reports(engine).keys()
    for id, report in reports(engine).items():
        for group in ("language", "system", "subject"):
            for value, metrics in report.groups.get(group, {}).items():
                own = get_language(value).code if group == "language" else value
                part = [row for row in rows if row.run == id and getattr(row, group) == own]
                if (accuracy := metrics.get("accuracy")) is None:
                    assert not part
                    continue
                right = sum(float(row.accuracy) * row.n for row in part if row.n)
                assert (sum(row.n for row in part), sum(row.missing for row in part)) == (accuracy.n, accuracy.missing)
                assert right == pytest.approx((accuracy.value or 0) * accuracy.n)
                compared += 1
    assert compared > 40


def test_disagreements_are_what_the_paired_test_reads(engine: Engine) -> None:
    rows = ask(engine, "Items on which two models disagree")
    expected = set()
    with Session(engine) as session:
        runs = latest(session)
        known = {run.id: item_values(load_records(session, run), "accuracy") for run in runs}
        for a, b in itertools.combinations(sorted(runs, key=lambda run: run.id), 2):
            both = known[a.id].keys() & known[b.id].keys() if a.benchmark_id == b.benchmark_id else set()
            pairs = {(a.id, b.id, item, known[a.id][item], known[b.id][item]) for item in both}
            expected |= {pair for pair in pairs if None not in pair and pair[3] != pair[4]}
        models = {run.model.name: run for run in runs}
        a, b = models["predictions"], models["always-d"]
        (accuracy,) = compare_runs(session, a, b, ["accuracy"]).comparison.metrics
    assert {(row.run_a, row.run_b, row.item, row.right_a, row.right_b) for row in rows} == expected
    pairs = [row for row in rows if (row.run_a, row.run_b) == (a.id, b.id)]
    assert sum(row.right_a > row.right_b for row in pairs) == accuracy.only_a == 14
    assert sum(row.right_a < row.right_b for row in pairs) == accuracy.only_b == 1


def test_items_that_nobody_has_right_are_those_of_the_library(engine: Engine) -> None:
    values: dict[tuple[str, str], list[float]] = defaultdict(list)
    with Session(engine) as session:
        for run in latest(session):
            for item, value in item_values(load_records(session, run), "accuracy").items():
                values[run.benchmark.sha256, item] += [] if value is None else [value]
    never = sorted((item, len(found)) for (_, item), found in values.items() if found and max(found) == 0)
    rows = ask(engine, "Items never answered rightly by any model")
    assert sorted((row.item, row.models) for row in rows) == never
    assert len(never) > 1


def test_unparsed_and_cut_off_are_the_reports(engine: Engine) -> None:
    rows = {row.run: row for row in ask(engine, "Unparsed and cut off")}
    for id, report in reports(engine).items():
        row, metrics = rows[id], report.metrics
        assert row.replies == report.run.n * report.run.samples - report.run.failed
        if report.run.source == "predictions":
            assert (row.choices, row.unparsed) == (metrics["accuracy"].n, count(metrics["unparsed"]))
            # "D" is too short to tell whether it was cut off: unknown, not 0.
            cut = metrics["cut_off"]
            assert (row.cut_off_known, row.cut_off) == (cut.n, count(cut) if cut.n else None)
    assert rows[RUN_A].unparsed == 1


def test_language_consistency_is_over_the_determined(engine: Engine) -> None:
    rows = {(row.run, row.language): row for row in ask(engine, "Language consistency by language")}
    found = [(id, report) for id, report in reports(engine).items() if report.run.source == "predictions"]
    assert len(found) == 3
    for id, report in found:
        for language, metrics in report.groups["language"].items():
            row, consistency = rows[id, get_language(language).code], metrics["language_consistency"]
            shown = None if row.consistency is None else pytest.approx(float(row.consistency))
            assert (consistency.value, consistency.n) == (shown, row.determined)
            assert row.undetermined == count(metrics["language_undetermined"])
            assert row.undetermined + row.no_answer + row.failed == consistency.missing


def test_tokens_and_latencies_leave_out_what_is_not_known(engine: Engine) -> None:
    with Session(engine) as session:
        run = next(run.id for run in list_runs(session) if run.model == "predictions")
        replies = [g for r in load_records(session, load_run(session, run)) for g in r.generations if g.text]
    tokens = {row.run: row for row in ask(engine, "Tokens")}
    counted = [g.completion_tokens for g in replies if g.completion_tokens is not None]
    shown = tokens[run]
    assert (shown.replies, shown.uncounted, shown.completion_tokens, shown.longest) == (45, 1, sum(counted), 44)
    assert float(shown.mean) == pytest.approx(sum(counted) / len(counted))
    assert {row.completion_tokens for row in tokens.values() if row.model == "always-d"} == {None}
    times = [g.latency_s for g in replies if g.latency_s is not None]
    latencies = {row.run: row for row in ask(engine, "Latency in seconds")}
    assert latencies[RUN_B].n == 3  # the fourth failed
    row = latencies[run]
    expected = np.percentile(times, [50, 95, 99, 100], method="inverted_cdf").tolist()
    assert (row.n, [row.p50, row.p95, row.p99, row.longest]) == (44, expected)


def test_judges_are_kept_apart_and_the_cache_is_counted(engine: Engine) -> None:
    judged = {(row.run, row.judge): row for row in ask(engine, "Judged right, by run and judge")}
    for id, report in reports(engine).items():
        if (metric := report.metrics.get("judge_correct")) is not None:
            row = judged[id, f"1:{report.run.judge}"]
            assert (float(row.correct), row.n) == (pytest.approx(metric.value), metric.n * report.run.samples)
    assert (judged[RUN_A, "1:judge-1"].correct, judged[RUN_A, "1:judge-2"].correct) == (0.0, 1.0)
    assert {row.unknown for row in judged.values() if row.model == "predictions"} == {1}
    cache = ask(engine, "Use of the judge's cache")
    assert {(row.judge_model, row.kind): (row.verdicts, row.used) for row in cache} == {
        ("imported:predictions", "correct"): (44, 44),
        ("imported:predictions", "language"): (44, 44),
        ("judge-1", "correct"): (1, 3),
    }


def test_unfinished_and_killed_runs_are_those_of_the_list(engine: Engine) -> None:
    with Session(engine) as session:
        listed = {run.id: run for run in list_runs(session) if run.status != "finished"}
    rows = {row.run: row for row in ask(engine, "Not finished")}
    assert rows.keys() == listed.keys() >= {RUN_B, KILLED}
    for id, row in rows.items():
        assert (row.done, row.expected) == (listed[id].done, listed[id].expected)
        assert row.done + row.failed + row.not_asked == row.expected
    assert (rows[RUN_B].failed, rows[KILLED].not_asked) == (1, 8)
    assert [(row.id, listed[row.id].status) for row in ask(engine, "Killed")] == [(KILLED, "interrupted")]


def test_feedback_votes_and_requests_are_counted_whole(engine: Engine) -> None:
    shown = [(row.correction, row.rating, row.duration_s) for row in ask(engine, "Feedback to read")]
    assert shown == [("स्कर्वी", None, None), ("विटामिन C", -1, 1.5), (None, -1, None)]
    (model,) = ask(engine, "Feedback by model")
    assert (float(model.good), model.rated, model.unrated, model.corrected) == (pytest.approx(1 / 3), 3, 1, 2)
    votes = [tuple(row) for row in ask(engine, "Blind comparisons")]
    assert votes == [("claude-3-haiku", 0, 2, 1, 0), ("himed-8b", 2, 0, 1, 0)]
    (day,) = ask(engine, "Requests by day and model")
    assert (day.requests, day.errors, day.completion_tokens, day.uncounted) == (3, 1, 30, 2)


def test_every_option_and_command_in_the_guides_text_is_one() -> None:
    """Those in its blocks are tested with all other pages'."""
    names = {"himed-eval": eval_app, "himed-results": results_app}
    lines = re.findall(r"`(himed-(?:eval|results) [^`…]*)`", PROSE)
    assert len(lines) > 2
    for line in lines:
        name, *words = shlex.split(line)
        command = typer.main.get_command(names[name])
        if (subcommands := getattr(command, "commands", None)) is not None:
            command, words = subcommands[words[0]], words[1:]
        command.make_context(name, words)
    commands = [typer.main.get_command(app) for app in names.values()]
    every = [one for command in commands for one in (command, *getattr(command, "commands", {}).values())]
    known = {option for command in every for parameter in command.params for option in parameter.opts}
    assert set(re.findall(r"--[a-z][a-z-]+", PROSE)) - known == set()


def test_the_guides_tables_and_defaults_are_the_codes() -> None:
    table = GUIDE.partition("| column |")[2].partition("\n\n")[0]
    read = (*imports.RESPONSE_FIELDS, *imports.ID_FIELDS, *imports.QUESTION_FIELDS, "language", "finish_reason")
    verdicts = (*imports.LANGUAGE_VERDICT_FIELDS, *imports.CORRECT_VERDICT_FIELDS)
    assert [name for name in read + verdicts if f"`{name}`" not in table] == []
    plain, himed, cure_med = (DEFAULT_SAMPLING[name] for name in ("plain", "himed", "cure-med"))
    assert (plain.temperature, himed.temperature) == (0, 0)
    assert f"are greedy, with {plain.max_tokens:,} and {himed.max_tokens:,} tokens" in PROSE
    nucleus = f"temperature {cure_med.temperature}, top-p {cure_med.top_p}, top-k {cure_med.top_k}"
    repeats = f"repetition penalty {cure_med.repetition_penalty} and {cure_med.max_tokens:,} tokens"
    assert f"{nucleus}, {repeats}" in PROSE
    rows = re.findall(r"^\| `([\w-]+)` \| [\d,]+ \| (.*?) \| (.*?) \|$", GUIDE, re.MULTILINE)
    released = [known for known in KNOWN if known.repo]
    assert [name for name, _, _ in rows] == [known.name for known in released]
    repos = [repo.strip("`").replace("the same", released[0].repo or "") for _, _, repo in rows]
    assert repos == [known.repo for known in released]
    for (_, file, _), known in zip(rows[:3], released, strict=False):
        assert re.sub(r"[\s_-]+", "", file.strip("`").removesuffix(".json")).lower() in known.keys


def test_the_quoted_reports_are_what_the_commands_print(engine: Engine) -> None:
    with Session(engine) as session:
        runs = {run.model: run.id for run in list_runs(session) if run.source == "predictions"}
        first, second = load_run(session, runs["predictions"]), load_run(session, runs["always-d"])
        paired = compare_runs(session, first, second, ["accuracy"]).comparison
        whole = {row.metric: row for row in compare_runs(session, first, second).comparison.metrics}
        report = build_report(session, first)
    console = Console(file=io.StringIO(), width=160, record=True)
    render_report(report, console)
    render_comparison(paired, console)
    printed = [line.rstrip() for line in console.export_text().splitlines()]
    quoted = [line for _, body in told_blocks(GUIDE, "text") for line in body.splitlines()]
    assert len(quoted) == 12
    assert [line for line in quoted if line not in printed] == []
    # What the guide makes of them.
    accuracy, metrics = whole["accuracy"], report.metrics
    assert (accuracy.only_a, accuracy.only_b, round(accuracy.p_holm or 0, 4)) == (14, 1, 0.0029)
    assert (first.status, second.status, report.run.failed) == ("incomplete", "finished", 119 - 45)
    assert (count(metrics["accuracy"]), count(metrics["unparsed"])) == (21, 1)
    assert (count(metrics["language_undetermined"]), metrics["language_undetermined"].n) == (2, 45)
    visible = {n: f"{100 * smallest_difference(n, discordant=0.2):.2f}" for n in (60, 470, 1431, 1565, 6010)}
    told = "it is {} points for n = 60, {} for 470, {} for 1,431, {} for 1,565 and {} for 6,010"
    assert told.format(*visible.values()) in PROSE


def test_always_d_on_himed_west_scores_what_the_guide_says(shared_data: Path, tmp_path: Path) -> None:
    benchmark = load_benchmark("HiMed-West", data_dir=shared_data)
    file = write_lines(tmp_path / "d.jsonl", [{"id": item.id, "response": "D"} for item in benchmark.items])
    engine = open_database(f"sqlite:///{tmp_path / 'himed.db'}")
    run = evaluate(engine, file, "HiMed-West", shared_data)
    with Session(engine) as session:
        metrics = build_report(session, run).metrics
    engine.dispose()
    accuracy, once = metrics["accuracy"], metrics["accuracy_deduplicated"]
    assert accuracy.ci95 is not None
    figures = [f"{100 * value:.2f}" for value in (accuracy.value or 0, *accuracy.ci95, once.value or 0)]
    assert (figures, accuracy.method, once.n) == (["23.77", "21.82", "25.82", "25.09"], "cluster-bootstrap", 1690)
    clusters = len({item.cluster for item in benchmark.items})
    assert (benchmark.duplicates, len(benchmark.items), clusters) == (94, 1784, 1565)
    assert "23.77 % (21.82–25.82†), and 25.09 % without the 94 exact copies" in PROSE
