"""A call's way to its backends: who is asked, who is asked next, and what the client sees of a failure."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from time import monotonic, sleep
from typing import Any

import httpx
import orjson
import pytest
from aiohttp import web
from running import Handler, RunningGateway, ScriptedBackend, completion, event, stream_events

from app.endpoint import Sampling
from server.backends import Address, Backend, BackendGroup
from server.call import Call
from server.catalog import ServedModel
from server.errors import ApiError
from server.relay import BackendCutError, Relay, open_session

_DONE = b"data: [DONE]\n\n"
_STREAM = {"model": "m", "messages": [], "stream": True}


def _call(*backends: Backend, stream: bool = True) -> Call:
    body = _STREAM | {"stream": stream}
    model = ServedModel("m", None, "plain", (), Sampling(), BackendGroup(backends))
    return Call(model, "/chat/completions", "id", orjson.dumps(body), body, {})


def _backend(server: ScriptedBackend, name: str = "m/0") -> Backend:
    return Backend(server.address(name), up=True)


@asynccontextmanager
async def _relay() -> AsyncIterator[Relay]:
    async with open_session() as session:
        yield Relay(session)


async def _abort(request: web.Request) -> web.StreamResponse:
    """Go away before the head of an answer."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def _abort_after_head(request: web.Request) -> web.StreamResponse:
    """Go away between the head of a stream and its first byte."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    await asyncio.sleep(0.05)
    return await _abort(request)


async def _abort_in_a_body(request: web.Request) -> web.StreamResponse:
    """Go away in an answer that is not streamed."""
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"id":')
    return await _abort(request)


async def _abort_in_the_middle(request: web.Request) -> web.StreamResponse:
    """Go away after an event and a half."""
    await stream_events(request, [event({"content": "a"}) + event({"content": "b"})[:20]], wait_s=0.05)
    return await _abort(request)


def _status(status: int) -> Handler:
    async def handler(_request: web.Request) -> web.StreamResponse:
        return web.json_response({"error": {"message": str(status)}}, status=status)

    return handler


async def _streaming(request: web.Request) -> web.StreamResponse:
    return await stream_events(request, [event({"content": "a"}), event({}, "stop"), _DONE])


async def _endless(request: web.Request) -> web.StreamResponse:
    return await stream_events(request, [event({"content": str(number)}) for number in range(10_000)], wait_s=0.01)


async def _silent(_request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(60)
    return web.json_response(completion())


def _until(true: Callable[[], bool]) -> None:
    end = monotonic() + 5
    while not true():
        assert monotonic() < end
        sleep(0.01)


async def test_the_backend_with_the_fewest_open_requests_is_asked_and_equals_in_turn() -> None:
    with ScriptedBackend(_streaming) as one, ScriptedBackend(_streaming) as other:
        backends = [_backend(one), _backend(other, "m/1")]
        call = _call(*backends)
        async with _relay() as relay:
            held = await relay.ask(call)
            busy, idle = sorted(backends, key=lambda backend: -backend.open)
            for _ in range(3):
                async with await relay.ask(call) as answer:
                    assert answer.backend is idle
                    assert [backend.open for backend in (busy, idle)] == [1, 1]
            held.close()
            asked = []
            for _ in range(6):
                async with await relay.ask(call) as answer:
                    asked.append(answer.backend.name)
    assert sorted(asked) == ["m/0"] * 3 + ["m/1"] * 3
    assert [backend.open for backend in backends] == [0, 0]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("failing", "asked"),
    [
        (_abort, 2),  # the connection may have been an old one that was closed just then
        (_abort_after_head, 1),
        (_abort_in_a_body, 1),
        *((_status(status), 1) for status in (301, 401, 403, 407, 503)),
    ],
)
async def test_what_fails_before_its_first_byte_is_asked_of_another(failing: Handler, asked: int, stream: bool) -> None:
    handler = _streaming if stream else None
    with ScriptedBackend(failing) as bad, ScriptedBackend(handler) as good:
        backends = [_backend(bad), _backend(good, "m/1")]
        call = _call(*backends, stream=stream)
        async with _relay() as relay:
            for _ in range(4):  # of which one at least begins with the bad one
                async with await relay.ask(call) as answer:
                    pieces = [piece async for piece in answer.pieces()]
                    assert (answer.status, answer.backend.name) == (200, "m/1")
                    assert b"".join(pieces).endswith(_DONE) == stream
    assert len(bad.requests) == asked  # it was taken out
    assert len(good.requests) == 4
    assert not backends[0].up
    assert backends[1].up
    assert [backend.open for backend in backends] == [0, 0]


async def test_a_kept_connection_that_is_closed_just_then_costs_nothing() -> None:
    """The second request on a connection meets its end, as where a server's idle time is shorter than ours."""
    connections: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(0)
        while b"content-length" in (head := (await reader.readuntil(b"\r\n\r\n")).lower()):
            length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            connections[-1] += 1
            if connections[-1] == 2:
                break
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    backend = Backend(Address("m/0", f"http://127.0.0.1:{port}/v1"), up=True)
    async with _relay() as relay:
        for _ in range(3):
            async with await relay.ask(_call(backend)) as answer:
                assert (answer.status, answer.first) == (200, b"{}")
    assert connections == [2, 2, 1]
    assert backend.up
    server.close()


async def test_a_backend_that_is_not_there_is_taken_out_and_another_asked() -> None:
    with ScriptedBackend(_streaming) as good:
        gone = Backend(Address("m/1", "http://127.0.0.1:9/v1"), up=True)
        call = _call(gone, _backend(good))
        async with _relay() as relay:
            for _ in range(3):
                async with await relay.ask(call) as answer:
                    assert answer.status == 200
    assert gone.failure == "no answer (ClientConnectorError)"
    assert gone.open == 0


@pytest.mark.parametrize("status", [404, 405, 500, 502])
async def test_what_may_be_one_requests_fault_is_tried_elsewhere_and_passed_on_from_the_last(status: int) -> None:
    with ScriptedBackend(_status(status)) as bad, ScriptedBackend(_streaming) as good:
        backends = [_backend(bad), _backend(good, "m/1")]
        backends[0].next_probe = 1e9
        call = _call(*backends)
        async with _relay() as relay:
            for _ in range(4):
                async with await relay.ask(call) as answer:
                    assert answer.status == 200
            assert bad.requests
            assert backends[0].up  # one request's fault says nothing of the server
            assert backends[0].next_probe == 0  # but it is asked how it is
            async with await relay.ask(_call(backends[0])) as answer:
                assert answer.status == status
                assert answer.first == b'{"error": {"message": "%d"}}' % status
    assert [backend.open for backend in backends] == [0, 0]


async def test_a_500_is_passed_on_where_the_others_are_gone() -> None:
    with ScriptedBackend(_status(500)) as bad:
        failing = _backend(bad)
        gone = Backend(Address("m/1", "http://127.0.0.1:9/v1"), up=True)
        async with _relay() as relay:
            for first in (failing, gone):
                gone.up = True
                call = _call(failing, gone)
                while call.model.backends.pick() is not (gone if first is failing else failing):
                    pass  # turn it so that `first` is next
                async with await relay.ask(call) as answer:
                    assert answer.status == 500
    assert (failing.open, gone.open) == (0, 0)


@pytest.mark.parametrize("status", [400, 422, 429, 504])
async def test_what_the_client_did_wrong_is_not_tried_elsewhere(status: int) -> None:
    with ScriptedBackend(_status(status)) as one, ScriptedBackend(_status(status)) as other:
        backends = [_backend(one), _backend(other, "m/1")]
        async with _relay() as relay, await relay.ask(_call(*backends)) as answer:
            assert answer.status == status
        assert len(one.requests) + len(other.requests) == 1
    assert all(backend.up for backend in backends)


async def test_three_backends_are_asked_at_most() -> None:
    backends = [Backend(Address(f"m/{number}", "http://127.0.0.1:9/v1"), up=True) for number in range(5)]
    async with _relay() as relay:
        with pytest.raises(ApiError) as caught:
            await relay.ask(_call(*backends))
    assert caught.value.status == 503
    assert sum(backend.up for backend in backends) == 2
    assert not any(backend.open for backend in backends)


async def _read_all(relay: Relay, call: Call) -> None:
    async with await relay.ask(call) as answer:
        async for _ in answer.pieces():
            pass


async def test_a_stream_that_has_begun_is_not_asked_of_another() -> None:
    with ScriptedBackend(_abort_in_the_middle) as bad, ScriptedBackend(_abort_in_the_middle) as other:
        backends = [_backend(bad), _backend(other, "m/1")]
        async with _relay() as relay:
            with pytest.raises(BackendCutError):
                await _read_all(relay, _call(*backends))
        assert len(bad.requests) + len(other.requests) == 1
    assert [backend.open for backend in backends] == [0, 0]


async def _cancel_while_asking(relay: Relay, call: Call) -> None:
    task = asyncio.create_task(relay.ask(call))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def _leave_in_the_middle(relay: Relay, call: Call) -> None:
    async with await relay.ask(call) as answer:
        async for _ in answer.pieces():
            return


@pytest.mark.parametrize(("handler", "leave"), [(_silent, _cancel_while_asking), (_endless, _leave_in_the_middle)])
async def test_an_answer_that_is_not_wanted_any_more_ends_at_the_backend(
    handler: Handler, leave: Callable[[Relay, Call], Awaitable[None]]
) -> None:
    with ScriptedBackend(handler) as server:
        backend = _backend(server)
        async with _relay() as relay:
            await leave(relay, _call(backend))
            assert backend.open == 0
            assert backend.up
            await asyncio.to_thread(_until, lambda: server.open == 0)
    assert len(server.requests) == 1


# Below: what a client sees.


def _open(gateway: RunningGateway) -> int:
    return sum(backend.open for backend in gateway.gateway.backends.values())


def _error(body: bytes) -> dict[str, Any]:
    error: dict[str, Any] = orjson.loads(body)["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return error


def _last_error(text: str) -> dict[str, Any]:
    """The error in the last event but one of a stream, all of whose events are whole."""
    *events, last, done, rest = text.split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    for one in events:
        orjson.loads(one.removeprefix("data: "))
    return _error(last.removeprefix("data: ").encode())


def test_without_a_backend_the_client_is_told_to_come_back() -> None:
    with ScriptedBackend() as server:
        server.up = False
        with RunningGateway({"m": (server.address(),)}) as gateway:
            answer = httpx.post(f"{gateway.url}/v1/chat/completions", json=_STREAM)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert _error(answer.content)["code"] == "no_backend"
    assert not server.requests


def test_a_backend_that_went_away_comes_back() -> None:
    with ScriptedBackend(_streaming) as server, RunningGateway({"m": (server.address(),)}) as gateway:
        url, port = f"{gateway.url}/v1/chat/completions", server.port
        assert httpx.post(url, json=_STREAM).status_code == 200
        server.stop()
        assert [httpx.post(url, json=_STREAM).status_code for _ in range(30)] == [503] * 30
        server.start(port)
        _until(lambda: httpx.post(url, json=_STREAM).status_code == 200)
        _until(lambda: _open(gateway) == 0)


def test_a_backend_cut_in_mid_stream_ends_in_an_error_event() -> None:
    with ScriptedBackend(_abort_in_the_middle) as server, RunningGateway({"m": (server.address(),)}) as gateway:
        answer = httpx.post(f"{gateway.url}/v1/chat/completions", json=_STREAM)
        assert answer.status_code == 200
        assert answer.text.startswith(event({"content": "a"}).decode())
        assert _last_error(answer.text)["code"] == "backend_cut"
        _until(lambda: _open(gateway) == 0)


@pytest.mark.parametrize("stream", [True, False])
def test_an_answer_that_does_not_begin_in_time_is_a_504(stream: bool) -> None:
    config = {"limits": {"request_s": 0.3}}
    with (
        ScriptedBackend(_silent) as server,
        RunningGateway({"m": (server.address(),)}, config=config) as gateway,
    ):
        answer = httpx.post(f"{gateway.url}/v1/chat/completions", json=_STREAM | {"stream": stream})
        assert answer.status_code == 504
        assert _error(answer.content)["type"] == "timeout_error"
        _until(lambda: server.open == 0 and _open(gateway) == 0)
        assert all(backend.up for backend in gateway.gateway.backends.values())


def test_a_stream_that_does_not_end_in_time_ends_in_an_error_event() -> None:
    config = {"limits": {"request_s": 0.3}}
    with (
        ScriptedBackend(_endless) as server,
        RunningGateway({"m": (server.address(),)}, config=config) as gateway,
    ):
        answer = httpx.post(f"{gateway.url}/v1/chat/completions", json=_STREAM)
        assert answer.status_code == 200
        assert _last_error(answer.text)["type"] == "timeout_error"
        _until(lambda: server.open == 0 and _open(gateway) == 0)


@pytest.mark.parametrize("handler", [_endless, _silent])
def test_a_client_that_leaves_ends_the_generation(handler: Handler) -> None:
    with ScriptedBackend(handler) as server, RunningGateway({"m": (server.address(),)}) as gateway:
        try:
            with httpx.stream("POST", f"{gateway.url}/v1/chat/completions", json=_STREAM, timeout=0.5) as answer:
                next(answer.iter_bytes())
        except httpx.ReadTimeout:
            assert handler is _silent
        _until(lambda: len(server.requests) == 1 and server.open == 0 and _open(gateway) == 0)
        metrics = httpx.get(f"{gateway.url}/metrics").text
        assert 'himed_outcomes_total{model="m",outcome="client gone"} 1.0' in metrics
        assert 'himed_open_streams{model="m"} 1.0' not in metrics


@pytest.mark.parametrize(("status", "seen"), [(401, 502), (403, 502), (404, 502), (405, 502), (301, 502), (429, 429)])
def test_what_a_backend_says_of_the_gateway_itself_is_not_passed_on(status: int, seen: int) -> None:
    with ScriptedBackend(_status(status)) as server, RunningGateway({"m": (server.address(),)}) as gateway:
        answer = httpx.post(f"{gateway.url}/v1/chat/completions", json=_STREAM)
    assert answer.status_code == seen
    assert str(status) in answer.text
    assert "127.0.0.1" not in answer.text
