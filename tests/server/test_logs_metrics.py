"""Logs and metrics: what they tell, and what they must never hold."""

import logging
import sys
from typing import Any

import httpx
import orjson
import pytest
from aiohttp import web
from pydantic import SecretStr
from running import RunningGateway, ScriptedBackend, completion, event, stream_events

from server.logs import JsonFormatter, set_up_logs
from server.metrics import Metrics
from server.record import Record

_KEY = "sk-secret-key-4711"
_BACKEND_KEY = "sk-secret-backend-key"
_QUESTION = "secret-question-has-a-fever"
_ANSWER = "secret-answer-take-rest"
_QUERY = "secret-query"
_JSON = {"Content-Type": "application/json"}
_SECRETS = (_KEY, _BACKEND_KEY, _QUESTION, _ANSWER, _QUERY)


async def _scripted(request: web.Request) -> web.StreamResponse:
    body = await request.json()
    if body.get("stream"):
        events = [event({"content": _ANSWER}), event({}, "stop"), b"data: [DONE]\n\n"]
        if body.get("seed") == 13:  # cut in the middle of an answer
            await stream_events(request, events[:1])
            assert request.transport is not None
            request.transport.close()
        return await stream_events(request, events)
    if body.get("seed") == 13:
        return web.json_response({"error": {"message": f"cannot answer {_QUESTION}", "code": 400}}, status=400)
    if body.get("seed") == 14:
        return web.Response(text=_ANSWER, status=500)
    return web.json_response(completion(_ANSWER))


def test_no_key_question_or_answer_stands_in_any_log_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    headers = {"Authorization": f"Bearer {_KEY}"}
    chat: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": _QUESTION}]}
    with ScriptedBackend(_scripted) as backend:
        address = backend.address(api_key=SecretStr(_BACKEND_KEY))
        with (
            RunningGateway({"m": (address,)}, config={"limits": {"body_bytes": 4096, "choices": 2}}) as gateway,
            httpx.Client(base_url=gateway.url, headers=headers) as client,
        ):
            statuses = [
                client.post(f"/v1/chat/completions?key={_QUERY}", json=chat | more).status_code
                for more in (
                    {},
                    {"stream": True},
                    {"stream": True, "seed": 13},
                    {"seed": 13},
                    {"n": 1000},
                    {"model": _QUESTION},
                    {"model": ""},
                    {"user": "x" * 5000},
                )
            ]
            assert statuses == [200, 200, 200, 400, 400, 404, 400, 413]
            assert client.post("/v1/completions", json={"model": "m", "prompt": _QUESTION}).status_code == 200
            assert client.post("/v1/chat/completions", content=f'{{"{_QUESTION}"', headers=_JSON).status_code == 400
            assert client.get(f"/{_QUESTION}?{_QUERY}").status_code == 404
            assert client.get(f"/v1/models/{_QUESTION}").status_code == 404
            assert client.post("/v1/chat/completions", json=chat | {"seed": 14}).status_code == 500
            metrics = client.get("/metrics").text
            backend.stop()
            assert client.post("/v1/chat/completions", json=chat).status_code == 503
    # The tests' own clients log what they ask for; the gateway is all the others.
    lines = [JsonFormatter().format(r) for r in caplog.records if not r.name.startswith(("httpx", "httpcore"))]
    assert len([line for line in lines if '"event":"request"' in line]) == 15
    assert "backend is out" in "".join(lines)
    for secret in _SECRETS:
        assert secret not in "".join(lines)
        assert secret not in metrics


def test_clients_cannot_make_time_series() -> None:
    with (
        ScriptedBackend() as backend,
        RunningGateway({"m": (backend.address(),)}) as gateway,
        httpx.Client(base_url=gateway.url) as client,
    ):

        def press(number: int) -> None:
            client.get(f"/no/such/path/{number}")
            client.get(f"/v1/models/model-{number}")
            client.post(f"/v1/chat/completions?{number}", json={"model": f"model-{number}", "messages": []})
            client.post("/v1/chat/completions", content=b"{", headers=_JSON)
            client.request(("PUT", "DELETE", "PATCH")[number % 3], f"/v1/{number}", headers={"X": str(number)})

        for number in range(3):
            press(number)
        client.get("/metrics")  # counts its own request when it has been rendered
        before = _series(client.get("/metrics").text)
        for number in range(3, 40):
            press(number)
        after = _series(client.get("/metrics").text)
    assert before == after


def _series(text: str) -> set[str]:
    return {line.rsplit(" ", 1)[0] for line in text.splitlines() if not line.startswith("#") and "_created" not in line}


def test_a_request_is_counted_with_its_tokens_times_and_verdict() -> None:
    metrics = Metrics()
    record = Record("id", "POST", "/v1/medical/answer", model="m", status=200, streamed=True, first_token_s=0.02)
    record.prompt_tokens, record.completion_tokens = 7, 5
    record.language, record.verdict = "hi", "mixed"
    metrics.observe(record, record.path)
    text = metrics.render([]).decode()
    assert 'himed_requests_total{model="m",path="/v1/medical/answer",status="200"} 1.0' in text
    assert 'himed_outcomes_total{model="m",outcome="answered"} 1.0' in text
    assert 'himed_tokens_total{kind="prompt",model="m"} 7.0' in text
    assert 'himed_tokens_total{kind="completion",model="m"} 5.0' in text
    assert 'himed_time_to_first_token_seconds_bucket{le="0.025",model="m"} 1.0' in text
    assert 'himed_request_duration_seconds_count{model="m",path="/v1/medical/answer"} 1.0' in text
    assert 'himed_language_verdicts_total{language="hi",model="m",verdict="mixed"} 1.0' in text


def test_a_log_line_is_one_json_object_with_its_fields() -> None:
    record = logging.LogRecord("a", logging.WARNING, "f.py", 1, "backend is %s", ("out",), None)
    record.backend, record.reason = "m/0", "two\nlines"
    line = JsonFormatter().format(record)
    assert "\n" not in line
    found = orjson.loads(line)
    assert found.pop("time").endswith("+00:00")
    assert found == {"level": "warning", "event": "backend is out", "backend": "m/0", "reason": "two\nlines"}


def test_a_traceback_is_one_field() -> None:
    try:
        raise OSError("no room")
    except OSError:
        record = logging.LogRecord("a", logging.ERROR, "f.py", 1, "failed", (), sys.exc_info())
    told = orjson.loads(JsonFormatter().format(record))["traceback"]
    assert told.startswith("builtins.OSError\n  File ")
    assert "test_logs_metrics.py" in told
    assert told.count("OSError") == 2  # its name and the line of code; the message may quote a request


def test_all_logs_go_to_stderr_as_json_and_uvicorns_lines_of_requests_nowhere(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, access = logging.getLogger(), logging.getLogger("uvicorn.access")
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    monkeypatch.setattr(access, "disabled", False)
    set_up_logs()
    access.info('127.0.0.1 - "GET /v1/models?api_key=%s"', _KEY)
    logging.getLogger("server.backends").info("backend is up", extra={"backend": "m/0"})
    logging.getLogger("server.backends").debug("detail")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert [orjson.loads(line)["event"] for line in captured.err.splitlines()] == ["backend is up"]
