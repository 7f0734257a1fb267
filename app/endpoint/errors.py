"""What goes wrong at an endpoint, as one typed error with a one-line message that holds neither key nor prompt."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import orjson

from app.endpoint.settings import EndpointSettings

# 409 as OpenAI's own client does; 501, 505 and 511 do not go away by asking again.
_RETRYABLE = frozenset({408, 409, 425, 429})
_FINAL_5XX = frozenset({501, 505, 511})
# Too much at once: these lower the concurrency.
_THROTTLING = frozenset({429, 503, 504})

_MAX_MESSAGE = 300  # characters of a server's own words
_ECHO = 24  # that many characters of a prompt, found in a server's words, are its echo
_SHORTEST_ECHO = 8


class EndpointError(Exception):
    """A request that failed for good, or for now.

    Attributes:
        status: HTTP status, None when no answer came.
        retryable: whether asking again later may help.
        attempts: how often it was tried.
        retry_after_s: the wait that the server asked for, if it did.
        throttled: whether the endpoint was asked for too much at once.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        retryable: bool = False,
        retry_after_s: float | None = None,
        throttled: bool = False,
    ) -> None:
        self.message, self.status, self.retryable = " ".join(message.split()), status, retryable
        self.retry_after_s, self.throttled, self.attempts = retry_after_s, throttled, 1
        super().__init__(self.message)

    def __str__(self) -> str:
        return self.message if self.attempts == 1 else f"{self.message} (after {self.attempts} attempts)"


def error_of_response(
    settings: EndpointSettings, status: int, headers: Mapping[str, str], raw: bytes, request: bytes
) -> EndpointError:
    """The error of an answer whose status is not 200; ``request`` is the body sent, to strike its echo out."""
    said = describe_body(raw, request, settings)
    words = [f"{settings.base_url}: HTTP {status}{_phrase(status)}", said]
    if status in (401, 403):
        ask = "check the key in" if settings.api_key else "set the key in"
        words.append(f"{ask} the environment variable {settings.key_variable}")
    elif status == 404 and not said:
        words.append("is this the right URL? most endpoints want /v1 at its end")
    elif 300 <= status < 400:
        words.append("the endpoint has moved: give its new URL")
    return EndpointError(
        "; ".join(word for word in words if word),
        status=status,
        retryable=is_retryable(status),
        retry_after_s=retry_after_s(headers.get("Retry-After")),
        throttled=status in _THROTTLING,
    )


def is_retryable(status: int) -> bool:
    """Whether asking again later may help."""
    return status in _RETRYABLE or (status >= 500 and status not in _FINAL_5XX)


def _phrase(status: int) -> str:
    try:
        return f" {HTTPStatus(status).phrase}"
    except ValueError:  # a proxy's own status, such as 529
        return ""


def retry_after_s(value: str | None) -> float | None:
    """Seconds to wait by a ``Retry-After`` header (RFC 9110, 10.2.3): seconds or an HTTP date; None if unreadable."""
    if value is None:
        return None
    value = value.strip()
    if value.replace(".", "", 1).isdecimal():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:  # "-0000": the date is in UTC
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def describe_body(raw: bytes, request: bytes, settings: EndpointSettings) -> str:
    """A server's own words in one line of at most 300 characters: OpenAI's error body, vLLM's, FastAPI's, else none."""
    try:
        said = _message_of(orjson.loads(raw))
    except orjson.JSONDecodeError:
        return ""  # a proxy's HTML page says less than the status does
    said = " ".join(said.split())
    if settings.api_key and (key := settings.api_key.get_secret_value()):
        said = said.replace(key, "[key]")
    said = _without_echo(said, request)
    return said if len(said) <= _MAX_MESSAGE else f"{said[:_MAX_MESSAGE]}…"


def _message_of(body: Any) -> str:
    """``{"error": {"message": …}}`` (OpenAI), ``{"error": …}``, ``{"message": …}`` (old vLLM), ``{"detail": …}``."""
    if not isinstance(body, dict):
        return ""
    error = body.get("error")
    if isinstance(error, dict):
        body = error
    elif isinstance(error, str):
        return error
    said = body.get("message") or body.get("detail")
    if isinstance(said, list) and said and isinstance(said[0], dict):
        said = said[0].get("msg")  # FastAPI's validation errors: its "input" would hold the prompt
    return said if isinstance(said, str) else ""


def _without_echo(said: str, request: bytes) -> str:
    """Cut the words where they begin to repeat a prompt: patients' questions do not belong into logs."""
    if not request:
        return said
    for message in orjson.loads(request).get("messages", []):
        start = " ".join(str(message.get("content", "")).split())[:_ECHO].rstrip()
        if len(start) < _SHORTEST_ECHO:
            continue
        escaped = start.encode("ascii", "backslashreplace").decode("ascii")  # as JSON inside a message writes it
        for form in (start, escaped):
            position = said.find(form)
            if position >= 0:
                said = f"{said[:position]}[prompt]"
    return said
