"""The page in a thread of the test's own process, for the time of a block."""

import threading
import time
from pathlib import Path
from typing import Any, Self

import uvicorn

from app.schema import open_database
from ui.application import build_application
from ui.config import UiConfig

NAME, PASSWORD = "Dr. <b>Sharma</b>", "a long password"
AWAY = "http://127.0.0.1:9/v1"  # a gateway that is not there


class RunningPage:
    """`himed-ui` before a gateway; ``url`` ends without a slash."""

    def __init__(self, gateway_url: str, database_url: str, **config: Any) -> None:
        self.engine = open_database(database_url)
        settings = {"api_key": None, "port": 0} | config
        application = build_application(UiConfig(gateway_url, db=database_url, **settings), self.engine)
        self._server = uvicorn.Server(uvicorn.Config(application, port=0, log_level="warning"))
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self.url = ""

    def __enter__(self) -> Self:
        self._thread.start()
        end = time.monotonic() + 30
        while not self._server.started:
            assert self._thread.is_alive(), "the page did not start"
            assert time.monotonic() < end, "the page did not start in time"
            time.sleep(0.02)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join(20)
        self.engine.dispose()


def sqlite_url(folder: Path) -> str:
    """The URL of a database in a folder."""
    return f"sqlite:///{folder / 'page.db'}"
