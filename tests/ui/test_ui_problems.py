"""Every way in which the gateway refuses or goes away has its sentence."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web
from medical_gateway import ENGLISH_QUESTION, HINDI, medical_backend, medical_gateway
from page_gateway import DONE, in_pieces, speaking, stream
from pydantic import SecretStr
from served import Served

from ui.answers import LiveAnswer, Readers
from ui.gateway import Gateway, Question, Turn
from ui.problems import problem_of
from ui.texts import texts

ME = ("session", "place")


def follow(url: str, question: Question, key: str | None = None) -> LiveAnswer:
    """The answer to a question, read to its end."""

    async def read() -> LiveAnswer:
        gateway, live, readers = Gateway(f"{url}/v1", SecretStr(key) if key else None), LiveAnswer(), Readers()
        readers.start(ME, gateway, question, live)
        async for _ in readers.watch(ME):
            pass
        await gateway.close()
        return live

    return asyncio.run(read())


def problem(url: str, question: Question, key: str | None = None) -> str:
    live = follow(url, question, key)
    assert live.state == "failed"
    assert live.problem is not None
    assert texts("en")(live.problem)
    return live.problem


def test_a_server_that_is_away() -> None:
    assert problem("http://127.0.0.1:9", Question("?")) == "problem.away"


def test_a_key_that_is_missing_or_wrong(tmp_path: Path) -> None:
    with medical_backend() as backend:
        config = {"open": False, "models": {"m": {"backends": [{"url": f"http://127.0.0.1:{backend.port}/v1"}]}}}
        with Served(tmp_path, config) as served:
            assert problem(served.url, Question(ENGLISH_QUESTION)) == "problem.key"
            assert problem(served.url, Question(ENGLISH_QUESTION), "himed-wrong") == "problem.key"


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, {"error": {"message": "This model's maximum context length is 8 tokens."}}, "problem.too_long"),
        (400, {"error": {"message": "no"}}, "problem.refused"),
        (429, {"error": {"message": "slower"}}, "problem.busy"),
        (500, {"error": {"message": "oops"}}, "problem.cut"),
    ],
)
def test_what_a_model_refuses(status: int, body: dict[str, Any], expected: str) -> None:
    async def handler(_request: web.Request) -> web.StreamResponse:
        return web.json_response(body, status=status)

    with medical_backend(handler) as backend, medical_gateway(backend) as gateway:
        assert problem(gateway.url, Question(ENGLISH_QUESTION)) == expected


def test_a_language_that_cannot_be_told_and_a_model_that_is_gone() -> None:
    with medical_backend() as backend, medical_gateway(backend) as gateway:
        assert problem(gateway.url, Question("??")) == "problem.language"
        assert problem(gateway.url, Question(ENGLISH_QUESTION, model="gone")) == "problem.model"
        assert problem(gateway.url, Question("x" * 40_000)) == "problem.too_long"


def test_a_model_that_is_still_loading() -> None:
    with medical_backend() as backend, medical_gateway(backend) as gateway:
        backend.stop()
        for _ in range(2):  # the first request finds out
            found = problem(gateway.url, Question(ENGLISH_QUESTION))
        assert found == "problem.loading"


def test_a_model_that_breaks_off_in_the_middle_keeps_what_came() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = await stream(request, in_pieces("Rest and drink plenty of water, please.")[:3], 0.01)
        assert request.transport is not None
        request.transport.abort()
        return response

    with medical_backend(handler) as backend, medical_gateway(backend) as gateway:
        live = follow(gateway.url, Question(ENGLISH_QUESTION, model="plain"))
    assert (live.state, live.problem) == ("failed", "problem.cut")


def test_a_whole_answer_has_all_that_is_known_of_it() -> None:
    with medical_backend(speaking()) as backend, medical_gateway(backend) as gateway:
        question = Question(ENGLISH_QUESTION, language="hi", model="himed", history=[Turn("Before?", "After.")])
        live = follow(gateway.url, question)
        assert [each["role"] for each in backend.requests[0]["messages"]] == ["user", "assistant", "user"]
    assert (live.state, live.model, live.language) == ("done", "himed", "hi")
    assert live.answer.startswith(HINDI)
    assert live.result is not None
    assert live.result.id == live.request_id
    assert live.result.language.verdict == "mixed"


def test_stop_ends_the_request() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return await stream(request, [*in_pieces("word " * 100), DONE], 0.05)

    async def read(url: str) -> LiveAnswer:
        gateway, live, readers = Gateway(f"{url}/v1"), LiveAnswer(), Readers()
        readers.start(ME, gateway, Question(ENGLISH_QUESTION, model="plain"), live)
        async for _ in readers.watch(ME):
            if live.answer and not readers.stop(ME):
                break
        assert not readers.stop(ME)
        await gateway.close()
        return live

    with medical_backend(handler) as backend, medical_gateway(backend) as gateway:
        live = asyncio.run(read(gateway.url))
        assert live.state == "stopped"
        httpx.get(f"{gateway.url}/health")
        assert backend.open == 0


def test_what_nobody_watches_and_a_session_that_leaves_are_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return await stream(request, [*in_pieces("word " * 100), DONE], 0.05)

    async def read(url: str) -> tuple[LiveAnswer, LiveAnswer, LiveAnswer]:
        gateway, readers = Gateway(f"{url}/v1"), Readers()
        lives = LiveAnswer(), LiveAnswer(), LiveAnswer()
        for session, live in zip(("unwatched", "leaves", "stays"), lives, strict=True):
            question = Question(ENGLISH_QUESTION, model="plain")
            readers.start((session, "place"), gateway, question, live)
        readers.leave("leaves")
        async for _ in readers.watch(("stays", "place")):
            if lives[0].state == "stopped":
                break
        await gateway.close()
        return lives

    monkeypatch.setattr("ui.answers._UNWATCHED_S", 0.5)
    with medical_backend(handler) as backend, medical_gateway(backend) as gateway:
        unwatched, left, stayed = asyncio.run(read(gateway.url))
    assert (unwatched.state, left.state) == ("stopped", "stopped")
    assert unwatched.answer
    assert stayed.answer


def test_other_errors_are_said_to_be_the_servers() -> None:
    assert problem_of(ValueError("no answer")) == "problem.broken"
