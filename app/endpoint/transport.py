"""HTTP to one endpoint: one session, the adaptive limit, bounded retries, and every failure as an EndpointError."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import ip_address
from time import perf_counter
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from app.endpoint.errors import EndpointError, error_of_response
from app.endpoint.limit import AdaptiveLimit
from app.endpoint.settings import EndpointSettings

if TYPE_CHECKING:
    import aiohttp

T = TypeVar("T")

_CONNECT_S = 30.0
# vLLM (uvicorn) closes idle connections after 5 s: drop ours before, or a request may meet a closing one.
_KEEP_ALIVE_S = 4.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer with status 200, and the seconds from the request to its last byte."""

    raw: bytes
    latency_s: float


class OpenAnswer:
    """A streamed answer with status 200 whose body is still to be read. It holds its place until `close`."""

    def __init__(self, transport: "Transport", response: "aiohttp.ClientResponse", token: int, started: float) -> None:
        self.started = started
        self._transport, self._response, self._token = transport, response, token

    async def read(self) -> bytes:
        """What has arrived since, ``b""`` at the end.

        Raises:
            EndpointError: the connection was cut, or nothing came for ``timeout_s``.
        """
        try:
            return await self._response.content.readany()
        except self._transport.failures as error:
            raise self._transport.failed(error, self._token) from None

    def succeeded(self) -> None:
        """The body was read to its end and was whole."""
        self._transport.limit.succeeded()

    def close(self) -> None:
        """Give the place back. A body left unread costs the connection, so that the server stops generating."""
        self._response.close()
        self._transport.limit.release()


class Transport:
    """The requests' way to one endpoint."""

    def __init__(self, settings: EndpointSettings) -> None:
        self.settings = settings
        self.limit = AdaptiveLimit(settings.concurrency)
        self.failures: tuple[type[Exception], ...] = ()
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make the session. aiohttp is imported here: a quarter of a second that ``--help`` need not wait for."""
        import aiohttp

        settings = self.settings
        headers = {"Content-Type": "application/json", "User-Agent": "himed"}
        if settings.api_key is not None:
            headers["Authorization"] = f"Bearer {settings.api_key.get_secret_value()}"
        self._session = aiohttp.ClientSession(
            # The adaptive limit bounds the connections.
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=headers,
            proxy=_proxy_of(settings.base_url),
        )
        self.failures = (aiohttp.ClientError, TimeoutError, OSError)
        self._whole = aiohttp.ClientTimeout(total=settings.timeout_s, sock_connect=_CONNECT_S)
        self._streamed = aiohttp.ClientTimeout(total=None, sock_read=settings.timeout_s, sock_connect=_CONNECT_S)

    async def close(self) -> None:
        """Close the session and its connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def exchange(self, path: str, request: bytes) -> Answer:
        """One POST of ``request`` (a GET when it is empty), answered as a whole.

        Raises:
            EndpointError: no answer, or one whose status is not 200.
        """
        token = await self.limit.acquire()
        try:
            started = perf_counter()
            response = await self._send(path, request, streamed=False)
            try:
                raw = await response.read()
            finally:
                response.release()
            latency_s = perf_counter() - started
            if response.status != 200:
                raise self._refused(response, raw, request, token)
            self.limit.succeeded()
            return Answer(raw, latency_s)
        except self.failures as error:
            raise self.failed(error, token) from None
        finally:
            self.limit.release()

    async def open_stream(self, path: str, request: bytes) -> OpenAnswer:
        """One POST whose answer is read piece by piece. The caller closes it.

        Raises:
            EndpointError: no answer, or one whose status is not 200.
        """
        token = await self.limit.acquire()
        started = perf_counter()
        response: aiohttp.ClientResponse | None = None
        try:
            response = await self._send(path, request, streamed=True)
            if response.status != 200:
                raise self._refused(response, await response.read(), request, token)
        except BaseException as error:  # cancellation included: the place must not be lost
            if response is not None:
                response.close()
            self.limit.release()
            if isinstance(error, self.failures):
                raise self.failed(error, token) from None
            raise
        return OpenAnswer(self, response, token, started)

    async def retrying(self, once: Callable[[bytes], Awaitable[T]], request: bytes) -> tuple[T, int]:
        """``once(request)``, again while it fails with a retryable error, and the number of tries.

        Waits ``backoff_s`` doubled with each try, times a random factor up to 2 (full jitter: requests that failed
        together do not come back together), or as long as the server asked, if that is longer.

        Raises:
            EndpointError: not retryable, the last try's, or the server asks for a longer wait than ``max_wait_s``.
        """
        settings = self.settings
        attempt = 1
        while True:
            try:
                return await once(request), attempt
            except EndpointError as error:
                error.attempts = attempt
                asked = error.retry_after_s or 0.0
                if not error.retryable or attempt >= settings.max_attempts or asked > settings.max_wait_s:
                    raise
            backoff = random.uniform(0, 2) * settings.backoff_s * 2 ** (attempt - 1)  # noqa: S311  # no secret
            await asyncio.sleep(min(max(backoff, asked), settings.max_wait_s))
            attempt += 1

    async def _send(self, path: str, request: bytes, *, streamed: bool) -> "aiohttp.ClientResponse":
        if self._session is None:
            raise RuntimeError("the endpoint is not open: use it in `async with Endpoint(settings) as endpoint`")
        # No redirect is followed: a POST would become a GET, and the key would travel to another place.
        return await self._session.request(
            "POST" if request else "GET",
            self.settings.base_url + path,
            data=request or None,
            timeout=self._streamed if streamed else self._whole,
            allow_redirects=False,
        )

    def _refused(self, response: "aiohttp.ClientResponse", raw: bytes, request: bytes, token: int) -> EndpointError:
        error = error_of_response(self.settings, response.status, response.headers, raw, request)
        if error.throttled:
            self.limit.throttled(token, min(error.retry_after_s or 0.0, self.settings.max_wait_s))
        return error

    def failed(self, error: Exception, token: int) -> EndpointError:
        """The EndpointError of a request that got no whole answer."""
        import aiohttp

        base, settings = self.settings.base_url, self.settings
        if isinstance(error, aiohttp.ConnectionTimeoutError):
            return EndpointError(f"{base}: no connection within {_CONNECT_S:g} s", retryable=True)
        if isinstance(error, TimeoutError):
            self.limit.throttled(token, None)
            return EndpointError(f"{base}: no answer within {settings.timeout_s:g} s", retryable=True, throttled=True)
        if isinstance(error, aiohttp.ClientSSLError):
            return EndpointError(f"{base}: TLS failed: {error}")
        if isinstance(error, aiohttp.ClientConnectorDNSError):
            return EndpointError(f"{base}: no such host: check the URL", retryable=True)
        if isinstance(error, aiohttp.ClientConnectorError):
            reason = error.os_error.strerror or "refused"
            return EndpointError(f"{base}: cannot connect ({reason}): is the server running?", retryable=True)
        # Cut on the way: a payload cut short, a reset, a server that closed without a word.
        return EndpointError(f"{base}: the connection was cut ({type(error).__name__})", retryable=True)


def _proxy_of(url: str) -> str | None:
    """The proxy that the environment names for a URL (``HTTPS_PROXY``, ``NO_PROXY``, …), never for a loopback one."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        loopback = ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    if loopback or proxy_bypass(host):
        return None
    return getproxies().get(parts.scheme)
