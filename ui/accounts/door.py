"""What every request passes before it reaches the page: only known people, known names and our own forms get in."""

import logging
import re
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from sqlalchemy.exc import SQLAlchemyError
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.config import is_loopback
from ui.accounts.sessions import Sessions
from ui.config import UiConfig
from ui.texts import INTERFACE_LANGUAGES, Texts, preferred, texts

logger = logging.getLogger(__name__)

COOKIE: Final = "himed-session"
SIGN_IN: Final = "/sign-in"
SIGN_OUT: Final = "/sign-out"
_FREE = frozenset((("GET", SIGN_IN), ("HEAD", SIGN_IN), ("POST", SIGN_IN), ("POST", SIGN_OUT)))
_PAGE = "/"
# These hold the account's name: a browser must not show them again to whoever comes next.
_PERSONAL = frozenset((_PAGE, "/config"))
_SAFE = frozenset(("GET", "HEAD", "OPTIONS"))
# All of Gradio's routes that an open page asks for; the others read, write and store things that nobody needs here.
_USED = re.compile(
    r"(GET|HEAD) /"
    r"|GET /(config|theme\.css|favicon\.ico|assets/.+|static/.+)"
    r"|GET /gradio_api/(app_id|heartbeat/[^/]+|queue/data)"
    r"|POST /gradio_api/(queue/join|run/predict|cancel)"
)
_ACCOUNT = "himed.account"


class Door:
    """Lets requests in (pure ASGI: streams pass as they come).

    Args:
        app: what is behind it.
        sessions: who is signed in; None where nobody has to: then only requests to this machine's own names pass.
    """

    def __init__(self, app: ASGIApp, sessions: Sessions | None) -> None:
        self._app, self._sessions = app, sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        request = Request(scope)
        refusal = _refuse_foreign(request, named=self._sessions is not None) or await self._admit(request)
        if refusal is None and not self._is_used(request):
            refusal = JSONResponse({"detail": "Not Found"}, HTTPStatus.NOT_FOUND)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, _not_stored(send) if scope["path"] in _PERSONAL else send)

    def _is_used(self, request: Request) -> bool:
        asked = (request.method, request.scope["path"])
        if self._sessions is not None and asked in _FREE:
            return True
        # A deep link opens what somebody stored of a session.
        return _USED.fullmatch(" ".join(asked)) is not None and "deep_link" not in request.query_params

    async def _admit(self, request: Request) -> Response | None:
        """Note whose request it is; what to answer when it is nobody's."""
        if self._sessions is None or (request.method, request.scope["path"]) in _FREE:
            return None
        say = spoken(request)
        try:
            name = await self._sessions.name_of(request.cookies.get(COOKIE))
        except (SQLAlchemyError, TimeoutError) as error:
            logger.error("sign-ins cannot be checked: the database does not answer (%s)", type(error).__name__)
            return PlainTextResponse(say("sign_in.unchecked"), HTTPStatus.SERVICE_UNAVAILABLE)
        if name is not None:
            request.scope[_ACCOUNT] = name
            return None
        if request.scope["path"] == _PAGE and request.method in ("GET", "HEAD"):
            query = request.url.query
            return RedirectResponse(f".{SIGN_IN}{'?' if query else ''}{query}", HTTPStatus.SEE_OTHER)
        # Gradio's client shows one of the two, by the route; `static/session.js` says more.
        said = say("sign_in.needed")
        return JSONResponse({"detail": said, "error": said}, HTTPStatus.UNAUTHORIZED)


def needs_sign_in(config: UiConfig) -> bool:
    """Whether people sign in: where they are asked to, and wherever others than this machine's own can come."""
    return config.sign_in or not is_loopback(config.host)


def account_of(request: Request) -> str | None:
    """The name of the account that a request came from: Gradio's ``request.username``."""
    name: str | None = request.scope.get(_ACCOUNT)
    return name


def spoken(request: Request) -> Texts:
    """The words in the language that a request asks for, by ``?lang=`` or its browser."""
    asked = request.query_params.get("lang")
    return texts(asked if asked in INTERFACE_LANGUAGES else preferred(request.headers.get("accept-language")))


def _refuse_foreign(request: Request, *, named: bool) -> Response | None:
    """What to answer to a request that another site made in somebody's browser; None for one of our own."""
    say = spoken(request)
    if len(request.headers.getlist("host")) != 1 or (not named and not _is_own_name(request.headers["host"])):
        # A web page whose own name was made to point at this machine (DNS rebinding).
        return PlainTextResponse(say("sign_in.host"), HTTPStatus.FORBIDDEN)
    if request.method not in _SAFE and not _is_own_form(request.headers):
        return PlainTextResponse(say("sign_in.foreign"), HTTPStatus.FORBIDDEN)
    return None


def _is_own_name(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        return False
    return name is not None and is_loopback(name)


def _is_own_form(headers: Headers) -> bool:
    """Whether a page of ours sent it. Browsers say where a form stood; what says nothing is no browser.

    ``Sec-Fetch-Site`` comes over https and to loopback alone, ``Origin`` always; its scheme may differ behind a
    proxy.
    """
    if (site := headers.get("sec-fetch-site")) is not None:
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers["host"]


def _not_stored(send: Send) -> Send:
    async def with_header(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)["cache-control"] = "no-store"
        await send(message)

    return with_header
