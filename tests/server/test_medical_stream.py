"""`/v1/medical/answer/stream`: the events and their order."""

import asyncio
import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx
import orjson
import pytest
from aiohttp import web
from medical_gateway import (
    AMHARIC,
    AMHARIC_QUESTION,
    ENGLISH,
    ENGLISH_QUESTION,
    HINDI,
    HINDI_QUESTION,
    OPTIONS,
    cure_med,
    himed,
    medical_backend,
    medical_gateway,
)
from running import Handler, ScriptedBackend, event, stream_events

from app.notices import notice

Events = list[tuple[str, dict[str, Any]]]
USAGE = b'data: {"id":"x","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":9}}\n\n'
DONE = b"data: [DONE]\n\n"


def pieces(text: str, size: int = 3, *, finish: str = "stop", field: str = "content") -> list[bytes]:
    """A text in small events."""
    parts = [event({field: text[start : start + size]}) for start in range(0, len(text), size)]
    return [event({"role": "assistant", "content": ""}), *parts, event({}, finish), USAGE, DONE]


def streams(*each: list[bytes]) -> Handler:
    left = list(each)

    async def handler(request: web.Request) -> web.StreamResponse:
        return await stream_events(request, left.pop(0) if len(left) > 1 else left[0])

    return handler


def read_events(text: str) -> Events:
    events = []
    for block in text.split("\n\n")[:-1]:
        name, data = block.split("\n")
        events.append((name.removeprefix("event: "), orjson.loads(data.removeprefix("data: "))))
    return events


def ask(backend: ScriptedBackend, **body: Any) -> Events:
    with backend, medical_gateway(backend) as gateway:
        answer = httpx.post(f"{gateway.url}/v1/medical/answer/stream", json=body)
        assert [one.open for one in gateway.gateway.backends.values()] == [0, 0, 0]
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["x-accel-buffering"] == "no"
    return read_events(answer.text)


def joined(events: Events, name: str) -> str:
    return "".join(data["text"] for kind, data in events if kind == name)


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize(
    ("question", "text", "reasoning", "answer", "model", "language"),
    [
        (HINDI_QUESTION, himed(HINDI), "पहले लक्षण देखें।", HINDI, "himed", "hi"),
        (AMHARIC_QUESTION, cure_med(AMHARIC), "<step1>First the symptoms.</step1>", AMHARIC, "cure", "am"),
        (ENGLISH_QUESTION, ENGLISH, None, ENGLISH, "plain", "en"),
        (HINDI_QUESTION, HINDI, None, HINDI, "himed", "hi"),  # no marker: all of it is the answer
    ],
)
def test_reasoning_and_answer_come_apart(
    size: int, question: str, text: str, reasoning: str | None, answer: str, model: str, language: str
) -> None:
    backend = medical_backend(streams(pieces(text, size)))
    events = ask(backend, question=question)
    (start, about), *middle, (end, result) = events
    assert (start, end) == ("start", "done")
    assert about == {"id": result["id"], "model": model, "language": language, "notice": notice(language)}
    kinds = [name for name, _ in middle]
    assert kinds == sorted(kinds, key=("reasoning", "answer").index)  # all reasoning before the answer
    assert joined(events, "reasoning").strip() == (reasoning or "")
    assert joined(events, "answer").strip() == answer
    assert (result["reasoning"], result["answer"]) == (reasoning, answer)
    assert (result["language"]["verdict"], result["cut_off"], result["attempts"]) == ("consistent", False, 1)
    assert result["usage"] == {"prompt_tokens": 3, "completion_tokens": 9, "total_tokens": 12}
    assert backend.requests[0]["stream_options"] == {"include_usage": True}


def test_the_whole_answer_is_that_of_the_other_route() -> None:
    with_stream = medical_backend(streams(pieces(himed("उत्तर: B"))))
    _, *_, (_, streamed) = ask(with_stream, question=HINDI_QUESTION, options=OPTIONS)
    assert streamed["choice"] == "B"
    assert (streamed["votes"], streamed["unread"], streamed["confidence"]) == (None, None, None)


def test_the_backend_may_take_them_apart_itself() -> None:
    apart = [event({"reasoning": "पहले "}), event({"reasoning": "लक्षण।"}), *pieces("## Response\n\nB")]
    events = ask(medical_backend(streams(apart)), question=HINDI_QUESTION, options=OPTIONS)
    assert joined(events, "reasoning") == "पहले लक्षण।"
    assert joined(events, "answer") == "## Response\n\nB"  # as it stands


@pytest.mark.parametrize(
    ("question", "text", "reasoning"),
    [
        (HINDI_QUESTION, "पहले B देखें।\n\n## Response\n\nC", "पहले B देखें।"),
        (AMHARIC_QUESTION, "I think B because of X.\n</thinking>\n<answer>C</answer>", "I think B because of X."),
    ],
)
def test_reasoning_that_was_not_opened_is_not_shown_as_the_answer(question: str, text: str, reasoning: str) -> None:
    events = ask(medical_backend(streams(pieces(text))), question=question, options=OPTIONS)
    result = events[-1][1]
    assert joined(events, "reasoning") == result["reasoning"] == reasoning
    assert joined(events, "answer") == result["answer"] == "C"
    assert result["choice"] == "C"


@pytest.mark.parametrize(
    ("question", "text"),
    [(HINDI_QUESTION, f"## Thinking\n\n{HINDI}"), (AMHARIC_QUESTION, f"<thinking><step1>{AMHARIC}")],
)
def test_what_was_cut_off_in_its_reasoning_has_no_answer(question: str, text: str) -> None:
    events = ask(medical_backend(streams(pieces(text, finish="length"))), question=question)
    assert "answer" not in [name for name, _ in events]
    _, result = events[-1]
    assert (result["answer"], result["cut_off"], result["language"]["verdict"]) == (None, True, "undetermined")
    assert result["reasoning"]


def test_a_retry_voids_what_was_shown() -> None:
    backend = medical_backend(streams(pieces(himed(ENGLISH), 500), pieces(himed(HINDI), 500)))
    events = ask(backend, question=HINDI_QUESTION, enforce_language=True)
    names = [name for name, _ in events]
    assert names == ["start", "reasoning", "answer", "retry", "reasoning", "answer", "done"]
    assert events[3][1] == {"attempt": 2, "reason": "inconsistent"}
    result = events[-1][1]
    assert (result["answer"], result["attempts"], result["language"]["enforced"]) == (HINDI, 2, True)
    assert result["usage"]["completion_tokens"] == 18
    assert backend.requests[1]["temperature"] == 0.7


def test_the_last_event_holds_the_best_attempt_even_if_another_came_last() -> None:
    mixed = f"{HINDI} {ENGLISH} {HINDI}"
    backend = medical_backend(streams(*(pieces(himed(text), 500) for text in (mixed, ENGLISH, ENGLISH))))
    events = ask(backend, question=HINDI_QUESTION, enforce_language=True)
    assert [data for name, data in events if name == "retry"] == [
        {"attempt": 2, "reason": "mixed"},
        {"attempt": 3, "reason": "inconsistent"},
    ]
    result = events[-1][1]
    assert (result["answer"], result["attempts"], result["language"]["enforced"]) == (mixed, 3, False)


def error_of(events: Events) -> dict[str, Any]:
    name, body = events[-1]
    assert (name, set(body)) == ("error", {"error"})
    assert set(body["error"]) == {"message", "type", "param", "code"}
    error = body["error"]
    assert isinstance(error, dict)
    return error


def test_a_backend_that_ends_without_an_end_is_an_error_event() -> None:
    events = ask(medical_backend(streams(pieces(himed(HINDI))[:-3])), question=HINDI_QUESTION)
    assert error_of(events)["code"] == "backend_cut"
    assert "done" not in [name for name, _ in events]


@pytest.mark.parametrize("reason", ["abort", "error"])
def test_what_the_backend_gave_up_is_an_error_event(reason: str) -> None:
    events = ask(medical_backend(streams(pieces(himed(HINDI), finish=reason))), question=HINDI_QUESTION)
    assert error_of(events)["code"] == "backend_cut"
    assert "done" not in [name for name, _ in events]


def test_an_end_without_a_reason_leaves_it_open_whether_it_was_cut_off() -> None:
    parts = [part for part in pieces(himed(HINDI)) if b'"finish_reason":"stop"' not in part]
    assert ask(medical_backend(streams(parts)), question=HINDI_QUESTION)[-1][1]["cut_off"] is None


def test_a_backend_that_is_cut_is_an_error_event() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = await stream_events(request, pieces(himed(HINDI))[:6])
        assert request.transport is not None
        request.transport.abort()
        return response

    backend = medical_backend(handler)
    with backend, medical_gateway(backend) as gateway:
        answer = httpx.post(f"{gateway.url}/v1/medical/answer/stream", json={"question": HINDI_QUESTION})
        metrics = httpx.get(f"{gateway.url}/metrics").text
    assert error_of(read_events(answer.text))["code"] == "backend_cut"
    assert 'himed_outcomes_total{model="himed",outcome="backend cut"} 1.0' in metrics
    assert 'himed_open_streams{model="himed"} 0.0' in metrics


def test_an_error_within_the_stream_and_what_is_no_json() -> None:
    said = b'data: {"error":{"message":"engine died","type":"x","code":500}}\n\n'
    for broken, message in ((said, "engine died"), (b"data: <html>\n\n", "no chat completion")):
        events = ask(medical_backend(streams([*pieces(himed(HINDI))[:5], broken])), question=HINDI_QUESTION)
        assert events[0][0] == "start"
        assert message in error_of(events)["message"]


async def endless(request: web.Request) -> web.StreamResponse:
    response = await stream_events(request, pieces(himed(HINDI))[:6])
    while True:
        await response.write(event({"content": "और "}))
        await asyncio.sleep(0.01)


def test_the_deadline_ends_a_stream_with_an_error() -> None:
    with (
        medical_backend(endless) as backend,
        medical_gateway(backend, config={"limits": {"request_s": 0.5}}) as gateway,
    ):
        answer = httpx.post(f"{gateway.url}/v1/medical/answer/stream", json={"question": HINDI_QUESTION})
        wait_until_idle(backend)
    assert error_of(read_events(answer.text))["code"] == "timeout"


async def flood(request: web.Request) -> web.StreamResponse:
    response = await stream_events(request, pieces(himed(HINDI))[:6])
    while True:
        await response.write(event({"content": "और " * 30_000}))


def test_a_client_that_reads_nothing_does_not_hold_a_stream_that_broke() -> None:
    with medical_backend(flood) as backend, medical_gateway(backend, config={"limits": {"request_s": 1}}) as gateway:
        url = httpx.URL(gateway.url)
        body = orjson.dumps({"question": HINDI_QUESTION})
        head = f"POST /v1/medical/answer/stream HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
        with socket.create_connection((url.host, url.port)) as client:
            client.sendall(head.encode() + b"Content-Type: application/json\r\n\r\n" + body)
            end = time.monotonic() + 10
            while 'outcome="timeout"} 1.0' not in httpx.get(f"{gateway.url}/metrics").text:
                assert time.monotonic() < end, "the request is held"
                time.sleep(0.1)
        wait_until_idle(backend)


def wait_until_idle(backend: ScriptedBackend) -> None:
    end = time.monotonic() + 5
    while backend.open:
        assert time.monotonic() < end, "the generation runs on"
        time.sleep(0.01)


def first_lines(lines: Iterator[str], count: int) -> list[str]:
    return [line for _, line in zip(range(count), lines, strict=False)]


def test_a_client_that_leaves_ends_the_generation() -> None:
    with medical_backend(endless) as backend, medical_gateway(backend) as gateway:
        url = f"{gateway.url}/v1/medical/answer/stream"
        with httpx.stream("POST", url, json={"question": HINDI_QUESTION}) as answer:
            lines = answer.iter_lines()  # dropped, it would close the connection
            assert first_lines(lines, 1) == ["event: start"]
            assert backend.open == 1
        wait_until_idle(backend)
        end = time.monotonic() + 5
        while gateway.gateway.backends["himed/0"].open and time.monotonic() < end:
            time.sleep(0.01)
        assert gateway.gateway.backends["himed/0"].open == 0
        metrics = httpx.get(f"{gateway.url}/metrics").text
    assert 'himed_outcomes_total{model="himed",outcome="client gone"} 1.0' in metrics
    assert 'himed_open_streams{model="himed"} 0.0' in metrics


def test_a_server_that_stops_tells_open_streams() -> None:
    with medical_backend(endless) as backend:
        gateway = medical_gateway(backend, config={"drain_s": 0.1})
        gateway.__enter__()
        url = f"{gateway.url}/v1/medical/answer/stream"
        with httpx.stream("POST", url, json={"question": HINDI_QUESTION}) as answer:
            lines = answer.iter_lines()
            assert first_lines(lines, 1) == ["event: start"]
            gateway.__exit__()
            rest = list(lines)
        wait_until_idle(backend)
    assert rest[-3] == "event: error"
    assert "server_stopping" in rest[-2]
