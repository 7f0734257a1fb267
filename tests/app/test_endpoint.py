"""The endpoint client against real servers on the loopback interface."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from time import perf_counter
from typing import Any

import orjson
import pytest
from aiohttp import web
from pydantic import SecretStr, ValidationError

from app.endpoint import Endpoint, EndpointError, EndpointSettings, Sampling
from app.endpoint.errors import retry_after_s
from app.endpoint.limit import AdaptiveLimit
from app.endpoint.settings import normalise_base_url
from app.errors import InputError

KEY = "sk-test-0123456789"
PROMPT = "रोगी को तीन दिन से बुखार और खांसी है, क्या करें?"
MESSAGES = [{"role": "user", "content": PROMPT}]
GREEDY = Sampling(temperature=0.0, max_tokens=8)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def completion(text: str | None = "उत्तर: D", **message: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": text, **message}, "finish_reason": "stop"}
    return {"choices": [choice], "usage": {"prompt_tokens": 12, "completion_tokens": 4, "total_tokens": 16}}


class Server:
    """Answers the n-th chat request with the n-th scripted answer, later ones with the last."""

    def __init__(self) -> None:
        self.script: list[Handler] = []
        self.headers: list[dict[str, str]] = []
        self.bodies: list[dict[str, Any]] = []
        self.times: list[float] = []
        self.in_flight = 0
        self.peak = 0
        self.url = ""

    def answers(self, *script: Handler) -> None:
        self.script = list(script)

    async def chat(self, request: web.Request) -> web.StreamResponse:
        self.headers.append(dict(request.headers))
        self.bodies.append(await request.json())
        self.times.append(perf_counter())
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        try:
            return await self.script[min(len(self.bodies), len(self.script)) - 1](request)
        finally:
            self.in_flight -= 1

    async def models(self, _request: web.Request) -> web.StreamResponse:
        return web.json_response({"object": "list", "data": [{"id": "himed-8b"}, {"id": "adapter"}]})

    def settings(self, **changes: Any) -> EndpointSettings:
        return EndpointSettings(**({"base_url": self.url, "model": "himed-8b", "backoff_s": 0.001} | changes))


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    script = Server()
    application = web.Application()
    application.router.add_post("/v1/chat/completions", script.chat)
    application.router.add_get("/v1/models", script.models)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    script.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield script
    await runner.cleanup()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110  # what the server saw
            await asyncio.sleep(0.01)


def says(body: Any, status: int = 200, **headers: str) -> Handler:
    async def handler(_request: web.Request) -> web.StreamResponse:
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(body=raw, status=status, headers={"Content-Type": "application/json"} | named)

    return handler


def fails(status: int, message: str = "no", **headers: str) -> Handler:
    return says({"error": {"message": message, "type": "x", "param": None, "code": status}}, status, **headers)


def waits(seconds: float) -> Handler:
    async def handler(_request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        return web.json_response(completion())

    return handler


def streams(*events: Any, cut: bool = False, pause: float = 0.0) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for event in events:
            data = event if isinstance(event, bytes) else b"data: " + orjson.dumps(event) + b"\n\n"
            await response.write(data)
            await asyncio.sleep(pause)
        if cut and request.transport is not None:
            request.transport.abort()
        return response

    return handler


def piece(finish_reason: str | None = None, **delta: str) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}


USAGE = {"choices": [], "usage": {"prompt_tokens": 12, "completion_tokens": 3}}


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


def test_extra_fields_may_not_repeat_what_himed_sets() -> None:
    with pytest.raises(ValidationError, match="extra repeats stream, temperature"):
        Sampling(extra={"temperature": 1.0, "stream": True})


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


def test_retry_after_is_seconds_or_an_http_date() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    past = format_datetime(datetime.now(UTC) - timedelta(seconds=90), usegmt=True)
    assert retry_after_s("7") == 7
    assert retry_after_s(" 0.5 ") == 0.5
    assert retry_after_s(soon) == pytest.approx(90, abs=2)
    assert retry_after_s(past) == 0
    assert retry_after_s("Wed, 21 Oct 2015 07:28:00 -0000") == 0
    assert retry_after_s("soon") is None
    assert retry_after_s("-3") is None
    assert retry_after_s(None) is None


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


async def test_a_place_handed_over_in_the_moment_of_a_cancellation_is_not_lost() -> None:
    limit = AdaptiveLimit(1)
    await limit.acquire()
    waiters = [asyncio.create_task(limit.acquire()) for _ in range(3)]
    await asyncio.sleep(0)
    limit.release()  # hands over to the first waiter, which has not run yet
    waiters[0].cancel()
    waiters[1].cancel()
    await asyncio.wait_for(waiters[2], 1)
    assert limit.in_flight == 1
    limit.release()
    assert limit.in_flight == 0


async def test_failures_of_one_round_trip_halve_the_limit_once() -> None:
    limit = AdaptiveLimit(16)
    tokens = [await limit.acquire() for _ in range(16)]
    for token in tokens:
        limit.throttled(token, None)
    assert limit.current == 8
    for _ in tokens:
        limit.release()
    for _ in range(10):
        limit.throttled(await limit.acquire(), None)
        limit.release()
    assert limit.current == 1


async def test_a_stream_gives_its_pieces_and_then_the_whole_reply(server: Server) -> None:
    server.answers(
        streams(
            b": a comment\n\n",
            piece(role="assistant", content=""),
            piece(reasoning="क्योंकि "),
            piece(reasoning="यह"),
            b"data: " + orjson.dumps(piece(content="उत्त"))[:70],
            orjson.dumps(piece(content="उत्त"))[70:] + b"\r\n\r\n",
            piece("stop", content="र"),
            USAGE,
            b"data: [DONE]\n\n",
        )
    )
    async with Endpoint(server.settings()) as endpoint, endpoint.stream(MESSAGES, GREEDY, seed=3) as stream:
        with pytest.raises(RuntimeError, match="not read to its end"):
            _ = stream.reply
        deltas = [(delta.text, delta.reasoning) async for delta in stream]
        reply = stream.reply
    assert deltas == [("", "क्योंकि "), ("", "यह"), ("उत्त", ""), ("र", "")]
    assert (reply.text, reply.reasoning, reply.finish_reason) == ("उत्तर", "क्योंकि यह", "stop")
    assert (reply.prompt_tokens, reply.completion_tokens, reply.attempts) == (12, 3, 1)
    assert server.bodies[0] | {"stream": True, "stream_options": {"include_usage": True}} == server.bodies[0]
    assert server.bodies[0]["seed"] == 3


async def test_a_stream_is_opened_again_after_a_passing_failure(server: Server) -> None:
    server.answers(fails(503), streams(piece("stop", content="D"), b"data: [DONE]"))
    async with Endpoint(server.settings()) as endpoint, endpoint.stream(MESSAGES, GREEDY) as stream:
        assert [delta.text async for delta in stream] == ["D"]
        assert (stream.reply.text, stream.reply.attempts, stream.reply.completion_tokens) == ("D", 2, None)


@pytest.mark.parametrize("abort", [True, False])
async def test_a_stream_cut_in_the_middle_is_an_error_after_its_pieces(server: Server, abort: bool) -> None:
    server.answers(streams(piece(content="उत्त"), cut=abort))
    async with Endpoint(server.settings()) as endpoint, endpoint.stream(MESSAGES, GREEDY) as stream:
        deltas = aiter(stream)
        assert (await anext(deltas)).text == "उत्त"
        with pytest.raises(EndpointError, match="cut") as caught:
            await anext(deltas)
    assert caught.value.retryable
    assert len(server.bodies) == 1


async def test_an_error_inside_a_stream_is_raised(server: Server) -> None:
    event = {"error": {"message": "EngineCore encountered an issue", "type": "x", "code": 500}}
    server.answers(streams(piece(content="उ"), event))
    async with Endpoint(server.settings()) as endpoint:
        with pytest.raises(EndpointError, match="the stream broke off: EngineCore encountered an issue") as caught:
            async with endpoint.stream(MESSAGES, GREEDY) as stream:
                _ = [delta async for delta in stream]
    assert (caught.value.status, caught.value.retryable) == (500, True)


async def test_a_silent_stream_times_out(server: Server) -> None:
    server.answers(streams(piece(content="उ"), pause=5))
    async with Endpoint(server.settings(timeout_s=0.2)) as endpoint:
        with pytest.raises(EndpointError, match=r"no answer within 0\.2 s"):
            async with endpoint.stream(MESSAGES, GREEDY) as stream:
                _ = [delta async for delta in stream]


async def test_leaving_a_stream_early_closes_the_connection_and_gives_the_place_back(server: Server) -> None:
    server.answers(streams(*[piece(content="उ")] * 500, pause=0.01), says(completion()))
    async with Endpoint(server.settings(concurrency=1)) as endpoint:
        async with endpoint.stream(MESSAGES, GREEDY) as stream:
            async for _delta in stream:
                break
        assert (await endpoint.chat(MESSAGES, GREEDY)).text == "उत्तर: D"
        await until(lambda: server.in_flight == 0)  # the server notices that nobody listens


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000/v1"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000/v1"),
        ("http://127.0.0.1:8000/v1/", "http://127.0.0.1:8000/v1"),
        (" https://[::1]:8000/v1", "https://[::1]:8000/v1"),
        ("https://host.example/v1beta/openai/", "https://host.example/v1beta/openai"),
    ],
)
def test_a_base_url_may_come_with_or_without_v1(url: str, expected: str) -> None:
    assert normalise_base_url(url) == expected


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:8000", "ftp://host/v1", "http://", "http://host:port/v1", "http://[::1"]
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(InputError, match="no URL; write it like http"):
        EndpointSettings(url, "m")


@pytest.mark.parametrize("url", [f"http://{KEY}@host/v1", f"http://host/v1?key={KEY}"])
def test_a_key_in_the_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(InputError, match="put the key into HIMED_API_KEY") as caught:
        EndpointSettings(url, "m")
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"model": " "},
        {"concurrency": 0},
        {"max_attempts": 0},
        {"timeout_s": 0.0},
        {"max_wait_s": float("nan")},
        {"api_key": SecretStr("two\nlines")},
        {"api_key": SecretStr("कुंजी")},
    ],
)
def test_impossible_settings_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        EndpointSettings(**({"base_url": "http://127.0.0.1:1", "model": "m"} | changes))


def test_an_empty_key_is_none() -> None:
    assert EndpointSettings("http://127.0.0.1:1", "m", api_key=SecretStr(" ")).api_key is None


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
