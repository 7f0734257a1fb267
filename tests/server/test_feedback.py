"""`/v1/feedback` and its export, on both databases."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest
from aiohttp import web
from medical_gateway import (
    HINDI,
    HINDI_QUESTION,
    OPTIONS,
    assert_error,
    himed,
    medical_backend,
    medical_gateway,
    replies,
)
from running import RunningGateway, ScriptedBackend, completion, event, stream_events
from sqlalchemy import Engine, insert, text

from app.database import open_session
from app.rows import read_rows
from app.schema import open_database
from app.tables import FeedbackRow, RequestLogRow
from server import export as export_module
from server.store import Store
from training.data.layouts import find_layout, read_record

LOGGED = {"request_log": {"enabled": True, "bodies": True}}


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = open_database(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def backend() -> Iterator[ScriptedBackend]:
    with medical_backend(replies(himed(f"{HINDI} उत्तर: A"))) as backend:
        yield backend


@pytest.fixture
def gateway(engine: Engine, backend: ScriptedBackend) -> Iterator[RunningGateway]:
    with medical_gateway(backend, store=Store(engine), config=LOGGED) as gateway:
        yield gateway


def give(gateway: RunningGateway, **body: Any) -> int:
    answer = httpx.post(f"{gateway.url}/v1/feedback", json=body)
    assert answer.status_code == 200, answer.text
    (number,) = answer.json().values()
    assert isinstance(number, int)
    return number


def export(gateway: RunningGateway, **query: str) -> list[dict[str, Any]]:
    answer = httpx.get(f"{gateway.url}/v1/feedback/export", params=query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [orjson.loads(line) for line in answer.text.splitlines()]


def test_feedback_is_kept_with_who_gave_it(gateway: RunningGateway, engine: Engine) -> None:
    whole = {
        "request_id": "r-1",
        "rating": -1,
        "correction": "मलेरिया",
        "comment": "गलत",
        "who": "डॉ. राव",
        "question": "क्या?",
        "answer": "डेंगू",
        "model": "himed",
        "language": "Hindi",
    }
    first, second = give(gateway, **whole), give(gateway, request_id="r-1", rating=1)
    assert first != second
    with open_session(engine) as session:
        kept, other = session.get_one(FeedbackRow, first), session.get_one(FeedbackRow, second)
        assert {name: getattr(kept, name) for name in whole} == whole | {"language": "hi"}
        assert (kept.key_name, other.who, other.rating) == ("open", "open", 1)
        assert datetime.now(UTC) - kept.created < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"request_id": "r"}, None),
        ({"rating": 1}, "request_id"),
        ({"request_id": "", "rating": 1}, "request_id"),
        ({"request_id": "r" * 65, "rating": 1}, "request_id"),
        ({"request_id": "a b", "rating": 1}, "request_id"),
        ({"request_id": "r", "rating": 0}, "rating"),
        ({"request_id": "r", "rating": "1"}, "rating"),
        ({"request_id": "r", "rating": True}, "rating"),
        ({"request_id": "r", "comment": " "}, "comment"),
        ({"request_id": "r", "comment": "x" * 32_001}, "comment"),
        ({"request_id": "r", "correction": "x\0"}, "correction"),
        ({"request_id": "r", "rating": 1, "who": "x" * 201}, "who"),
        ({"request_id": "r", "rating": 1, "language": "Klingon"}, "language"),
        ({"request_id": "r", "rating": 1, "key_name": "me"}, "key_name"),
    ],
)
def test_what_is_no_feedback_is_refused(body: dict[str, Any], param: str | None) -> None:
    with medical_backend() as backend, medical_gateway(backend) as gateway:
        error = assert_error(httpx.post(f"{gateway.url}/v1/feedback", json=body), 400)
    assert error["param"] == param
    assert "Value error" not in error["message"]


def test_without_a_database_it_says_so() -> None:
    with medical_backend() as backend, medical_gateway(backend) as gateway:
        given = httpx.post(f"{gateway.url}/v1/feedback", json={"request_id": "r", "rating": 1})
        exported = httpx.get(f"{gateway.url}/v1/feedback/export")
    assert_error(given, 503, code="no_database")
    assert_error(exported, 503, code="no_database")


def test_a_database_that_is_away_is_an_error_and_no_more(gateway: RunningGateway, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE feedback RENAME TO hidden"))
        connection.execute(text("ALTER TABLE request_log RENAME TO hidden_too"))
    given = httpx.post(f"{gateway.url}/v1/feedback", json={"request_id": "r", "rating": 1})
    exported = httpx.get(f"{gateway.url}/v1/feedback/export")
    answered = httpx.post(f"{gateway.url}/v1/medical/answer", json={"question": HINDI_QUESTION})
    assert_error(given, 503, code="database_away")
    assert given.headers["retry-after"]
    assert_error(exported, 503, code="database_away")
    assert answered.status_code == 200


def test_the_export_takes_question_and_answer_from_the_request_log(gateway: RunningGateway, engine: Engine) -> None:
    asked = {"question": HINDI_QUESTION, "options": list(OPTIONS.values())}
    answered = httpx.post(f"{gateway.url}/v1/medical/answer", json=asked).json()
    chat = {"model": "himed", "messages": [{"role": "user", "content": "क्या?"}]}
    chatted = httpx.post(f"{gateway.url}/v1/chat/completions", json=chat)
    give(gateway, request_id=answered["id"], rating=1)
    give(gateway, request_id=chatted.headers["x-request-id"], rating=-1)
    give(gateway, request_id=answered["id"], comment="x", question="अपना", answer="उत्तर", model="m", language="en")
    give(gateway, request_id="nobody", correction="y")
    wait_for_log(engine, 2)
    medical, chat_row, own, unknown = export(gateway)
    assert medical.pop("created") > "2020"
    assert medical == {
        "question": HINDI_QUESTION,
        "options": OPTIONS,
        "answer": f"{HINDI} उत्तर: A",
        "correction": None,
        "rating": 1,
        "comment": None,
        "language": "hi",
        "model": "himed",
        "request_id": answered["id"],
        "who": "open",
    }
    assert (chat_row["question"], chat_row["answer"]) == ("क्या?", himed(f"{HINDI} उत्तर: A"))
    assert (chat_row["model"], chat_row["language"], chat_row["options"]) == ("himed", None, None)
    assert (own["question"], own["answer"], own["model"], own["language"]) == ("अपना", "उत्तर", "m", "en")
    assert (unknown["question"], unknown["answer"], unknown["model"], unknown["correction"]) == (None, None, None, "y")


def wait_for_log(engine: Engine, rows: int) -> None:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        with engine.connect() as connection:
            if connection.execute(text("SELECT count(*) FROM request_log")).scalar_one() >= rows:
                return
        time.sleep(0.05)
    raise AssertionError("the request log was not written")


async def streamed_reply(request: web.Request) -> web.StreamResponse:
    return await stream_events(request, [event({"content": himed(HINDI)}), event({}, "stop"), b"data: [DONE]\n\n"])


def test_a_streamed_answer_is_logged_too(engine: Engine) -> None:
    with (
        medical_backend(streamed_reply) as backend,
        medical_gateway(backend, store=Store(engine), config=LOGGED) as gateway,
    ):
        streamed = httpx.post(f"{gateway.url}/v1/medical/answer/stream", json={"question": HINDI_QUESTION})
        give(gateway, request_id=streamed.headers["x-request-id"], rating=1)
        wait_for_log(engine, 1)
        (row,) = export(gateway)
    assert (row["question"], row["answer"], row["language"]) == (HINDI_QUESTION, HINDI, "hi")


def test_without_bodies_in_the_log_only_the_model_is_known(engine: Engine, backend: ScriptedBackend) -> None:
    with medical_gateway(backend, store=Store(engine), config={"request_log": {"enabled": True}}) as gateway:
        answered = httpx.post(f"{gateway.url}/v1/medical/answer", json={"question": HINDI_QUESTION}).json()
        give(gateway, request_id=answered["id"], rating=1)
        wait_for_log(engine, 1)
        (row,) = export(gateway)
    assert (row["model"], row["question"], row["answer"]) == ("himed", None, None)


def test_the_questions_are_rows_that_himed_train_reads(gateway: RunningGateway, engine: Engine, tmp_path: Any) -> None:
    asked = {"question": HINDI_QUESTION, "options": OPTIONS}
    answered = httpx.post(f"{gateway.url}/v1/medical/answer", json=asked).json()
    give(gateway, request_id=answered["id"], rating=-1, correction="B")
    told = {"question": "What is malaria?", "language": "en"}
    give(gateway, request_id="a", rating=1, answer="A disease.", **told)
    give(gateway, request_id="b", rating=-1, answer="A fruit.", **told)  # nobody said what is right
    give(gateway, request_id="c", correction="A disease.", question="?")  # in no language that is known
    give(gateway, request_id="d", rating=1)
    wait_for_log(engine, 1)
    rows = export(gateway, format="questions")
    assert rows == [
        {"question": HINDI_QUESTION, "answer": "B", "language": "hi", "options": OPTIONS},
        {"question": "What is malaria?", "answer": "A disease.", "language": "en"},
    ]
    file = tmp_path / "feedback.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    read = read_rows(file)
    assert find_layout(read) == "questions"
    records = [read_record(row.fields, "questions", None) for row in read.rows]
    assert [(one.language, one.answer) for one in records] == [("hi", "B"), ("en", "A disease.")]
    assert records[0].options == OPTIONS


@pytest.mark.parametrize(
    ("path", "prefix", "body"),
    [
        ("chat/completions", "chatcmpl-", {"messages": [{"role": "user", "content": HINDI_QUESTION}]}),
        ("completions", "cmpl-", {"prompt": HINDI_QUESTION}),
    ],
)
def test_feedback_on_openai_answers_becomes_training_data(
    engine: Engine, path: str, prefix: str, body: dict[str, Any]
) -> None:
    async def named_as_vllm_does(request: web.Request) -> web.StreamResponse:
        return web.json_response(completion(HINDI) | {"id": prefix + request.headers["X-Request-Id"]})

    with (
        medical_backend(named_as_vllm_does) as backend,
        medical_gateway(backend, store=Store(engine), config=LOGGED) as gateway,
    ):
        answered = httpx.post(f"{gateway.url}/v1/{path}", json={"model": "himed"} | body)
        assert answered.json()["id"].startswith(prefix)
        give(gateway, request_id=answered.json()["id"], rating=1)
        wait_for_log(engine, 1)
        assert export(gateway, format="questions") == [{"question": HINDI_QUESTION, "answer": HINDI, "language": "hi"}]
        assert export(gateway)[0]["request_id"] == answered.headers["x-request-id"]


def add_rows(engine: Engine, count: int) -> datetime:
    """Rows a minute apart, ratings in turn; returns the first one's time."""
    first = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [
        {
            "request_id": f"r-{number}",
            "who": "w",
            "rating": 1 if number % 2 else -1,
            "created": first + timedelta(minutes=number),
        }
        for number in range(count)
    ]
    with open_session(engine) as session:
        session.execute(insert(FeedbackRow), rows)
        session.execute(
            insert(RequestLogRow), [{"request_id": "r-3", "key_name": "-", "model": "from-log", "status": 200}]
        )
    return first


def test_the_export_is_paged_and_can_be_narrowed(gateway: RunningGateway, engine: Engine) -> None:
    first = add_rows(engine, 1201)  # three pages of 500
    everything = export(gateway)
    assert [row["request_id"] for row in everything] == [f"r-{number}" for number in range(1201)]
    assert everything[3]["model"] == "from-log"
    since, until = first + timedelta(minutes=10), first + timedelta(minutes=13)
    assert [row["request_id"] for row in export(gateway, since=since.isoformat(), until=until.isoformat())] == [
        "r-10",
        "r-11",
        "r-12",
    ]
    assert [row["request_id"] for row in export(gateway, until="2026-01-01T00:03:00")] == ["r-0", "r-1", "r-2"]
    assert [row["request_id"] for row in export(gateway, until="2026-01-01T05:33:00+05:30", rating="1")] == ["r-1"]
    assert len(export(gateway, rating="-1")) == 601
    assert export(gateway, since="2027-01-01T00:00:00Z") == []


def test_pages_that_end_with_the_last_row(gateway: RunningGateway, engine: Engine) -> None:
    add_rows(engine, 1000)
    assert len(export(gateway)) == 1000
    assert export(gateway, format="questions") == []


@pytest.mark.parametrize(
    "query", [{"since": "yesterday"}, {"rating": "2"}, {"format": "csv"}, {"until": "0001-01-01T00:00:00+14:00"}]
)
def test_a_wrong_query_is_refused(query: dict[str, str]) -> None:
    with medical_backend() as backend, medical_gateway(backend) as gateway:
        assert_error(httpx.get(f"{gateway.url}/v1/feedback/export", params=query), 400, f"query.{next(iter(query))}")


def test_an_export_that_breaks_off_cannot_be_taken_for_a_whole_one(
    gateway: RunningGateway, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_rows(engine, 600)
    read = export_module._page

    async def first_only(store: Store, wanted: Any, after: int) -> Any:
        if after:
            with engine.begin() as connection:
                connection.execute(text("ALTER TABLE feedback RENAME TO hidden"))
        return await read(store, wanted, after)

    monkeypatch.setattr(export_module, "_page", first_only)
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(f"{gateway.url}/v1/feedback/export")
