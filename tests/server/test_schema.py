"""The OpenAPI schema tried out by schemathesis over real HTTP: nothing breaks, and every answer is as it says."""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import schemathesis
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from running import RunningGateway, ScriptedBackend, completion, event, stream_events
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from app.schema import open_database
from server.access import SCOPES, KeyStoreGate
from server.access.keys import KeyStore
from server.store import Store

pytestmark = pytest.mark.slow

_ANSWER = "## Thinking\n\nपहले लक्षण देखें।\n\n## Response\n\nउत्तर: A"


async def _answer(request: web.Request) -> web.StreamResponse:
    body = await request.json()
    if body.get("stream") is True:
        pieces = [event({"content": _ANSWER[at : at + 8]}) for at in range(0, len(_ANSWER), 8)]
        return await stream_events(request, [*pieces, event({}, "stop"), b"data: [DONE]\n\n"])
    return web.json_response(completion(_ANSWER))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The URL of a gateway with keys and a database, and a key with all scopes."""
    engine = open_database(f"sqlite:///{tmp_path_factory.mktemp('schema') / 'himed.db'}")
    keys = KeyStore(engine)
    key = keys.add("schemathesis", SCOPES)
    config = {"open": False, "request_log": {"enabled": True, "bodies": True}}
    with (
        ScriptedBackend(_answer) as backend,
        RunningGateway(
            {"m": (backend.address(),)}, config=config, gate=KeyStoreGate(keys), store=Store(engine)
        ) as gateway,
    ):
        yield gateway.url, key
    engine.dispose()


_SETTINGS = settings(max_examples=20, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
# Their bodies pass on unread: the backend judges them, and the schema says what vLLM does. Queries may hold more.
_ACCEPTS_MORE = ("/v1/chat/completions", "/v1/completions", "/v1/feedback/export")


# Which models and languages there are, the schema cannot know.
_REAL: dict[str, dict[str, dict[str, str]]] = {
    "/v1/models/{name}": {"path_parameters": {"name": "m"}},
    "/v1/chat/completions": {"body": {"model": "m"}},
    "/v1/completions": {"body": {"model": "m"}},
    "/v1/medical/answer": {"body": {"model": "m", "language": "hi"}},
    "/v1/medical/answer/stream": {"body": {"model": "m", "language": "hi"}},
}
_OPERATIONS = {
    "GET /health",
    "GET /metrics",
    "GET /ready",
    "GET /v1/feedback/export",
    "GET /v1/models",
    "GET /v1/models/{name}",
    "POST /v1/chat/completions",
    "POST /v1/completions",
    "POST /v1/embeddings",
    "POST /v1/feedback",
    "POST /v1/medical/answer",
    "POST /v1/medical/answer/stream",
}


def test_every_answer_is_as_the_schema_says(served: tuple[str, str]) -> None:
    url, key = served
    headers = {"Authorization": f"Bearer {key}"}
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json", headers=headers)
    statuses: dict[str, Counter[int]] = {}
    for found in schema.get_all_operations():
        operation = found.ok()
        seen = statuses[operation.label] = Counter()
        for mode in GenerationMode:
            _try_out(operation, mode, headers, seen)
    print(*(f"{label}: {dict(seen)}" for label, seen in statuses.items()), sep="\n")
    assert set(statuses) == _OPERATIONS
    # Both sides were tried: what should be answered was, and what should be refused was.
    assert all(seen[200] for label, seen in statuses.items() if label != "POST /v1/embeddings")
    assert not [status for seen in statuses.values() for status in seen if status >= 500]


def _try_out(operation: Any, mode: GenerationMode, headers: dict[str, str], seen: Counter[int]) -> None:
    excluded = [positive_data_acceptance] + ([negative_data_rejection] if operation.path in _ACCEPTS_MORE else [])

    @_SETTINGS
    @given(case=operation.as_strategy(generation_mode=mode))
    def send(case: Any) -> None:
        if mode.is_positive:
            for place, values in _REAL.get(operation.path, {}).items():
                getattr(case, place).update(values)
        answer = case.call_and_validate(headers=headers, excluded_checks=excluded)
        seen[answer.status_code] += 1

    with suppress(Unsatisfiable):  # nothing can be wrong with a request for /health
        send()
