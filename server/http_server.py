"""The HTTP server of one gateway process: uvicorn, with an end that cuts nothing which can finish in time."""

import asyncio
import contextlib
import gc
import logging
import resource
import socket
from collections.abc import Iterator
from functools import partial
from typing import Any

import uvicorn
from sqlalchemy import Engine

from server.access import KeyStoreGate, Limiter, OpenGate
from server.access.keys import KeyStore
from server.asgi import build_app
from server.gateway import Gateway, Setup
from server.protocol import GatewayProtocol
from server.store import Store
from server.waiting import until

# Longer than clients and load balancers keep an idle connection, so that it is they who close it: a request may meet a
# connection that the server is closing.
_KEEP_ALIVE_S = 75
_LAST_WORDS_S = 2.0  # for the error events of streams that are ended
_SPARE_FILES = 512  # beside connections: libraries, logs, the database


def build_server(setup: Setup, database: Engine, limiter: Limiter) -> "GatewayServer":
    """The server of one gateway process, with keys unless the configuration says ``open``."""
    gate = OpenGate() if setup.config.open else KeyStoreGate(KeyStore(database))
    return GatewayServer(Gateway(setup, gate, limiter, Store(database)))


class GatewayServer(uvicorn.Server):
    """Serves a gateway until it is told to stop.

    From then on it takes no new requests, and open ones get the configuration's ``drain_s``. What is open after that is
    cancelled: streams end with an error event.

    Attributes:
        listening: set once connections are taken.
    """

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._at_once = False
        self.listening = asyncio.Event()
        protocol: Any = partial(GatewayProtocol, lambda: gateway.config.limits)
        super().__init__(
            uvicorn.Config(
                build_app(gateway),
                loop="none",  # it runs in the caller's
                http=protocol,
                ws="none",
                lifespan="on",
                log_config=None,
                log_level="error",
                access_log=False,  # `server.logs` has lines of its own
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=_KEEP_ALIVE_S,
            )
        )
        logging.getLogger("uvicorn.error").addFilter(_no_cancellation)

    def stop(self, *, at_once: bool = False) -> None:
        """Stop when open requests have ended or ``drain_s`` has passed, or at once."""
        self.should_exit = True
        self._at_once = self._at_once or at_once

    def load(self, setup: Setup) -> None:
        """Take another setup for requests that come from now on."""
        self._gateway.load(setup)

    async def drained(self) -> None:
        """Wait until no request runs any more that runs now, ``drain_s`` at most."""
        if running := set(self.server_state.tasks):
            await asyncio.wait(running, timeout=self._gateway.config.drain_s)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing: signals are the caller's."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Take connections from now on."""
        _allow_open_files(2 * self._gateway.config.limits.connections + _SPARE_FILES)
        await super().startup(sockets)
        gc.collect()
        gc.freeze()  # what lives as long as the process need not be looked through again and again
        self.listening.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more connections, close the idle ones, let open requests end, then end the rest."""
        state = self.server_state
        for server in self.servers:
            server.close()
        for listener in sockets or ():
            listener.close()
        for connection in list(state.connections):
            connection.shutdown()  # one that is answering closes after it, and says so in its head
        await until(lambda: self._at_once or not state.tasks, self._gateway.config.drain_s)
        for task in list(state.tasks):
            task.cancel()
        await until(lambda: not state.tasks and not state.connections, _LAST_WORDS_S)
        for connection in list(state.connections):
            connection.transport.abort()  # its client does not read
        await self.lifespan.shutdown()


def _no_cancellation(record: logging.LogRecord) -> bool:
    """uvicorn reports every request that we cancel as a fault of the application."""
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


def _allow_open_files(count: int) -> None:
    """Raise the limit on open files, which is often 1,024, where the system lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
