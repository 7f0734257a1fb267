"""What the medical routes refuse, and what they say when a backend fails."""

import asyncio
import json
import logging
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from aiohttp import web
from medical_gateway import HINDI_QUESTION, OPTIONS, assert_error, medical_backend, medical_gateway
from running import completion

JSON = {"Content-Type": "application/json"}
ROUTES = ("/v1/medical/answer", "/v1/medical/answer/stream")


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "question"),
        ({"question": ""}, "question"),
        ({"question": " \n"}, "question"),
        ({"question": 5}, "question"),
        ({"question": "क्या\0?"}, "question"),
        ({"question": "x" * 32_001}, "question"),
        ({"question": "क्या?", "options": ["one"]}, "options"),
        ({"question": "क्या?", "options": [str(n) for n in range(27)]}, "options"),
        ({"question": "क्या?", "options": {"A": "x", "a": "y"}}, "options"),
        ({"question": "क्या?", "options": {"A": "x", "AB": "y"}}, "options"),
        ({"question": "क्या?", "options": {"A": "x", "B": " "}}, "options"),
        ({"question": "क्या?", "options": {"A": "x", "B": "y" * 4_001}}, "options"),
        ({"question": "क्या?", "options": "A. x"}, "options"),
        ({"question": "क्या?", "options": [["x"], "y"]}, "options"),
        ({"question": "123"}, "language"),
        ({"question": HINDI_QUESTION, "language": "Klingon"}, "language"),
        ({"question": HINDI_QUESTION, "model": ""}, "model"),
        ({"question": HINDI_QUESTION, "temperature": float("nan")}, "temperature"),
        ({"question": HINDI_QUESTION, "temperature": 3}, "temperature"),
        ({"question": HINDI_QUESTION, "seed": -1}, "seed"),
        ({"question": HINDI_QUESTION, "seed": True}, "seed"),
        ({"question": HINDI_QUESTION, "seed": 2**70}, "seed"),
        ({"question": HINDI_QUESTION, "max_tokens": 0}, "max_tokens"),
        ({"question": HINDI_QUESTION, "max_tokens": 101}, "max_tokens"),
        ({"question": HINDI_QUESTION, "enforce_language": "yes"}, "enforce_language"),
        ({"question": HINDI_QUESTION, "option": OPTIONS}, "option"),
    ],
)
def test_a_wrong_body_is_told_which_field(route: str, body: dict[str, Any], param: str) -> None:
    backend = medical_backend()
    with backend, medical_gateway(backend, config={"limits": {"max_tokens": 100}}) as gateway:
        assert_error(httpx.post(gateway.url + route, content=json.dumps(body), headers=JSON), 400, param)
    assert backend.requests == []


def test_a_body_that_is_not_said_to_be_json_is_told_so() -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}  # what curl says of --data
    with medical_backend() as backend, medical_gateway(backend) as gateway:
        answer = httpx.post(f"{gateway.url}/v1/medical/answer", content=b'{"question": "x"}', headers=form)
    assert answer.status_code == 400
    assert "send the header Content-Type: application/json" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("route", "more", "param"),
    [
        (ROUTES[0], {"samples": 2}, "samples"),  # no options
        (ROUTES[0], {"samples": 0, "options": OPTIONS}, "samples"),
        (ROUTES[0], {"samples": 33, "options": OPTIONS}, "samples"),
        (ROUTES[0], {"samples": 9, "options": OPTIONS}, "samples"),  # the server's limit
        (ROUTES[0], {"samples": 2, "options": OPTIONS, "temperature": 0}, "temperature"),
        (ROUTES[1], {"samples": 2, "options": OPTIONS}, "samples"),
    ],
)
def test_samples_that_say_nothing_are_refused(route: str, more: dict[str, Any], param: str) -> None:
    backend = medical_backend()
    with backend, medical_gateway(backend, config={"limits": {"choices": 8}}) as gateway:
        assert_error(httpx.post(gateway.url + route, json={"question": HINDI_QUESTION} | more), 400, param)
    assert backend.requests == []


@pytest.mark.parametrize("route", ROUTES)
def test_broken_json_half_a_character_and_an_unknown_model(route: str) -> None:
    with medical_backend() as backend, medical_gateway(backend) as gateway:
        url = gateway.url + route
        for content in (b"{", b"[1]", b'"x"', b'{"question": "\\ud800 x"}', b"\xff", b"[" * 100_000, b"9" * 5_000):
            assert_error(httpx.post(url, content=content, headers=JSON), 400)
        assert_error(httpx.post(url, json={"question": HINDI_QUESTION, "model": "gpt"}), 404, "model")


def error_of(status: int) -> Callable[[web.Request], Any]:
    async def handler(_request: web.Request) -> web.StreamResponse:
        said = {"error": {"message": "maximum context length is 8 tokens", "type": "x", "param": None, "code": status}}
        return web.json_response(said, status=status)

    return handler


async def html(_request: web.Request) -> web.StreamResponse:
    return web.Response(text="<html>hello</html>", content_type="text/html")


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    ("handler", "status", "said"),
    [
        (error_of(400), 400, "maximum context length"),
        (error_of(401), 502, "status 401"),
        (error_of(404), 502, "status 404"),
        (error_of(500), 502, "status 500"),
        (html, 502, "no chat completion"),
    ],
)
def test_a_backends_errors(route: str, handler: Any, status: int, said: str) -> None:
    with medical_backend(handler) as backend, medical_gateway(backend) as gateway:
        answer = httpx.post(gateway.url + route, json={"question": HINDI_QUESTION})
        still_open = [one.open for one in gateway.gateway.backends.values()]
    assert said in assert_error(answer, status)["message"]
    assert str(backend.port) not in answer.text
    assert set(still_open) == {0}


@pytest.mark.parametrize("reason", ["abort", "error"])
@pytest.mark.parametrize("more", [{}, {"samples": 3, "options": OPTIONS}])
def test_a_completion_that_the_backend_gave_up_is_no_answer(reason: str, more: dict[str, Any]) -> None:
    async def handler(_request: web.Request) -> web.StreamResponse:
        return web.json_response(completion("## Thinking\n\nA", finish=reason))

    with medical_backend(handler) as backend, medical_gateway(backend) as gateway:
        answer = httpx.post(gateway.url + ROUTES[0], json={"question": HINDI_QUESTION} | more)
        metrics = httpx.get(f"{gateway.url}/metrics").text
    assert_error(answer, 502, code="backend_cut")
    assert 'himed_outcomes_total{model="himed",outcome="backend cut"} 1.0' in metrics


@pytest.mark.parametrize("route", ROUTES)
def test_no_backend_is_503(route: str) -> None:
    backend = medical_backend()
    backend.up = False
    with backend, medical_gateway(backend) as gateway:
        answer = httpx.post(gateway.url + route, json={"question": HINDI_QUESTION})
    assert_error(answer, 503, code="no_backend")
    assert answer.headers["retry-after"]


async def slow(_request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(30)
    return web.json_response({})


def until_idle(backend: Any, gateway: Any, within_s: float = 5) -> None:
    end = time.monotonic() + within_s
    while backend.open or any(one.open for one in gateway.gateway.backends.values()):
        assert time.monotonic() < end, "the generation runs on"
        time.sleep(0.01)


@pytest.mark.parametrize("route", ROUTES)
def test_an_answer_that_takes_too_long_is_ended(route: str) -> None:
    with medical_backend(slow) as backend, medical_gateway(backend, config={"limits": {"request_s": 0.2}}) as gateway:
        answer = httpx.post(gateway.url + route, json={"question": HINDI_QUESTION})
        until_idle(backend, gateway)
        metrics = httpx.get(f"{gateway.url}/metrics").text
    assert_error(answer, 504, code="timeout")
    assert 'himed_outcomes_total{model="himed",outcome="timeout"} 1.0' in metrics


@pytest.mark.parametrize("more", [{}, {"samples": 5, "options": OPTIONS}])
def test_a_client_that_leaves_ends_all_generations(more: dict[str, Any]) -> None:
    with medical_backend(slow) as backend, medical_gateway(backend) as gateway:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{gateway.url}{ROUTES[0]}", json={"question": HINDI_QUESTION} | more, timeout=0.5)
        assert len(backend.requests) == more.get("samples", 1)
        until_idle(backend, gateway)
        metrics = httpx.get(f"{gateway.url}/metrics").text
    assert 'himed_outcomes_total{model="himed",outcome="client gone"} 1.0' in metrics


def test_no_question_and_no_answer_in_the_logs(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for handler in (None, html, error_of(500)):
        with medical_backend(handler) as backend, medical_gateway(backend) as gateway:
            for route in ROUTES:
                httpx.post(gateway.url + route, json={"question": HINDI_QUESTION, "comment": "secret-word"})
                httpx.post(gateway.url + route, json={"question": HINDI_QUESTION + " secret-word"})
    assert [record.name for record in caplog.records if record.name == "himed.access"]
    logged = "\n".join(str(vars(record)) for record in caplog.records)
    assert "secret-word" not in logged
    assert HINDI_QUESTION[:20] not in logged
