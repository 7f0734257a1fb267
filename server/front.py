"""What every request passes before it reaches a route: pure ASGI, so that streams cost nothing more."""

import asyncio
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from ulid import ULID

from server import docs_page
from server.access import Scope as AccessScope
from server.config import LimitsConfig, is_loopback
from server.connection import CLIENT_GONE, ClientGoneError, replay
from server.errors import ApiError, internal_error, server_stops
from server.logs import log_request
from server.record import Record

if TYPE_CHECKING:
    from server.gateway import Gateway

logger = logging.getLogger(__name__)

_ONE_MODEL = "/v1/models/{name:path}"
_OTHER = "other"  # in logs and metrics, the path of a request for something that is not there
_FREE = frozenset(("/health",))
# Everything else asks for a key and the scope `chat`, or for any key where the scope is None.
_SCOPES: Mapping[str, AccessScope | None] = {
    "/v1/feedback": "feedback",
    "/v1/feedback/export": "admin",
    "/metrics": "admin",
    "/ready": None,
    "/openapi.json": None,
    docs_page.PATH: None,
    **dict.fromkeys(docs_page.FILES),
}
# Monitors ask for these again and again; no limit of a key may make them fail.
_UNCOUNTED = frozenset(("/ready", "/metrics"))


class Front:
    """Identity, access, limits, the record of each request, and errors in OpenAI's shape."""

    def __init__(self, app: ASGIApp, gateway: "Gateway", paths: frozenset[str]) -> None:
        self._app, self._gateway, self._paths = app, gateway, paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        record = Record(str(ULID()).lower(), scope["method"], self._route(scope["path"]))
        scope.setdefault("state", {})["record"] = record
        reply = _Reply(send, record)
        self._gateway.metrics.open_requests.inc()
        try:
            await self._answer(scope, receive, reply, record)
        except ApiError as error:
            record.refused(error.status)
            await reply.error(error)
        except ClientGoneError:
            record.outcome, record.status = "client gone", record.status or CLIENT_GONE
        except asyncio.CancelledError:
            record.outcome = "stopped"
            await reply.error(server_stops())
            raise
        except Exception as error:
            if isinstance(error.__cause__, ClientGoneError):
                record.outcome = "client gone"  # after the first bytes, of which Starlette makes an error of its own
                return
            # Ours: the client is told nothing of it, the log everything but the request.
            logger.exception("a request failed", extra={"request_id": record.request_id})
            record.outcome = "failed"
            await reply.error(internal_error(record.request_id))
        finally:
            self._gateway.metrics.open_requests.dec()
            self._gateway.ended(record)
            log_request(record)

    def _route(self, path: str) -> str:
        """The route's path for logs and metrics, where clients must not write what they like."""
        if path.startswith(_ONE_MODEL[: _ONE_MODEL.index("{")]):
            return _ONE_MODEL
        return path if path in self._paths else _OTHER

    async def _answer(self, scope: Scope, receive: Receive, reply: "_Reply", record: Record) -> None:
        gateway = self._gateway
        if record.path in _FREE:
            await self._app(scope, receive, reply)
            return
        if gateway.config.open:
            _check_host(_header(scope, b"host"))
        principal = await gateway.gate.admit(_header(scope, b"authorization"))
        record.key_name = principal.name
        scope["state"]["principal"] = principal
        if record.path == _OTHER:
            # Not the router's to say: it may find a route where we found none (it takes `/metrics\n` for `/metrics`),
            # and would then serve it without its scope.
            raise ApiError(404, f"{scope['method']} {scope['path'][:200]}: Not Found", code="not_found")
        needed = _SCOPES.get(record.path, "chat")
        if needed is not None and needed not in principal.scopes:
            raise ApiError(403, f"this key has no scope `{needed}`", code="scope_missing")
        if record.path in _UNCOUNTED:
            await self._app(scope, receive, reply)
            return
        with gateway.limiter.request(principal):
            if scope["method"] in ("POST", "PUT", "PATCH"):
                receive = replay(await _read_body(scope, receive, gateway.config.limits), receive)
            await self._app(scope, receive, reply)


class _Reply:
    """``send`` that notes the status and adds the request's id."""

    def __init__(self, send: Send, record: Record) -> None:
        self._send, self._record = send, record
        self._started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._started = True
            self._record.status = message["status"]
            headers = [*message.get("headers", ()), (b"x-request-id", self._record.request_id.encode())]
            message = {**message, "headers": headers}
        await self._send(message)

    async def error(self, error: ApiError) -> None:
        """The error as a whole answer, where none has begun."""
        if self._started:
            return
        await self({"type": "http.response.start", "status": error.status, "headers": error.headers})
        await self({"type": "http.response.body", "body": error.body})


def _header(scope: Scope, name: bytes) -> bytes | None:
    """The value of a header.

    Raises:
        ApiError: it is given twice, which readers would take differently.
    """
    values = [value for key, value in scope["headers"] if key == name]
    if len(values) > 1:
        raise ApiError(400, f"the header {name.decode()} is given twice", code="bad_header")
    return values[0] if values else None


def _check_host(host: bytes | None) -> None:
    """Refuse a web page whose own name was made to point at this machine (DNS rebinding) on a server without keys.

    Raises:
        ApiError: the Host header names another machine (403).
    """
    try:
        name = urlsplit(f"//{host.decode('latin-1')}").hostname if host else None
    except ValueError:
        name = ""
    if name is not None and not is_loopback(name):
        raise ApiError(403, "a server without keys answers to loopback names alone", code="bad_host")


async def _read_body(scope: Scope, receive: Receive, limits: LimitsConfig) -> bytes:
    """The whole body, within its size and time.

    Raises:
        ApiError: it is too large (413) or too slow (408).
        ClientGoneError: the client left.
    """
    too_large = ApiError(413, f"the body is larger than {limits.body_bytes:,} bytes", code="request_too_large")
    length = _header(scope, b"content-length")
    if length is not None and length.isdigit() and int(length) > limits.body_bytes:
        raise too_large
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(limits.body_s):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGoneError
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > limits.body_bytes:
                    raise too_large
                if not message.get("more_body", False):
                    return b"".join(parts)
    except TimeoutError:
        raise ApiError(408, f"the body did not come within {limits.body_s:g} s", code="request_timeout") from None
