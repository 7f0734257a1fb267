"""HTTP connections: uvicorn's, with an end to those that are slow, too many, or too large in their heads.

uvicorn with httptools bounds none of these: a head may grow for ever and take for ever.
"""

import asyncio
from asyncio import TimerHandle
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from server.config import LimitsConfig
from server.errors import ApiError

_HEAD_BYTES = 64 << 10  # request line and headers; what h11 and most proxies allow, or more


class GatewayProtocol(HttpToolsProtocol):
    """One connection.

    Args:
        limits: gives the limits of the time, which a reload of the configuration changes.
    """

    def __init__(self, limits: Callable[[], LimitsConfig], **options: Any) -> None:
        super().__init__(**options)
        self._limits = limits
        self._head_bytes = 0  # of a head that is not whole
        self._in_body = False
        self._head_timer: TimerHandle | None = None
        self._stall_timer: TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has come."""
        super().connection_made(transport)
        most = self._limits().connections
        if len(self.connections) > most:
            self._refuse(ApiError(503, "too many connections; try again soon", code="too_many_connections"))
        else:
            self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client, or we, have gone."""
        self._stop_waiting()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes have come: of a head, or of a body."""
        if not self._answering:  # the rest of a body that was refused must end in time, too
            self._wait_for_head()
        if not self._in_body:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._head_bytes > _HEAD_BYTES and not self.transport.is_closing():
            self._refuse(self._head_too_large())

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._head_bytes = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if self._head_bytes > _HEAD_BYTES:  # it came in one piece
            raise ValueError("a head that is too large")  # the parser stops, and `send_400_response` is called
        self._stop_waiting()
        self._head_bytes, self._in_body = 0, True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The body is whole."""
        self._in_body = False
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """The parser has stopped."""
        too_large = self._head_bytes > _HEAD_BYTES
        self._refuse(self._head_too_large() if too_large else ApiError(400, msg, code="bad_http"))

    def _unsupported_upgrade_warning(self) -> None:
        # Anybody could fill the log; the request is answered as if it had not asked.
        pass

    def pause_writing(self) -> None:
        """The client reads more slowly than it is sent to; one that stops would keep its connection for ever."""
        super().pause_writing()
        self._stall_timer = self.loop.call_later(self._limits().request_s, self.transport.abort)

    def resume_writing(self) -> None:
        """The client has read."""
        super().resume_writing()
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    def _wait_for_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self._limits().header_s, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    @property
    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _refuse(self, error: ApiError) -> None:
        """Answer without a request, and close."""
        if not self._answering:
            lines = [b"%s: %s\r\n" % header for header in (*error.headers, (b"connection", b"close"))]
            self.transport.write(b"".join([STATUS_LINE[error.status], *lines, b"\r\n", error.body]))
        self.transport.close()

    @staticmethod
    def _head_too_large() -> ApiError:
        return ApiError(431, f"the request's head is larger than {_HEAD_BYTES:,} bytes", code="head_too_large")
