"""The reasoning parsers in real vLLM: plain and streamed, structured outputs, several choices, cut off."""

import json
import re
from typing import Any

import httpx
import pytest
from bare_and_gateway import joined
from speaking_model import CURE_MED_COMPLETIONS, HIMED_COMPLETIONS

from app.answers import parse_completion
from app.engine import Engine
from app.formats import Format

pytestmark = pytest.mark.slow

ENGINES = pytest.mark.parametrize(
    ("name", "format", "completions"),
    [("himed-tiny", "himed", HIMED_COMPLETIONS), ("cure-med-tiny", "cure-med", CURE_MED_COMPLETIONS)],
)


def ask(engine: Engine, body: dict[str, Any], path: str = "/chat/completions") -> httpx.Response:
    body = {"model": engine.served_model_name, "temperature": 0.0} | body
    headers = {"Authorization": f"Bearer {engine.api_key.get_secret_value()}"}
    answer = httpx.post(f"{engine.base_url}{path}", json=body, headers=headers, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer


def parts(engine: Engine, body: dict[str, Any], *, stream: bool) -> list[tuple[str | None, str | None]]:
    """Reasoning and content of each choice, None where there is none."""
    answer = ask(engine, body | {"stream": stream})
    if not stream:
        messages = [choice["message"] for choice in answer.json()["choices"]]
        return [(message["reasoning"], message["content"]) for message in messages]
    choices = joined((200, answer.headers["content-type"], answer.content))["choices"]
    deltas = [choice["delta"] for _, choice in sorted(choices.items())]
    return [(delta.get("reasoning"), delta["content"] or None) for delta in deltas]


def question(text: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}]}


@ENGINES
@pytest.mark.parametrize("stream", [False, True])
def test_reasoning_and_answer_come_apart(
    vllm_servers: dict[str, Engine], name: str, format: Format, completions: dict[str, str], stream: bool
) -> None:
    for text, completion in completions.items():
        expected = parse_completion(completion, format)
        assert expected.well_formed
        assert parts(vllm_servers[name], question(text), stream=stream) == [(expected.reasoning, expected.answer)]


@ENGINES
def test_wherever_an_output_is_cut_off_stream_and_whole_agree(
    vllm_servers: dict[str, Engine], name: str, format: Format, completions: dict[str, str]
) -> None:
    text = next(iter(completions))
    reasoned = 0
    for limit in range(2, 30, 3):
        body = question(text) | {"max_tokens": limit}
        (whole,) = parts(vllm_servers[name], body, stream=False)
        if whole[0] is None:
            continue  # in the first marker, which may be a text's beginning
        assert parts(vllm_servers[name], body, stream=True) == [whole]
        reasoned += whole[1] is None
    assert reasoned > 3


@ENGINES
@pytest.mark.parametrize("stream", [False, True])
def test_each_choice_is_read_for_itself(
    vllm_servers: dict[str, Engine], name: str, format: Format, completions: dict[str, str], stream: bool
) -> None:
    body = question(next(iter(completions))) | {"n": 3, "temperature": 0.01, "seed": 1}
    expected = parse_completion(next(iter(completions.values())), format)
    assert parts(vllm_servers[name], body, stream=stream) == [(expected.reasoning, expected.answer)] * 3


SCHEMA = {
    "type": "object",
    "properties": {"drug": {"type": "string", "maxLength": 9}, "safe": {"type": "boolean"}},
    "required": ["drug", "safe"],
    "additionalProperties": False,
}


@ENGINES
@pytest.mark.parametrize("stream", [False, True])
def test_structured_outputs_hold_from_the_first_token(
    vllm_servers: dict[str, Engine], name: str, format: Format, completions: dict[str, str], stream: bool
) -> None:
    def content(**wanted: Any) -> str:
        body = question("What lowers blood glucose?") | {"structured_outputs": wanted}
        ((reasoning, text),) = parts(vllm_servers[name], body, stream=stream)
        assert reasoning is None
        assert text is not None
        return text

    assert content(choice=["aspirin", "insulin", "D"]) in ("aspirin", "insulin", "D")
    assert re.fullmatch(r" [a-z]{3}:\d{2} ", content(regex=r" [a-z]{3}:\d{2} "))
    assert set(json.loads(content(json=SCHEMA))) == {"drug", "safe"}
    # Tags that a model writes into a string are no markers.
    tagged = "<thinking>a</thinking><answer>b</answer>"
    assert json.loads(content(json={"type": "object", "properties": {"a": {"const": tagged}}, "required": ["a"]})) == {
        "a": tagged
    }


@ENGINES
@pytest.mark.parametrize("stream", [False, True])
def test_a_structure_with_markers_is_split(
    vllm_servers: dict[str, Engine], name: str, format: Format, completions: dict[str, str], stream: bool
) -> None:
    pattern = {
        "himed": r"## Thinking\n\n[ab]{4}\n\n## Response\n\n[12]{3}",
        "cure-med": r"<thinking><step1>[ab]{4}</step1></thinking>\n<answer>[12]{3}</answer>",
    }[format]
    body = question("x") | {"structured_outputs": {"regex": pattern}}
    ((reasoning, answer),) = parts(vllm_servers[name], body, stream=stream)
    assert re.fullmatch(r"(<step1>)?[ab]{4}(</step1>)?", reasoning or "")
    assert re.fullmatch(r"[12]{3}", answer or "")


@ENGINES
def test_a_raw_completion_keeps_to_its_structure(
    vllm_servers: dict[str, Engine], name: str, format: Format, completions: dict[str, str]
) -> None:
    body = {"prompt": "What lowers", "structured_outputs": {"choice": ["aspirin", "insulin"]}}
    text = ask(vllm_servers[name], body, "/completions").json()["choices"][0]["text"]
    assert text in ("aspirin", "insulin")


@ENGINES
def test_reasoning_tokens_are_counted_alike(
    vllm_servers: dict[str, Engine], name: str, format: Format, completions: dict[str, str]
) -> None:
    body = question(next(iter(completions)))
    usage = ask(vllm_servers[name], body).json()["usage"]
    options = {"stream": True, "stream_options": {"include_usage": True, "continuous_usage_stats": True}}
    events = ask(vllm_servers[name], body | options).text.split("\n\n")
    streamed = [json.loads(event.removeprefix("data: "))["usage"] for event in events if event.startswith("data: {")]
    reasoning = usage["completion_tokens_details"]["reasoning_tokens"]
    assert 0 < reasoning < usage["completion_tokens"]
    assert streamed[-1]["completion_tokens_details"]["reasoning_tokens"] == reasoning
    counts = [one["completion_tokens_details"]["reasoning_tokens"] for one in streamed]
    assert counts == sorted(counts)
