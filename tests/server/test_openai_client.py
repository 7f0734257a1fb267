"""The official `openai` client and plain HTTP, through the gateway and against vLLM itself: the same answers."""

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from bare_and_gateway import same_answer
from openai import AsyncOpenAI, OpenAI

from app.engine import Engine

pytestmark = pytest.mark.slow

QUESTION: list[Any] = [{"role": "user", "content": "What lowers blood glucose?"}]
REASONING, ANSWER = "The pancreas makes a hormone.", "Insulin lowers it."
GREEDY: dict[str, Any] = {"messages": QUESTION, "temperature": 0.0}
TOOLS: list[Any] = [
    {
        "type": "function",
        "function": {
            "name": "find",
            "strict": True,
            "parameters": {
                "type": "object",
                "properties": {"d": {"enum": ["A", "B"]}},
                "required": ["d"],
                "additionalProperties": False,
            },
        },
    }
]
SCHEMA = {
    "type": "object",
    "properties": {"d": {"enum": ["A", "B"]}, "safe": {"type": "boolean"}},
    "required": ["d", "safe"],
    "additionalProperties": False,
}
NAMED = {"type": "function", "function": {"name": "find"}}

CHATS: dict[str, dict[str, Any]] = {
    "greedy": GREEDY,
    "auto tools": GREEDY | {"tools": TOOLS},
    "no tools": GREEDY | {"tools": TOOLS, "tool_choice": "none"},
    "a required tool": GREEDY | {"tools": TOOLS, "tool_choice": "required"},
    "a named tool": GREEDY | {"tools": TOOLS, "tool_choice": NAMED},
    "choice": GREEDY | {"structured_outputs": {"choice": ["insulin", "aspirin"]}},
    "schema": GREEDY | {"structured_outputs": {"json": SCHEMA}},
    "response_format": GREEDY
    | {"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}}},
    "logprobs": GREEDY | {"logprobs": True, "top_logprobs": 2, "max_tokens": 8},
    "two choices": {"messages": QUESTION, "n": 2, "temperature": 1.5, "seed": 3, "max_tokens": 8},
    "seed": {"messages": QUESTION, "temperature": 1.5, "seed": 4, "max_tokens": 8},
    "stop": GREEDY | {"stop": ["hormone"]},
    "one token": GREEDY | {"max_tokens": 1},
    "both limits": GREEDY | {"max_tokens": 9, "max_completion_tokens": 3},
    "token ids": GREEDY | {"max_tokens": 4, "return_token_ids": True},
    "no reasoning": GREEDY | {"include_reasoning": False},
    "a history": {
        "messages": [
            {"role": "system", "content": "Be brief."},
            *QUESTION,
            {"role": "assistant", "content": [{"type": "text", "text": ANSWER}]},
            {"role": "user", "content": 'Say "usage":{ and "finish_reason":"stop".'},
        ],
        "temperature": 0.0,
        "max_tokens": 12,
    },
    "a field of another type": GREEDY | {"temperature": "hot"},
    "no choices": GREEDY | {"n": 0},
    "negative tokens": GREEDY | {"max_tokens": -1},
    "no messages": {"messages": []},
    "messages of another type": {"messages": "hello"},
    "too long": {"messages": [{"role": "user", "content": "fever " * 3000}]},
    "a bad schema": GREEDY | {"structured_outputs": {"json": {"type": "nothing"}}},
    "an unknown field": GREEDY | {"max_tokens": 2, "invented": {"a": [1, None]}},
}
STREAM_OPTIONS: dict[str, Any] = {
    "usage": {"include_usage": True},
    "no usage": {"include_usage": False},
    "no options": {},
    "null": None,
    "usage all along": {"include_usage": True, "continuous_usage_stats": True},
    "half of it": {"continuous_usage_stats": True},
    "of another type": 7,
}
COMPLETIONS: dict[str, dict[str, Any]] = {
    "greedy": {"prompt": "What lowers", "max_tokens": 6, "temperature": 0.0},
    "echo": {"prompt": "What", "max_tokens": 4, "temperature": 0.0, "echo": True},
    "several prompts": {"prompt": ["What", "It"], "max_tokens": 3, "temperature": 0.0},
    "token ids": {"prompt": [300, 301, 302], "max_tokens": 4, "temperature": 0.0},
    "choice": {"prompt": "What", "structured_outputs": {"choice": ["insulin", "aspirin"]}, "temperature": 0.0},
    "two choices": {"prompt": "What", "n": 2, "seed": 1, "max_tokens": 3, "stream_options": None},
    "no prompt": {"prompt": None},
    "too long": {"prompt": "fever " * 3000},
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("body", CHATS.values(), ids=CHATS)
def test_a_chat_is_the_same_as_without_the_gateway(
    himed: Engine, gateway_url: str, body: dict[str, Any], stream: bool
) -> None:
    same_answer(himed, gateway_url, "/chat/completions", body | {"stream": stream})


@pytest.mark.parametrize("options", STREAM_OPTIONS.values(), ids=STREAM_OPTIONS)
def test_a_stream_has_the_usage_that_it_has_without_the_gateway(
    himed: Engine, gateway_url: str, options: dict[str, Any] | None
) -> None:
    body = GREEDY | {"max_tokens": 5, "stream": True, "stream_options": options}
    answer = same_answer(himed, gateway_url, "/chat/completions", body)
    if answer[0] == 200:
        asked = bool(options and options.get("include_usage"))
        assert (b'"usage":{' in answer[2]) == asked
        assert answer[2].count(b'"system_fingerprint":"') == 1


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("body", COMPLETIONS.values(), ids=COMPLETIONS)
def test_a_completion_is_the_same_as_without_the_gateway(
    himed: Engine, gateway_url: str, body: dict[str, Any], stream: bool
) -> None:
    same_answer(himed, gateway_url, "/completions", body | {"stream": stream})


def test_an_echo_with_logprobs_is_the_same_as_without_the_gateway(himed: Engine, gateway_url: str) -> None:
    """Whole: where vLLM puts tokens of a stream into one event, its `text_offset` counts on from the echoed prompt's
    special tokens, and else it does not."""
    same_answer(himed, gateway_url, "/completions", COMPLETIONS["echo"] | {"logprobs": 2, "stream": False})


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("choice", ["auto", "required", NAMED])
def test_tools_are_refused_where_vllm_refuses_them(
    cure_med: Engine, gateway_url: str, choice: str | dict[str, Any], stream: bool
) -> None:
    body = GREEDY | {"tools": TOOLS, "tool_choice": choice, "stream": stream}
    status, _, content = same_answer(cure_med, gateway_url, "/chat/completions", body)
    assert status == 400
    assert b"--tool-call-parser" in content


@pytest.fixture
def client(gateway_url: str) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{gateway_url}/v1", api_key="none", max_retries=0) as client:
        yield client


@pytest.fixture
def bare_client(himed: Engine) -> Iterator[OpenAI]:
    key = himed.api_key.get_secret_value()
    with OpenAI(base_url=himed.base_url, api_key=key, max_retries=0) as client:
        yield client


def test_the_models_are_listed(client: OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["himed-tiny", "cure-med-tiny", "auto"]
    assert client.models.retrieve("himed-tiny").owned_by == "himed"


def test_a_chat_and_its_reasoning(client: OpenAI) -> None:
    completion = client.chat.completions.create(model="himed-tiny", **GREEDY)
    message = completion.choices[0].message
    assert message.content == ANSWER
    assert message.model_extra is not None
    assert message.model_extra["reasoning"] == REASONING
    assert completion.usage is not None
    assert completion.usage.completion_tokens_details is not None
    assert 0 < (completion.usage.completion_tokens_details.reasoning_tokens or 0) < completion.usage.completion_tokens


def test_a_streamed_chat_and_its_reasoning(client: OpenAI) -> None:
    stream = client.chat.completions.create(
        model="himed-tiny", stream=True, stream_options={"include_usage": True}, **GREEDY
    )
    chunks = list(stream)
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    assert "".join(delta.content or "" for delta in deltas) == ANSWER
    assert "".join((delta.model_extra or {}).get("reasoning") or "" for delta in deltas) == REASONING
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.prompt_tokens > 0


async def test_the_async_client(gateway_url: str) -> None:
    async with AsyncOpenAI(base_url=f"{gateway_url}/v1", api_key="none", max_retries=0) as client:

        async def streamed(model: str) -> str:
            stream = await client.chat.completions.create(model=model, stream=True, **GREEDY)
            return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

        whole = [client.chat.completions.create(model=name, **GREEDY) for name in ("himed-tiny", "cure-med-tiny")]
        texts = await asyncio.gather(*(streamed(name) for name in ("himed-tiny", "cure-med-tiny")))
        assert texts == [ANSWER, ANSWER]
        assert [completion.choices[0].message.content for completion in await asyncio.gather(*whole)] == texts


def test_a_tool_is_called(client: OpenAI) -> None:
    completion = client.chat.completions.create(model="himed-tiny", tools=TOOLS, tool_choice="required", **GREEDY)
    (call,) = completion.choices[0].message.tool_calls or ()
    assert call.type == "function"
    assert call.function.name == "find"
    assert json.loads(call.function.arguments)["d"] in ("A", "B")


def test_a_tool_is_called_in_a_stream(client: OpenAI) -> None:
    stream = client.chat.completions.create(
        model="himed-tiny", tools=TOOLS, tool_choice="required", stream=True, **GREEDY
    )
    deltas = [chunk.choices[0].delta for chunk in stream]
    functions = [call.function for delta in deltas for call in delta.tool_calls or () if call.function]
    assert "".join(function.name or "" for function in functions) == "find"
    assert json.loads("".join(function.arguments or "" for function in functions))["d"] in ("A", "B")
    assert not any(delta.content for delta in deltas)


def test_completions(client: OpenAI, bare_client: OpenAI) -> None:
    asked: dict[str, Any] = {"model": "himed-tiny", "prompt": "What lowers", "max_tokens": 8, "temperature": 0.0}
    text = client.completions.create(**asked).choices[0].text
    assert text
    assert text == bare_client.completions.create(**asked).choices[0].text
    streamed = "".join(chunk.choices[0].text for chunk in client.completions.create(stream=True, **asked))
    assert streamed == text


def test_logprobs_and_several_choices(client: OpenAI) -> None:
    completion = client.chat.completions.create(
        model="himed-tiny", messages=QUESTION, n=2, temperature=1.5, seed=1, logprobs=True, top_logprobs=2, max_tokens=4
    )
    assert [choice.index for choice in completion.choices] == [0, 1]
    for choice in completion.choices:
        assert choice.logprobs is not None
        assert [len(token.top_logprobs) for token in choice.logprobs.content or ()] == [2] * 4


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"model": "gpt-5"}, openai.NotFoundError),
        ({"temperature": 9}, openai.BadRequestError),
        ({"extra_body": {"structured_outputs": {"regex": "("}}}, openai.BadRequestError),
        ({"messages": [{"role": "user", "content": "fever " * 3000}]}, openai.BadRequestError),
    ],
    ids=["unknown model", "out of range", "bad regex", "too long"],
)
def test_errors_are_of_the_same_class(
    client: OpenAI, bare_client: OpenAI, changes: dict[str, Any], error: type[openai.APIStatusError]
) -> None:
    told: list[openai.APIStatusError] = []
    for asked in (client, bare_client):
        with pytest.raises(error) as caught:
            asked.chat.completions.create(**({"model": "himed-tiny"} | GREEDY | changes))
        told.append(caught.value)
    if error is openai.BadRequestError:
        assert told[0].body == told[1].body
    else:
        assert (told[0].param, told[0].code) == ("model", "model_not_found")


def test_embeddings_are_refused(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="no embeddings"):
        client.embeddings.create(model="himed-tiny", input="fever")


@pytest.mark.parametrize("stream", [True, False])
async def test_a_client_that_leaves_ends_the_generation(himed: Engine, gateway_url: str, stream: bool) -> None:
    before = await _counter(himed, "generation_tokens_total")
    body = {"model": "himed-tiny", "stream": stream, "ignore_eos": True, "max_tokens": 900} | GREEDY
    async with httpx.AsyncClient(timeout=60) as client:
        answer = asyncio.create_task(client.post(f"{gateway_url}/v1/chat/completions", json=body))
        await _wait_for_running(himed, 1)
        answer.cancel()
        await _wait_for_running(himed, 0)
    assert answer.cancelled()
    assert await _counter(himed, "generation_tokens_total") - before < 800


async def _wait_for_running(bare: Engine, count: int) -> None:
    async with asyncio.timeout(2):
        while await _counter(bare, "num_requests_running") != count:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def _counter(bare: Engine, name: str) -> float:
    async with httpx.AsyncClient(timeout=10) as client:
        metrics = (await client.get(f"{bare.base_url.removesuffix('/v1')}/metrics")).text
    return sum(float(value) for value in re.findall(rf"^vllm:{name}{{.*}} (\S+)$", metrics, re.MULTILINE))
