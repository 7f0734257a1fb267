"""The tab Results in a real browser: filters, a run, its items, two runs, training curves, CSV, narrow and in Hindi."""

import csv
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from accessibility import assert_accessible
from playwright.sync_api import Page, expect
from results_database import HOSTILE, add_run, hindi_benchmark
from running_page import RunningPage, sqlite_url
from sqlalchemy import Engine
from test_ui_training_curves import write_events, write_stage

from app.schema import open_database
from ui.results import reports

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPage]:
    """The page before two runs and a checkpoint; no gateway is needed here."""
    folder = tmp_path_factory.mktemp("results")
    engine = open_database(sqlite_url(folder))
    benchmark = hindi_benchmark(45)
    add_run(engine, benchmark, "himed-good", wrong_every=100)
    add_run(engine, benchmark, "himed-poor", wrong_every=3, finished=False)
    engine.dispose()
    write_stage(folder / "runs" / "la", "la", None, body=b"weights.")
    write_events(folder / "runs" / "la" / "logs", {"train/loss": [(step, 2 / step) for step in range(1, 60)]})
    with RunningPage("http://127.0.0.1:9/v1", sqlite_url(folder), checkpoints=(folder / "runs",)) as page:
        yield page


def open_results(open_page: Any, results: RunningPage, name: str = "Results", **window: Any) -> Page:
    page: Page = open_page(results.url, **window)
    page.get_by_role("tab", name=name, exact=True).click()
    page.locator("#runs-table table").wait_for()
    return page


def open_inner(page: Page, name: str) -> None:
    """An inner tab; on a narrow screen it may be in a menu."""
    tab = page.locator("#results-tabs").get_by_role("tab", name=name, exact=True)
    if tab.count() and tab.first.is_visible():
        tab.first.click()
        return
    page.locator("#results-tabs .overflow-menu > button").click()
    page.locator("#results-tabs .overflow-dropdown button", has_text=name).first.click()


def test_runs_are_filtered_and_stored_as_csv(open_page: Any, results: RunningPage, tmp_path: Path) -> None:
    page = open_results(open_page, results)
    rows = page.locator("#runs-table tbody tr")
    expect(rows).to_have_count(2)
    page.locator("#run-model input, #run-model textarea").fill("GOOD")
    expect(rows).to_have_count(1)
    expect(rows.first).to_contain_text("himed-good")
    with page.expect_download() as download:
        page.locator("#runs-csv").click()
    download.value.save_as(tmp_path / "runs.csv")
    with (tmp_path / "runs.csv").open(encoding="utf-8-sig") as file:
        assert [row["model"] for row in csv.DictReader(file)] == ["himed-good"]
    page.locator("#run-model input, #run-model textarea").fill("")
    expect(rows).to_have_count(2)
    page.locator("#run-status input").click()
    page.get_by_role("option", name="interrupted").click()
    expect(rows).to_have_count(1)
    expect(rows.first).to_contain_text("himed-poor")
    assert_accessible(page)


def test_a_run_is_opened_and_its_items_are_read(open_page: Any, results: RunningPage, tmp_path: Path) -> None:
    page = open_results(open_page, results)
    page.get_by_role("button", name="Open himed-good, trial").click()
    report = page.locator("#run-view .report")
    expect(report).to_contain_text("Accuracy by system", timeout=30_000)
    expect(report.locator(".tile").first).to_contain_text("n 44")
    assert page.evaluate("document.activeElement.id") == "run-view"
    assert_accessible(page)
    with page.expect_download() as download:
        page.locator("#run-csv").click()
    download.value.save_as(tmp_path / "run.csv")
    assert (tmp_path / "run.csv").read_text("utf-8-sig").startswith("group,group_value,metric,")

    open_inner(page, "Items")
    items, item = page.locator("#item-list ol.items > li"), page.locator("#item-view article")
    expect(items).to_have_count(20)
    page.locator("#item-list [data-kind=failed]").click()
    expect(items).to_have_count(1)
    expect(item).to_contain_text("the endpoint answered 500")
    expect(item).to_contain_text(HOSTILE)
    page.locator("#item-list [data-kind=language]").click()
    expect(item.locator("mark").first).to_contain_text("because the patient")
    page.locator("#item-list [data-kind=all]").click()
    expect(items).to_have_count(20)
    item.get_by_role("button", name="Next").click()
    expect(item).to_contain_text("2 / 45")
    page.locator("#item-search input, #item-search textarea").fill("प्रश्न 44")
    expect(items).to_have_count(1)
    expect(item).to_contain_text("Row 44")
    assert_accessible(page)
    page.locator("#item-search input, #item-search textarea").fill("")
    expect(items).to_have_count(20)
    with page.expect_download() as download:
        page.locator("#items-csv").click()
    download.value.save_as(tmp_path / "items.csv")
    with (tmp_path / "items.csv").open(encoding="utf-8-sig", newline="") as file:
        assert len(list(csv.DictReader(file))) == 45


def choose(page: Page, picker: str, name: str) -> None:
    """A run in a drop-down."""
    page.locator(f"{picker} input").click()
    page.get_by_role("option", name=name).click()


def test_a_report_that_comes_late_is_not_shown_under_another_runs_name(
    open_page: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = open_database(sqlite_url(tmp_path))
    for model in ("himed-good", "himed-poor"):
        add_run(engine, hindi_benchmark(6), model)
    engine.dispose()
    may_end, build = threading.Event(), reports._build

    def build_slowly(engine: Engine, run_id: str) -> reports.BuiltReport:
        found = build(engine, run_id)
        if found.report.run.model == "himed-poor":
            assert may_end.wait(60)
        return found

    monkeypatch.setattr(reports, "_build", build_slowly)
    with RunningPage("http://127.0.0.1:9/v1", sqlite_url(tmp_path)) as results:
        page = open_results(open_page, results)
        open_inner(page, "Run")
        report, heading = page.locator("#run-view"), page.locator("#run-view h2").first
        choose(page, "#run-choice", "himed-poor")
        expect(report).to_contain_text("Building the report")
        choose(page, "#run-choice", "himed-good")
        expect(heading).to_contain_text("himed-good", timeout=30_000)
        with page.expect_response(lambda answer: answer.request.method == "POST"):
            may_end.set()
        page.wait_for_timeout(300)
        expect(heading).to_contain_text("himed-good")
        choose(page, "#run-choice", "himed-poor")
        expect(heading).to_contain_text("himed-poor")


def test_two_runs_are_chosen_in_the_table_and_compared(open_page: Any, results: RunningPage, tmp_path: Path) -> None:
    page = open_results(open_page, results)
    page.get_by_role("button", name="As A of two runs: himed-good").click()
    expect(page.locator("#runs-table [aria-pressed=true]")).to_have_count(1)
    page.get_by_role("button", name="As B of two runs: himed-poor").click()
    expect(page.locator("#runs-table [aria-pressed=true]")).to_have_count(2)
    open_inner(page, "Two runs")
    page.locator("#pair-compare").click()
    view = page.locator("#pair-view")
    expect(view).to_contain_text("45 items paired one by one", timeout=30_000)
    expect(view.locator("svg.plot circle").first).to_be_visible()
    with page.expect_download() as download:
        page.locator("#pair-csv").click()
    download.value.save_as(tmp_path / "pair.csv")
    with (tmp_path / "pair.csv").open(encoding="utf-8-sig") as file:
        accuracy = next(row for row in csv.DictReader(file) if row["metric"] == "accuracy")
    assert float(accuracy["difference"]) > 0
    assert_accessible(page)
    page.locator("#pair-swap").click()
    page.locator("#pair-compare").click()
    expect(view.locator("dl.pair dd").first).to_contain_text("himed-poor", timeout=30_000)
    choose(page, "#pair-b", "himed-poor")
    page.locator("#pair-compare").click()
    expect(view).to_contain_text("A and B are the same run")
    page.locator("#interface-language").get_by_text("हिन्दी").click()
    expect(view).to_contain_text("A और B एक ही रन हैं", timeout=30_000)


def test_a_checkpoint_shows_its_lineage_and_curves(open_page: Any, results: RunningPage) -> None:
    page = open_results(open_page, results)
    open_inner(page, "Training")
    page.locator("#checkpoint input").click()
    page.get_by_role("option", name="runs/la/final").click()
    expect(page.locator("#training-view .lineage")).to_contain_text("random weights")
    expect(page.locator("#training-view polyline")).to_have_count(1, timeout=30_000)
    assert_accessible(page)


def test_the_language_changes_what_stands_there_on_a_narrow_screen(open_page: Any, results: RunningPage) -> None:
    page = open_results(open_page, results, name="परिणाम", width=390, language="hi")
    expect(page.locator("#runs-table")).to_contain_text("बीच में रुका")
    page.get_by_role("button", name="खोलें: himed-good, trial").click()
    report = page.locator("#run-view .report")
    expect(report).to_contain_text("भाषा की एकरूपता", timeout=30_000)
    page.locator("#interface-language").get_by_text("English").click()
    expect(report).to_contain_text("Language consistency")
    open_inner(page, "Items")
    page.locator("#item-list ol.items > li button").nth(2).click()
    expect(page.locator("#item-view article")).to_contain_text(HOSTILE)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert_accessible(page)


def test_an_empty_database_says_how_a_first_run_is_made(open_page: Any, tmp_path: Path) -> None:
    with RunningPage("http://127.0.0.1:9/v1", sqlite_url(tmp_path)) as empty:
        page: Page = open_page(empty.url)
        page.get_by_role("tab", name="Results", exact=True).click()
        expect(page.locator("#runs-table")).to_contain_text("himed-eval --bench sample")
        open_inner(page, "Run")
        expect(page.locator("#run-view")).to_contain_text("Choose a run above")
        open_inner(page, "Training")
        expect(page.locator("#training-view")).to_contain_text("himed-ui --checkpoints FOLDER")
