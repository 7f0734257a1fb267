import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from local_endpoint import LocalEndpoint, failure
from sqlalchemy import func, select

from app.database import open_session
from app.errors import InputError
from app.schema import open_database
from app.settings import load_settings
from app.tables import GenerationRow, RunRow, ScoreRow, VerdictRow
from evaluation.config import read_config
from evaluation.metrics import build_report, report_records
from evaluation.plan import make_plan
from evaluation.results.records import load_records
from evaluation.runner import Runner, RunStoppedError


@pytest.fixture
def benchmark(tmp_path: Path) -> Path:
    """Ten MCQs with gold A, B, A, B, ... and two open questions, in Hindi."""
    rows: list[dict[str, Any]] = [
        {
            "id": f"m{n}",
            "language": "Hindi",
            "type": "MCQ",
            "question": f"प्रश्न संख्या {n} क्या है?",
            "options": {"A": "पहला", "B": "दूसरा", "C": "तीसरा"},
            "answer": "AB"[n % 2],
        }
        for n in range(10)
    ]
    rows += [
        {"id": f"o{n}", "language": "Hindi", "type": "QA", "question": f"रोग {n} क्या है?", "answer": "एक रोग।"}
        for n in range(2)
    ]
    file = tmp_path / "small.jsonl"
    file.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    return file


def runner(benchmark: Path, url: str, database_url: str, **options: Any) -> Runner:
    values = {"bench": str(benchmark), "endpoint": url, "served_model": "m", "concurrency": 4} | options
    plan = make_plan(read_config(values, None), None)
    return Runner(plan, load_settings(), open_database(database_url))


def answer_a(body: dict[str, Any]) -> str:
    return "उत्तर: A"


def count(evaluation: Runner, table: Any) -> int:
    with open_session(evaluation.database) as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_a_run_is_generated_scored_and_reported_from_memory_as_from_the_database(
    benchmark: Path, database_url: str
) -> None:
    with LocalEndpoint(answer_a) as local:
        evaluation = runner(benchmark, local.url, database_url)
        run = evaluation.execute()
    assert (run.status, run.owner, len(local.requests)) == ("finished", None, 12)
    report = report_records(run, evaluation.records)
    assert report.metrics["accuracy"].value == 0.5
    assert report.metrics["accuracy"].n == 10
    assert report.metrics["exact_match"].n == 2
    with open_session(evaluation.database) as session:
        assert build_report(session, session.get_one(RunRow, run.id)) == report


def test_the_same_command_on_a_finished_run_asks_nothing_and_new_asks_all(benchmark: Path, database_url: str) -> None:
    with LocalEndpoint(answer_a) as local:
        first = runner(benchmark, local.url, database_url).execute()
        assert runner(benchmark, local.url, database_url).execute().id == first.id
        assert len(local.requests) == 12
        assert runner(benchmark, local.url, database_url, new=True).execute().id != first.id
        assert len(local.requests) == 24


def test_failed_items_are_listed_and_a_second_run_tries_only_them(benchmark: Path, database_url: str) -> None:
    refused = ["संख्या 3", "संख्या 7"]

    def refuse_two(body: dict[str, Any]) -> Any:
        question = body["messages"][-1]["content"]
        return failure(400, "too long") if any(part in question for part in refused) else "उत्तर: A"

    with LocalEndpoint(refuse_two) as local:
        evaluation = runner(benchmark, local.url, database_url)
        run = evaluation.execute()
        assert run.status == "incomplete"
        assert sorted(item.number or "" for item, _ in evaluation.failed) == ["m3", "m7"]
        assert all("HTTP 400" in (generation.error or "") for _, generation in evaluation.failed)
        report = report_records(run, evaluation.records)
        assert (report.metrics["accuracy"].n, report.metrics["accuracy"].missing, report.run.failed) == (8, 2, 2)

        refused.clear()
        local.requests.clear()
        again = runner(benchmark, local.url, database_url)
        assert again.execute().id == run.id
        assert len(local.requests) == 2
    assert again.run.status == "finished"
    assert count(again, GenerationRow) == 12
    assert report_records(again.run, again.records).metrics["accuracy"].n == 10


def test_an_unusable_endpoint_stops_the_run_and_keeps_what_was_done(benchmark: Path, database_url: str) -> None:
    def close_after_five(body: dict[str, Any]) -> Any:
        return "उत्तर: A" if len(local.requests) <= 5 else failure(401, "bad key")

    with LocalEndpoint(close_after_five) as local:
        evaluation = runner(benchmark, local.url, database_url, concurrency=1)
        with pytest.raises(RunStoppedError, match=r"401.*HIMED_API_KEY"):
            evaluation.execute()
    assert (evaluation.run.status, evaluation.run.owner) == ("interrupted", None)
    assert count(evaluation, GenerationRow) == 5


def test_a_run_that_another_living_process_owns_is_refused(benchmark: Path, database_url: str) -> None:
    with LocalEndpoint(answer_a) as local:
        runner(benchmark, local.url, database_url)  # owned by this process, which lives
        with pytest.raises(InputError, match="is being worked on by another process"):
            runner(benchmark, local.url, database_url).execute()


def test_samples_get_their_own_seeds_the_same_at_every_attempt(benchmark: Path, tmp_path: Path) -> None:
    def seeds(database: str) -> list[int]:
        with LocalEndpoint(answer_a) as local:
            runner(benchmark, local.url, database, samples=3, temperature=0.7, seed=5).execute()
            return sorted(body["seed"] for body in local.requests)

    first = seeds(f"sqlite:///{tmp_path / 'a.db'}")
    assert len(set(first)) == 36
    assert seeds(f"sqlite:///{tmp_path / 'b.db'}") == first


def test_a_judge_is_added_later_and_its_verdicts_are_cached(benchmark: Path, database_url: str) -> None:
    with LocalEndpoint(answer_a) as local, LocalEndpoint(lambda body: "Verdict: false") as judge:
        run = runner(benchmark, local.url, database_url).execute()
        options = {"judge_endpoint": judge.url, "judge_model": "j"}
        judged = runner(benchmark, local.url, database_url, **options)
        assert judged.execute().id == run.id
        assert len(local.requests) == 12
        assert len(judge.requests) == 2
        metric = report_records(judged.run, judged.records).metrics["judge_correct"]
        assert (metric.value, metric.n, metric.missing) == (0.0, 2, 0)
        # Another run with the same answers finds the verdicts in the cache.
        runner(benchmark, local.url, database_url, new=True, **options).execute()
        assert len(judge.requests) == 2
    assert count(judged, VerdictRow) == 2


def test_a_judge_that_fails_leaves_the_answer_unjudged_for_the_next_time(benchmark: Path, database_url: str) -> None:
    with LocalEndpoint(answer_a) as local, LocalEndpoint(lambda body: failure(422)) as judge:
        options = {"judge_endpoint": judge.url, "judge_model": "j"}
        evaluation = runner(benchmark, local.url, database_url, **options)
        assert evaluation.execute().status == "incomplete"
        assert len(evaluation.unjudged) == 2
        judge.answer = lambda body: "Verdict: true"
        again = runner(benchmark, local.url, database_url, **options)
        assert again.execute().status == "finished"
    assert report_records(again.run, again.records).metrics["judge_correct"].value == 1.0


def test_predictions_are_imported_with_their_verdicts(benchmark: Path, tmp_path: Path, database_url: str) -> None:
    rows = [
        {"id": f"m{n}", "response": "उत्तर: A", "judge_correct": [True, False, None][n % 3], "finish_reason": "stop"}
        for n in range(9)
    ]
    file = tmp_path / "answers.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    values = {"bench": str(benchmark), "predictions": file}

    def imported() -> Runner:
        return Runner(make_plan(read_config(values, None), None), load_settings(), open_database(database_url))

    evaluation = imported()
    assert evaluation.execute().status == "incomplete"  # three items have no row
    report = report_records(evaluation.run, evaluation.records)
    assert (report.metrics["accuracy"].n, report.metrics["accuracy"].missing) == (9, 1)
    judged = report.metrics["judge_correct"]
    # Three without a verdict, three without an answer.
    assert (judged.value, judged.n, judged.missing) == (0.5, 6, 6)
    scores = count(evaluation, ScoreRow)
    assert imported().execute().id == evaluation.run.id
    assert count(evaluation, ScoreRow) == scores
    assert count(evaluation, VerdictRow) == 6


def test_options_are_shuffled_and_stored_as_they_were_shown(benchmark: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'results.db'}"
    with LocalEndpoint(answer_a) as local:
        evaluation = runner(benchmark, local.url, url, shuffle_options=3)
        run = evaluation.execute()
    with open_session(evaluation.database) as session:
        records = load_records(session, run)
    originals = evaluation.plan.benchmark.by_id
    moved = 0
    for record in records:
        original = originals[record.item.id]
        if original.options is None or record.item.options is None:
            continue
        moved += record.item.options != original.options
        assert record.item.options[record.item.gold or ""] == original.options[original.gold or ""]
    assert moved > 0


def test_a_database_holds_no_generation_without_its_scores(benchmark: Path, tmp_path: Path) -> None:
    with LocalEndpoint(answer_a) as local:
        runner(benchmark, local.url, f"sqlite:///{tmp_path / 'results.db'}").execute()
    with sqlite3.connect(tmp_path / "results.db") as database:
        query = (
            "SELECT count(*) FROM generation g WHERE NOT EXISTS (SELECT 1 FROM score s WHERE s.generation_id = g.id)"
        )
        assert database.execute(query).fetchone() == (0,)
