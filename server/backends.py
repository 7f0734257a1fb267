"""Backends: servers that hold a model, the load on each, and whether they answer."""

import asyncio
import logging
import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

import orjson
from pydantic import SecretStr

if TYPE_CHECKING:
    import aiohttp

logger = logging.getLogger(__name__)

_PROBE_TIMEOUT_S = 5.0
_MOST_LATE = 3
_SLOWEST_PROBE_S = 15.0  # a backend that is up, or has been out for long, is asked this often


@dataclass(frozen=True, slots=True)
class Address:
    """Where a backend is and how it is spoken to: what tells one from another.

    Attributes:
        name: for logs and metrics, as in ``himed-8b/0``.
        base_url: with ``/v1``.
        api_key: its key, if it has one.
        names: the gateway's model names to the names there.
        stream_usage: whether it knows ``stream_options``.
        warm: whether it has answered before the gateway was told of it, as an engine that was started here.
    """

    name: str
    base_url: str
    api_key: SecretStr | None = None
    names: tuple[tuple[str, str], ...] = ()
    stream_usage: bool = True
    warm: bool = False

    @property
    def server(self) -> tuple[str, str, str]:
        """Model, place and key: what makes it the same backend after a reload."""
        key = self.api_key.get_secret_value() if self.api_key else ""
        return self.name.rpartition("/")[0], self.base_url, key

    def upstream_name(self, model: str) -> str:
        """The name of a model of the gateway there."""
        return next((there for here, there in self.names if here == model), model)

    @property
    def headers(self) -> dict[str, str]:
        """The headers of every request."""
        headers = {"Content-Type": "application/json"}
        if self.api_key is not None:
            headers["Authorization"] = f"Bearer {self.api_key.get_secret_value()}"
        return headers


@dataclass(eq=False, slots=True)
class Backend:
    """One server: taken out when it fails, brought back when a probe is answered."""

    address: Address
    open: int = 0  # requests
    up: bool = False
    failure: str | None = None
    late: int = 0  # probes in a row that it did not answer while it had requests
    failures: int = 0  # probes in a row; many requests fail at once, which says nothing of how long it is out
    next_probe: float = 0.0

    @property
    def name(self) -> str:
        """As in ``himed-8b/0``."""
        return self.address.name

    def succeeded(self) -> None:
        """It answered."""
        if not self.up:
            logger.info("backend is up", extra={"backend": self.name})
        self.up, self.failure, self.failures, self.late = True, None, 0, 0

    def failed(self, reason: str) -> None:
        """It did not answer: no more requests until a probe is answered."""
        if self.up or self.failure is None:
            logger.warning("backend is out", extra={"backend": self.name, "reason": reason})
        self.up, self.failure = False, reason
        self.probe_soon()

    def probe_soon(self) -> None:
        """Ask it at the next round: it may be about to fail."""
        self.next_probe = 0.0


class BackendGroup:
    """The backends of one model."""

    def __init__(self, backends: Iterable[Backend] = ()) -> None:
        self.backends = list(backends)
        self._turn = 0

    def pick(self, tried: Collection[Backend] = ()) -> Backend | None:
        """The one with the fewest open requests among those that are up and untried; in turn where several have."""
        free = [backend for backend in self.backends if backend.up and backend not in tried]
        if not free:
            return None
        least = min(backend.open for backend in free)
        free = [backend for backend in free if backend.open == least]
        self._turn += 1
        return free[self._turn % len(free)]


class Prober:
    """Asks backends for their models: those that are out soon and again, those that are up now and then.

    Args:
        every_s: gives the time between two probes of one that is out, which a reload may change.
    """

    def __init__(self, session: "aiohttp.ClientSession", every_s: Callable[[], float]) -> None:
        self._session, self._every_s = session, every_s

    async def run(self, backends: Mapping[str, Backend]) -> None:
        """Probe whatever stands in ``backends``, for ever; one that hangs keeps no other waiting."""
        async with asyncio.TaskGroup() as probes:
            while True:
                now = monotonic()
                for backend in backends.values():
                    if backend.next_probe <= now:
                        backend.next_probe = math.inf  # until this one is done
                        probes.create_task(self.probe(backend))
                await asyncio.sleep(min(self._every_s(), 0.5))

    async def probe(self, backend: Backend) -> None:
        """One ``GET /v1/models``; the backend is up when it lists every model that it should have."""
        try:
            await self._probe(backend)
        except Exception as error:  # whatever it is, the probes must go on
            logger.exception("a probe failed", extra={"backend": backend.name})
            backend.failed(type(error).__name__)
        every_s = self._every_s()
        if backend.up:
            wait_s = every_s if backend.late else _SLOWEST_PROBE_S
        else:
            wait_s = every_s * 2 ** min(backend.failures, 4)
        backend.next_probe = monotonic() + min(wait_s, _SLOWEST_PROBE_S)

    async def _probe(self, backend: Backend) -> None:
        import aiohttp

        try:
            async with self._session.get(
                f"{backend.address.base_url}/models",
                headers=backend.address.headers,
                timeout=aiohttp.ClientTimeout(total=_PROBE_TIMEOUT_S),
                allow_redirects=False,
            ) as response:
                problem = _read_models(response.status, await response.read(), backend.address)
        except TimeoutError:
            if backend.up and backend.open and backend.late < _MOST_LATE:
                backend.late += 1  # it may be busy; any byte of an answer shows that it is
                return
            problem = "does not answer"
        except (aiohttp.ClientError, OSError) as error:
            problem = f"no answer ({type(error).__name__})"
        if problem is None:
            backend.succeeded()
        else:
            backend.failed(problem)
            backend.failures += 1


def _read_models(status: int, body: bytes, address: Address) -> str | None:
    """What is wrong with the answer to a probe."""
    if status != 200:
        return "refuses its key" if status in (401, 403) else f"answers with status {status}"
    try:
        listed = {model["id"] for model in orjson.loads(body)["data"]}
    except (ValueError, TypeError, KeyError):
        return "its list of models cannot be read"
    missing = sorted({there for _, there in address.names} - listed)
    return f"does not serve {', '.join(missing)}" if missing else None
