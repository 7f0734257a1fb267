"""What is known of a request: filled on its way, and written at its end to the log, the metrics and the request log."""

from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Literal

import orjson
from starlette.types import Scope

Outcome = Literal["answered", "refused", "client gone", "backend cut", "timeout", "stopped", "failed"]


@dataclass(slots=True)
class Record:
    """One request to the gateway. It never holds a key; ``request`` and ``response`` go to the database alone."""

    request_id: str
    method: str
    path: str  # without its query, which may hold anything
    started: float = field(default_factory=perf_counter)
    key_name: str = "-"
    status: int = 0
    outcome: Outcome = "answered"
    model: str | None = None
    backend: str | None = None
    streamed: bool = False
    first_token_s: float | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    language: str | None = None
    verdict: str | None = None
    request: dict[str, Any] | None = None
    response: dict[str, Any] | None = None

    @property
    def elapsed_s(self) -> float:
        """Seconds since the request came."""
        return perf_counter() - self.started

    def refused(self, status: int) -> None:
        """It ends in an error."""
        if self.outcome == "answered":
            self.outcome = "refused" if status < 500 else "failed"

    def read_whole(self, body: bytes, *, keep: bool) -> None:
        """Take the count of tokens, and if asked the answer itself, out of a whole answer."""
        try:
            answer = orjson.loads(body)
        except orjson.JSONDecodeError:
            return
        if isinstance(answer, dict):
            self.count_tokens(answer.get("usage"))
            self.response = answer if keep else None

    def count_tokens(self, usage: Any) -> None:
        """Add what a backend counted."""
        if not isinstance(usage, dict):
            return
        for name in ("prompt_tokens", "completion_tokens"):
            if isinstance(count := usage.get(name), int):
                setattr(self, name, (getattr(self, name) or 0) + count)


def record_of(scope: Scope) -> Record:
    """The record that the front gave a request."""
    record = scope["state"]["record"]
    assert isinstance(record, Record)
    return record
