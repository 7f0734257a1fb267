"""The tab Results without a browser: filters, reports, single items, pairs; nothing of a model becomes HTML."""

import csv
import io
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import cast

import anyio
import anyio.to_thread
import gradio as gr
import pytest
from harmless import Html, assert_harmless
from results_database import HOSTILE, add_run, english_benchmark, hindi_benchmark, make_item
from sqlalchemy import Engine, event, text

from app.database import open_session
from app.errors import InputError
from app.schema import open_database
from evaluation.benchmarks.item import Benchmark
from evaluation.results.records import Score, load_records, load_run
from evaluation.results.writer import replace_scores
from ui.csv_text import csv_text
from ui.results import reports
from ui.results.memory import Memory
from ui.results.pairs import PairStore, draw_pair, pair_csv
from ui.results.reading import drawn
from ui.results.reports import ReportStore, draw_report, report_csv
from ui.results.runs import PAGE, RunFilter, list_all, list_page, run_choices, to_csv
from ui.results.waiting import Latest, apart
from ui.texts import Texts, texts

EN, HI = texts("en"), texts("hi")


def test_runs_are_filtered_by_benchmark_model_status_and_format(engine: Engine) -> None:
    first = add_run(engine, hindi_benchmark(9), "himed-8b")
    second = add_run(engine, english_benchmark(9), "Other 100%", finished=False)
    with open_session(engine) as session:

        def found(**chosen: str) -> list[str]:
            return [run.id for run in list_page(session, RunFilter(**chosen), 0).runs]

        assert found() == [second, first]
        assert found(benchmark="trial") == [first]
        assert found(model="HIMED") == [first]
        assert found(model="%") == [second]
        assert found(status="interrupted") == [second]
        assert found(status="finished", format="himed") == [first]
        assert found(format="plain") == []
        assert [run.id for run in list_all(session, RunFilter(model="other"))] == [second]
        assert [choice.id for choice in run_choices(session)] == [second, first]


def test_runs_come_in_pages_and_a_page_behind_the_last_is_the_last(engine: Engine) -> None:
    benchmark = hindi_benchmark(1)
    ids = [add_run(engine, benchmark, f"model {number}") for number in range(PAGE + 3)]
    with open_session(engine) as session:
        first, last = list_page(session, RunFilter(), 0), list_page(session, RunFilter(), 99)
    assert [run.id for run in first.runs] == ids[:2:-1]
    assert [run.id for run in last.runs] == ids[2::-1]
    assert (last.page, last.pages, last.fitting, last.total) == (1, 2, PAGE + 3, PAGE + 3)


def test_the_csv_of_runs_holds_a_line_for_each(engine: Engine) -> None:
    run = add_run(engine, hindi_benchmark(9), 'model, "quoted"')
    with open_session(engine) as session:
        rows = list(csv.DictReader(io.StringIO(to_csv(list_all(session, RunFilter())))))
    assert [(row["id"], row["model"], row["done"], row["expected"]) for row in rows] == [
        (run, 'model, "quoted"', "8", "9")
    ]


def test_a_report_has_the_figures_of_evaluations_report_in_both_languages(engine: Engine) -> None:
    run = add_run(engine, hindi_benchmark())
    built = ReportStore(engine).load(run)
    accuracy = built.report.metrics["accuracy"]
    assert (accuracy.n, accuracy.missing) == (29, 1)
    english, hindi = draw_report(built, EN), draw_report(built, HI)
    for html in (english, hindi):
        assert f"{100 * (accuracy.value or 0):.2f} %" in html
        assert "n 29" in html
        assert html.count('class="whisker"') >= len(built.report.metrics)
        assert_harmless(html)
    assert "30; 1 of 30 generations failed or missing" in english
    assert "Accuracy by system" in english
    assert "Language consistency" in english
    assert "भाषा की एकरूपता" in hindi
    assert "Language consistency" not in Html(hindi).text.partition(HI("results.definitions"))[0]
    assert HOSTILE in Html(english).text  # the error of the failed generation
    assert report_csv(built).startswith("group,group_value,metric,value,lo,hi,n,missing,method\r\n")


def test_a_report_is_built_again_only_when_the_run_has_changed(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    run = add_run(engine, hindi_benchmark(12))
    builds = []
    build = reports._build

    def counted(engine: Engine, run_id: str) -> reports.BuiltReport:
        builds.append(run_id)
        return build(engine, run_id)

    monkeypatch.setattr(reports, "_build", counted)
    store = ReportStore(engine)
    before = store.load(run).report.metrics["accuracy"].value
    assert store.load(run).report.metrics["accuracy"].value == before
    assert len(builds) == 1
    with open_session(engine) as session:
        records = load_records(session, load_run(session, run))
    generation = records[0].generations[0]
    with engine.begin() as connection:
        replace_scores(connection, [(generation, Score("choice", "2", 0.0, "D"))])
    assert store.load(run).report.metrics["accuracy"].value != before
    assert len(builds) == 2


def test_what_is_not_there_is_a_sentence(engine: Engine) -> None:
    add_run(engine, hindi_benchmark(3))
    html = drawn(EN, lambda: draw_report(ReportStore(engine).load(HOSTILE), EN))
    assert "This run is no longer in the database." in html
    assert_harmless(html)


def test_a_database_that_is_away_is_a_sentence(tmp_path: object) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/away.db")
    event.listen(engine, "do_connect", lambda *_: (_ for _ in ()).throw(engine.dialect.dbapi.OperationalError("away")))  # type: ignore[union-attr]
    engine.dispose()
    html = drawn(HI, lambda: draw_report(ReportStore(engine).load("x"), HI))
    assert HI("results.database_away") in html


def test_two_runs_are_compared_item_by_item(engine: Engine) -> None:
    benchmark = hindi_benchmark(60)
    a, b = add_run(engine, benchmark, "good", wrong_every=100), add_run(engine, benchmark, "poor", wrong_every=2)
    pair = PairStore(engine).load(a, b)
    pairing = pair.pairing
    (accuracy,) = [row for row in pairing.comparison.metrics if row.metric == "accuracy"]
    assert accuracy.n == 59
    assert accuracy.ci95 is not None
    assert accuracy.ci95[0] > 0
    for say in (EN, HI):
        html = draw_pair(pair, say)
        assert f"+{100 * (accuracy.difference or 0):.2f}" in html
        assert 'class="zero"' in html
        assert_harmless(html)
    rows = list(csv.DictReader(io.StringIO(pair_csv(pair))))
    assert {(row["run_a"], row["run_b"]) for row in rows} == {(a, b)}
    assert float(next(row for row in rows if row["metric"] == "accuracy")["lo"]) == accuracy.ci95[0]


def test_parallel_runs_are_paired_by_number_and_a_stays_what_was_chosen_as_a(engine: Engine) -> None:
    hindi, english = add_run(engine, hindi_benchmark(22), wrong_every=2), add_run(engine, english_benchmark(20))
    store = PairStore(engine)
    pairs = {"A": store.load(english, hindi), "B": store.load(hindi, english)}
    for side, pair in pairs.items():
        assert (pair.english, pair.pairing.kind, pair.pairing.shared) == (side, "gap", 20)
        words = {"shared": "20", "only_a": "0" if side == "A" else "2", "only_b": "2" if side == "A" else "0"}
        assert EN("results.paired_gap", **words, english=side) in draw_pair(pair, EN)
    there, back = (pair.pairing for pair in pairs.values())
    assert (there.a.id, there.b.id) == (back.b.id, back.a.id) == (english, hindi)
    for one, other in zip(there.comparison.metrics, back.comparison.metrics, strict=True):
        assert (one.a, one.b, one.only_a, one.only_b) == (other.b, other.a, other.only_b, other.only_a)
        assert (one.p, one.test, one.n) == (other.p, other.test, other.n)
        if one.difference is not None and one.ci95 and other.ci95:
            assert one.difference == -(other.difference or 0.0)
            assert one.ci95 == (-other.ci95[1], -other.ci95[0])
    assert next(row for row in there.comparison.metrics if row.metric == "accuracy").difference != 0


def test_what_cannot_be_compared_is_said_in_the_pages_language(engine: Engine) -> None:
    store = PairStore(engine)
    first, other = add_run(engine, hindi_benchmark(3)), add_run(engine, hindi_benchmark(4))
    with pytest.raises(InputError, match="same run"):
        store.load(first, first)

    def said(a: str, b: str, say: Texts) -> str:
        return Html(drawn(say, lambda: draw_pair(store.load(a, b), say))).text.strip()

    assert said(first, other, EN).startswith(
        "The runs are on different benchmarks, trial (3 items) and trial (4 items)"
    )
    # Evaluation's own reasons, which are recognised by how they begin.
    english = add_run(engine, english_benchmark(3))
    last = [item for item in english_benchmark(9).items if item.row > 5]
    apart = add_run(engine, Benchmark(name="apart", version="1", items=tuple(last)))
    part = add_run(engine, english_benchmark(3), "unscored")
    with engine.begin() as connection:
        connection.execute(
            text("DELETE FROM score WHERE generation_id IN (SELECT id FROM generation WHERE run_id = :run)"),
            {"run": part},
        )
    for say in (EN, HI):
        assert said(first, "gone", say) == say("results.run_gone")
        assert said(first, first, say) == say("results.same_run")
        assert said(first, apart, say) == say("results.no_shared_number")
        assert said(english, part, say) == say("results.no_shared_metric")
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM run_item WHERE run_id = :run AND item_id <> 'en001'"), {"run": part})
        connection.execute(text("DELETE FROM run_item WHERE run_id = :run AND item_id = 'en001'"), {"run": english})
    whole = add_run(engine, english_benchmark(3), "scored")
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM run_item WHERE run_id = :run AND item_id <> 'en001'"), {"run": whole})
        connection.execute(text("DELETE FROM generation WHERE run_id = :run AND item_id <> 'en001'"), {"run": whole})
        connection.execute(text("DELETE FROM generation WHERE run_id = :run AND item_id = 'en001'"), {"run": english})
    assert said(english, whole, HI) == HI("results.no_shared_item")


def test_an_error_without_words_of_the_pages_own_is_in_english_and_marked_so() -> None:
    def fail() -> str:
        raise InputError("row <3> has no question", remedy="add one")

    html = drawn(HI, fail)
    assert HI("results.not_shown") in html
    assert '<span lang="en">Row &lt;3&gt; has no question; add one.</span>' in html


def test_a_group_that_looks_like_a_formula_is_none_in_the_csv_of_a_report(engine: Engine) -> None:
    items = tuple(replace(make_item(row), groups={"system": "=1+1" if row % 2 else "Unani"}) for row in range(1, 4))
    built = ReportStore(engine).load(add_run(engine, Benchmark(name="trial", version="1", items=items)))
    groups = {(row["group"], row["group_value"]) for row in csv.DictReader(io.StringIO(report_csv(built)))}
    assert ("system", "'=1+1") in groups


def test_csv_keeps_numbers_and_disarms_formulas() -> None:
    words = ["=1", "+1", "-1", "@a", "\ta", "\ra", "\na", "\uff1d1", "a\r=1", ""]
    assert csv_text(("a", "=b"), [(-0.5, None), (1e-9, 7)]) == "a,'=b\r\n-0.5,\r\n1e-09,7\r\n"
    _, row = csv.reader(io.StringIO(csv_text(["word"] * 10, [words]), newline=""))
    assert row == [*(f"'{word}" for word in words[:8]), "a\r=1", ""]


def test_who_waits_for_a_report_holds_no_session_and_keeps_nobody_from_what_is_built(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, quick = add_run(engine, hindi_benchmark(3)), add_run(engine, english_benchmark(3))
    store, may_end, builds = ReportStore(engine), threading.Event(), []
    store.load(quick)
    build = reports._build

    def wait(engine: Engine, run_id: str) -> reports.BuiltReport:
        builds.append(run_id)
        assert may_end.wait(20)
        return build(engine, run_id)

    monkeypatch.setattr(reports, "_build", wait)
    with ThreadPoolExecutor(16) as people:
        waiting = [people.submit(store.load, slow) for _ in range(16)]
        end = time.monotonic() + 20
        while not builds and time.monotonic() < end:
            time.sleep(0.01)
        assert store.load(quick).report.run.id == quick
        may_end.set()
        assert {each.result(20).report.run.id for each in waiting} == {slow}
    assert builds == [slow]


def test_what_waits_for_builds_has_threads_of_its_own() -> None:
    async def run() -> tuple[int, int]:
        shared = anyio.to_thread.current_default_thread_limiter()
        found = await apart(lambda number: (number, shared.borrowed_tokens))(7)
        return cast(tuple[int, int], found)

    assert anyio.run(run) == (7, 0)


def test_only_what_was_chosen_last_is_shown() -> None:
    latest = Latest()
    latest.choice = "b"
    assert latest.only("b", "report of b") == "report of b"
    assert latest.only("a", "report of a") == gr.skip()


def test_memory_forgets_the_oldest_and_keeps_nothing_of_what_failed() -> None:
    memory, built = Memory[int](2), []

    def build(value: int) -> int:
        built.append(value)
        return value

    for value in (1, 2, 1, 3, 1, 2):
        assert memory.get(value, lambda value=value: build(value)) == value  # type: ignore[misc]
    assert built == [1, 2, 3, 2]
    with pytest.raises(ZeroDivisionError):
        memory.get(4, lambda: 1 // 0)
    assert memory.get(4, lambda: build(4)) == 4
