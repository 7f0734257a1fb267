"""The gateway of one process: what the routes share, from its start to its end."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.requests import Request

from app.consistency import detect_language
from server.access import Gate, Limiter
from server.backends import Address, Backend, BackendGroup, Prober
from server.catalog import Catalog, ServedModel, default_sampling
from server.config import ServeConfig
from server.metrics import SEVERAL, Metrics
from server.record import Record
from server.relay import Relay, open_session
from server.store import Store

if TYPE_CHECKING:
    import aiohttp

logger = logging.getLogger(__name__)

_SHOW_S = 1.0
_LAST_FLUSH_S = 5.0

Addresses = Mapping[str, tuple[Address, ...]]  # of each model's backends


@dataclass(frozen=True, slots=True)
class Setup:
    """What a reload changes: the configuration, and where each model's backends are."""

    config: ServeConfig
    addresses: Addresses


class Gateway:
    """Models, backends, access and the database of one gateway process.

    Attributes:
        config, catalog: as last loaded. Requests that run keep the ones that they began with.
        backends: by name, over all models.
        store: feedback and the request log; None without a database.
    """

    def __init__(self, setup: Setup, gate: Gate, limiter: Limiter, store: Store | None) -> None:
        self.gate, self.limiter, self.store = gate, limiter, store
        self.metrics = Metrics()
        self.backends: dict[str, Backend] = {}
        self.relay: Relay
        self._session: aiohttp.ClientSession
        self._tasks: list[asyncio.Task[None]] = []
        self.load(setup)

    def load(self, setup: Setup) -> None:
        """Take a configuration. Backends that stay keep their state, also where their number or their adapters change;
        open requests go on with those that go."""
        self.config = setup.config
        known = {backend.address.server: backend for backend in self.backends.values()}
        self.backends.clear()
        models: list[ServedModel] = []
        for name, config in setup.config.models.items():
            backends = [_kept(known, address) for address in setup.addresses[name]]
            self.backends |= {backend.name: backend for backend in backends}
            group, format = BackendGroup(backends), config.resolved_format()
            sampling = default_sampling(config, format)
            for served, parent in ((name, None), *((adapter, name) for adapter in config.adapters)):
                languages = config.languages if parent is None else ()
                models.append(ServedModel(served, parent, format, languages, sampling, group))
        self.catalog = Catalog(models, setup.config.auto)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The session, the probes and the store's writer, for the time of the block."""
        self._session = open_session()
        self.relay = Relay(self._session)
        prober = Prober(self._session, lambda: self.config.probe_s)
        self._tasks = [asyncio.create_task(prober.run(self.backends))]
        if SEVERAL:
            self._tasks.append(asyncio.create_task(self._show_backends()))
        if self.store is not None:
            self._tasks.append(asyncio.create_task(self.store.run(lambda: self.config.request_log)))
        # The detector's model takes most of a second to load: no stream should wait for it.
        await asyncio.to_thread(detect_language, "Which language is this question in?")
        try:
            yield
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            if self.store is not None:
                with contextlib.suppress(TimeoutError):  # a database that hangs must not hold the end up
                    async with asyncio.timeout(_LAST_FLUSH_S):
                        await self.store.flush()
            await self._session.close()

    async def _show_backends(self) -> None:
        """Keep this process' view of the backends fresh for the one that is asked for the metrics of all."""
        while True:
            self.metrics.show(self.backends.values())
            await asyncio.sleep(_SHOW_S)

    @property
    def ready(self) -> bool:
        """Whether a model can be asked."""
        return any(backend.up for backend in self.backends.values())

    def ended(self, record: Record) -> None:
        """Count and, if the request log is on, store a request that has ended."""
        self.metrics.observe(record, record.path)
        if self.store is not None and self.config.request_log.enabled and record.model is not None:
            self.store.log(record, bodies=self.config.request_log.bodies)


def _kept(known: Mapping[tuple[str, str, str], Backend], address: Address) -> Backend:
    """The backend of a server that was known, else a new one."""
    if (backend := known.get(address.server)) is None:
        return Backend(address, up=address.warm)
    backend.address = address
    return backend


def gateway_of(request: Request) -> Gateway:
    """The gateway that a request came to."""
    gateway = request.app.state.gateway
    assert isinstance(gateway, Gateway)
    return gateway
