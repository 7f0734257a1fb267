"""Runs the page until a signal comes."""

import asyncio
import contextlib
import logging
import signal
import socket
import sys
from collections.abc import Iterator
from typing import Any, Final

import uvicorn
import uvloop
from fastapi import FastAPI

from app.errors import InputError
from app.schema import open_database
from server.listener import listen, open_listener, url_of
from server.logs import set_up_logs
from server.waiting import until
from ui.accounts.door import needs_sign_in
from ui.accounts.store import AccountStore
from ui.config import UiConfig

logger = logging.getLogger(__name__)

_DRAIN_S: Final = 5.0  # for answers that are being read when the page is stopped
_LAST_WORDS_S: Final = 1  # for requests that are broken off


def serve(config: UiConfig) -> None:
    """Serve the page until SIGTERM or SIGINT: the first lets open answers end within 5 s, the second does not.

    Raises:
        InputError: the gateway's URL, the database or the address cannot be used, or people have to sign in and nobody
            has an account.
    """
    set_up_logs("WARNING")
    logging.captureWarnings(True)  # lines of the log too, what a handler says to a page that cannot be shown it as well
    _ = config.base_url  # refused at once, not after the page was built
    with open_listener(config.host, config.port) as listener:
        engine = open_database(config.db)
        try:
            if needs_sign_in(config) and not AccountStore(engine).anybody():
                raise InputError(
                    "people must sign in to this page, and nobody has an account",
                    remedy='make one with himed-ui users add "Dr. Sharma", for the same --db',
                )
            from ui.application import build_application

            _log_gradios_errors()
            server = PageServer(build_application(config, engine), listener)
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(server.serve_until_signal())
        finally:
            engine.dispose()


class PageServer(uvicorn.Server):
    """uvicorn with signals of its own: it ends with exit code 0, and open pages do not hold it up."""

    def __init__(self, application: FastAPI, listener: socket.socket) -> None:
        self._application, self._listener = application, listener
        self._at_once = False
        super().__init__(
            uvicorn.Config(
                application,
                loop="none",  # it runs in the caller's
                ws="none",
                log_config=None,
                log_level="error",
                access_log=False,  # its lines hold queries
                server_header=False,
                timeout_graceful_shutdown=_LAST_WORDS_S,
            )
        )
        logging.getLogger("uvicorn.error").addFilter(_no_cancellation)

    async def serve_until_signal(self) -> None:
        """Serve in the caller's loop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        listen(self._listener)
        await self.serve(sockets=[self._listener])

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing: uvicorn would raise the signal again at the end."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Say where the page is, once it can be opened."""
        await super().startup(sockets)
        if self.started:
            print(f"himed-ui: {url_of(self._listener)}/ (Ctrl-C stops it)", flush=True)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more connections, wait for open answers, let go of the open pages, end the rest."""
        for server in self.servers:
            server.close()
        state = self._application.state
        await until(lambda: self._at_once or not state.answering(), _DRAIN_S)
        state.let_go()
        await super().shutdown(sockets)

    def _stop(self) -> None:
        """The first signal lets open answers end, the second does not."""
        self._at_once = self.should_exit
        self.should_exit = True


def _no_cancellation(record: logging.LogRecord) -> bool:
    """What we break off ourselves when we stop is no error."""
    broken_off = record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError)
    return not broken_off and "timeout graceful shutdown exceeded" not in record.getMessage()


def _log_gradios_errors() -> None:
    """Gradio prints the traceback of a handler that failed, with messages that may hold a question. It becomes a line
    of the log, without them."""
    import gradio.queueing
    import gradio.route_utils
    import gradio.routes

    for module in (gradio.queueing, gradio.route_utils, gradio.routes):
        vars(module)["traceback"] = _Traceback


class _Traceback:
    """In place of the module `traceback` in Gradio's."""

    @staticmethod
    def print_exc(*_: Any, **__: Any) -> None:
        """A line of the log; none for what we break off ourselves when we stop."""
        if not isinstance(sys.exc_info()[1], asyncio.CancelledError):
            logger.error("a handler of the page failed", exc_info=True)
