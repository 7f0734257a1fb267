"""What goes wrong in the middle of a run, and that nothing is lost or made up by it."""

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from checkpoint_files import write_checkpoint
from local_endpoint import LocalEndpoint, completion, failure
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from app.errors import InputError
from app.schema import open_database
from app.settings import load_settings
from app.tables import RunRow
from evaluation.config import read_config
from evaluation.metrics import build_report, report_records
from evaluation.plan import make_plan
from evaluation.results import writer
from evaluation.results.listing import summarise
from evaluation.results.runs import count_stored
from evaluation.runner import Runner


@pytest.fixture
def benchmark(tmp_path: Path) -> Path:
    """Thirty open questions in Hindi."""
    rows = [
        {"id": f"o{n}", "language": "Hindi", "type": "QA", "question": f"रोग संख्या {n} क्या है?", "answer": "एक रोग।"}
        for n in range(30)
    ]
    file = tmp_path / "open.jsonl"
    file.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    return file


def runner(benchmark: Path, url: str, database_url: str, **options: Any) -> Runner:
    values = {"bench": str(benchmark), "endpoint": url, "served_model": "m", "concurrency": 2} | options
    return Runner(make_plan(read_config(values, None), None), load_settings(), open_database(database_url))


def slowly(body: dict[str, Any]) -> str:
    time.sleep(0.1)
    return "एक रोग।"


def test_a_database_that_is_away_for_a_moment_is_waited_for_and_nothing_is_lost(
    benchmark: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_WAIT_SECONDS", 0.1)
    with LocalEndpoint(slowly) as local:
        evaluation = runner(benchmark, local.url, database_url)
        failures = iter(range(4))

        def fail_at_first(*_: object) -> None:
            if next(failures, None) is not None:
                raise OperationalError("INSERT", {}, Exception("the server closed the connection"))

        event.listen(evaluation.database, "begin", fail_at_first)
        assert evaluation.execute().status == "finished"
    assert next(failures, None) is None
    assert count_stored(evaluation.database, evaluation.run.id) == 30


def test_a_database_that_stays_away_stops_the_run(
    benchmark: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(writer, "_ATTEMPTS", 3)
    with LocalEndpoint(slowly) as local:
        evaluation = runner(benchmark, local.url, database_url)

        def fail(*_: object) -> None:
            raise OperationalError("INSERT", {}, Exception("gone"))

        event.listen(evaluation.database, "begin", fail)
        with pytest.raises(OperationalError, match="gone"):
            evaluation.execute()
        assert len(local.requests) < 30
        event.remove(evaluation.database, "begin", fail)
        again = runner(benchmark, local.url, database_url, new=True)
        assert again.execute().status == "finished"


def test_a_database_that_is_removed_stops_the_run(benchmark: Path, tmp_path: Path) -> None:
    file = tmp_path / "gone.db"

    def remove_at_ten(body: dict[str, Any]) -> str:
        if len(local.requests) == 10:
            file.unlink()
        return slowly(body)

    with LocalEndpoint(remove_at_ten) as local:
        evaluation = runner(benchmark, local.url, f"sqlite:///{file}")
        with pytest.raises(InputError, match=r"gone.db: the database was removed or replaced during the run"):
            evaluation.execute()
        assert len(local.requests) < 30


def test_what_is_stored_decides_and_not_what_is_remembered(benchmark: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'holes.db'}"
    with LocalEndpoint(lambda body: "एक रोग।") as local:
        run = runner(benchmark, local.url, url).execute()
        engine = open_database(url)
        with engine.begin() as connection:
            connection.exec_driver_sql("DELETE FROM generation WHERE id % 3 = 0")
        engine.dispose()
        asked = len(local.requests)
        again = runner(benchmark, local.url, url)
        assert again.execute().id == run.id
        assert len(local.requests) == asked + 10
    assert count_stored(again.database, run.id) == 30


def test_two_processes_with_one_command_share_one_run(benchmark: Path, database_url: str) -> None:
    runs: list[Runner] = []
    with LocalEndpoint(slowly) as local:
        open_database(database_url).dispose()
        threads = [
            threading.Thread(target=lambda: runs.append(runner(benchmark, local.url, database_url))) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len({run.run.id for run in runs}) == 1
    assert sum(run._created for run in runs) == 1


def test_a_figure_never_mixes_two_judges_and_names_its_own(benchmark: Path, database_url: str) -> None:
    def judge_b(body: dict[str, Any]) -> Any:
        return "Verdict: true" if "संख्या 1" in body["messages"][-1]["content"] else failure(422)

    with LocalEndpoint(lambda body: "एक रोग।") as local:
        with LocalEndpoint(lambda body: "Verdict: false") as judge:
            runner(benchmark, local.url, database_url, judge_endpoint=judge.url, judge_model="a").execute()
        with LocalEndpoint(judge_b) as judge:
            second = runner(benchmark, local.url, database_url, judge_endpoint=judge.url, judge_model="b")
            assert second.execute().status == "incomplete"
        report = report_records(second.run, second.records)
        judged = report.metrics["judge_correct"]
        # Items 1 and 10 to 19 have a verdict of b; the others' of a do not count.
        assert (report.run.judge, judged.value, judged.n, judged.missing) == ("b", 1.0, 11, 19)
        from sqlalchemy.orm import Session

        with Session(second.database) as session:
            run = session.get_one(RunRow, second.run.id)
            assert build_report(session, run) == report
            assert summarise(session, [run])[0].judge_correct == 1.0
        with LocalEndpoint(lambda body: "Verdict: false") as judge:
            third = runner(benchmark, local.url, database_url, judge_endpoint=judge.url, judge_model="a")
            assert third.execute().status == "finished"
            assert judge.requests == []  # all of a's verdicts are in the cache
        judged = report_records(third.run, third.records).metrics["judge_correct"]
        assert (judged.value, judged.n) == (0.0, 30)


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"content": "एक\u0000रोग"}, "एक\ufffdरोग"),
        ({"content": None}, ""),
        ({"content": [{"type": "text", "text": "x"}]}, None),
        ({"content": 5}, None),
    ],
)
def test_odd_replies_are_stored_or_fail_as_items(
    benchmark: Path, database_url: str, message: dict[str, Any], text: str | None
) -> None:
    body = {"choices": [{"message": message, "finish_reason": "s" * 40}], "usage": {"completion_tokens": "3"}}
    with LocalEndpoint(lambda _: web.json_response(body)) as local:
        evaluation = runner(benchmark, local.url, database_url, limit=2)
        status = evaluation.execute().status
        again = runner(benchmark, local.url, database_url, limit=2)
    assert status == ("incomplete" if text is None else "finished")
    assert [g.text for record in again.records for g in record.generations] == [text, text]


def test_too_few_examples_are_found_out_before_the_run(benchmark: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"open has 29 examples of kind qa beside item .*, not 40; use 29 or fewer"):
        runner(benchmark, "http://127.0.0.1:9", f"sqlite:///{tmp_path / 'x.db'}", few_shot=40)


def test_another_chat_template_is_another_run(benchmark: Path, tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "checkpoint")
    fingerprints = set()
    for template in ("a", "b"):
        (tmp_path / template).write_text(template)
        values = {"bench": str(benchmark), "model": tmp_path / "checkpoint", "chat_template": tmp_path / template}
        fingerprints.add(make_plan(read_config(values, None), None).fingerprint)
    assert len(fingerprints) == 2


def test_a_prompt_is_stored_once_for_all_samples_of_an_item(benchmark: Path, database_url: str) -> None:
    with LocalEndpoint(lambda body: completion("एक रोग।")) as local:
        runner(benchmark, local.url, database_url, samples=3, limit=2).execute()
        again = runner(benchmark, local.url, database_url, samples=3, limit=2)
    with again.database.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(messages) FROM generation").scalar() == 2
    assert all(len({json.dumps(g.messages) for g in record.generations}) == 1 for record in again.records)
