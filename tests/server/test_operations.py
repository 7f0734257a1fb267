"""/health, /ready and /metrics."""

import re
from time import monotonic, sleep

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from running import RunningGateway, ScriptedBackend

from server.access import Principal
from server.errors import ApiError


class _Locked:
    """A gate with one key, of one scope."""

    def __init__(self, scope: str = "chat") -> None:
        self._principal = Principal("k", "k", frozenset({scope}))  # type: ignore[arg-type]

    async def admit(self, authorization: bytes | None) -> Principal:
        if authorization != b"Bearer right":
            raise ApiError(401, "no key", code="no_key")
        return self._principal


_RIGHT = {"Authorization": "Bearer right"}


@pytest.mark.parametrize(
    ("path", "without", "chat", "admin"),
    [
        ("/health", 200, 200, 200),
        ("/ready", 401, 200, 200),
        ("/metrics", 401, 403, 200),
        ("/openapi.json", 401, 200, 200),
        ("/docs", 401, 200, 200),
        ("/nowhere", 401, 404, 404),
        ("/v1/models", 401, 200, 403),
    ],
)
def test_all_but_health_wants_a_key(path: str, without: int, chat: int, admin: int) -> None:
    with ScriptedBackend() as backend:
        for scope, status in (("chat", chat), ("admin", admin)):
            with RunningGateway({"m": (backend.address(),)}, gate=_Locked(scope)) as gateway:
                refused = httpx.get(f"{gateway.url}{path}")
                answer = httpx.get(f"{gateway.url}{path}", headers=_RIGHT)
            assert refused.status_code == without
            assert answer.status_code == status
            if without == 401:
                assert refused.headers["www-authenticate"] == "Bearer"


def test_the_page_of_the_schema_loads_nothing_from_elsewhere() -> None:
    with ScriptedBackend() as backend, RunningGateway({"m": (backend.address(),)}) as gateway:
        page = httpx.get(f"{gateway.url}/docs").text
        loaded = re.findall(r"(?:src|href)=\"([^\"]+)\"", page)
        assert len(loaded) == 3
        for path in loaded:
            assert path.startswith("/docs/")
            assert httpx.get(f"{gateway.url}{path}").status_code == 200
        assert "https://" not in page


def test_ready_tells_the_state_of_each_backend_and_follows_it() -> None:
    with ScriptedBackend() as backend:
        backend.up = False
        with RunningGateway({"m": (backend.address(),)}) as gateway:
            answer = httpx.get(f"{gateway.url}/ready")
            assert answer.status_code == 503
            assert answer.json() == {
                "ready": False,
                "backends": {"m/0": {"up": False, "open_requests": 0, "failure": "answers with status 503"}},
            }
            assert httpx.get(f"{gateway.url}/health").json() == {"status": "ok"}
            backend.up = True
            answer = _wait_for(f"{gateway.url}/ready", 200)
            assert answer.json() == {"ready": True, "backends": {"m/0": {"up": True, "open_requests": 0}}}
            backend.stop()
            chat = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
            assert httpx.post(f"{gateway.url}/v1/chat/completions", json=chat).status_code == 503
            assert httpx.get(f"{gateway.url}/ready").status_code == 503


def _wait_for(url: str, status: int) -> httpx.Response:
    end = monotonic() + 10
    while (answer := httpx.get(url)).status_code != status:
        assert monotonic() < end
        sleep(0.05)
    return answer


def test_one_backend_that_is_up_makes_the_gateway_ready() -> None:
    with ScriptedBackend() as up, ScriptedBackend() as out:
        out.up = False
        addresses = {"m": (up.address("m/0"), out.address("m/1"))}
        with RunningGateway(addresses) as gateway:
            answer = httpx.get(f"{gateway.url}/ready")
    assert answer.status_code == 200
    assert {name: state["up"] for name, state in answer.json()["backends"].items()} == {"m/0": True, "m/1": False}


def test_the_metrics_are_in_prometheus_format() -> None:
    with ScriptedBackend() as backend, RunningGateway({"m": (backend.address(),)}) as gateway:
        httpx.post(f"{gateway.url}/v1/chat/completions", json={"model": "m", "messages": []})
        answer = httpx.get(f"{gateway.url}/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    assert set(families) >= {
        "himed_requests",
        "himed_outcomes",
        "himed_tokens",
        "himed_time_to_first_token_seconds",
        "himed_request_duration_seconds",
        "himed_open_requests",
        "himed_open_streams",
        "himed_backend_up",
        "himed_backend_open_requests",
        "himed_language_verdicts",
    }
    assert all(family.documentation.endswith(".") for family in families.values())
    found = {(s.name, s.labels.get("path")): s.value for s in families["himed_requests"].samples}
    assert found["himed_requests_total", "/v1/chat/completions"] == 1
    assert [(s.labels, s.value) for s in families["himed_backend_up"].samples] == [({"backend": "m/0"}, 1)]
    # The one that asks.
    assert [s.value for s in families["himed_open_requests"].samples] == [1]
