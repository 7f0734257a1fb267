"""`enforce_language`: answers that left the question's language are tried again, and it is said."""

from typing import Any

import httpx
import pytest
from medical_gateway import (
    AMHARIC,
    AMHARIC_QUESTION,
    ENGLISH,
    HINDI,
    HINDI_QUESTION,
    cure_med,
    himed,
    medical_backend,
    medical_gateway,
    replies,
)
from running import ScriptedBackend

from app.prompts import INSTRUCTIONS, build_messages

MIXED = f"{HINDI} {ENGLISH} {HINDI}"


def ask(backend: ScriptedBackend, **body: Any) -> dict[str, Any]:
    with backend, medical_gateway(backend) as gateway:
        asked = {"question": HINDI_QUESTION, "enforce_language": True} | body
        answer = httpx.post(f"{gateway.url}/v1/medical/answer", json=asked)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(
    ("answers", "kept", "verdict", "enforced"),
    [
        ([HINDI], HINDI, "consistent", True),
        ([ENGLISH, HINDI], HINDI, "consistent", True),
        ([MIXED, ENGLISH, HINDI], HINDI, "consistent", True),
        ([ENGLISH, MIXED, ENGLISH], MIXED, "mixed", False),
        ([ENGLISH, ENGLISH, ENGLISH], ENGLISH, "inconsistent", False),
        ([ENGLISH, "D"], "D", "undetermined", None),
        ([MIXED, "D", ENGLISH], MIXED, "mixed", False),
        ([ENGLISH, "", ENGLISH], ENGLISH, "inconsistent", False),
        (["D"], "D", "undetermined", None),
    ],
)
def test_the_best_of_at_most_three(answers: list[str], kept: str, verdict: str, enforced: bool | None) -> None:
    backend = medical_backend(replies(*map(himed, answers)))
    found = ask(backend)
    assert len(backend.requests) == found["attempts"] == len(answers)
    assert found["answer"] == kept
    assert (found["language"]["verdict"], found["language"]["enforced"]) == (verdict, enforced)
    tries = len(answers)
    assert found["usage"] == {"prompt_tokens": 3 * tries, "completion_tokens": 2 * tries, "total_tokens": 5 * tries}


ROMANISED = (
    "Mareez ko khoob paani peena chahiye aur aaram karna chahiye. Bukhar teen din se zyada rahe to doctor ko dikhaye."
)


@pytest.mark.parametrize(
    ("answer", "verdict", "language"),
    [(HINDI, "consistent", "hi"), (ENGLISH, "inconsistent", "en"), (ROMANISED, "inconsistent", "hi-Latn")],
)
def test_the_answers_language_agrees_with_the_verdict(answer: str, verdict: str, language: str) -> None:
    found = ask(medical_backend(replies(himed(answer))), enforce_language=False)["language"]
    assert (found["verdict"], found["answer"]) == (verdict, language)


def test_without_it_nothing_is_tried_again() -> None:
    backend = medical_backend(replies(himed(ENGLISH)))
    found = ask(backend, enforce_language=False)
    assert (len(backend.requests), found["attempts"], found["language"]["enforced"]) == (1, 1, None)


def test_a_greedy_model_is_reminded_and_then_sampled() -> None:
    backend = medical_backend(replies(himed(ENGLISH), himed(ENGLISH), himed(HINDI)))
    ask(backend, seed=10)
    assert [sent["temperature"] for sent in backend.requests] == [0, 0.7, 0.7]
    assert [sent["seed"] for sent in backend.requests] == [10, 11, 12]
    first, *others = [sent["messages"] for sent in backend.requests]
    assert first == build_messages(HINDI_QUESTION, format="himed", language="hi")
    for messages in others:
        assert messages == [{"role": "user", "content": f"{HINDI_QUESTION}\n\n{INSTRUCTIONS['hi'].open}"}]
    assert len({headers["X-Request-Id"] for headers in backend.headers}) == 3


def test_a_sampled_model_keeps_its_temperature_and_its_system_message() -> None:
    backend = medical_backend(replies(cure_med(ENGLISH), cure_med(AMHARIC)))
    ask(backend, question=AMHARIC_QUESTION)
    first, second = backend.requests
    assert first["temperature"] == second["temperature"] == 0.6
    assert "seed" not in second
    assert second["messages"][0] == first["messages"][0]
    assert second["messages"][1]["content"].endswith(INSTRUCTIONS["am"].open)
