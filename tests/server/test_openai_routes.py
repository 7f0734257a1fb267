"""OpenAI's routes against scripted backends."""

import httpx
import pytest
from aiohttp import web
from running import RunningGateway, ScriptedBackend, event, stream_events


def test_a_request_and_its_answer_pass_untouched() -> None:
    body = b'{ "model":"m", "messages" : [{"role":"user","content":"\xe0\xa4\xac"}], "seed":  12345678901234567890 }'
    with ScriptedBackend() as backend, RunningGateway({"m": (backend.address(),)}) as gateway:
        answer = httpx.post(
            f"{gateway.url}/v1/chat/completions", content=body, headers={"Content-Type": "application/json"}
        )
    assert answer.status_code == 200
    assert answer.json()["choices"][0]["message"]["content"] == "hi"
    assert backend.requests == [
        {"model": "m", "messages": [{"role": "user", "content": "ब"}], "seed": 12345678901234567890}
    ]
    assert backend.headers[0]["X-Request-Id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("asked", [False, True])
def test_a_stream_is_counted_and_the_count_shown_only_where_it_was_asked_for(asked: bool) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        counted = b'"system_fingerprint":"f","usage":{"prompt_tokens":3,"completion_tokens":9}'
        usage = b'data: {"id":"x","choices":[],' + counted + b"}\n\n"
        return await stream_events(request, [event({"content": "a"}), event({}, "stop"), usage, b"data: [DONE]\n\n"])

    body = {"model": "m", "messages": [], "stream": True} | (
        {"stream_options": {"include_usage": True}} if asked else {}
    )
    with ScriptedBackend(handler) as backend, RunningGateway({"m": (backend.address(),)}) as gateway:
        answer = httpx.post(f"{gateway.url}/v1/chat/completions", json=body)
        metrics = httpx.get(f"{gateway.url}/metrics").text
    assert answer.text.endswith("data: [DONE]\n\n")
    assert ('"usage"' in answer.text) == asked
    assert answer.text.count('"system_fingerprint":"f"') == 1
    assert 'himed_tokens_total{kind="completion",model="m"} 9.0' in metrics
