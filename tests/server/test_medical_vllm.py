"""The medical routes on real vLLM, with models that write their formats."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from medical_gateway import assert_error
from running import RunningGateway
from speaking_model import CONTEXT, HIMED_COMPLETIONS
from speaking_servers import CURE_MED, HIMED
from test_medical_stream import joined, read_events

from app.answers import parse_completion
from app.engine import Engine
from server.backends import Address

pytestmark = pytest.mark.slow

QUESTION = "बुखार और दाने का कारण क्या है?"
OPTIONS = ["खसरा", "मलेरिया", "मधुमेह"]


@pytest.fixture(scope="module")
def url(vllm_servers: dict[str, Engine]) -> Iterator[str]:
    """The medical routes of a gateway before both models."""
    addresses = {
        name: (Address(f"{name}/0", engine.base_url, engine.api_key, ((name, name),)),)
        for name, engine in vllm_servers.items()
    }
    formats: dict[str, dict[str, Any]] = {
        HIMED: {"format": "himed", "languages": ["hi"]},
        CURE_MED: {"format": "cure-med", "languages": ["sw", "en"]},
    }
    models = {name: formats[name] | {"backends": [{"url": found.base_url}]} for name, (found,) in addresses.items()}
    with RunningGateway(addresses, config={"models": models}) as gateway:
        yield f"{gateway.url}/v1/medical/answer"


def ask(url: str, **body: Any) -> dict[str, Any]:
    answer = httpx.post(url, json=body, timeout=60)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert isinstance(found, dict)
    return found


def test_a_hindi_question_is_answered_by_himed_whole_and_streamed(url: str) -> None:
    expected = parse_completion(HIMED_COMPLETIONS[QUESTION], "himed")
    whole = ask(url, question=QUESTION)
    assert (whole["model"], whole["reasoning"], whole["answer"]) == (HIMED, expected.reasoning, expected.answer)
    assert (whole["language"]["verdict"], whole["cut_off"]) == ("consistent", False)
    events = read_events(httpx.post(f"{url}/stream", json={"question": QUESTION}, timeout=60).text)
    assert (joined(events, "reasoning").strip(), joined(events, "answer").strip()) == (
        expected.reasoning,
        expected.answer,
    )
    assert events[-1][0] == "done"
    assert events[-1][1] | {"id": whole["id"]} == whole


def test_reasoning_that_is_cut_off_is_no_answer(url: str) -> None:
    found = ask(url, question=QUESTION, max_tokens=8)
    assert (found["answer"], found["cut_off"]) == (None, True)
    assert found["usage"]["completion_tokens"] == 8


def test_samples_are_voted(url: str) -> None:
    found = ask(url, question=QUESTION, options=OPTIONS, samples=4, seed=1)
    assert sum(found["votes"].values()) + found["unread"] == 4
    assert found["attempts"] == 4
    if found["votes"]:
        assert found["confidence"] == max(found["votes"].values()) / 4
        assert found["votes"][found["choice"]] == max(found["votes"].values())


def test_an_answer_in_english_is_tried_again(url: str) -> None:
    found = ask(url, question="What lowers blood glucose?", model=HIMED, language="hi", enforce_language=True, seed=0)
    assert 2 <= found["attempts"] <= 3
    expected = {"consistent": True, "undetermined": None}.get(found["language"]["verdict"], False)
    assert found["language"]["enforced"] is expected


def test_cure_med_is_sampled_as_published(url: str) -> None:
    found = ask(url, question="Dalili za kisukari ni zipi?", max_tokens=64)
    assert (found["model"], found["language"]["question"]) == (CURE_MED, "sw")


@pytest.mark.parametrize("path", ["", "/stream"])
def test_a_question_that_is_too_long_for_the_model_is_told_so(url: str, path: str) -> None:
    error = assert_error(httpx.post(url + path, json={"question": QUESTION * 1050}, timeout=60), 400)
    assert error["code"] == "context_length_exceeded"
    assert str(CONTEXT) in error["message"]
