"""`samples`: a majority over several completions, and its share."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import httpx
import orjson
import pytest
from aiohttp import web
from medical_gateway import (
    AMHARIC_QUESTION,
    ENGLISH,
    HINDI,
    HINDI_QUESTION,
    OPTIONS,
    assert_error,
    himed,
    medical_backend,
    medical_gateway,
)
from running import Handler, ScriptedBackend, completion


def by_seed(answers: Sequence[str], wait_s: float = 0.0) -> Handler:
    """The sample's answer by its seed, however the requests come in; earlier samples answer later."""

    async def handler(request: web.Request) -> web.StreamResponse:
        seed = orjson.loads(await request.read())["seed"]
        await asyncio.sleep(wait_s + 0.01 * (len(answers) - seed))
        return web.json_response(completion(himed(answers[seed])))

    return handler


def ask(backend: ScriptedBackend, samples: int, **body: Any) -> dict[str, Any]:
    with backend, medical_gateway(backend) as gateway:
        asked = {"question": HINDI_QUESTION, "options": OPTIONS, "samples": samples, "seed": 0} | body
        answer = httpx.post(f"{gateway.url}/v1/medical/answer", json=asked)
        metrics = httpx.get(f"{gateway.url}/metrics").text
    assert answer.status_code == 200, answer.text
    assert 'himed_requests_total{model="himed",path="/v1/medical/answer",status="200"} 1.0' in metrics
    found = answer.json()
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(
    ("answers", "votes", "unread", "choice", "confidence", "kept"),
    [
        (["B", "A", "A", "A", "B"], {"B": 2, "A": 3}, 0, "A", 0.6, 1),
        (["x", "C", "x", "C. डेंगू", "D"], {"C": 2, "D": 1}, 2, "C", 0.4, 1),
        (["D", "A", "A", "D"], {"D": 2, "A": 2}, 0, "D", 0.5, 0),  # a tie: the first vote's
        (["A", "A"], {"A": 2}, 0, "A", 1.0, 0),
        (["?", ENGLISH, HINDI], {}, 3, None, None, 2),  # no vote: the one that kept the language
    ],
)
def test_the_majority_and_its_share_of_all_samples(
    answers: list[str], votes: dict[str, int], unread: int, choice: str | None, confidence: float | None, kept: int
) -> None:
    backend = medical_backend(by_seed(answers))
    found = ask(backend, len(answers))
    assert (found["votes"], found["unread"]) == (votes, unread)
    assert (found["choice"], found["confidence"], found["answer"]) == (choice, confidence, answers[kept])
    assert found["attempts"] == len(answers) == len(backend.requests)
    assert found["usage"]["total_tokens"] == 5 * len(answers)


def test_samples_are_asked_at_once_each_with_a_seed_and_an_id_of_its_own() -> None:
    backend = medical_backend(by_seed(["A"] * 16, wait_s=1.0))
    started = time.monotonic()
    ask(backend, 16)
    assert time.monotonic() - started < 10
    assert sorted(sent["seed"] for sent in backend.requests) == list(range(16))
    assert len({headers["X-Request-Id"] for headers in backend.headers}) == 16
    assert {sent["temperature"] for sent in backend.requests} == {0.7}  # the model is greedy


@pytest.mark.parametrize(("body", "temperature"), [({"question": AMHARIC_QUESTION}, 0.6), ({"temperature": 1.1}, 1.1)])
def test_a_model_or_request_that_samples_keeps_its_temperature(body: dict[str, Any], temperature: float) -> None:
    async def handler(_request: web.Request) -> web.StreamResponse:
        return web.json_response(completion("A"))

    backend = medical_backend(handler)
    with backend, medical_gateway(backend) as gateway:
        asked = {"question": HINDI_QUESTION, "options": OPTIONS, "samples": 2} | body
        assert httpx.post(f"{gateway.url}/v1/medical/answer", json=asked).json()["votes"] == {"A": 2}
    assert [sent["temperature"] for sent in backend.requests] == [temperature] * 2


def test_each_sample_is_tried_again_for_its_language() -> None:
    # Seeds go on behind those of the samples: 0 and 1, then 2 and 3 for their second tries.
    backend = medical_backend(by_seed([f"{ENGLISH} Answer: A", f"{HINDI} उत्तर: B", f"{HINDI} उत्तर: A", "C"]))
    found = ask(backend, 2, enforce_language=True)
    assert sorted(sent["seed"] for sent in backend.requests) == [0, 1, 2]
    assert (found["votes"], found["attempts"], found["language"]["enforced"]) == ({"A": 1, "B": 1}, 3, True)


def test_one_sample_that_fails_fails_all_and_ends_the_others() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        if orjson.loads(await request.read())["seed"] == 2:
            return web.json_response({"error": {"message": "too long"}}, status=400)
        await asyncio.sleep(30)
        return web.json_response(completion("A"))

    with medical_backend(handler) as backend, medical_gateway(backend) as gateway:
        asked = {"question": HINDI_QUESTION, "options": OPTIONS, "samples": 4, "seed": 0}
        assert_error(httpx.post(f"{gateway.url}/v1/medical/answer", json=asked), 400, code="refused_by_model")
        end = time.monotonic() + 5
        while backend.open and time.monotonic() < end:
            time.sleep(0.01)
        assert backend.open == 0
