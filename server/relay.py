"""A call's way to a backend, and its answer's way back."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from time import perf_counter
from typing import Self

import aiohttp

from server.backends import Address, Backend
from server.call import Call
from server.errors import no_backend
from server.event_stream import EVENT_STREAM

_CONNECT_S = 5.0
# vLLM (uvicorn) closes idle connections after 5 s: drop ours before, or a request may meet a closing one.
_KEEP_ALIVE_S = 4.0
_TRIES = 3
_READ_BYTES = 1 << 18
# Another backend may do better; what a client did wrong is as wrong there. A 504 has had its time.
_RETRIED = frozenset((401, 403, 404, 405, 407, 500, 502, 503))
# No request of ours will be answered there: it is taken out. Any other fault may be one request's.
_OUT = frozenset((401, 403, 407, 503))


class BackendCutError(Exception):
    """A backend went away in the middle of an answer of which the client has the beginning."""


def open_session() -> aiohttp.ClientSession:
    """The one session of a gateway process; how many requests may be open is the gateway's to say."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE_S),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S),
        read_bufsize=_READ_BYTES,
    )


@dataclass(slots=True)
class Answer:
    """A backend's answer whose first bytes have come; closing it ends the generation.

    Attributes:
        backend: who answers.
        status: HTTP status.
        content_type: as the backend gave it.
        first: the first bytes of a stream; else the whole body.
        first_byte_s: seconds from sending to the first bytes.
        usage_added: whether the stream ends with a count of tokens that only we asked for.
    """

    backend: Backend
    status: int
    content_type: str
    first: bytes
    first_byte_s: float
    usage_added: bool
    _response: aiohttp.ClientResponse
    _closed: bool = False

    @property
    def streamed(self) -> bool:
        """Whether more pieces follow."""
        return self.status == 200 and self.content_type.startswith(EVENT_STREAM)

    async def pieces(self) -> AsyncIterator[bytes]:
        """The bytes as they come, the first ones included.

        Raises:
            BackendCutError: the backend went away.
        """
        yield self.first
        if not self.streamed:
            return
        read = self._response.content.readany
        try:
            while piece := await read():
                self.backend.late = 0  # it is at work, whatever a probe says
                yield piece
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise BackendCutError(type(error).__name__) from None

    def close(self) -> None:
        """Give the backend's place back. What is unread costs the connection, and vLLM stops generating."""
        if self._closed:
            return
        self._closed = True
        self._response.close()
        self.backend.open -= 1

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()


class Relay:
    """Asks a model's backends until one answers."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def ask(self, call: Call) -> Answer:
        """The answer of the backend with the fewest open requests.

        One that fails before a byte of its answer has come is taken out, and another is asked.

        Raises:
            ApiError: no backend is up, or those that were asked failed (503).
        """
        tried: list[Backend] = []
        refused: Answer | None = None
        while len(tried) < _TRIES and (backend := call.model.backends.pick(tried)) is not None:
            tried.append(backend)
            if (answer := await self._ask_one(call, backend)) is None:
                continue
            if not _is_refusal(answer.status):
                return answer
            answer.close()  # it is whole
            refused = answer
        if refused is None:
            raise no_backend(call.model.name)
        return refused

    async def _ask_one(self, call: Call, backend: Backend) -> Answer | None:
        """The answer, or None when the backend is out."""
        address = backend.address
        backend.open += 1
        started = perf_counter()
        response: aiohttp.ClientResponse | None = None
        try:
            response = await self._post(call, address)
            kind = response.headers.get("Content-Type", "application/json")
            if response.status == 200 and kind.startswith(EVENT_STREAM):
                if not (first := await response.content.readany()):
                    raise aiohttp.ServerDisconnectedError
            else:
                first = await response.read()
        except BaseException as error:  # cancellation included: the place must not be lost
            if response is not None:
                response.close()
            backend.open -= 1
            if not isinstance(error, aiohttp.ClientError | TimeoutError | OSError):
                raise
            backend.failed(f"no answer ({type(error).__name__})")
            return None
        if response.status in _OUT or 300 <= response.status < 400:
            backend.failed(f"answers with status {response.status}")
        elif _is_refusal(response.status):
            backend.probe_soon()
        else:
            backend.succeeded()
        first_byte_s = perf_counter() - started
        return Answer(backend, response.status, kind, first, first_byte_s, call.adds_usage(address), response)

    async def _post(self, call: Call, address: Address) -> aiohttp.ClientResponse:
        """The head of the answer. Asks once more where a kept connection was closed just when it was used."""
        url, body = f"{address.base_url}{call.path}", call.bytes_for(address)
        headers = address.headers | {"X-Request-Id": call.request_id}
        try:
            return await self._session.post(url, data=body, headers=headers, allow_redirects=False)
        except (aiohttp.ServerDisconnectedError, ConnectionResetError):
            return await self._session.post(url, data=body, headers=headers, allow_redirects=False)


def _is_refusal(status: int) -> bool:
    """Whether another backend may answer better."""
    return status in _RETRIED or 300 <= status < 400
