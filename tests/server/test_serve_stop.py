"""How the server ends: nothing is cut that can finish in time."""

import asyncio
import signal
import socket
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web
from running import ScriptedBackend, completion
from served import DONE, Served, Streams, slow_stream, until


def config(backend: ScriptedBackend, **more: Any) -> dict[str, Any]:
    return {"models": {"m": {"backends": [{"url": f"http://127.0.0.1:{backend.port}"}]}}} | more


@pytest.mark.parametrize("workers", [1, 2])
async def test_sigterm_under_load_cuts_no_stream_that_ends_in_time(tmp_path: Path, workers: int) -> None:
    with ScriptedBackend(slow_stream(2)) as backend, Served(tmp_path, config(backend, workers=workers)) as served:
        streams = Streams(served.url, 20)
        reading = asyncio.create_task(streams.read())
        await streams.all_started()
        served.stop()
        await asyncio.sleep(0.5)
        with pytest.raises(httpx.ConnectError):
            await asyncio.to_thread(httpx.get, f"{served.url}/health")
        answers = await reading
        assert served.wait() == 0
    assert len(set(answers)) == 1
    assert b"w9 " in answers[0]
    assert answers[0].endswith(DONE)
    assert [line["outcome"] for line in served.events("request") if line["method"] == "POST"] == ["answered"] * 20
    assert "traceback" not in served.err


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("again", [False, True])
async def test_streams_that_take_too_long_end_with_an_error_event(tmp_path: Path, workers: int, again: bool) -> None:
    drain_s = 30.0 if again else 0.5
    with (
        ScriptedBackend(slow_stream(60)) as backend,
        Served(tmp_path, config(backend, workers=workers, drain_s=drain_s)) as served,
    ):
        streams = Streams(served.url, 20)
        reading = asyncio.create_task(streams.read())
        await streams.all_started()
        began = time.monotonic()
        served.stop()
        if again:
            await asyncio.sleep(0.2)
            served.stop(signal.SIGINT)
        answers = await reading
        assert served.wait() == 0
        assert time.monotonic() - began < 5  # the parent would kill a worker that hangs at 5.5 s
        until(lambda: backend.open == 0)
    for answer in answers:
        assert b'"code":"server_stopping"' in answer
        assert answer.endswith(DONE)
    assert "traceback" not in served.err


async def test_a_whole_answer_that_takes_too_long_becomes_a_clean_error(tmp_path: Path) -> None:
    async def handler(_request: web.Request) -> web.Response:
        await asyncio.sleep(60)
        return web.json_response(completion())

    with ScriptedBackend(handler) as backend, Served(tmp_path, config(backend, drain_s=0.3)) as served:
        asking = asyncio.create_task(asyncio.to_thread(served.chat))
        await asyncio.to_thread(until, lambda: backend.open == 1)
        served.stop()
        answer = await asking
        assert served.wait() == 0
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "server_stopping"


def get(connection: socket.socket, path: str = "/health") -> bytes:
    """A whole answer over a connection that stays open."""
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    answer = b""
    while not answer.endswith(b"}"):
        answer += connection.recv(4096)
    return answer


async def test_idle_connections_close_at_once_and_answers_say_that_theirs_close(tmp_path: Path) -> None:
    async def handler(_request: web.Request) -> web.Response:
        await asyncio.sleep(4)
        return web.json_response(completion())

    with ScriptedBackend(handler) as backend, Served(tmp_path, config(backend)) as served:
        idle = socket.create_connection(("127.0.0.1", int(served.url.rpartition(":")[2])))
        assert b"connection: close" not in get(idle)
        asking = asyncio.create_task(asyncio.to_thread(served.chat))
        await asyncio.to_thread(until, lambda: backend.open == 1)
        began = time.monotonic()
        served.stop()
        assert idle.recv(4096) == b""
        assert time.monotonic() - began < 3
        answer = await asking
        assert served.wait() == 0
    assert answer.status_code == 200
    assert answer.headers["connection"] == "close"


def test_ctrl_c_ends_it_as_well(tmp_path: Path) -> None:
    with Served(tmp_path, {"models": {"m": {"backends": [{"url": "http://127.0.0.1:9"}]}}}) as served:
        served.stop(signal.SIGINT)
        assert served.wait() == 0
