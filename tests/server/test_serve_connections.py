"""Connections that are slow, too many, too large, or no HTTP."""

import asyncio
import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web
from running import ScriptedBackend, event, stream_events
from served import DONE, Served, Streams, slow_stream, until

HEAD = b"GET /health HTTP/1.1\r\nHost: localhost\r\n"

POST = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Any:
    limits = {"header_s": 1, "body_s": 1, "connections": 30}
    with ScriptedBackend(slow_stream(2.5)) as backend:
        config = {"models": {"m": {"backends": [{"url": f"http://127.0.0.1:{backend.port}"}]}}, "limits": limits}
        with Served(tmp_path_factory.mktemp("served"), config) as running:
            yield running


def connect(served: Served) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(served.url.rpartition(":")[2])), timeout=10)


def rest(connection: socket.socket) -> bytes:
    """What comes until the server closes."""
    parts = []
    try:
        while part := connection.recv(1 << 16):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


@pytest.mark.parametrize("first", [b"", b"G", HEAD + b"X-Slow: ", b"\r\n"])
def test_a_head_that_does_not_come_is_not_waited_for(served: Served, first: bytes) -> None:
    began = time.monotonic()
    with connect(served) as connection:
        connection.sendall(first)
        assert rest(connection) == b""
    assert 0.8 < time.monotonic() - began < 8


def test_a_head_that_comes_drop_by_drop_is_not_waited_for(served: Served) -> None:
    began = time.monotonic()
    with connect(served) as connection:
        connection.settimeout(0.05)
        for byte in HEAD * 10:
            connection.sendall(bytes([byte]))
            with contextlib.suppress(TimeoutError):
                assert connection.recv(1) == b""
                break
    assert 0.8 < time.monotonic() - began < 8


def test_the_second_head_of_a_connection_is_timed_as_well(served: Served) -> None:
    with connect(served) as connection:
        connection.sendall(HEAD + b"\r\n")
        assert b"200 OK" in connection.recv(4096)
        time.sleep(1.3)  # an idle connection stays
        connection.sendall(HEAD)
        began = time.monotonic()
        rest(connection)
        assert 0.8 < time.monotonic() - began < 8


async def test_a_stream_may_take_longer_than_a_head(served: Served) -> None:
    (answer,) = await Streams(served.url, 1).read()
    assert answer.endswith(DONE)


def test_a_body_that_does_not_come_is_a_408(served: Served) -> None:
    with connect(served) as connection:
        connection.sendall(POST + b"Content-Length: 10\r\n\r\n{")
        answer = rest(connection)
    assert b"408 Request Timeout" in answer
    assert b"request_timeout" in answer


@pytest.mark.parametrize("whole", [False, True])
def test_a_head_that_is_too_large_is_a_431(served: Served, whole: bool) -> None:
    with connect(served) as connection:
        connection.sendall(HEAD + b"X-Large: " + b"x" * 70_000 + (b"\r\n\r\n" if whole else b""))
        answer = rest(connection)
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b'"code":"head_too_large"' in answer
    assert answer.count(b"HTTP/1.1") == 1


def test_a_large_head_below_the_limit_passes(served: Served) -> None:
    assert httpx.get(f"{served.url}/health", headers={"X-Large": "x" * 60_000}).status_code == 200


def test_what_is_no_http_is_a_400_in_the_same_shape_and_fills_no_log(served: Served) -> None:
    before = len(served.err)
    with connect(served) as connection:
        connection.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        answer = rest(connection)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"code":"bad_http"' in answer
    assert len(served.err) == before


async def test_broken_bytes_after_a_request_do_not_get_into_its_answer(served: Served) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(served.url.rpartition(":")[2]))
    body = b'{"model":"m","messages":[],"stream":true}'
    writer.write(POST + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    async with asyncio.timeout(10):
        assert b"200 OK" in await reader.readuntil(b"w0 ")
    writer.write(b"\x00broken\r\n\r\n")
    assert b"HTTP/1.1" not in await reader.read()
    writer.close()


def test_a_websocket_is_answered_as_plain_http(served: Served) -> None:
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket"}
    assert httpx.get(f"{served.url}/v1/models", headers=upgrade).status_code == 200


def test_connections_over_the_limit_are_refused_and_places_come_back(served: Served) -> None:
    kept = [connect(served) for _ in range(30)]
    time.sleep(0.2)
    with connect(served) as late:
        answer = rest(late)
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"too_many_connections" in answer
    for connection in kept:
        connection.close()
    time.sleep(0.2)
    assert httpx.get(f"{served.url}/health").status_code == 200


async def flood(request: web.Request) -> web.StreamResponse:
    return await stream_events(request, [event({"content": "x" * 100_000})] * 10_000)


@contextlib.contextmanager
def stalling(folder: Path, **config: Any) -> Iterator[tuple[Served, ScriptedBackend, socket.socket]]:
    """A server, its backend, and a client that asks for a stream and does not read it."""
    with ScriptedBackend(flood) as backend:
        models = {"m": {"backends": [{"url": f"http://127.0.0.1:{backend.port}"}]}}
        with Served(folder, {"models": models, **config}) as served, connect(served) as connection:
            body = b'{"model":"m","messages":[],"stream":true}'
            connection.sendall(POST + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            until(lambda: backend.open == 1)
            yield served, backend, connection


def test_a_client_that_does_not_read_is_not_kept(tmp_path: Path) -> None:
    with stalling(tmp_path, limits={"request_s": 1}) as (served, backend, _):
        until(lambda: backend.open == 0, 5)
        until(lambda: any(line["method"] == "POST" for line in served.events("request")), 5)
        (line,) = [line for line in served.events("request") if line["method"] == "POST"]
        assert line["outcome"] == "timeout"


def test_a_client_that_does_not_read_does_not_hold_up_the_end(tmp_path: Path) -> None:
    with stalling(tmp_path, drain_s=0.3) as (served, backend, _):
        began = time.monotonic()
        served.stop()
        assert served.wait() == 0
        assert time.monotonic() - began < 15  # a request may take 900 s
        until(lambda: backend.open == 0, 5)
        assert "traceback" not in served.err
