"""Keys and limits as a client meets them."""

import asyncio
import logging
import time
from collections.abc import Iterator

import httpx
import pytest
from aiohttp import web
from running import RunningGateway, ScriptedBackend, completion, event, stream_events
from sqlalchemy import Engine, select

from app.schema import open_database
from app.tables import Base
from server.access import KeyStoreGate, Limiter, SharedTable
from server.access.key_text import make_key
from server.access.keys import KeyStore
from server.logs import JsonFormatter
from server.store import Store

BODY = {"model": "m", "messages": [{"role": "user", "content": "?"}]}
EVERYTHING = ["chat", "feedback", "admin"]


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = open_database(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def keys(engine: Engine) -> KeyStore:
    return KeyStore(engine)


def ask(gateway: RunningGateway, key: str) -> httpx.Response:
    return httpx.post(f"{gateway.url}/v1/chat/completions", json=BODY, headers=sent(key))


def sent(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


class SlowBackend(ScriptedBackend):
    """Answers when it is told to; streams for ever."""

    def __init__(self) -> None:
        super().__init__(self._wait)
        self.go_on = False

    async def _wait(self, request: web.Request) -> web.StreamResponse:
        if self.requests[-1].get("stream"):
            return await stream_events(request, [event({"content": "a"})] * 1000, wait_s=0.02)
        while not self.go_on:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        return web.json_response(completion())


def test_every_route_but_health_needs_a_right_key(keys: KeyStore) -> None:
    right, revoked = keys.add("a", EVERYTHING), keys.add("b", EVERYTHING)
    keys.revoke("b")
    wrong = right[:-1] + ("a" if right[-1] != "a" else "b")
    with (
        ScriptedBackend() as backend,
        RunningGateway({"m": (backend.address(),)}, gate=KeyStoreGate(keys)) as gateway,
    ):
        assert httpx.get(f"{gateway.url}/health").status_code == 200
        for method, path in (
            ("POST", "/v1/chat/completions"),
            ("GET", "/v1/models"),
            ("GET", "/ready"),
            ("GET", "/metrics"),
            ("GET", "/docs"),
            ("GET", "/openapi.json"),
            ("POST", "/v1/feedback"),
            ("GET", "/nothing"),
        ):
            missing = httpx.request(method, f"{gateway.url}{path}")
            assert (missing.status_code, missing.json()["error"]["code"]) == (401, "missing_api_key")
            assert missing.headers["www-authenticate"] == "Bearer"
            refused = [
                httpx.request(method, f"{gateway.url}{path}", headers=sent(key))
                for key in (wrong, revoked, make_key()[1], "sk-1")
            ]
            assert {answer.status_code for answer in refused} == {401}
            assert len({answer.content for answer in refused}) == 1
            assert refused[0].json()["error"] == {
                "message": "this API key is wrong or was revoked",
                "type": "authentication_error",
                "param": None,
                "code": "invalid_api_key",
            }
        in_url = httpx.post(f"{gateway.url}/v1/chat/completions?api_key={right}", json=BODY)
        assert in_url.status_code == 401
        twice = httpx.get(
            f"{gateway.url}/v1/models", headers=[("Authorization", f"Bearer {k}") for k in (wrong, right)]
        )
        assert twice.status_code == 400
        assert backend.requests == []
        assert ask(gateway, right).status_code == 200


def test_a_revoked_key_stops_working(keys: KeyStore) -> None:
    key = keys.add("a", ["chat"])
    with (
        ScriptedBackend() as backend,
        RunningGateway({"m": (backend.address(),)}, gate=KeyStoreGate(keys, cache_s=0.3)) as gateway,
    ):
        assert ask(gateway, key).status_code == 200
        keys.revoke("a")
        time.sleep(0.3)
        assert ask(gateway, key).status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/metrics", "admin"),
        ("GET", "/v1/feedback/export", "admin"),
        ("POST", "/v1/feedback", "feedback"),
        ("POST", "/v1/chat/completions", "chat"),
        ("GET", "/v1/models", "chat"),
    ],
)
def test_a_key_does_what_its_scopes_say(keys: KeyStore, engine: Engine, method: str, path: str, scope: str) -> None:
    fits, fits_not = keys.add("a", [scope]), keys.add("b", [other for other in EVERYTHING if other != scope])
    with (
        ScriptedBackend() as backend,
        RunningGateway({"m": (backend.address(),)}, gate=KeyStoreGate(keys), store=Store(engine)) as gateway,
    ):
        body = BODY if path.startswith("/v1/chat") else {"request_id": "r", "rating": 1} if method == "POST" else None
        refused = httpx.request(method, f"{gateway.url}{path}", headers=sent(fits_not), json=body)
        assert refused.status_code == 403
        assert refused.json()["error"]["type"] == "permission_error"
        assert f"no scope `{scope}`" in refused.json()["error"]["message"]
        answer = httpx.request(method, f"{gateway.url}{path}", headers=sent(fits), json=body)
        assert answer.status_code not in (401, 403)
        assert answer.status_code < 500


def test_too_many_requests_are_told_when_to_come_back(keys: KeyStore) -> None:
    key = keys.add("a", ["chat"], per_minute=2)
    with (
        ScriptedBackend() as backend,
        RunningGateway({"m": (backend.address(),)}, gate=KeyStoreGate(keys)) as gateway,
    ):
        answers = [ask(gateway, key) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
        error = answers[2].json()["error"]
        assert (error["type"], error["code"]) == ("rate_limit_error", "rate_limit_exceeded")
        assert 20 <= int(answers[2].headers["retry-after"]) <= 30
        assert len(backend.requests) == 2
        assert ask(gateway, keys.add("b", ["chat"], per_minute=2)).status_code == 200


def test_open_requests_are_counted_until_their_end(keys: KeyStore) -> None:
    key = keys.add("a", ["chat"], concurrency=1)
    with (
        SlowBackend() as backend,
        RunningGateway({"m": (backend.address(),)}, gate=KeyStoreGate(keys)) as gateway,
        httpx.stream(
            "POST", f"{gateway.url}/v1/chat/completions", json=BODY | {"stream": True}, headers=sent(key)
        ) as first,
    ):
        pieces = first.iter_raw()  # httpx closes the stream of an iterator that nobody holds
        next(pieces)
        second = ask(gateway, key)
        assert (second.status_code, second.json()["error"]["code"]) == (429, "concurrency_limit")
        assert second.headers["retry-after"] == "1"
        first.close()  # the client leaves in the middle
        backend.go_on = True
        end = time.monotonic() + 5
        while (last := ask(gateway, key)).status_code == 429 and time.monotonic() < end:
            time.sleep(0.02)
        assert last.status_code == 200


def test_gateways_that_share_a_table_share_the_limits(keys: KeyStore) -> None:
    key, fast = keys.add("a", ["chat"], concurrency=1), keys.add("b", ["chat"], per_minute=3)
    table = SharedTable.create(workers=2)
    limiters = [Limiter(SharedTable.open(table.fileno(), worker)) for worker in range(2)]
    with SlowBackend() as backend:
        addresses = {"m": (backend.address(),)}
        with (
            RunningGateway(addresses, gate=KeyStoreGate(keys), limiter=limiters[0]) as one,
            RunningGateway(addresses, gate=KeyStoreGate(keys), limiter=limiters[1]) as two,
        ):
            body = BODY | {"stream": True}
            with httpx.stream("POST", f"{one.url}/v1/chat/completions", json=body, headers=sent(key)) as first:
                pieces = first.iter_raw()  # httpx closes the stream of an iterator that nobody holds
                next(pieces)
                assert ask(two, key).status_code == 429
            backend.go_on = True
            assert [ask(gateway, fast).status_code for gateway in (one, two, one, two, one)] == [200] * 3 + [429] * 2


def test_no_key_is_written_anywhere(keys: KeyStore, engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    good, revoked, made_up = keys.add("a", ["chat"]), keys.add("b", ["chat"]), make_key()[1]
    keys.revoke("b")
    secrets = [key.split("-")[2] for key in (good, revoked, made_up)]
    config = {"request_log": {"enabled": True, "bodies": True}}
    with (
        caplog.at_level(logging.DEBUG),
        ScriptedBackend() as backend,
        RunningGateway(
            {"m": (backend.address(),)}, gate=KeyStoreGate(keys), store=Store(engine), config=config
        ) as gateway,
    ):
        for key in (good, revoked, made_up):
            assert ask(gateway, key).status_code in (200, 401)
            for headers in ({"Authorization": key}, {"X-Api-Key": key}, sent(f"{key} {key}"), {"Cookie": key}):
                httpx.post(f"{gateway.url}/v1/chat/completions", json=BODY, headers=headers)
            url = f"{gateway.url}/v1/models/{key}?api_key={key}"
            assert httpx.get(url).status_code == 401
            httpx.get(url, headers=sent(good))
            httpx.get(f"{gateway.url}/{key}", headers=sent(good))
        with engine.begin() as connection:
            Base.metadata.tables["api_key"].drop(connection)
        unseen = make_key()[1]
        assert ask(gateway, unseen).status_code == 503
        secrets.append(unseen.split("-")[2])
    # httpx and the like belong to the test, which sends keys in URLs.
    ours = [record for record in caplog.records if record.name.split(".")[0] in ("server", "himed", "app", "uvicorn")]
    lines = [JsonFormatter().format(record) for record in ours]
    assert any('"status":503' in line for line in lines)
    written = "\n".join(lines)
    with engine.connect() as connection:
        for table in Base.metadata.sorted_tables:
            if table.name != "api_key":
                written += str(connection.execute(select(table)).all())
    assert written.count("'?'") >= 1  # the request log has the good key's question
    assert not [secret for secret in secrets if secret in written]
