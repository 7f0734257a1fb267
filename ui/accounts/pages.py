"""The sign-in page and the end of a session: plain forms, without JavaScript."""

import asyncio
import hashlib
import json
import logging
import math
from base64 import b64encode
from functools import cache
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs, urlencode

from markupsafe import Markup
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from ui.accounts.door import COOKIE, SIGN_IN, SIGN_OUT, spoken
from ui.accounts.passwords import LONGEST
from ui.accounts.sessions import Sessions
from ui.accounts.store import LIFE, AccountStore
from ui.accounts.throttle import Throttle
from ui.markup import STATIC, render
from ui.texts import INTERFACE_LANGUAGES, texts

logger = logging.getLogger(__name__)

_MOST_BYTES: Final = 16 * LONGEST  # of a form: characters of 4 bytes, each written as %XX
_AT_ONCE: Final = 2  # passwords being checked; each takes a core and 32 MiB


class SignIn:
    """Shows the page, takes its form, and ends sessions."""

    def __init__(self, store: AccountStore, sessions: Sessions, throttle: Throttle | None = None) -> None:
        self._store, self._sessions = store, sessions
        self._throttle = throttle or Throttle()
        self._checking = asyncio.Semaphore(_AT_ONCE)

    def routes(self) -> list[Route]:
        """The routes, which the door leaves free."""
        return [
            Route(SIGN_IN, self.show, methods=["GET"]),
            Route(SIGN_IN, self.enter, methods=["POST"]),
            Route(SIGN_OUT, self.leave, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """The page."""
        return _draw(request, notice="sign_in.out" if "out" in request.query_params else None)

    async def enter(self, request: Request) -> Response:
        """Take name and password."""
        if (form := await _read_form(request)) is None:
            return _draw(request, HTTPStatus.BAD_REQUEST, problem="sign_in.wrong")
        name, password = form.get("name", "").strip(), form.get("password", "")
        address = request.client.host if request.client else ""
        if (wait := self._throttle.begin(name, address)) > 0:
            logger.warning("a sign-in from %s has to wait: too many failed", address)
            return _draw(request, HTTPStatus.TOO_MANY_REQUESTS, problem="sign_in.wait", name=name, wait_s=wait)
        try:
            async with self._checking:
                token = await asyncio.to_thread(self._store.sign_in, name, password)
            if token is not None:
                await self._end(request)
        except SQLAlchemyError as error:
            logger.error("nobody can sign in: the database failed (%s)", type(error).__name__)
            return _draw(request, HTTPStatus.SERVICE_UNAVAILABLE, problem="sign_in.unchecked", name=name)
        if token is None:
            logger.warning("a sign-in from %s failed", address)
            return _draw(request, HTTPStatus.UNAUTHORIZED, problem="sign_in.wrong", name=name)
        self._throttle.succeeded(name, address)
        return self._with_cookie(request, RedirectResponse(_beside(request, "./"), HTTPStatus.SEE_OTHER), token)

    async def leave(self, request: Request) -> Response:
        """Sign out, whoever it is."""
        try:
            await self._end(request)
        except SQLAlchemyError as error:
            logger.error("nobody can sign out: the database failed (%s)", type(error).__name__)
            return _draw(request, HTTPStatus.SERVICE_UNAVAILABLE, problem="sign_in.unchecked")
        where = _beside(request, f".{SIGN_IN}", out="1")
        return self._with_cookie(request, RedirectResponse(where, HTTPStatus.SEE_OTHER), None)

    async def _end(self, request: Request) -> None:
        if (token := request.cookies.get(COOKIE)) is not None:
            await asyncio.to_thread(self._store.sign_out, token)
            self._sessions.forget(token)

    @staticmethod
    def _with_cookie(request: Request, response: Response, token: str | None) -> Response:
        # Lax, not Strict: whoever follows a link to the page, from a letter or a chat, stays signed in.
        response.set_cookie(
            COOKIE,
            token or "",
            max_age=int(LIFE.total_seconds()) if token else 0,
            path=request.scope.get("root_path") or "/",
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="lax",
        )
        return response


async def _read_form(request: Request) -> dict[str, str] | None:
    """The fields of a form; None when it is none that people fill in."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_BYTES:
            return None
    try:
        fields = parse_qs(body.decode("ascii", "replace"), keep_blank_values=True, max_num_fields=10)
    except ValueError:
        return None
    return {name: values[0] for name, values in fields.items()}


def _beside(request: Request, place: str, **values: str) -> str:
    """A place beside the sign-in page, in the language that this one was chosen in."""
    if (code := request.query_params.get("lang")) in INTERFACE_LANGUAGES:
        values["lang"] = str(code)
    return f"{place}?{urlencode(values)}" if values else place


def _draw(
    request: Request,
    status: HTTPStatus = HTTPStatus.OK,
    *,
    problem: str | None = None,
    notice: str | None = None,
    name: str = "",
    wait_s: float = 0.0,
) -> Response:
    say = spoken(request)
    style, hashed = _style()
    said = say.count(problem, math.ceil(wait_s / 60)) if problem and wait_s else say(problem) if problem else None
    html = render(
        "sign_in.html",
        say=say,
        languages=INTERFACE_LANGUAGES,
        style=style,
        problem=said,
        notice=say(notice) if notice else None,
        name=name,
    )
    headers = {
        "cache-control": "no-store",
        "content-security-policy": f"default-src 'none'; style-src 'sha256-{hashed}'; img-src data:; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        "content-language": say.code,
        "vary": "Accept-Language",
    }
    if wait_s:
        headers["retry-after"] = str(math.ceil(wait_s))
    return HTMLResponse(html, status, headers)


@cache
def _style() -> tuple[Markup, str]:
    """The page's CSS, and its SHA-256 in base64, by which the browser knows it."""
    style = "".join((STATIC / name).read_text(encoding="utf-8") for name in ("style.css", "sign_in.css"))
    return Markup(style), b64encode(hashlib.sha256(style.encode()).digest()).decode()  # noqa: S704  # a file of ours


def session_script() -> str:
    """The script by which an open page says that its sign-in has ended."""
    keys = ("ended", "again")
    words = {code: {key: texts(code)(f"sign_in.{key}") for key in keys} for code in INTERFACE_LANGUAGES}
    script = (STATIC / "session.js").read_text(encoding="utf-8")
    return f"<script>{script.replace('__WORDS__', json.dumps(words))}</script>"
