"""The web application: Gradio's page on FastAPI, with the headers that keep it to itself."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from fastapi import FastAPI
from sqlalchemy import Engine
from starlette.datastructures import MutableHeaders
from starlette.routing import Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.database import open_engine
from ui.accounts.door import Door, account_of, needs_sign_in
from ui.accounts.pages import SignIn, session_script
from ui.accounts.sessions import Sessions
from ui.accounts.store import AccountStore
from ui.config import UiConfig
from ui.gateway import Gateway
from ui.sessions import MOST_SESSIONS, GradioMemory, PageSessions, SessionGuard

# Before Gradio is imported: it reports its starts to its makers otherwise.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

# Nothing is loaded from, or sent to, anywhere else. Gradio's own scripts are compiled in the browser ('unsafe-eval').
_HEADERS: Final = {
    "content-security-policy": "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; "
    "worker-src 'self' blob:; object-src 'none'; frame-ancestors 'none'; base-uri 'self'; form-action 'self'",
    # Not no-referrer: browsers would hide from us too which site a form stood on.
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}
# Gradio's own limit is 40, for handlers that take a thread. Ours wait for models in the event loop.
_ANSWERS_AT_ONCE: Final = 1000


class Headers:
    """Adds the headers to every answer that has none of its own (pure ASGI: streams pass as they come)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)


def build_application(config: UiConfig, engine: Engine) -> FastAPI:
    """The page as a FastAPI application.

    Its ``state.answering()`` says whether answers are being read. ``state.let_go()`` is for the server's end: every
    open page holds a request open that ends with nothing else, and with it end the page's answers.

    Raises:
        InputError: the gateway's URL cannot be used.
    """
    import gradio as gr

    from ui.interface import Interface
    from ui.markup import STATIC
    from ui.page import Page, build_page
    from ui.theme import HEAD, build_theme

    gateway = Gateway(config.base_url, config.api_key)
    blocks = build_page(Page(Interface(), gateway, engine, config))
    blocks.queue(default_concurrency_limit=None, max_size=None, api_open=False)
    blocks._queue.max_thread_count = _ANSWERS_AT_ONCE
    blocks.state_session_capacity = MOST_SESSIONS
    # Connections of its own: whoever waits for the tabs' cannot keep people out.
    accounts = open_engine(config.db) if needs_sign_in(config) else None

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        try:
            yield
        finally:
            if accounts is not None:
                accounts.dispose()
            await gateway.close()

    application = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    sessions = _add_sign_in(application, accounts) if accounts is not None else None
    gr.mount_gradio_app(
        application,
        blocks,
        path="/",
        auth_dependency=account_of if sessions is not None else None,
        theme=build_theme(),
        css_paths=sorted(STATIC.glob("*.css")),
        head=HEAD + (session_script() if sessions is not None else ""),
        footer_links=[],
        run_history=False,
        show_error=False,
        enable_monitoring=False,
        pwa=False,
        max_file_size=0,
    )
    mounted: Any = next(route.app for route in application.routes if isinstance(route, Mount))
    application.add_middleware(SessionGuard, sessions=PageSessions(GradioMemory(mounted)))
    application.add_middleware(Door, sessions=sessions)
    application.add_middleware(Headers)
    application.state.let_go = mounted.stop_event.set
    application.state.answering = lambda: any(job is not None for job in blocks._queue.active_jobs)
    return application


def _add_sign_in(application: FastAPI, engine: Engine) -> Sessions:
    store = AccountStore(engine)
    sessions = Sessions(store)
    application.router.routes += SignIn(store, sessions).routes()
    return sessions
