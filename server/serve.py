"""`himed-serve`: engines first, then the gateway, until a signal ends both."""

import asyncio
import logging
import signal
import socket
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Protocol

import uvloop
from sqlalchemy import Engine

from app.errors import InputError
from app.schema import open_database
from server.access import Limiter
from server.access.keys import KeyStore
from server.addresses import check_keys, setup_of
from server.config import AUTO, ServeConfig
from server.engines import EnginePool
from server.gateway import Setup
from server.http_server import build_server
from server.listener import listen, open_listener, url_of
from server.logs import set_up_logs
from server.workers import WorkerPool

logger = logging.getLogger(__name__)

# What a running server keeps when its configuration is read again.
_FIXED = ("host", "port", "workers", "open")


def run(read: Callable[[], ServeConfig], database: str, log_dir: Path, *, reloads: bool) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        read: the configuration; called again on SIGHUP.
        database: its URL.
        log_dir: folder of the engines' logs.
        reloads: whether there is anything to read again.

    Raises:
        InputError: the configuration, the port, the database, a checkpoint or the machine is at fault.
    """
    set_up_logs()
    for name in ("app.engine", "alembic"):  # the first does not know which model it speaks of
        logging.getLogger(name).setLevel(logging.WARNING)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(Serving(read, database, log_dir, reloads=reloads).run())


class Gateways(Protocol):
    """One gateway process or several."""

    listening: asyncio.Event

    async def serve(self) -> None:
        """Run until stopped."""

    def load(self, setup: Setup) -> None:
        """Take another setup for requests that come from now on."""

    async def drained(self) -> None:
        """Wait until requests with earlier setups have ended, ``drain_s`` at most."""

    def stop(self, *, at_once: bool = False) -> None:
        """Stop when open requests have ended or ``drain_s`` has passed, or at once."""


class OneGateway:
    """The gateway in this process."""

    def __init__(self, listener: socket.socket, database: Engine, setup: Setup) -> None:
        self._listener = listener
        self._server = build_server(setup, database, Limiter())
        self.listening = self._server.listening
        self.load, self.drained, self.stop = self._server.load, self._server.drained, self._server.stop

    async def serve(self) -> None:
        """Run until stopped."""
        await self._server.serve(sockets=[self._listener])


class Serving:
    """One run of the server."""

    def __init__(self, read: Callable[[], ServeConfig], database: str, log_dir: Path, *, reloads: bool) -> None:
        self._read, self._database, self._reloads = read, database, reloads
        self._pool = EnginePool(log_dir, self._announce)
        self._config: ServeConfig
        self._gateways: Gateways | None = None
        self._stopped, self._hung_up = asyncio.Event(), asyncio.Event()
        self._changing = asyncio.Lock()  # the engines
        self._retiring: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Serve until a signal ends it; see `run`."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        loop.add_signal_handler(signal.SIGHUP, self._hung_up.set)
        self._config = self._read()
        check_keys(self._config)
        with open_listener(self._config.host, self._config.port) as listener:
            database = open_database(self._database)
            async with self._pool:
                if await self._unless_stopped(self._pool.start(self._config)):
                    listen(listener)
                    await self._serve(listener, database)

    async def _serve(self, listener: socket.socket, database: Engine) -> None:
        setup = self._setup()
        several = self._config.workers > 1
        self._gateways = (
            WorkerPool(listener, self._database, setup) if several else OneGateway(listener, database, setup)
        )
        greeting = asyncio.create_task(self._greet(url_of(listener), database))
        beside = (greeting, asyncio.create_task(self._follow_reloads()))
        try:
            await self._gateways.serve()
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, *self._retiring, return_exceptions=True)

    async def _greet(self, url: str, database: Engine) -> None:
        assert self._gateways is not None
        await self._gateways.listening.wait()
        names = [name for model, config in self._config.models.items() for name in (model, *config.adapters)]
        print(f"himed-serve: {url}/v1 serves {', '.join([*names, AUTO])}; how to ask: {url}/docs", flush=True)
        if not self._config.open and _no_key(database):
            print("himed-serve: there is no API key yet; this makes one: himed-serve keys add NAME", file=sys.stderr)

    def _stop(self) -> None:
        """The first signal lets open requests end, the second does not."""
        again = self._stopped.is_set()
        self._stopped.set()
        if self._gateways is not None:
            logger.info("stopping", extra={"at_once": again})
            self._gateways.stop(at_once=again)

    async def _unless_stopped(self, work: Coroutine[Any, Any, None]) -> bool:
        """Run ``work``, which a signal cancels. Returns whether it was done."""
        task, stopped = asyncio.create_task(work), asyncio.create_task(self._stopped.wait())
        await asyncio.wait((task, stopped), return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait((task,))
            return False
        await task
        return not self._stopped.is_set()

    def _setup(self) -> Setup:
        return setup_of(self._config, self._pool.engines(self._config))

    def _announce(self) -> None:
        """Tell the gateways where everything is now."""
        if self._gateways is not None:
            self._gateways.load(self._setup())

    async def _follow_reloads(self) -> None:
        while True:
            await self._hung_up.wait()
            self._hung_up.clear()
            if not self._reloads:
                logger.warning("nothing to reload: there is no configuration file")
                continue
            try:
                await self._reload()
            except InputError as error:
                logger.error("the configuration was not reloaded", extra={"reason": str(error)})
            except Exception:  # whatever it is, the server goes on with the configuration that it has
                logger.exception("the configuration was not reloaded")

    async def _reload(self) -> None:
        """Take the configuration as it is now: new engines first, then the gateways, then those engines go that nobody
        asks any more.

        Raises:
            InputError: it is wrong, or a new engine does not start: nothing has changed.
        """
        config = self._with_fixed(self._read())
        check_keys(config)
        async with self._changing:
            await self._pool.start(config)
            self._config = config
        self._announce()
        logger.info("the configuration was reloaded", extra={"models": list(config.models)})
        task = asyncio.create_task(self._retire(config))
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    def _with_fixed(self, config: ServeConfig) -> ServeConfig:
        kept = {name: getattr(self._config, name) for name in _FIXED}
        if changed := [name for name in _FIXED if getattr(config, name) != kept[name]]:
            logger.warning("takes effect at a restart", extra={"fields": changed})
        return config.model_copy(update=kept)

    async def _retire(self, config: ServeConfig) -> None:
        assert self._gateways is not None
        await self._gateways.drained()
        async with self._changing:
            if config is self._config:  # else a later reload sees to it, whose requests have yet to end
                await self._pool.retire(config)


def _no_key(database: Engine) -> bool:
    return all(key.revoked is not None for key in KeyStore(database).list())
