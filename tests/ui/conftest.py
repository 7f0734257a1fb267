"""A real Chromium, and pages opened in it that must stay clean."""

import os
import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from running_page import AWAY, NAME, PASSWORD, RunningPage, sqlite_url
from sqlalchemy import Engine

from app.schema import open_database
from ui.accounts.store import AccountStore

expect.set_options(timeout=15_000)  # a machine with more to do than these tests

CHROMIUM = os.environ.get("TEST_CHROMIUM")
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
OpenPage = Callable[..., Page]


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An empty results database, SQLite and PostgreSQL in turn."""
    engine = open_database(database_url)
    yield engine
    engine.dispose()


# For a module, not for the session: while it is there, Playwright's event loop runs in the tests' own thread, where
# other tests start theirs.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium, headless."""
    executable = CHROMIUM or next((found for name in _NAMES if (found := shutil.which(name))), None)
    if executable is None:
        pytest.skip("no Chromium: run `make browser` as root, or install the packages chromium and fonts-noto-core")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=list(_OPTIONS))
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Opens a URL in a window of its own and waits until it is drawn: ``open_page(url, width=390, language="hi")``.

    When the test ends, no script of the page has failed, none has opened a dialog, no handler has failed, and nothing
    was asked of another host.
    """
    contexts = []
    faults: list[str] = []

    def open_one(url: str, *, width: int = 1280, height: int = 900, language: str = "en-GB") -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, locale=language)
        contexts.append(context)
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = context.new_page()
        host = "/".join(url.split("/")[:3])
        page.on("pageerror", lambda error: faults.append(f"script: {error}"))
        page.on("dialog", lambda dialog: (faults.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on(
            "request",
            lambda request: (
                None if request.url.startswith((host, "data:", "blob:")) else faults.append(f"asked {request.url}")
            ),
        )
        page.on(
            "response",
            lambda answer: faults.append(f"{answer.status} {answer.url}") if answer.status >= 500 else None,
        )
        page.goto(url)
        page.wait_for_selector("#question textarea", timeout=30_000)
        page.wait_for_selector(".welcome h2:visible", timeout=30_000)
        page.wait_for_selector(".foot p:visible", timeout=30_000)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert not faults, faults


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPage]:
    """A page that asks people to sign in, without a gateway."""
    with RunningPage(AWAY, sqlite_url(tmp_path_factory.mktemp("guarded")), sign_in=True) as page:
        AccountStore(page.engine).add(NAME, PASSWORD)
        yield page
