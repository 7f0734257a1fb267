"""`/v1/medical/answer`: what the model is asked, and what is told of its answer."""

from typing import Any

import httpx
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
    answering,
    cure_med,
    himed,
    medical_backend,
    medical_gateway,
    replies,
)
from running import ScriptedBackend, completion

from app.notices import notice
from app.prompts import build_messages


def ask(backend: ScriptedBackend, config: dict[str, Any] | None = None, **body: Any) -> dict[str, Any]:
    with backend, medical_gateway(backend, config=config) as gateway:
        answer = httpx.post(f"{gateway.url}/v1/medical/answer", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["id"] == answer.headers["x-request-id"]
    found = answer.json()
    assert isinstance(found, dict)
    return found


def test_hindi_goes_to_himed_in_its_format_and_comes_back_in_parts() -> None:
    backend = medical_backend(replies(himed(f"{HINDI}\n\nउत्तर: A. मलेरिया")))
    found = ask(backend, question=HINDI_QUESTION, options=OPTIONS)
    assert backend.requests == [
        {
            "model": "himed",
            "messages": build_messages(HINDI_QUESTION, format="himed", language="hi", options=OPTIONS),
            "temperature": 0.0,
        }
    ]
    found.pop("id")
    assert found == {
        "answer": f"{HINDI}\n\nउत्तर: A. मलेरिया",
        "reasoning": "पहले लक्षण देखें।",
        "choice": "A",
        "votes": None,
        "unread": None,
        "confidence": None,
        "language": {"question": "hi", "answer": "hi", "verdict": "consistent", "foreign": [], "enforced": None},
        "cut_off": False,
        "attempts": 1,
        "model": "himed",
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
        "notice": notice("hi"),
    }


def test_amharic_goes_to_cure_med_as_it_was_published() -> None:
    backend = medical_backend(replies(cure_med(AMHARIC)))
    found = ask(backend, question=AMHARIC_QUESTION)
    (sent,) = backend.requests
    assert sent["messages"] == build_messages(AMHARIC_QUESTION, format="cure-med", language="am")
    assert {name: sent[name] for name in sent if name not in ("model", "messages")} == {
        "temperature": 0.6,
        "top_p": 0.95,
        "top_k": 20,
        "repetition_penalty": 1.2,
        "max_tokens": 1024,
    }
    assert (found["answer"], found["reasoning"]) == (AMHARIC, "<step1>First the symptoms.</step1>")
    assert (found["language"]["verdict"], found["choice"], found["notice"]) == ("consistent", None, notice("am"))


def test_english_goes_to_the_plain_model() -> None:
    found = ask(medical_backend(replies(ENGLISH)), question=ENGLISH_QUESTION)
    assert (found["model"], found["answer"], found["reasoning"]) == ("plain", ENGLISH, None)
    assert found["language"]["question"] == "en"


@pytest.mark.parametrize(
    ("question", "options", "code"),
    [
        ("?", ["मलेरिया", "टायफाइड"], "hi"),  # the options tell
        (AMHARIC_QUESTION, list(OPTIONS.values()), "am"),  # the two together do not
    ],
)
def test_the_language_shows_in_question_and_options(question: str, options: list[str], code: str) -> None:
    found = ask(medical_backend(replies("A")), question=question, options=options)
    assert found["language"]["question"] == code


def test_model_and_language_may_be_named_and_sampling_set() -> None:
    backend = medical_backend(replies(cure_med(HINDI)))
    more = {"seed": 7, "max_tokens": 50, "temperature": 0.2}
    found = ask(backend, question="ठीक?", language="Hindi", model="cure", **more)
    assert found["language"]["question"] == "hi"
    assert backend.requests[0]["model"] == "cure"
    assert {name: backend.requests[0][name] for name in more} == more


def test_the_answer_in_another_language_is_shown_as_such() -> None:
    found = ask(medical_backend(replies(himed(ENGLISH))), question=HINDI_QUESTION)
    language = found["language"]
    assert (language["question"], language["answer"], language["verdict"]) == ("hi", "en", "inconsistent")
    assert language["enforced"] is None
    (span, *_) = language["foreign"]
    assert span["language"] == "en"
    assert ENGLISH[span["start"] : span["end"]] == span["text"]


def test_a_sentence_in_another_language_makes_it_mixed() -> None:
    found = ask(medical_backend(replies(himed(f"{HINDI} {ENGLISH} {HINDI}"))), question=HINDI_QUESTION)
    assert (found["language"]["answer"], found["language"]["verdict"]) == ("hi", "mixed")
    assert [span["language"] for span in found["language"]["foreign"]] == ["en"]


@pytest.mark.parametrize(
    "reply",
    [
        completion(HINDI, reasoning="पहले लक्षण।"),
        completion(himed(HINDI, "पहले लक्षण।")),
    ],
)
def test_the_backend_may_give_the_reasoning_apart(reply: dict[str, Any]) -> None:
    found = ask(medical_backend(answering(lambda _body: reply)), question=HINDI_QUESTION)
    assert (found["answer"], found["reasoning"]) == (HINDI, "पहले लक्षण।")


@pytest.mark.parametrize(
    ("question", "text", "apart"),
    [
        (HINDI_QUESTION, f"## Thinking\n\n{HINDI}", None),
        (AMHARIC_QUESTION, f"<thinking><step1>{AMHARIC}", None),
        (HINDI_QUESTION, "", HINDI),
    ],
)
def test_reasoning_that_was_cut_off_is_no_answer(question: str, text: str, apart: str | None) -> None:
    reply = completion(text, reasoning=apart, finish="length")
    found = ask(medical_backend(answering(lambda _body: reply)), question=question, options=OPTIONS)
    assert found["cut_off"] is True
    assert found["answer"] is found["choice"] is None
    assert found["reasoning"]
    assert found["language"] == {
        "question": found["language"]["question"],
        "answer": None,
        "verdict": "undetermined",
        "foreign": [],
        "enforced": None,
    }


@pytest.mark.parametrize(
    ("finish", "cut_off"),
    [("stop", False), ("tool_calls", False), ("length", True), ("repetition", True), (None, None)],
)
def test_what_did_not_end_by_itself_was_cut_off(finish: Any, cut_off: bool | None) -> None:
    reply = completion(himed(HINDI), finish=finish)
    assert ask(medical_backend(answering(lambda _body: reply)), question=HINDI_QUESTION)["cut_off"] is cut_off


@pytest.mark.parametrize("text", ["शायद कोई संक्रमण है।", "A या B", "उत्तर: F"])
def test_a_choice_that_cannot_be_read_is_null(text: str) -> None:
    found = ask(medical_backend(replies(himed(text))), question=HINDI_QUESTION, options=OPTIONS)
    assert (found["answer"], found["choice"]) == (text, None)


@pytest.mark.parametrize(
    "options", [["मलेरिया", "टायफाइड"], ["A. मलेरिया", "B. टायफाइड"], {"b": "टायफाइड", "a": "मलेरिया"}]
)
def test_options_get_letters(options: Any) -> None:
    backend = medical_backend(replies(himed("B")))
    found = ask(backend, question=HINDI_QUESTION, options=options)
    assert backend.requests[0]["messages"][-1]["content"] == f"{HINDI_QUESTION}\nA. मलेरिया\nB. टायफाइड"
    assert found["choice"] == "B"


def test_tokens_stay_within_the_servers_limit() -> None:
    limits = {"limits": {"max_tokens": 100}}
    for question, name in ((AMHARIC_QUESTION, "cure"), (HINDI_QUESTION, "himed")):  # 1,024 of its own, and none
        backend = medical_backend(replies("x"))
        assert ask(backend, limits, question=question)["model"] == name
        assert backend.requests[0]["max_tokens"] == 100


def test_a_backend_that_does_not_count_leaves_the_usage_unknown() -> None:
    reply = {name: value for name, value in completion(himed(HINDI)).items() if name != "usage"}
    assert ask(medical_backend(answering(lambda _body: reply)), question=HINDI_QUESTION)["usage"] is None


def test_verdicts_and_tokens_are_counted() -> None:
    async def handler(_request: web.Request) -> web.StreamResponse:
        return web.json_response(completion(himed(ENGLISH)))

    with medical_backend(handler) as backend, medical_gateway(backend) as gateway:
        httpx.post(f"{gateway.url}/v1/medical/answer", json={"question": HINDI_QUESTION})
        metrics = httpx.get(f"{gateway.url}/metrics").text
    assert 'himed_language_verdicts_total{language="hi",model="himed",verdict="inconsistent"} 1.0' in metrics
    assert 'himed_tokens_total{kind="completion",model="himed"} 2.0' in metrics


def test_the_schema_tells_of_both_routes() -> None:
    with medical_backend() as backend, medical_gateway(backend) as gateway:
        schema = httpx.get(f"{gateway.url}/openapi.json").json()
    whole = schema["paths"]["/v1/medical/answer"]["post"]
    assert whole["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].endswith("/MedicalAnswer")
    assert "samples" in schema["components"]["schemas"]["SampledQuestion"]["properties"]
    streamed = schema["paths"]["/v1/medical/answer/stream"]["post"]
    assert list(streamed["responses"]["200"]["content"]) == ["text/event-stream"]
    assert "`retry`" in streamed["description"]


def test_earlier_turns_stand_before_the_question_each_in_its_own_language() -> None:
    backend = medical_backend(replies(cure_med(AMHARIC)))
    history = [{"question": HINDI_QUESTION, "answer": HINDI}, {"question": "ወባ?", "answer": AMHARIC}]
    ask(backend, question=AMHARIC_QUESTION, history=history)
    messages = backend.requests[0]["messages"]
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert messages[1]["content"].startswith(f"The question is in Hindi.\n\n{HINDI_QUESTION}\n")
    assert messages[2]["content"] == f"<answer>{HINDI}</answer>"
    assert messages[3]["content"].startswith("The question is in Amharic.\n\nወባ?\n")
    assert messages[5] == build_messages(AMHARIC_QUESTION, format="cure-med", language="am")[-1]


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("This model's maximum context length is 1024 tokens. However, you requested 2000.", "context_length_exceeded"),
        ("The prompt is longer than the maximum model length of 1024.", "context_length_exceeded"),
        ("temperature must be non-negative", "refused_by_model"),
    ],
)
def test_a_question_too_long_for_the_model_has_openais_code(reason: str, code: str) -> None:
    async def refuse(_request: web.Request) -> web.StreamResponse:
        return web.json_response({"error": {"message": reason, "code": 400}}, status=400)

    backend = medical_backend(refuse)
    with backend, medical_gateway(backend) as gateway:
        answer = httpx.post(f"{gateway.url}/v1/medical/answer", json={"question": HINDI_QUESTION})
    assert answer.status_code == 400
    assert answer.json()["error"] == {"message": reason, "type": "invalid_request_error", "param": None, "code": code}
