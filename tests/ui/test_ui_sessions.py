"""The page's sessions: whose each is, and that the server forgets what was said in them."""

import asyncio
import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from running_page import RunningPage, sqlite_url

import ui.application
from ui.ask.conversation import Conversation
from ui.sessions import PageSessions

QUESTION = "A question that the server must not remember"
SILENCE_S = 1.0


class Forgotten:
    """Notes what it is told to forget."""

    def __init__(self) -> None:
        self.sessions: list[str] = []

    def keep(self, session: str) -> None:
        assert session not in self.sessions

    def forget(self, session: str) -> None:
        self.sessions.append(session)


async def test_a_session_belongs_to_the_account_that_used_it_first() -> None:
    sessions = PageSessions(Forgotten(), silence_s=0.05)
    assert sessions.enter("one", "Rao")
    assert not sessions.enter("one", "Sharma")
    assert sessions.enter("one", "Rao")
    sessions.leave("one")
    sessions.leave("one")
    assert not sessions.enter("one", "Sharma")
    assert sessions.enter("two", "Sharma")


async def test_a_session_is_forgotten_once_nothing_came_from_it_for_the_time_and_not_before() -> None:
    memory = Forgotten()
    sessions = PageSessions(memory, silence_s=0.2)
    for name in ("open", "back", "closed"):
        assert sessions.enter(name, None)
    sessions.leave("back")
    sessions.leave("closed")
    await asyncio.sleep(0.1)
    assert sessions.enter("back", None)  # its connection came back
    await asyncio.sleep(0.3)
    assert memory.sessions == ["closed"]
    sessions.leave("back")
    sessions.leave("open")
    await asyncio.sleep(0.3)
    assert memory.sessions == ["closed", "back", "open"]
    assert sessions.enter("open", "Sharma")  # nothing is left of it that was another's


async def test_of_too_many_silent_sessions_the_longest_silent_are_forgotten() -> None:
    memory = Forgotten()
    sessions = PageSessions(memory, most_silent=2)
    assert sessions.enter("open", None)
    for number in range(4):
        assert sessions.enter(str(number), None)
        sessions.leave(str(number))
    assert memory.sessions == ["0", "1"]


def _body(client: httpx.Client, session: str, **values: Any) -> dict[str, Any]:
    """What the page's script sends when "Ask" is pressed, every other input as it is at first."""
    config = client.get("/config").json()
    props = {one["id"]: one["props"] for one in config["components"]}
    names = {id: one.get("elem_id") for id, one in props.items()}
    button = next(id for id, name in names.items() if name == "send")
    ask = next(one for one in config["dependencies"] if [button, "click"] in one["targets"])
    data = [values.get(names[id], props[id].get("value")) for id in ask["inputs"]]
    return {"data": data, "fn_index": ask["id"], "session_hash": session}


def _remembered() -> bool:
    gc.collect()
    return any(
        exchange.question == QUESTION
        for one in gc.get_objects()
        if isinstance(one, Conversation)
        for exchange in one.exchanges
    )


@contextmanager
def _open_page(client: httpx.Client, session: str) -> Iterator[None]:
    """The connection that an open page holds."""
    with client.stream("GET", f"/gradio_api/heartbeat/{session}") as answer:
        assert answer.status_code == 200
        yield


def test_what_was_said_on_a_closed_page_is_gone_and_a_page_whose_connection_comes_back_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ui.application, "PageSessions", partial(PageSessions, silence_s=SILENCE_S))
    with (
        RunningPage("http://127.0.0.1:9/v1", sqlite_url(tmp_path)) as page,
        httpx.Client(base_url=page.url, timeout=30) as client,
    ):
        with _open_page(client, "one"):
            asked = client.post("/gradio_api/run/predict", json=_body(client, "one", question=QUESTION))
            assert asked.status_code == 200
            time.sleep(1.5 * SILENCE_S)
            assert _remembered()
        with _open_page(client, "one"):
            time.sleep(1.5 * SILENCE_S)
            assert _remembered()
        end = time.monotonic() + 10
        while _remembered():
            assert time.monotonic() < end
            time.sleep(0.2)
