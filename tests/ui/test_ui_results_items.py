"""The items of a run without a browser: counts, filters, a single item, the CSV."""

import csv
import io

from harmless import Html, assert_harmless
from results_database import HOSTILE, add_run, hindi_benchmark, make_item
from sqlalchemy import Engine

from app.database import open_session
from evaluation.benchmarks.item import Benchmark
from evaluation.results.records import Score, load_records, load_run
from evaluation.results.writer import replace_scores
from ui.results.item_table import items_csv
from ui.results.item_view import Place, draw_item, draw_list
from ui.results.items import KINDS, ItemFilter, RunItems
from ui.texts import texts

EN, HI = texts("en"), texts("hi")


def test_items_are_counted_and_filtered_as_the_report_means_it(engine: Engine) -> None:
    run = add_run(engine, hindi_benchmark(30), wrong_every=10)
    with open_session(engine) as session:
        items = RunItems(session, load_run(session, run))
        assert items.languages() == ["hi"]
        assert items.count(ItemFilter()) == {
            "all": 30, "wrong": 4, "unparsed": 1, "language": 1, "cut_off": 1, "failed": 1
        }  # fmt: skip

        def rows(**chosen: str) -> list[int]:
            return [line.row for line in items.page(ItemFilter(**chosen), 0)]

        assert rows(kind="wrong") == [7, 10, 20, 30]
        assert rows(kind="unparsed") == [4]
        assert rows(kind="language") == [5]
        assert rows(kind="cut_off") == [6]
        assert rows(kind="failed") == [8]
        assert rows() == list(range(1, 21))
        assert [line.row for line in items.page(ItemFilter(), 20)] == list(range(21, 31))
        assert rows(search="प्रश्न 2") == [2, *range(20, 30)]
        assert rows(search="%") == []
        assert rows(language="en") == []
        assert items.count(ItemFilter(search="प्रश्न 30"))["wrong"] == 1


def test_only_the_last_score_and_the_last_judge_count_among_items(engine: Engine) -> None:
    run = add_run(engine, hindi_benchmark(9))
    with open_session(engine) as session:
        records = load_records(session, load_run(session, run))
    first, second = (record.generations[0] for record in records[:2])
    with engine.begin() as connection:
        replace_scores(connection, [(first, Score("choice", "2", 0.0, "D"))])
        replace_scores(connection, [(second, Score("judge_correct", "1:old", 0.0, "false"))])
    with open_session(engine) as session:
        items = RunItems(session, load_run(session, run))
        assert [line.row for line in items.page(ItemFilter("wrong"), 0)] == [1, 2, 7]
    with engine.begin() as connection:
        replace_scores(connection, [(first, Score("judge_correct", "1:new", 1.0, "true"))])
    with open_session(engine) as session:
        items = RunItems(session, load_run(session, run))
        assert [line.row for line in items.page(ItemFilter("wrong"), 0)] == [1, 7]
        whole = items.whole("hi001", 0)
        assert whole is not None
        assert [(score.version, score.stands) for score in whole.scores if score.scorer == "choice"] == [
            ("1", False),
            ("2", True),
        ]
        old = items.whole("hi002", 0)
        assert old is not None
        assert [score.stands for score in old.scores if score.scorer == "judge_correct"] == [False]


def test_an_item_without_a_generation_is_listed_as_failed(engine: Engine) -> None:
    benchmark = hindi_benchmark(2)
    run = add_run(engine, benchmark)
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM generation WHERE item_id = 'hi002'")
    with open_session(engine) as session:
        items = RunItems(session, load_run(session, run))
        (line,) = items.page(ItemFilter("failed"), 0)
        assert (line.row, line.sample, line.kinds) == (2, None, ("failed",))
        whole = items.whole(line.item_id, line.sample)
        assert whole is not None
        assert EN("results.no_generation") in draw_item(whole, "himed", Place(), 1, EN)
        assert items.whole("nothing", 0) is None


def test_hostile_items_and_completions_stay_text(engine: Engine) -> None:
    run = add_run(engine, hindi_benchmark())
    with open_session(engine) as session:
        items = RunItems(session, load_run(session, run))
        listed = draw_list(items.page(ItemFilter(), 0), items.count(ItemFilter()), Place(), EN)
        assert HOSTILE in Html(listed).text
        assert_harmless(listed)
        for item_id in ("hi003", "hi007", "hi008"):
            whole = items.whole(item_id, 0)
            assert whole is not None
            html = draw_item(whole, "himed", Place(), 30, HI)
            assert HOSTILE in Html(html).text
            assert_harmless(html)


def test_an_item_shows_its_parts_its_scores_and_what_is_foreign_in_its_answer(engine: Engine) -> None:
    run = add_run(engine, hindi_benchmark())
    with open_session(engine) as session:
        whole = RunItems(session, load_run(session, run)).whole("hi005", 0)
    assert whole is not None
    html = draw_item(whole, "himed", Place(), 30, EN)
    page = Html(html)
    assert ("mark", {"title": "English"}) in page.tags
    for words in ("पहले लक्षण देखें।", "because the patient has had a fever", "inconsistent", "कास", "stop", "0.25 s"):
        assert words in page.text
    assert "language 1" in page.text  # scorer and version


def test_a_list_says_where_it_is(engine: Engine) -> None:
    run = add_run(engine, hindi_benchmark())
    with open_session(engine) as session:
        items, place = RunItems(session, load_run(session, run)), Place(ItemFilter(), 22)
        html = draw_list(items.page(place.chosen, 20), items.count(place.chosen), place, EN)
    page = Html(html)
    assert "21–30 of 30" in page.text
    assert [a["data-kind"] for tag, a in page.tags if a.get("data-action") == "kind"] == list(KINDS)
    current = [a["data-index"] for _, a in page.tags if a.get("aria-current")]
    assert current == ["22"]


def test_the_csv_of_items_holds_all_that_fit_with_their_scores_and_no_formula(engine: Engine) -> None:
    items = [make_item(row) for row in range(1, 31)]
    items[1] = make_item(2, question="=HYPERLINK(1)")
    run = add_run(engine, Benchmark(name="trial", version="1", items=tuple(items)))
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM generation WHERE item_id = 'hi009'")

    def read(**chosen: str) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(items_csv(engine, run, ItemFilter(**chosen)) or "")))

    rows = read()
    assert [row["row"] for row in rows] == [str(number) for number in range(1, 31)]
    assert rows[1]["question"] == "'=HYPERLINK(1)"
    assert (rows[0]["score_choice"], rows[0]["score_choice_label"], rows[0]["sample"]) == ("1.0", "B", "0")
    assert (rows[3]["score_choice"], rows[8]["sample"], rows[8]["text"]) == ("", "", "")
    assert rows[4]["score_language_label"] == "inconsistent"
    assert [row["item"] for row in read(kind="failed")] == ["hi008", "hi009"]
    assert [row["score_choice"] for row in read(kind="wrong", search="प्रश्न 20")] == ["0.0"]
    assert items_csv(engine, run, ItemFilter(search="%")) is None
