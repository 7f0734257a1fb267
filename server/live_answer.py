"""An answer that is sent while it is made, and what becomes of it when something breaks."""

import asyncio
from abc import abstractmethod

from fastapi import Response
from starlette.types import Receive, Scope, Send

from server.connection import while_connected
from server.errors import ApiError, backend_cut, server_stops, too_slow
from server.event_stream import send_last
from server.gateway import Gateway
from server.record import Record
from server.relay import BackendCutError


class LiveAnswer(Response):
    """Runs until it is whole, its time is over, or the client leaves.

    An error before the first byte is an answer of its own; a later one is the last event.

    Attributes:
        started: whether the client has the head of the answer; for `make` to set.
    """

    def __init__(self, gateway: Gateway, record: Record) -> None:
        self.gateway, self.record = gateway, record
        self.started = False
        self.background = None

    @abstractmethod
    async def make(self, send: Send) -> None:
        """Make the answer and send it."""

    @abstractmethod
    def last_event(self, error: ApiError) -> bytes:
        """How an answer that has begun says that it ends with an error."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        await while_connected(receive, self._run(send))

    async def _run(self, send: Send) -> None:
        error: ApiError
        limit_s = self.gateway.config.limits.request_s
        try:
            async with asyncio.timeout(limit_s):
                await self.make(send)
            return
        except TimeoutError:
            self.record.outcome = "timeout"
            error = too_slow(limit_s)
        except BackendCutError:
            self.record.outcome = "backend cut"
            error = backend_cut()
        except ApiError as caught:
            self.record.refused(caught.status)
            error = caught
        except asyncio.CancelledError:
            if self.started:  # the server stops; for a client that left this goes nowhere
                await send_last(send, self.last_event(server_stops()))
            raise
        if not self.started:
            raise error
        await send_last(send, self.last_event(error))
