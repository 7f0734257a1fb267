"""A model's reply to one request, read from the endpoint's JSON."""

from dataclasses import dataclass
from typing import Any

import orjson

from app.endpoint.errors import EndpointError


@dataclass(slots=True)
class Reply:
    """One completion.

    Attributes:
        text: the completion; empty when the model wrote none (all its tokens went into reasoning).
        reasoning: what the endpoint returned apart from the text, else None.
        finish_reason: ``stop``, ``length``, …, None when the endpoint did not say.
        prompt_tokens, completion_tokens: as the endpoint counted them, None when it did not.
        latency_s: seconds from the last try's request to its last byte, without waiting for a place.
        attempts: tries, the one that succeeded included.
    """

    text: str
    reasoning: str | None
    finish_reason: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    latency_s: float
    attempts: int = 1


def parse_reply(raw: bytes, latency_s: float, base_url: str) -> Reply:
    """Read a chat completion.

    Raises:
        EndpointError: cut or broken JSON (retryable), or JSON that is no chat completion.
    """
    body = parse_object(raw, base_url)
    try:
        choice = body["choices"][0]
        message = choice["message"]
        usage = body.get("usage") or {}
        return Reply(
            _text(message.get("content")) or "",
            _text(reasoning_of(message)),
            _text(choice.get("finish_reason")),
            _count(usage.get("prompt_tokens")),
            _count(usage.get("completion_tokens")),
            latency_s,
        )
    except (KeyError, IndexError, TypeError, AttributeError):
        raise EndpointError(f"{base_url}: the answer is no chat completion: is this an OpenAI endpoint?") from None


def _text(value: Any) -> str | None:
    if not isinstance(value, str | None):
        raise TypeError
    return value


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) else None  # a server that counts otherwise has said nothing


def reasoning_of(message: dict[str, Any]) -> str | None:
    """A message's or a delta's reasoning: vLLM's field ``reasoning``, other servers' ``reasoning_content``."""
    return message.get("reasoning") or message.get("reasoning_content")


def parse_object(raw: bytes, base_url: str) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        EndpointError: it is none; retryable where it began like one and was cut or broken on the way.
    """
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        begun = raw.lstrip()[:1] in (b"{", b"")
        hint = "broken or cut JSON" if begun else "no JSON: is this an OpenAI endpoint?"
        raise EndpointError(f"{base_url}: the answer is {hint}", retryable=begun) from None
    if not isinstance(body, dict):
        raise EndpointError(f"{base_url}: the answer is no JSON object: is this an OpenAI endpoint?")
    return body
