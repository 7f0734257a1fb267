"""What every request passes: its id, its record, its limits, and errors in OpenAI's shape."""

import logging
import re
import socket
from collections.abc import Iterator
from time import monotonic, sleep
from typing import Any

import httpx
import orjson
import pytest
from running import RunningGateway, ScriptedBackend

from server.access import Principal
from server.catalog import Catalog
from server.logs import JsonFormatter

_SECRET = "xyzzy-my-patient-is-ill"
_JSON = {"Content-Type": "application/json"}
_CHAT = {"model": "m", "messages": [{"role": "user", "content": _SECRET}]}


@pytest.fixture(scope="module")
def gateway() -> Iterator[RunningGateway]:
    limits = {"body_bytes": 2048, "body_s": 0.5}
    with (
        ScriptedBackend() as backend,
        RunningGateway({"m": (backend.address(),)}, config={"limits": limits}) as running,
    ):
        yield running


def _error(answer: httpx.Response) -> dict[str, Any]:
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"message", "type", "param", "code"}
    error: dict[str, Any] = body["error"]
    return error


def _access_lines(caplog: pytest.LogCaptureFixture, answers: list[httpx.Response]) -> list[dict[str, Any]]:
    """The log lines of the answers' requests, of which the last may come after its answer."""
    end = monotonic() + 5
    while True:
        records = [record for record in caplog.records if record.name == "himed.access"]
        lines = {line["request_id"]: line for line in (orjson.loads(JsonFormatter().format(one)) for one in records)}
        if all(answer.headers["x-request-id"] in lines for answer in answers):
            return [lines[answer.headers["x-request-id"]] for answer in answers]
        assert monotonic() < end
        sleep(0.01)


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost:80", 200), ("[::1]:8000", 200), ("127.0.0.2", 200), ("evil.example", 403), ("[", 403), ("a@b:c", 403)],
)
def test_an_open_server_answers_to_loopback_names_alone(gateway: RunningGateway, host: str, status: int) -> None:
    answer = httpx.get(f"{gateway.url}/v1/models", headers={"Host": host})
    assert answer.status_code == status
    if status == 403:
        assert _error(answer)["code"] == "bad_host"


def test_every_answer_has_an_id_of_its_own_that_its_log_line_names(
    gateway: RunningGateway, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    answers = [
        httpx.get(f"{gateway.url}/health"),
        httpx.get(f"{gateway.url}/nowhere"),
        httpx.post(f"{gateway.url}/v1/chat/completions", json=_CHAT, headers={"X-Request-Id": "mine"}),
    ]
    ids = [answer.headers["x-request-id"] for answer in answers]
    assert len({*ids, "mine"}) == 4
    assert all(re.fullmatch(r"[0-9a-z]{26}", found) for found in ids)
    lines = _access_lines(caplog, answers)
    assert [(line["method"], line["path"], line["status"], line["outcome"]) for line in lines] == [
        ("GET", "/health", 200, "answered"),
        ("GET", "other", 404, "refused"),
        ("POST", "/v1/chat/completions", 200, "answered"),
    ]
    assert (lines[2]["model"], lines[2]["backend"]) == ("m", "m/0")
    assert (lines[2]["prompt_tokens"], lines[2]["completion_tokens"]) == (3, 2)


def test_neither_a_query_nor_a_path_of_the_clients_own_stands_in_a_log_line(
    gateway: RunningGateway, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    paths = (f"/v1/models?api_key={_SECRET}", f"/{_SECRET}", f"/v1/models/{_SECRET}")
    lines = _access_lines(caplog, [httpx.get(f"{gateway.url}{path}") for path in paths])
    assert [line["path"] for line in lines] == ["/v1/models", "other", "/v1/models/{name:path}"]
    server_side = [record for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))]
    assert _SECRET not in "".join(JsonFormatter().format(record) for record in server_side)


@pytest.mark.parametrize(
    ("method", "path", "status", "kind", "code"),
    [
        ("GET", "/nowhere", 404, "not_found_error", "not_found"),
        ("GET", "/v1", 404, "not_found_error", "not_found"),
        ("POST", "/v1/models", 405, "invalid_request_error", None),
        ("GET", "/v1/chat/completions", 405, "invalid_request_error", None),
        ("HEAD", "/nowhere", 404, "", ""),
        ("HEAD", "/v1/models", 405, "", ""),
        ("OPTIONS", "/v1/chat/completions", 405, "invalid_request_error", None),
        ("DELETE", "/v1/models/m", 405, "invalid_request_error", None),
        ("POST", "/v1/embeddings", 400, "invalid_request_error", "unsupported"),
        ("GET", "/v1/models/none", 404, "not_found_error", "model_not_found"),
    ],
)
def test_what_is_not_there_is_refused_in_openais_shape(
    gateway: RunningGateway, method: str, path: str, status: int, kind: str, code: str | None
) -> None:
    answer = httpx.request(method, f"{gateway.url}{path}")
    assert answer.status_code == status
    if status == 405:
        assert answer.headers["allow"] in ("GET", "POST")
    if method == "HEAD":
        assert answer.content == b""
        return
    error = _error(answer)
    assert (error["type"], error["code"]) == (kind, code)


def test_a_trailing_slash_is_another_path_and_no_redirect(gateway: RunningGateway) -> None:
    answer = httpx.get(f"{gateway.url}/health/")
    assert answer.status_code == 404
    assert "location" not in answer.headers


def test_a_body_that_is_too_large_is_refused_by_its_length_or_on_its_way(gateway: RunningGateway) -> None:
    url = f"{gateway.url}/v1/chat/completions"
    declared = httpx.post(url, content=b"x" * 2049)
    chunked = httpx.post(url, content=iter([b"x" * 1000] * 3))
    for answer in (declared, chunked):
        assert answer.status_code == 413
        assert _error(answer)["message"] == "the body is larger than 2,048 bytes"
        assert answer.headers["connection"] == "close"
    fits = orjson.dumps(_CHAT).ljust(2048)
    assert httpx.post(url, content=fits, headers=_JSON).status_code == 200


def test_a_body_that_does_not_come_is_refused_and_its_connection_closed(gateway: RunningGateway) -> None:
    host, port = gateway.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
        answer = b""
        while piece := connection.recv(4096):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"request_timeout"' in answer


def test_a_header_that_is_given_twice_is_refused(gateway: RunningGateway) -> None:
    twice = [("Authorization", "Bearer a"), ("Authorization", "Bearer b")]
    answer = httpx.get(f"{gateway.url}/v1/models", headers=twice)
    assert answer.status_code == 400
    assert _error(answer)["code"] == "bad_header"


def test_a_websocket_is_refused(gateway: RunningGateway) -> None:
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }
    assert httpx.get(f"{gateway.url}/v1/chat/completions", headers=upgrade).status_code in (403, 405)


class _BrokenGate:
    """Fails with the key in its exception."""

    async def admit(self, authorization: bytes | None) -> Principal:
        raise RuntimeError(authorization) from ValueError(_SECRET)


class _BrokenCatalog(Catalog):
    """Fails with the question in its exception."""

    def resolve(self, name: str, body: Any) -> Any:
        raise KeyError(str(body))


@pytest.mark.parametrize("where", ["before the routes", "in a route"])
def test_a_fault_of_ours_is_a_500_that_tells_nothing_but_its_id_and_so_does_the_log(
    where: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    gate = _BrokenGate() if where == "before the routes" else None
    with ScriptedBackend() as backend, RunningGateway({"m": (backend.address(),)}, gate=gate) as gateway:
        gateway.gateway.catalog.__class__ = _BrokenCatalog
        key = {"Authorization": f"Bearer {_SECRET}"}
        answer = httpx.post(f"{gateway.url}/v1/chat/completions", json=_CHAT, headers=key)
    assert answer.status_code == 500
    request_id = answer.headers["x-request-id"]
    assert _error(answer) == {
        "message": f"internal error; the request's id is {request_id}",
        "type": "server_error",
        "param": None,
        "code": "internal_error",
    }
    lines = [JsonFormatter().format(record) for record in caplog.records]
    assert _SECRET not in "".join(lines)
    told = [orjson.loads(line) for line in lines if '"a request failed"' in line]
    assert [line["request_id"] for line in told] == [request_id]
    assert told[0]["level"] == "error"
    # Enough to find the fault by: what was raised, and where.
    assert ("RuntimeError" if gate else "KeyError") in str(told[0])
    assert "test_front.py" in str(told[0])
    assert _access_lines(caplog, [answer])[0]["outcome"] == "failed"


@pytest.mark.parametrize(
    "path", ["/metrics%0A", "/v1/feedback/export%0A", "/v1/models%0A", "/metrics%0D", "/metrics%00"]
)
def test_a_path_with_a_line_feed_is_no_way_round_a_scope(path: str) -> None:
    class ChatOnly:
        async def admit(self, authorization: bytes | None) -> Principal:
            return Principal("id", "chatter", frozenset(["chat"]))

    with (
        ScriptedBackend() as backend,
        RunningGateway({"m": (backend.address(),)}, config={"open": False}, gate=ChatOnly()) as gateway,
    ):
        assert httpx.get(f"{gateway.url}{path.partition('%')[0]}").status_code in (200, 403)
        assert httpx.get(f"{gateway.url}{path}").status_code == 404
