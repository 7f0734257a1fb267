"""The tab Compare in a real browser, before a real gateway with two scripted models."""

import asyncio
import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from accessibility import assert_accessible
from aiohttp import web
from medical_gateway import ENGLISH_QUESTION, HINDI, HINDI_QUESTION, himed
from page_gateway import in_pieces, speaking, stream
from playwright.sync_api import Locator, Page, expect
from running import Handler, RunningGateway, ScriptedBackend
from running_page import RunningPage, sqlite_url
from served import until
from sqlalchemy import delete, select

from app.database import open_session
from app.tables import ComparisonVoteRow

pytestmark = pytest.mark.slow

QUOKKA, WOMBAT = "quokka-8b", "wombat-7b"
HOSTILE = "<script>alert(1)</script> <img src=x onerror=alert(2)>"
ANSWERS = {QUOKKA: himed(f"{HINDI} {HOSTILE}", "पहले लक्षण देखें।"), WOMBAT: f"पानी पिएँ। {HINDI}"}
# Gathers what the server sends the page from here on.
_HEAR = """() => {
  window.heard = '';
  const asked = window.fetch;
  window.fetch = async (...all) => {
    const answer = await asked(...all);
    const reader = answer.clone().body?.getReader();
    const decoder = new TextDecoder();
    const read = async () => {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        window.heard += decoder.decode(value, { stream: true });
      }
    };
    if (reader) read().catch(() => {});
    return answer;
  };
}"""


@pytest.fixture(scope="module")
def backend() -> Iterator[ScriptedBackend]:
    with ScriptedBackend(models=(QUOKKA, WOMBAT)) as backend:
        yield backend


@pytest.fixture(scope="module")
def running(backend: ScriptedBackend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPage]:
    addresses = {name: (backend.address(f"{name}/0"),) for name in (QUOKKA, WOMBAT)}
    formats = {QUOKKA: "himed", WOMBAT: "plain"}
    models = {
        name: {"format": formats[name], "backends": [{"url": found.base_url}]} for name, (found,) in addresses.items()
    }
    with (
        RunningGateway(addresses, config={"models": models}) as gateway,
        RunningPage(gateway.url, sqlite_url(tmp_path_factory.mktemp("compare"))) as page,
    ):
        yield page


@pytest.fixture(autouse=True)
def _fresh(backend: ScriptedBackend, running: RunningPage) -> None:
    backend.handler = speaking(ANSWERS)
    backend.requests.clear()
    with open_session(running.engine) as session:
        session.execute(delete(ComparisonVoteRow))


def open_tab(page: Page) -> None:
    page.get_by_role("tab").nth(2).click()
    expect(page.locator("#compare-question textarea")).to_be_visible()
    expect(page.locator("#compare-wins h3")).to_be_visible()


def ask(page: Page, question: str = HINDI_QUESTION) -> None:
    page.fill("#compare-question textarea", question)
    page.click("#compare-ask")


def ballot(page: Page) -> Locator:
    found = page.locator(".ballot button")
    expect(found).to_have_count(4, timeout=20_000)
    return found


def choose(page: Page, picker: str, name: str) -> None:
    page.click(f"{picker} input")
    page.locator(picker).get_by_role("option", name=name).click()


def votes(running: RunningPage) -> list[ComparisonVoteRow]:
    with open_session(running.engine) as session:
        return list(session.scalars(select(ComparisonVoteRow).order_by(ComparisonVoteRow.id)))


def failing(name: str) -> Handler:
    """One model refuses, the other answers."""
    speak = speaking(ANSWERS)

    async def handler(request: web.Request) -> web.StreamResponse:
        if orjson.loads(await request.read())["model"] == name:
            return web.json_response({"error": {"message": "out of memory"}}, status=500)
        return await speak(request)

    return handler


async def lingering(request: web.Request) -> web.StreamResponse:
    """All of an answer but its end."""
    text = ANSWERS[orjson.loads(await request.read())["model"]]
    response = await stream(request, in_pieces(text), 0.01)
    await asyncio.sleep(120)
    return response


def test_the_names_are_hidden_until_the_vote_which_is_stored_once(running: RunningPage, open_page: Any) -> None:
    page = open_page(running.url)
    open_tab(page)
    expect(page.locator("#compare-wins")).to_contain_text("Nobody has voted yet.")
    expect(page.locator("#compare-head")).to_contain_text("stored with the question and both answers")
    page.evaluate(_HEAR)
    ask(page)
    buttons = ballot(page)
    assert page.locator("#duel h3").all_inner_texts() == ["Answer 1", "Answer 2"]
    shown = page.content()
    heard = page.evaluate("window.heard")
    assert "Answer 2" in heard
    for name in (QUOKKA, WOMBAT):
        assert name not in shown
        assert name not in heard
    assert votes(running) == []

    buttons.nth(1).focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(page.locator("#compare-voted")).to_be_visible()
    expect(page.locator("#compare-voted")).to_be_focused()
    (row,) = votes(running)
    assert (row.vote, row.question, row.language, row.who) == ("b", HINDI_QUESTION, "hi", "")
    assert {row.model_a, row.model_b} == {QUOKKA, WOMBAT}
    answers = {QUOKKA: f"{HINDI} {HOSTILE}", WOMBAT: ANSWERS[WOMBAT]}
    assert (row.answer_a, row.answer_b) == (answers[row.model_a], answers[row.model_b])
    assert row.request_a != row.request_b
    assert page.locator(".revealed dd").all_inner_texts() == [row.model_a, row.model_b]
    is_quokka = page.locator("#compare-answer-1").get_by_text(HOSTILE).count() == 1
    assert is_quokka == (row.model_a == QUOKKA)
    wins = page.locator("#compare-wins tbody tr").first
    wins_1, wins_2 = ("1", "0") if row.model_b == QUOKKA else ("0", "1")
    assert wins.locator("th, td").all_inner_texts()[:7] == [QUOKKA, WOMBAT, "1", wins_1, wins_2, "0", "0"]


def test_a_double_press_is_one_vote_and_each_question_has_its_own(running: RunningPage, open_page: Any) -> None:
    page = open_page(running.url)
    open_tab(page)
    ask(page)
    ballot(page).nth(2).dblclick()
    expect(page.locator("#compare-voted")).to_contain_text("Both equally good")
    ask(page, ENGLISH_QUESTION)
    # As a press on the first question's picture comes when it is late.
    ballot(page).nth(0).evaluate("button => { button.dataset.number = '1'; button.click(); }")
    page.wait_for_timeout(300)
    assert len(votes(running)) == 1
    ballot(page).nth(3).click()
    expect(page.locator("#compare-voted")).to_contain_text("Neither is good")
    assert [(row.vote, row.question) for row in votes(running)] == [
        ("tie", HINDI_QUESTION),
        ("neither", ENGLISH_QUESTION),
    ]
    expect(page.locator("#compare-wins tbody tr")).to_have_count(3)  # one pair, two models


def test_a_models_text_stays_text(running: RunningPage, open_page: Any) -> None:
    page = open_page(running.url)
    open_tab(page)
    ask(page)
    ballot(page)
    assert page.locator("#duel script, #duel img").count() == 0
    assert page.locator("#duel").get_by_text(HOSTILE).count() == 1


def test_both_stream_side_by_side_and_stopping_ends_both(
    running: RunningPage, backend: ScriptedBackend, open_page: Any
) -> None:
    backend.handler = lingering
    page = open_page(running.url)
    open_tab(page)
    ask(page)
    for place in (1, 2):
        expect(page.locator(f"#compare-answer-{place} .contender[aria-busy]")).to_be_visible()
    expect(page.locator("#compare-answer-1")).to_contain_text(re.compile("मरीज|पानी"), timeout=20_000)
    expect(page.locator("#compare-answer-2")).to_contain_text(re.compile("मरीज|पानी"), timeout=20_000)
    left, right = (page.locator(f"#compare-answer-{place}").bounding_box() for place in (1, 2))
    assert left is not None
    assert right is not None
    assert left["x"] + left["width"] <= right["x"]
    assert abs(left["y"] - right["y"]) < 2

    asked = len(backend.requests)
    page.focus("#compare-question textarea")
    page.keyboard.press("Shift+Enter")  # not while these are growing
    page.wait_for_timeout(500)
    assert len(backend.requests) == asked == 2
    expect(page.locator("#compare-stop")).to_be_visible()
    page.locator("#interface-language input").nth(1).check()
    expect(page.locator("#compare-head h2")).to_have_text("दो मॉडलों की तुलना")
    page.click("#compare-stop")
    expect(page.locator("#compare-verdict [role=alert]")).to_contain_text("आपने उत्तर रोक दिए")
    page.locator("#interface-language input").nth(0).check()
    expect(page.locator("#compare-verdict [role=alert]")).to_contain_text("You stopped the answers")
    expect(page.locator("#compare-ask")).to_be_visible()
    assert page.locator(".ballot").count() == 0
    until(lambda: backend.open == 0)


def test_a_page_that_is_closed_ends_both(running: RunningPage, backend: ScriptedBackend, open_page: Any) -> None:
    backend.handler = speaking(ANSWERS, wait_s=0.5)
    page = open_page(running.url)
    open_tab(page)
    ask(page)
    until(lambda: backend.open == 2)
    page.close()
    until(lambda: backend.open == 0)


def test_where_one_fails_nobody_votes(running: RunningPage, backend: ScriptedBackend, open_page: Any) -> None:
    backend.handler = failing(WOMBAT)
    page = open_page(running.url)
    open_tab(page)
    ask(page)
    expect(page.locator("#compare-verdict [role=alert]")).to_contain_text("nothing to vote on", timeout=20_000)
    expect(page.locator("#duel .problem")).to_have_count(1)
    assert page.locator(".ballot").count() == 0
    assert WOMBAT not in page.content()


def test_what_cannot_be_asked_is_said(running: RunningPage, open_page: Any) -> None:
    page = open_page(running.url)
    open_tab(page)
    problem = page.locator("#compare-problem [role=alert]")
    ask(page, "  ")
    expect(problem).to_have_text("Please type a question first.")
    ask(page, "q" * 32_001)
    expect(problem).to_contain_text("This is too long for the model.")
    choose(page, "#compare-first", QUOKKA)
    choose(page, "#compare-second", QUOKKA)
    ask(page)
    expect(problem).to_have_text("These are one and the same model. Please choose two different ones.")
    choose(page, "#compare-second", WOMBAT)
    ask(page)
    ballot(page)
    expect(problem).to_have_count(0)


def test_a_gateway_that_is_away_is_said_in_plain_words(tmp_path: Path, open_page: Any) -> None:
    with RunningPage("http://127.0.0.1:9", sqlite_url(tmp_path)) as running:
        page = open_page(running.url)
        open_tab(page)
        ask(page)
        expect(page.locator("#compare-problem [role=alert]")).to_contain_text("cannot be reached", timeout=20_000)


def test_the_table_of_wins_and_its_csv(running: RunningPage, open_page: Any) -> None:
    given = [(QUOKKA, WOMBAT, "a", 6), (WOMBAT, QUOKKA, "b", 3), (WOMBAT, QUOKKA, "a", 1), (QUOKKA, WOMBAT, "tie", 2)]
    with open_session(running.engine) as session:
        for model_a, model_b, vote, n in given:
            session.add_all(
                ComparisonVoteRow(question="?", model_a=model_a, model_b=model_b, vote=vote) for _ in range(n)
            )
    page = open_page(running.url)
    open_tab(page)
    cells = page.locator("#compare-wins tbody tr").first.locator("th, td").all_inner_texts()
    # 9 of 10 decided; 2 (1 + 10) / 1024 by the sign test.
    assert [cell.strip() for cell in cells] == [
        QUOKKA, WOMBAT, "12", "9", "1", "2", "0", "90.0 %", "59.6–98.2", "10", "0.0215"
    ]  # fmt: skip
    for table, name, first in (
        ("pairs", "himed-wins-pairs.csv", [QUOKKA, WOMBAT, "12"]),
        ("models", "himed-wins-models.csv", [QUOKKA, "12", "9"]),
    ):
        with page.expect_download() as downloading:
            page.click(f"#compare-wins [data-table={table}]")
        assert downloading.value.suggested_filename == name
        rows = list(csv.reader(downloading.value.path().read_text(encoding="utf-8-sig").splitlines()))
        assert rows[1][:3] == first


@pytest.mark.parametrize(("width", "language"), [(1280, "en-GB"), (390, "hi-IN")])
def test_it_is_accessible_and_fits_a_phone(width: int, language: str, running: RunningPage, open_page: Any) -> None:
    page = open_page(running.url, width=width, language=language)
    open_tab(page)
    assert_accessible(page)
    ask(page)
    ballot(page)
    assert_accessible(page)
    ballot(page).first.click()
    expect(page.locator(".revealed")).to_be_visible()
    expect(page.locator("#compare-wins table").first).to_be_visible()
    assert_accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if width < 400:
        expect(page.locator("#compare-head h2")).to_have_text("दो मॉडलों की तुलना")
        first, second = (page.locator(f"#compare-answer-{place}").bounding_box() for place in (1, 2))
        assert first is not None
        assert second is not None
        assert first["y"] + first["height"] <= second["y"]
