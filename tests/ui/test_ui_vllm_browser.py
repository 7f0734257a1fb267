"""The page in a real browser, before the real command `himed-serve` and vLLM with tiny models."""

import os
import re
import signal
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect
from running_page import RunningPage
from served import Served, until
from speaking_model import CONTEXT, HIMED_COMPLETIONS
from speaking_servers import CURE_MED, HIMED
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.answers import parse_completion
from app.engine import Engine
from app.tables import ComparisonVoteRow, FeedbackRow

pytestmark = pytest.mark.slow

HINDI_QUESTION = "बुखार और दाने का कारण क्या है?"
AMHARIC_QUESTION = "የወባ በሽታ ምልክቶች ምንድን ናቸው?"
ENGLISH_QUESTION = "What lowers blood glucose?"
LONG = "long"  # the model that writes on and on


@pytest.fixture(scope="module")
def served(vllm_servers: dict[str, Engine], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """`himed-serve` before both vLLM servers."""
    backends = {}
    for name, engine in vllm_servers.items():
        variable = f"BACKEND_{name.replace('-', '_').upper()}"
        os.environ[variable] = engine.api_key.get_secret_value()
        backends[name] = [{"url": engine.base_url, "model": name, "api_key_variable": variable}]
    models = {
        HIMED: {
            "format": "himed",
            "languages": ["hi"],
            "backends": backends[HIMED],
            "sampling": {"temperature": 0.0, "max_tokens": 300},
        },
        CURE_MED: {
            "format": "cure-med",
            "languages": ["am", "en"],
            "backends": backends[CURE_MED],
            "sampling": {"temperature": 0.6, "max_tokens": 120},
        },
        LONG: {
            "format": "himed",
            "backends": backends[HIMED],
            "sampling": {"temperature": 1.0, "max_tokens": CONTEXT - 400, "extra": {"min_tokens": CONTEXT - 401}},
        },
    }
    with Served(tmp_path_factory.mktemp("served"), {"models": models}) as served:
        until(lambda: httpx.get(f"{served.url}/ready").status_code == 200, 30)
        yield served


@pytest.fixture(scope="module")
def running(served: Served) -> Iterator[RunningPage]:
    with RunningPage(served.url, served.database) as page:
        yield page


def ask(page: Page, question: str, model: str | None = None) -> None:
    if model is not None:
        page.click("#ask-model input")
        page.get_by_role("option", name=model, exact=True).click()
    page.fill("#question textarea", question)
    page.click("#send")


def ended(page: Page) -> None:
    expect(page.locator("#present .exchange:not([aria-busy])")).to_be_visible(timeout=60_000)
    expect(page.locator("#present .badges")).to_be_visible(timeout=60_000)


def generating(engine: Engine) -> float:
    """Requests that vLLM is working on."""
    found = httpx.get(engine.base_url.removesuffix("/v1") + "/metrics").text
    lines = [line for line in found.splitlines() if line.startswith("vllm:num_requests_running")]
    return sum(float(line.split()[-1]) for line in lines)


def test_hindi_amharic_and_english_are_asked_and_answered(running: RunningPage, open_page: Any) -> None:
    page = open_page(running.url)
    ask(page, HINDI_QUESTION)
    ended(page)
    expected = parse_completion(HIMED_COMPLETIONS[HINDI_QUESTION], "himed")
    expect(page.locator("#present .who")).to_have_text(HIMED)
    expect(page.locator("#present .answer > .prose")).to_have_text(str(expected.answer))
    expect(page.locator("#present .badge").first).to_have_text("✓ In Hindi")
    page.locator("#present details.reasoning summary").click()
    expect(page.locator("#present .reasoning .prose")).to_contain_text("This points to measles")
    for question, language in ((AMHARIC_QUESTION, "am"), (ENGLISH_QUESTION, "en")):
        page.click("#new")
        expect(page.locator("#present .welcome")).to_be_visible()  # the box is emptied with it
        ask(page, question)
        ended(page)
        expect(page.locator("#present .who")).to_have_text(CURE_MED)
        assert page.locator("#present .answer").get_attribute("lang") == language


def test_a_thumb_is_found_in_the_database(running: RunningPage, open_page: Any) -> None:
    page = open_page(running.url)
    ask(page, HINDI_QUESTION)
    ended(page)
    page.click("[data-action=good]")
    expect(page.locator("[data-action=good]")).to_have_attribute("aria-pressed", "true")
    with Session(running.engine) as session:
        row = session.scalars(select(FeedbackRow)).one()
    assert (row.rating, row.question, row.model, row.language) == (1, HINDI_QUESTION, HIMED, "hi")


def test_stop_ends_the_generation_in_vllm(
    running: RunningPage, vllm_servers: dict[str, Engine], open_page: Any
) -> None:
    page = open_page(running.url)
    ask(page, HINDI_QUESTION, LONG)
    expect(page.locator("#present .prose").first).to_be_attached(timeout=30_000)
    assert generating(vllm_servers[HIMED]) == 1
    page.click("#stop")
    expect(page.locator("#present .badge")).to_have_text("Stopped by you")
    until(lambda: generating(vllm_servers[HIMED]) == 0, 10)


def test_an_exam_is_voted_on(running: RunningPage, open_page: Any) -> None:
    page = open_page(running.url)
    page.get_by_role("tab", name="Exam").click()
    page.fill("#exam-question textarea", HINDI_QUESTION)
    page.fill("#exam-options textarea", "खसरा\nमलेरिया\nमधुमेह")
    page.locator("#exam-samples input").nth(1).check()
    page.click("#exam-ask")
    counts = page.locator("#exam-sheet .count")
    expect(counts).to_have_text([re.compile(r"\d of 3")] * 4, timeout=60_000)  # three options, and the unread
    assert sum(int(text[0]) for text in counts.all_inner_texts()) == 3
    expect(page.locator("#exam-sheet .who")).to_have_text(HIMED)


def test_a_comparison_is_voted_on_and_stored(running: RunningPage, open_page: Any) -> None:
    page = open_page(running.url)
    page.get_by_role("tab", name="Compare").click()
    page.fill("#compare-question textarea", ENGLISH_QUESTION)
    for picker, name in (("#compare-first", HIMED), ("#compare-second", CURE_MED)):
        page.click(f"{picker} input")
        page.locator(picker).get_by_role("option", name=name).click()
    page.click("#compare-ask")
    ballot = page.locator("#compare-verdict button")
    expect(ballot).to_have_count(4, timeout=60_000)
    ballot.nth(3).click()
    expect(page.locator("#compare-voted")).to_be_visible()
    with Session(running.engine) as session:
        row = session.scalars(select(ComparisonVoteRow)).one()
    assert {row.model_a, row.model_b} == {HIMED, CURE_MED}
    assert (row.question, row.vote) == (ENGLISH_QUESTION, "neither")


def test_a_server_that_is_killed_in_the_middle_is_told_in_plain_words(
    served: Served, running: RunningPage, open_page: Any
) -> None:
    """The last test of the file: it takes the gateway away."""
    page = open_page(running.url)
    ask(page, HINDI_QUESTION, LONG)
    expect(page.locator("#present .prose").first).to_be_attached(timeout=30_000)
    served.stop(signal.SIGKILL)
    served.wait()
    expect(page.locator("#present .problem")).to_contain_text("cannot be reached", timeout=20_000)
    expect(page.locator("#send")).to_be_visible()
    ask(page, HINDI_QUESTION)
    expect(page.locator("#present .problem")).to_contain_text("cannot be reached", timeout=20_000)
