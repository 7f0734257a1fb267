"""The tab Ask in a real browser, before a real gateway with scripted models."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from accessibility import assert_accessible
from medical_gateway import AMHARIC, AMHARIC_QUESTION, ENGLISH, ENGLISH_QUESTION, HINDI_QUESTION, medical_backend
from medical_gateway import medical_gateway as gateway_before
from page_gateway import ENGLISH_SENTENCE, speaking
from playwright.sync_api import Page, expect
from running import RunningGateway, ScriptedBackend
from running_page import RunningPage, sqlite_url
from served import until
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.notices import notice
from app.prompts import build_messages
from app.schema import open_database
from app.tables import FeedbackRow
from server.store import Store

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("page")


@pytest.fixture(scope="module")
def backend() -> Iterator[ScriptedBackend]:
    with medical_backend() as backend:
        yield backend


@pytest.fixture(scope="module")
def gateway(backend: ScriptedBackend, folder: Path) -> Iterator[RunningGateway]:
    engine = open_database(sqlite_url(folder))
    with gateway_before(backend, store=Store(engine)) as gateway:
        yield gateway
    engine.dispose()


@pytest.fixture(scope="module")
def running(gateway: RunningGateway, folder: Path) -> Iterator[RunningPage]:
    with RunningPage(gateway.url, sqlite_url(folder)) as page:
        yield page


@pytest.fixture(autouse=True)
def _fresh(backend: ScriptedBackend) -> None:
    backend.handler = speaking()
    backend.requests.clear()


def ask(page: Page, question: str, *, wait: bool = True) -> None:
    page.fill("#question textarea", question)
    page.click("#send")
    if wait:
        expect(page.locator("#present .exchange:not([aria-busy]) .badges")).to_be_visible(timeout=20_000)


def stored(folder: Path) -> list[FeedbackRow]:
    engine = open_database(sqlite_url(folder))
    with Session(engine) as session:
        rows = list(session.scalars(select(FeedbackRow).order_by(FeedbackRow.id)))
    engine.dispose()
    return rows


def test_a_hindi_answer_streams_with_its_reasoning_folded_and_its_english_marked(
    running: RunningPage, backend: ScriptedBackend, open_page: Any
) -> None:
    backend.handler = speaking(wait_s=0.05)
    page = open_page(running.url)
    ask(page, HINDI_QUESTION, wait=False)
    expect(page.locator("#present .exchange[aria-busy]")).to_be_visible()
    reasoning = page.locator("#present details.reasoning")
    expect(reasoning).to_be_visible()
    assert reasoning.get_attribute("open") is None
    reasoning.locator("summary").click()
    answer = page.locator("#present .answer > .prose")
    expect(answer).to_be_visible(timeout=10_000)
    partly = answer.inner_text()
    expect(page.locator("#present .badges")).to_be_visible(timeout=20_000)
    assert len(partly) < len(answer.inner_text())  # it grew
    assert reasoning.get_attribute("open") is not None  # and stayed open while it did
    expect(page.locator("#present .badge.warn")).to_contain_text("Partly in English")
    expect(page.locator("#present mark")).to_have_text(ENGLISH_SENTENCE)
    assert page.locator("#present mark").get_attribute("title") == "English"
    expect(page.locator("#present .notice")).to_have_text(notice("hi"))
    expect(page.locator("#present .who")).to_have_text("himed")
    assert page.locator("#present .answer").get_attribute("lang") == "hi"
    # What the model wrote as HTML is there to be read, and nothing of it runs (`open_page` watches for dialogs).
    assert "<script>alert(1)</script> <img src=x onerror=alert(2)>" in answer.inner_text()
    assert page.locator("#present img, #present script").count() == 0


def test_amharic_and_english_go_to_their_models_and_a_conversation_is_remembered(
    running: RunningPage, backend: ScriptedBackend, open_page: Any
) -> None:
    page = open_page(running.url)
    ask(page, AMHARIC_QUESTION)
    expect(page.locator("#present .answer > .prose")).to_have_text(AMHARIC)
    expect(page.locator("#present .badge.good")).to_have_text("✓ In Amharic")
    page.locator("#present details.reasoning summary").click()
    expect(page.locator("#present .reasoning .prose p")).to_have_text(["First the symptoms.", "Then the tests."])
    ask(page, ENGLISH_QUESTION)
    expect(page.locator("#past .answer > .prose")).to_have_text(AMHARIC)
    expect(page.locator("#present .answer > .prose")).to_have_text(ENGLISH)
    assert [request["model"] for request in backend.requests] == ["cure", "plain"]
    assert [message["content"] for message in backend.requests[1]["messages"]][1] == AMHARIC


def test_the_language_is_found_while_typing_and_can_be_overridden(
    running: RunningPage, backend: ScriptedBackend, open_page: Any
) -> None:
    page = open_page(running.url)
    language = page.locator("#question-language input")
    page.fill("#question textarea", AMHARIC_QUESTION)
    expect(page.locator("#found p")).to_have_text("Language of the question: Amharic")
    page.fill("#question textarea", HINDI_QUESTION)
    expect(page.locator("#found p")).to_have_text("Language of the question: Hindi")
    language.click()
    page.get_by_role("option", name="English").click()
    page.click("#send")
    expect(page.locator("#present .badges")).to_be_visible(timeout=20_000)
    assert backend.requests[0]["messages"] == build_messages(HINDI_QUESTION, format="plain", language="en")
    page.fill("#question textarea", "??")
    language.click()
    page.get_by_role("option", name="From the question").click()
    page.click("#send")
    expect(page.locator("#present .problem")).to_contain_text("choose it beside the question")
    language.click()
    page.get_by_role("option", name="English").click()
    page.click("#retry")  # asks as is chosen now
    expect(page.locator("#present .badges")).to_be_visible(timeout=20_000)


def test_stop_ends_the_generation_and_keeps_what_came(
    running: RunningPage, backend: ScriptedBackend, open_page: Any
) -> None:
    backend.handler = speaking(wait_s=1.0)
    page = open_page(running.url)
    ask(page, ENGLISH_QUESTION, wait=False)
    answer = page.locator("#present .answer > .prose")
    expect(answer).to_be_visible(timeout=10_000)
    expect(page.locator("#send")).to_be_hidden()
    page.fill("#question textarea", "And then?")  # while the answer comes
    page.get_by_label("हिन्दी").click()
    page.click("#stop")
    expect(page.locator("#present .badge")).to_have_text("आपने रोका")  # in the language that the page has by then
    until(lambda: backend.open == 0, 5)
    assert ENGLISH.startswith(answer.inner_text())
    expect(page.locator("#send")).to_be_visible()
    expect(page.locator("#question textarea")).to_be_focused()
    assert page.input_value("#question textarea") == "And then?"


def test_a_page_that_is_closed_ends_its_generation(
    running: RunningPage, backend: ScriptedBackend, open_page: Any
) -> None:
    backend.handler = speaking(wait_s=1.0)
    page = open_page(running.url)
    ask(page, ENGLISH_QUESTION, wait=False)
    until(lambda: backend.open == 1)
    page.close()
    until(lambda: backend.open == 0, 8)


def test_retry_edit_copy_and_new(running: RunningPage, backend: ScriptedBackend, open_page: Any) -> None:
    page = open_page(running.url)
    ask(page, ENGLISH_QUESTION)
    page.click("#copy")
    assert page.evaluate("navigator.clipboard.readText()") == ENGLISH
    backend.handler = speaking({"plain": "Rest and drink plenty of water, and see a doctor if it lasts."})
    page.click("#retry")
    expect(page.locator("#present .answer > .prose")).to_contain_text("Rest and drink", timeout=20_000)
    expect(page.locator("#conversation .question")).to_have_count(1)
    assert len(backend.requests[1]["messages"]) == 1  # what was asked again is no turn before itself
    expect(page.locator("#edit")).to_be_visible()
    page.click("#edit")
    expect(page.locator("#question textarea")).to_have_value(ENGLISH_QUESTION)
    expect(page.locator(".welcome h2")).to_be_visible()
    ask(page, ENGLISH_QUESTION)
    page.click("[data-action=correct]")
    expect(page.locator("#correction textarea")).to_be_visible()
    page.click("#new")
    expect(page.locator(".welcome h2")).to_be_visible()
    expect(page.locator("#after")).to_be_hidden()
    expect(page.locator("#feedback")).to_be_hidden()


def test_a_text_that_is_too_long_stays_in_its_box_and_is_said_to_be(
    running: RunningPage, backend: ScriptedBackend, open_page: Any
) -> None:
    page = open_page(running.url)
    history = "The patient has a fever. " * 1_400 + "What is the dose?"
    page.fill("#question textarea", history)
    page.click("#send")
    expect(page.get_by_text("This is too long for the model.")).to_be_visible()
    assert page.input_value("#question textarea") == history
    assert backend.requests == []


def test_a_page_from_before_a_new_start_is_told_to_reload(
    running: RunningPage, backend: ScriptedBackend, open_page: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = open_page(running.url)
    monkeypatch.setattr("ui.ask.tab._START", "another process")
    page.fill("#question textarea", ENGLISH_QUESTION)
    page.click("#send")
    expect(page.get_by_text("Please reload it.")).to_be_visible()
    assert page.input_value("#question textarea") == ENGLISH_QUESTION
    assert backend.requests == []


def test_enter_asks_and_shift_enter_makes_a_line(
    running: RunningPage, backend: ScriptedBackend, open_page: Any
) -> None:
    page = open_page(running.url)
    page.click("#question textarea")
    page.keyboard.type("What helps")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("against fever at home?")
    page.keyboard.press("Enter")
    expect(page.locator("#present .badges")).to_be_visible(timeout=20_000)
    assert "What helps\nagainst fever at home?" in backend.requests[0]["messages"][0]["content"]


def test_thumbs_corrections_and_comments_are_found_in_the_database(
    running: RunningPage, folder: Path, open_page: Any
) -> None:
    before = len(stored(folder))
    page = open_page(running.url)
    ask(page, ENGLISH_QUESTION)
    page.click("[data-action=bad]")
    expect(page.locator("[data-action=bad]")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#feedback-note [role=status]")).to_have_text("Thank you, this was stored.")
    page.click("[data-action=correct]")
    expect(page.locator("#correction textarea")).to_have_value(ENGLISH)
    page.fill("#correction textarea", "See a doctor at once.")
    page.fill("#comment textarea", "The fever is high.")
    page.click("#store-feedback")
    expect(page.locator("#feedback")).to_be_hidden()
    thumb, correction = stored(folder)[before:]
    assert (thumb.rating, thumb.correction, thumb.comment) == (-1, None, None)
    assert (correction.rating, correction.correction) == (None, "See a doctor at once.")
    assert correction.comment == "The fever is high."
    for row in (thumb, correction):
        assert (row.question, row.answer, row.model, row.language) == (ENGLISH_QUESTION, ENGLISH, "plain", "en")
        assert row.request_id == thumb.request_id


def test_a_cut_off_answer_has_its_badge(running: RunningPage, backend: ScriptedBackend, open_page: Any) -> None:
    backend.handler = speaking(finish="length")
    page = open_page(running.url)
    ask(page, ENGLISH_QUESTION)
    expect(page.locator("#present .badge.warn")).to_have_text("✂ Cut off")


def test_the_page_speaks_hindi_to_a_hindi_browser_and_switches_with_the_conversation(
    running: RunningPage, open_page: Any
) -> None:
    page = open_page(running.url, language="hi-IN")
    expect(page.get_by_role("tab", name="पूछें")).to_be_visible()
    expect(page.locator("#send")).to_have_text("पूछें")
    ask(page, ENGLISH_QUESTION)
    expect(page.locator("#present .badge.good")).to_have_text("✓ अंग्रेज़ी में")
    assert page.evaluate("document.documentElement.lang") == "hi"
    page.get_by_label("English").click()
    expect(page.locator("#present .badge.good")).to_have_text("✓ In English")
    expect(page.locator("#send")).to_have_text("Ask")
    page.reload()
    expect(page.locator("#send")).to_have_text("Ask")  # the choice is kept


def test_a_narrow_page_has_no_sideways_scrolling(running: RunningPage, open_page: Any) -> None:
    page = open_page(running.url, width=390, height=844, language="hi-IN")
    ask(page, HINDI_QUESTION)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for place in ("#send", "#question", "#present .answer"):
        box = page.locator(place).bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390


@pytest.mark.parametrize(("language", "width"), [("en-GB", 1280), ("hi-IN", 390)])
def test_the_tab_is_accessible_empty_answered_and_corrected(
    running: RunningPage, open_page: Any, language: str, width: int
) -> None:
    page = open_page(running.url, width=width, language=language)
    assert_accessible(page)
    ask(page, HINDI_QUESTION)
    page.locator("#present details.reasoning summary").click()
    page.click("[data-action=correct]")
    expect(page.locator("#correction textarea")).to_be_visible()
    assert_accessible(page)
