"""The endpoint client against a real server: replies, errors, retries, and how many requests are in flight."""

import asyncio
import socket

import orjson
import pytest
from aiohttp import web
from pydantic import SecretStr
from scripted_endpoint import GREEDY, KEY, MESSAGES, PROMPT, Server, completion, fails, says, waits
from waiting import until

from app.endpoint import Endpoint, EndpointError, EndpointSettings, Sampling


async def test_a_reply_carries_text_reasoning_counts_and_latency(server: Server) -> None:
    server.answers(says(completion("D", reasoning="क्योंकि")))
    async with Endpoint(server.settings()) as endpoint:
        reply = await endpoint.chat(MESSAGES, GREEDY)
    assert (reply.text, reply.reasoning, reply.finish_reason) == ("D", "क्योंकि", "stop")
    assert (reply.prompt_tokens, reply.completion_tokens, reply.attempts) == (12, 4, 1)
    assert 0 < reply.latency_s < 60


async def test_unknown_counts_stay_unknown_and_a_missing_text_is_empty(server: Server) -> None:
    message = {"role": "assistant", "content": None, "reasoning_content": "सोच"}
    server.answers(says({"choices": [{"message": message, "finish_reason": "length"}]}))
    async with Endpoint(server.settings()) as endpoint:
        reply = await endpoint.chat(MESSAGES, GREEDY)
    assert (reply.text, reply.reasoning, reply.finish_reason) == ("", "सोच", "length")
    assert reply.prompt_tokens is None
    assert reply.completion_tokens is None


async def test_only_settings_that_are_set_are_sent(server: Server) -> None:
    server.answers(says(completion()))
    full = Sampling(
        temperature=0.6,
        top_p=0.95,
        top_k=20,
        repetition_penalty=1.2,
        max_tokens=1024,
        seed=7,
        stop=("</answer>",),
        extra={"chat_template_kwargs": {"enable_thinking": False}},
    )
    async with Endpoint(server.settings()) as endpoint:
        await endpoint.chat(MESSAGES, Sampling())
        await endpoint.chat(MESSAGES, full)
        await endpoint.chat(MESSAGES, full, seed=8)
    bare, own_seed, given_seed = server.bodies
    assert bare == {"model": "himed-8b", "messages": MESSAGES}
    assert own_seed == bare | {
        "temperature": 0.6,
        "top_p": 0.95,
        "top_k": 20,
        "repetition_penalty": 1.2,
        "max_tokens": 1024,
        "seed": 7,
        "stop": ["</answer>"],
        "chat_template_kwargs": {"enable_thinking": False},
    }
    assert given_seed == own_seed | {"seed": 8}


async def test_the_key_is_in_the_header_and_in_no_error(server: Server) -> None:
    server.answers(fails(401, f"Incorrect API key provided: {KEY}."))
    async with Endpoint(server.settings(api_key=SecretStr(f"{KEY}\n"))) as endpoint:
        with pytest.raises(EndpointError, match="check the key in the environment variable HIMED_API_KEY") as caught:
            await endpoint.chat(MESSAGES, GREEDY)
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert len(server.bodies) == 1
    assert caught.value.status == 401
    assert not caught.value.retryable
    assert KEY not in f"{caught.value} {caught.value!r} {endpoint.settings!r}"


async def test_a_missing_key_names_the_variable_to_set(server: Server) -> None:
    server.answers(fails(401, "Unauthorized"))
    async with Endpoint(server.settings(key_variable="HIMED_JUDGE_API_KEY")) as endpoint:
        with pytest.raises(
            EndpointError, match="Unauthorized; set the key in the environment variable HIMED_JUDGE_API"
        ):
            await endpoint.chat(MESSAGES, GREEDY)
    assert "Authorization" not in server.headers[0]


@pytest.mark.parametrize("status", [400, 403, 404, 413, 422, 501])
async def test_a_refused_request_is_not_tried_again(server: Server, status: int) -> None:
    server.answers(fails(status, "This model's maximum context length is 1024 tokens"))
    async with Endpoint(server.settings()) as endpoint:
        with pytest.raises(EndpointError, match=rf"HTTP {status} .*maximum context length is 1024") as caught:
            await endpoint.chat(MESSAGES, GREEDY)
        assert endpoint.concurrency == 64
    assert (caught.value.retryable, caught.value.attempts, len(server.bodies)) == (False, 1, 1)


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 529])
async def test_a_passing_failure_is_tried_again(server: Server, status: int) -> None:
    server.answers(fails(status), fails(status), says(completion()))
    async with Endpoint(server.settings()) as endpoint:
        reply = await endpoint.chat(MESSAGES, GREEDY)
    assert (reply.attempts, len(server.bodies)) == (3, 3)


async def test_retries_end_after_so_many_attempts(server: Server) -> None:
    server.answers(fails(503, "overloaded"))
    async with Endpoint(server.settings(max_attempts=3)) as endpoint:
        with pytest.raises(EndpointError, match="HTTP 503 Service Unavailable; overloaded") as caught:
            await endpoint.chat(MESSAGES, GREEDY)
    assert str(caught.value).endswith("(after 3 attempts)")
    assert (caught.value.retryable, caught.value.attempts, len(server.bodies)) == (True, 3, 3)


async def test_retry_after_holds_every_request_back(server: Server) -> None:
    server.answers(fails(429, Retry_After="0.4"), says(completion()))
    async with Endpoint(server.settings(concurrency=2)) as endpoint:
        first = asyncio.create_task(endpoint.chat(MESSAGES, GREEDY))
        await until(lambda: bool(server.bodies))
        await asyncio.sleep(0.05)
        replies = await asyncio.gather(first, endpoint.chat(MESSAGES, GREEDY))
    assert sorted(reply.attempts for reply in replies) == [1, 2]
    assert min(server.times[1:]) - server.times[0] >= 0.39


async def test_a_wait_beyond_the_longest_ends_the_request(server: Server) -> None:
    server.answers(fails(429, "daily quota", Retry_After="86400"), says(completion()))
    async with Endpoint(server.settings(max_wait_s=5.0)) as endpoint:
        with pytest.raises(EndpointError, match="daily quota") as caught:
            await endpoint.chat(MESSAGES, GREEDY)
    assert caught.value.retry_after_s == 86400
    assert len(server.bodies) == 1


async def test_a_prompt_that_a_server_repeats_stays_out_of_the_message(server: Server) -> None:
    echo = f"Input should be a valid list, input was {PROMPT}"
    escaped = f"bad request: {orjson.loads(orjson.dumps(PROMPT)).encode('ascii', 'backslashreplace').decode()}"
    validation = [{"type": "x", "loc": ["body", "n"], "msg": "Input should be above 0", "input": PROMPT}]
    server.answers(fails(400, echo), fails(400, escaped), says({"detail": validation}, 422))
    async with Endpoint(server.settings()) as endpoint:
        for expected in ("input was [prompt]", "bad request: [prompt]", "Input should be above 0"):
            with pytest.raises(EndpointError) as caught:
                await endpoint.chat(MESSAGES, GREEDY)
            assert str(caught.value).endswith(expected)
            assert "बुखार" not in str(caught.value)
            assert "\\u" not in str(caught.value)


async def test_an_error_page_that_is_no_json_leaves_the_status(server: Server) -> None:
    server.answers(says(b"<html>Not here</html>", 404))
    async with Endpoint(server.settings()) as endpoint:
        with pytest.raises(EndpointError, match="HTTP 404 Not Found; is this the right URL") as caught:
            await endpoint.chat(MESSAGES, GREEDY)
    assert "<html>" not in str(caught.value)


async def test_a_redirect_is_not_followed(server: Server) -> None:
    server.answers(says(b"", 307, Location="http://127.0.0.1:1/v1/chat/completions"))
    async with Endpoint(server.settings(api_key=SecretStr(KEY))) as endpoint:
        with pytest.raises(EndpointError, match=r"HTTP 307 .*give its new URL"):
            await endpoint.chat(MESSAGES, GREEDY)
    assert len(server.bodies) == 1


async def test_cut_json_is_tried_again(server: Server) -> None:
    server.answers(says(b'{"choices": [{"mess'), says(completion()))
    async with Endpoint(server.settings()) as endpoint:
        assert (await endpoint.chat(MESSAGES, GREEDY)).attempts == 2


@pytest.mark.parametrize("body", [b"<html>Welcome</html>", b"[1, 2]", b'{"hello": "world"}', b'{"choices": []}'])
async def test_an_answer_that_is_no_completion_is_refused_at_once(server: Server, body: bytes) -> None:
    server.answers(says(body))
    async with Endpoint(server.settings()) as endpoint:
        with pytest.raises(EndpointError, match="is this an OpenAI endpoint"):
            await endpoint.chat(MESSAGES, GREEDY)
    assert len(server.bodies) == 1


async def test_a_timeout_is_retried_lowers_the_concurrency_and_is_named(server: Server) -> None:
    server.answers(waits(5), says(completion()))
    async with Endpoint(server.settings(timeout_s=0.2)) as endpoint:
        assert (await endpoint.chat(MESSAGES, GREEDY)).attempts == 2
        assert endpoint.concurrency == 32
    server.bodies.clear()
    async with Endpoint(server.settings(timeout_s=0.2, max_attempts=1)) as endpoint:
        with pytest.raises(EndpointError, match=r"no answer within 0\.2 s") as caught:
            await endpoint.chat(MESSAGES, GREEDY)
    assert caught.value.retryable


async def test_a_refused_connection_asks_whether_the_server_runs() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = EndpointSettings(f"http://127.0.0.1:{port}", "m", max_attempts=2, backoff_s=0.001)
    async with Endpoint(settings) as endpoint:
        with pytest.raises(EndpointError, match=r"cannot connect .*is the server running\? \(after 2 attempts\)"):
            await endpoint.chat(MESSAGES, GREEDY)


async def test_an_endpoint_that_is_not_open_says_so() -> None:
    with pytest.raises(RuntimeError, match="async with Endpoint"):
        await Endpoint(EndpointSettings("http://127.0.0.1:1", "m")).chat(MESSAGES, GREEDY)


async def test_text_that_is_no_unicode_is_refused(server: Server) -> None:
    async with Endpoint(server.settings()) as endpoint:
        with pytest.raises(EndpointError, match="no valid Unicode"):
            await endpoint.chat([{"role": "user", "content": "\ud800"}], GREEDY)


async def test_the_models_are_listed(server: Server) -> None:
    async with Endpoint(server.settings()) as endpoint:
        assert await endpoint.models() == ["himed-8b", "adapter"]


async def test_no_more_requests_are_in_flight_than_allowed(server: Server) -> None:
    server.answers(waits(0.02))
    async with Endpoint(server.settings(concurrency=3)) as endpoint:
        await asyncio.gather(*(endpoint.chat(MESSAGES, GREEDY) for _ in range(20)))
    assert len(server.bodies) == 20
    assert server.peak == 3


async def test_throttling_halves_the_concurrency_and_success_grows_it_back(server: Server) -> None:
    server.answers(fails(429), says(completion()))
    async with Endpoint(server.settings(concurrency=4)) as endpoint:
        await endpoint.chat(MESSAGES, GREEDY)
        assert endpoint.concurrency == 2
        for _ in range(10):
            await endpoint.chat(MESSAGES, GREEDY)
        assert endpoint.concurrency == 4


async def test_an_overload_settles_below_what_the_endpoint_bears(server: Server) -> None:
    async def at_most_four(_request: web.Request) -> web.StreamResponse:
        if server.in_flight > 4:
            return web.json_response({"error": {"message": "busy"}}, status=503)
        await asyncio.sleep(0.005)
        return web.json_response(completion())

    server.answers(at_most_four)
    async with Endpoint(server.settings(concurrency=32, max_attempts=20)) as endpoint:
        replies = await asyncio.gather(*(endpoint.chat(MESSAGES, GREEDY) for _ in range(200)))
        assert endpoint.concurrency < 12
    assert len(replies) == 200


async def test_a_cancelled_call_gives_its_place_back(server: Server) -> None:
    server.answers(waits(5), says(completion()))
    async with Endpoint(server.settings(concurrency=1)) as endpoint:
        running = asyncio.create_task(endpoint.chat(MESSAGES, GREEDY))
        waiting = asyncio.create_task(endpoint.chat(MESSAGES, GREEDY))
        await until(lambda: bool(server.bodies))
        waiting.cancel()
        running.cancel()
        await asyncio.gather(running, waiting, return_exceptions=True)
        assert (await endpoint.chat(MESSAGES, GREEDY)).text == "उत्तर: D"


async def test_a_proxy_of_the_environment_is_used_but_not_for_loopback(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A proxy is asked for the whole URL; the test server answers to its path alone.
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.setenv("no_proxy", "inside.example")
    server.answers(says(completion("through the proxy")))
    async with Endpoint(server.settings(base_url="http://outside.example/v1")) as endpoint:
        assert (await endpoint.chat(MESSAGES, GREEDY)).text == "through the proxy"
    assert server.headers[0]["Host"] == "outside.example"
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    async with Endpoint(server.settings(max_attempts=1)) as endpoint:
        assert (await endpoint.chat(MESSAGES, GREEDY)).text == "through the proxy"


def vectors(*rows: tuple[int, list[float]]) -> dict[str, list[dict[str, object]]]:
    return {"data": [{"index": index, "embedding": values} for index, values in rows]}


async def test_vectors_come_in_the_order_of_the_texts(server: Server) -> None:
    server.answers(says(vectors((1, [3, 1]), (0, [1.5, 1]))))
    async with Endpoint(server.settings()) as endpoint:
        assert await endpoint.embed(["a", "bcd"]) == [[1.5, 1.0], [3.0, 1.0]]
    assert server.bodies == [{"model": "himed-8b", "input": ["a", "bcd"]}]


@pytest.mark.parametrize(
    ("answer", "words"),
    [(vectors((0, [1.0])), "1 vectors for 2 texts"), ({"data": [{"index": 0}]}, "no list of embeddings")],
)
async def test_an_answer_without_a_vector_for_each_text_is_none(answer: object, words: str, server: Server) -> None:
    server.answers(says(answer))
    async with Endpoint(server.settings()) as endpoint:
        with pytest.raises(EndpointError, match=words):
            await endpoint.embed(["a", "b"])
