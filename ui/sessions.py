"""The page's sessions: whose each of them is, and when the server forgets what it holds of them.

A page makes up a hash when it is opened, and Gradio keeps the page's state under it: questions and answers. Gradio
hands them to whoever names the hash, which stands in addresses, and keeps them long after the page was closed. Here a
session belongs to the account that used it first, and is forgotten when nothing has come from its page for a while.
"""

import asyncio
import json
import math
import re
from collections import OrderedDict
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from server.connection import replay
from ui.accounts.door import account_of, spoken

# A phone that sleeps drops its connections, and Gradio's script does not open the heartbeat again.
SILENCE_S: Final = 1800.0
_MOST_SILENT = 200
MOST_SESSIONS: Final = 500  # whose state Gradio keeps, those of open pages too
_MOST_BYTES = 8 << 20  # of a request: a million Devanagari letters take 3 MiB
_HEARTBEAT = re.compile(r"/gradio_api/heartbeat/([^/]*)")
_EVENTS = "/gradio_api/queue/data"
_WITH_BODY = frozenset(("/gradio_api/queue/join", "/gradio_api/run/predict", "/gradio_api/cancel"))
_HASH = re.compile(r"[\w-]{1,64}", re.ASCII)


class Memory(Protocol):
    """What holds the state of sessions."""

    def keep(self, session: str) -> None:
        """Hold the session's state until it is told to forget it."""

    def forget(self, session: str) -> None:
        """Let go of all that it holds of a session."""


class GradioMemory:
    """What Gradio holds of sessions.

    Args:
        app: Gradio's application (`gradio.routes.App`).
    """

    def __init__(self, app: Any) -> None:
        self._holder, self._blocks = app.state_holder, app.get_blocks()

    def keep(self, session: str) -> None:
        """Gradio of itself drops values that are an hour old as soon as a heartbeat ends, though the page may be
        there."""
        if (state := self._holder.session_data.get(session)) is not None:
            state.STATE_TTL_WHEN_CLOSED = math.inf

    def forget(self, session: str) -> None:
        """The state, the last values of all components, and messages that nobody fetched."""
        queue = self._blocks._queue
        for event in [event for job in queue.active_jobs if job for event in job]:
            if event.session_hash == session:
                event.alive = False  # it sends no more messages
        with self._holder.lock:
            self._holder.session_data.pop(session, None)
            self._holder.time_last_used.pop(session, None)
        queue.pending_messages_per_session.pop(session, None)
        queue.pending_event_ids_session.pop(session, None)
        self._blocks.pending_streams.pop(session, None)
        self._blocks.pending_diff_streams.pop(session, None)


@dataclass(slots=True)
class _Session:
    account: str | None
    requests: int = 0  # that are open


class PageSessions:
    """Who owns which session, and which are silent: without an open request, the heartbeat included.

    All of it runs in the event loop.

    Args:
        memory: what is told to forget them.
        silence_s: after how many seconds of silence.
        most_silent: the longest silent ones are forgotten sooner when there are more.
    """

    def __init__(self, memory: Memory, silence_s: float = SILENCE_S, most_silent: int = _MOST_SILENT) -> None:
        self._memory, self._silence_s, self._most_silent = memory, silence_s, most_silent
        self._sessions: dict[str, _Session] = {}
        self._silent: OrderedDict[str, float] = OrderedDict()  # and since when
        self._timer: asyncio.TimerHandle | None = None

    def enter(self, session: str, account: str | None) -> bool:
        """A request begins; False, and it must not, when the session is somebody else's."""
        known = self._sessions.setdefault(session, _Session(account))
        if known.account != account:
            return False
        known.requests += 1
        self._silent.pop(session, None)
        return True

    def leave(self, session: str) -> None:
        """A request that was let in has ended."""
        known = self._sessions[session]
        known.requests -= 1
        self._memory.keep(session)
        if known.requests == 0:
            self._silent[session] = asyncio.get_running_loop().time()
            self._tidy()

    def _tidy(self) -> None:
        """Forget what has been silent for too long, and come again for the next."""
        loop = asyncio.get_running_loop()
        end = loop.time() - self._silence_s
        while self._silent:
            session, since = next(iter(self._silent.items()))
            if since > end and len(self._silent) <= self._most_silent:
                break
            del self._silent[session], self._sessions[session]
            self._memory.forget(session)
        if self._timer is None and self._silent:
            oldest = next(iter(self._silent.values()))
            self._timer = loop.call_at(oldest + self._silence_s, self._on_time)

    def _on_time(self) -> None:
        self._timer = None
        self._tidy()


class SessionGuard:
    """Lets requests in whose session is the account's own (pure ASGI: streams pass as they come).

    It stands behind the door, which says whose a request is and lets nothing else through that names a session.
    """

    def __init__(self, app: ASGIApp, sessions: PageSessions) -> None:
        self._app, self._sessions = app, sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request, path = Request(scope), scope["path"]
        named: list[Any]
        if path in _WITH_BODY:
            body = await _read(request, receive)
            if isinstance(body, Response):
                await body(scope, receive, send)
                return
            named, receive = [_session_in(body)], replay(body, receive)
        elif path == _EVENTS:
            named = list(request.query_params.getlist("session_hash"))
        elif (beat := _HEARTBEAT.fullmatch(path)) is not None:
            named = [beat[1]]
        else:
            await self._app(scope, receive, send)
            return
        if len(named) != 1 or not isinstance(named[0], str) or not _HASH.fullmatch(named[0]):
            await _refuse(HTTPStatus.BAD_REQUEST, "a session_hash of letters and digits is needed")(
                scope, receive, send
            )
            return
        session: str = named[0]
        if not self._sessions.enter(session, account_of(request)):
            refusal = _refuse(HTTPStatus.FORBIDDEN, spoken(request)("sign_in.other"))
            await refusal(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        finally:
            self._sessions.leave(session)


def _session_in(body: bytes) -> Any:
    """The session that a body names, read as the framework reads it: of a key that stands twice the last counts."""
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return parsed.get("session_hash") if isinstance(parsed, dict) else None


async def _read(request: Request, receive: Receive) -> bytes | Response:
    """All of a body; or what to answer to one that is too long or broken off."""
    chunks, length = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return Response(status_code=HTTPStatus.BAD_REQUEST)
        chunk = message.get("body", b"")
        chunks.append(chunk)
        length += len(chunk)
        if length > _MOST_BYTES:
            return _refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, spoken(request)("problem.too_long"))
        if not message.get("more_body", False):
            return b"".join(chunks)


def _refuse(status: HTTPStatus, said: str) -> JSONResponse:
    """Gradio's client shows one of the two, by the route."""
    return JSONResponse({"detail": said, "error": said}, status)
