"""Signing in to the page in a real browser."""

import re

import pytest
from playwright.sync_api import Browser, expect
from running_page import NAME, PASSWORD, RunningPage
from sqlalchemy import delete
from sqlalchemy.orm import Session

from app.tables import AccountSessionRow
from ui.accounts.sessions import CACHE_S

pytestmark = pytest.mark.slow


def test_people_sign_in_see_who_they_are_go_on_when_it_ended_and_sign_out(
    guarded: RunningPage, browser: Browser
) -> None:
    context = browser.new_context(locale="en-GB", viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto(guarded.url)
    page.get_by_label("Name").fill(NAME)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator(".signed-in .person")).to_have_text(NAME, timeout=30_000)
    expect(page.locator("#tabs")).to_be_visible()
    page.locator("#question textarea").fill("What is a fever?")

    with Session(guarded.engine) as session, session.begin():
        session.execute(delete(AccountSessionRow))
    page.wait_for_timeout(CACHE_S * 1000 + 200)
    page.locator("#send").click()
    bar = page.locator("#session-ended")
    expect(bar).to_contain_text("Your sign-in has ended")
    expect(page.locator("#question textarea")).to_have_value("What is a fever?")
    with context.expect_page() as opened:
        bar.get_by_role("link", name="Sign in again").click()
    again = opened.value
    again.get_by_label("Name").fill(NAME)
    again.get_by_label("Password").fill(PASSWORD)
    again.keyboard.press("Enter")
    expect(again.locator(".signed-in")).to_be_visible(timeout=30_000)
    again.close()
    page.locator("#send").click()
    expect(bar).to_have_count(0)
    expect(page.locator(".card.question")).to_contain_text("What is a fever?")

    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(re.compile(r"/sign-in\?out=1$"))
    expect(page.get_by_role("status")).to_have_text("You are signed out.")
    page.goto(guarded.url)
    expect(page).to_have_url(re.compile(r"/sign-in$"))
    context.close()


@pytest.mark.parametrize(("language", "width"), [("en-GB", 1280), ("hi-IN", 390)])
def test_the_sign_in_page_is_accessible(guarded: RunningPage, browser: Browser, language: str, width: int) -> None:
    from axe_playwright_python.sync_playwright import Axe

    context = browser.new_context(locale=language, viewport={"width": width, "height": 844}, java_script_enabled=True)
    page = context.new_page()
    page.goto(f"{guarded.url}/sign-in")
    assert Axe().run(page).response["violations"] == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    expect(page.locator("#name")).to_be_focused()
    page.keyboard.type("Dr. Nobody")
    page.keyboard.press("Tab")
    page.keyboard.type("a wrong password")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.locator("#password")).to_be_focused()
    assert Axe().run(page).response["violations"] == []
    context.close()
