"""The tab Exam in a real browser, before a real gateway with scripted models."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from accessibility import assert_accessible
from aiohttp import web
from medical_gateway import HINDI, HINDI_QUESTION, OPTIONS, himed, medical_backend, replies
from medical_gateway import medical_gateway as gateway_before
from playwright.sync_api import Locator, Page, expect
from running import Handler, RunningGateway, ScriptedBackend, completion
from running_page import RunningPage, sqlite_url
from served import until

from app.database import open_session
from app.tables import BenchmarkRow, ItemRow

pytestmark = pytest.mark.slow

HOSTILE = "<script>alert(1)</script> <img src=x onerror=alert(2)>"
# What the model and the page's HTML must not tell before the answer: the right option stands nowhere else.
GOLD = "B"
ITEMS = {
    "hi-1": ("hi", "किस रोग में ठंड के साथ बुखार आता है?"),
    "hi-2": ("hi", "मच्छर से कौन सा रोग फैलता है?"),
    "fr-1": ("fr", f"Quelle maladie donne des frissons ? {HOSTILE}"),
}


@pytest.fixture(scope="module")
def backend() -> Iterator[ScriptedBackend]:
    with medical_backend() as backend:
        yield backend


@pytest.fixture(scope="module")
def gateway(backend: ScriptedBackend) -> Iterator[RunningGateway]:
    with gateway_before(backend) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def running(gateway: RunningGateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPage]:
    with RunningPage(gateway.url, sqlite_url(tmp_path_factory.mktemp("exam"))) as page:
        with open_session(page.engine) as session:
            bench = BenchmarkRow(name="Fevers", version="1", sha256="f" * 64, n=3, duplicates=0, invalid=[])
            session.add(bench)
            session.flush()
            for position, (item_id, (language, question)) in enumerate(ITEMS.items()):
                session.add(
                    ItemRow(
                        benchmark_id=bench.id, id=item_id, position=position, row=position + 1, number=item_id,
                        kind="mcq", language=language, question=question, options=OPTIONS, gold=GOLD, reference=None,
                        groups={}, cluster=item_id, duplicate_of=None,
                    )
                )  # fmt: skip
        yield page


@pytest.fixture(autouse=True)
def _fresh(backend: ScriptedBackend) -> None:
    backend.handler = replies(himed("उत्तर: B"))
    backend.requests.clear()


def in_turn(answers: Sequence[str]) -> Handler:
    """Each request's answer in turn, again from the first after the last; all samples are open at once."""
    asked = 0

    async def handler(_request: web.Request) -> web.StreamResponse:
        nonlocal asked
        text = answers[asked % len(answers)]
        asked += 1
        await asyncio.sleep(0.1)
        return web.json_response(completion(himed(text)))

    return handler


async def hanging(_request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(120)
    return web.json_response({})


def open_tab(page: Page) -> None:
    page.get_by_role("tab").nth(1).click()
    expect(page.locator("#exam-question textarea")).to_be_visible()
    expect(page.locator("#exam-head h2")).to_be_visible()


def fill(page: Page, question: str, options: str) -> None:
    page.fill("#exam-question textarea", question)
    page.fill("#exam-options textarea", options)


def take(page: Page, source: int) -> None:
    page.locator("#exam-source input").nth(source).check()


def choose(page: Page, picker: str, name: str) -> None:
    page.click(f"{picker} input")
    page.locator(picker).get_by_role("option", name=name).click()


def verdict(page: Page) -> Locator:
    found = page.locator(".sheet .verdict")
    expect(found).to_be_visible(timeout=20_000)
    return found


def option_texts(page: Page) -> list[str]:
    return page.locator(".sheet .option .wording").all_inner_texts()


def test_a_typed_question_is_put_to_the_vote(running: RunningPage, backend: ScriptedBackend, open_page: Any) -> None:
    b = f"उत्तर: B\n\n{HINDI} {HOSTILE}"
    backend.handler = in_turn([b, b, "उत्तर: D", b, "?"])
    page = open_page(running.url)
    open_tab(page)
    fill(page, HINDI_QUESTION, "\n".join(OPTIONS.values()))
    assert page.locator("#exam-samples input").count() == 4
    page.locator("#exam-samples input").nth(2).check()
    page.click("#exam-ask")
    expect(verdict(page)).to_have_text("The model chose B.")
    counts = page.locator(".sheet .option .count").all_inner_texts()
    assert counts == ["0 of 5 · 0 %", "3 of 5 · 60 %", "0 of 5 · 0 %", "1 of 5 · 20 %", "1 of 5 · 20 %"]
    assert option_texts(page) == [*OPTIONS.values(), "No option that can be read"]
    expect(page.locator(".sheet .option.chosen")).to_contain_text("The model's choice")
    expect(page.locator(".sheet")).to_contain_text("3 of 5 samples chose B (95 % interval 23–88 %)")
    assert len(backend.requests) == 5
    reasoning = page.locator("#exam-sheet details.reasoning")
    expect(reasoning).not_to_have_attribute("open", "")
    reasoning.locator("summary").click()
    expect(reasoning.locator(".prose")).to_be_visible()
    expect(page.locator("#exam-sheet .badges")).to_contain_text("In Hindi")
    expect(page.locator("#exam-sheet .notice")).to_be_visible()
    assert page.locator("#exam-sheet script, #exam-sheet img").count() == 0
    assert page.locator("#exam-sheet .answer").get_by_text(HOSTILE).count() == 1
    page.locator("#interface-language input").nth(1).check()
    expect(verdict(page)).to_have_text("मॉडल ने B चुना।")


def test_what_cannot_be_asked_is_said_at_its_field(
    running: RunningPage, backend: ScriptedBackend, open_page: Any
) -> None:
    page = open_page(running.url)
    open_tab(page)
    page.click("#exam-ask")
    expect(page.locator("#exam-question-problem [role=alert]")).to_have_text("Please write the question first.")
    options = page.locator("#exam-options-problem [role=alert]")
    for text, said in (
        ("one", "Please give at least two options, one per line."),
        ("\n".join(f"option {n}" for n in range(27)), "These are 27 options; a question can have at most 26"),
    ):
        fill(page, HINDI_QUESTION, text)
        page.wait_for_timeout(300)  # what is typed takes earlier sentences away
        page.click("#exam-ask")
        expect(options).to_contain_text(said)
        expect(page.locator("#exam-question-problem [role=alert]")).to_have_count(0)
    assert backend.requests == []


def test_pasted_text_is_understood_and_corrected(
    running: RunningPage, backend: ScriptedBackend, open_page: Any
) -> None:
    page = open_page(running.url)
    open_tab(page)
    take(page, 1)
    expect(page.locator("#exam-question textarea")).to_be_hidden()
    lines = [f"{letter}. {text}" for letter, text in OPTIONS.items()]
    page.evaluate("(text) => navigator.clipboard.writeText(text)", "\n".join([HINDI_QUESTION, *lines]))
    page.focus("#exam-paste textarea")
    page.keyboard.press("Control+v")
    expect(page.locator("#exam-paste-note")).to_contain_text("Understood as below")
    expect(page.locator("#exam-question textarea")).to_have_value(HINDI_QUESTION)
    expect(page.locator(".sheet .option .wording")).to_have_text(list(OPTIONS.values()))
    assert page.locator(".sheet .option .letter").all_inner_texts() == list("ABCD")
    page.fill("#exam-options textarea", "\n".join([*OPTIONS.values(), "पीलिया"]))
    expect(page.locator(".sheet .option")).to_have_count(5)
    page.click("#exam-ask")
    expect(verdict(page)).to_have_text("The model chose B.")
    assert "E. पीलिया" in backend.requests[0]["messages"][-1]["content"]

    page.fill("#exam-paste textarea", "no options here")
    expect(page.locator("#exam-paste-note [role=alert]")).to_contain_text("No options were found")
    expect(page.locator("#exam-options textarea")).to_have_value("")


@pytest.mark.parametrize(
    ("answer", "said"), [("B", "✓ Right: the model chose B."), ("C", "✕ Wrong: the model chose C")]
)
def test_a_drawn_question_keeps_its_right_answer_until_the_model_has_answered(
    answer: str, said: str, running: RunningPage, backend: ScriptedBackend, open_page: Any
) -> None:
    backend.handler = replies(f"Answer: {answer}")
    page = open_page(running.url)
    open_tab(page)
    take(page, 2)
    expect(page.locator(".sheet .origin")).to_contain_text("sample · ")
    choose(page, "#exam-benchmark", "Fevers · 3 questions")
    expect(page.locator(".sheet .origin")).to_contain_text("Fevers · ")
    choose(page, "#exam-filter", "French (1)")
    expect(page.locator(".sheet .origin")).to_have_text("Fevers · fr-1")
    expect(page.locator(".sheet .stem")).to_have_text(ITEMS["fr-1"][1])
    before = page.locator("#exam-sheet").inner_html()
    assert "gold" not in before
    assert "Right answer" not in before
    assert before.count('class="option"') == 4
    page.click("#exam-ask")
    expect(verdict(page)).to_contain_text(said)
    expect(page.locator(".sheet .option.gold")).to_contain_text(f"{OPTIONS[GOLD]}")
    expect(page.locator(".sheet .option.gold")).to_contain_text("✓ Right answer")
    expect(page.locator(".sheet .option.chosen .letter")).to_have_text(answer)
    assert page.locator("#exam-sheet script, #exam-sheet img").count() == 0


def test_another_is_drawn_by_chance_from_the_chosen_language(running: RunningPage, open_page: Any) -> None:
    page = open_page(running.url)
    open_tab(page)
    take(page, 2)
    choose(page, "#exam-benchmark", "Fevers · 3 questions")
    origin = page.locator(".sheet .origin")
    # The only French item first: the first Hindi item then is one that the filter drew.
    expect(origin).to_contain_text("Fevers · ")
    choose(page, "#exam-filter", "French (1)")
    expect(origin).to_have_text("Fevers · fr-1")
    choose(page, "#exam-filter", "Hindi (2)")
    expect(origin).to_contain_text("Fevers · hi-")
    for _ in range(4):
        page.wait_for_timeout(1_000)  # a click is not taken while the draw before it has not quite ended
        shown = origin.inner_text()
        page.click("#exam-draw-another")
        expect(origin).to_have_text({"Fevers · hi-1": "Fevers · hi-2", "Fevers · hi-2": "Fevers · hi-1"}[shown])


@pytest.mark.parametrize("way", ["stop", "close"])
def test_stopping_or_leaving_closes_the_request(
    way: str, running: RunningPage, backend: ScriptedBackend, open_page: Any
) -> None:
    backend.handler = hanging
    page = open_page(running.url)
    open_tab(page)
    fill(page, HINDI_QUESTION, "\n".join(OPTIONS.values()))
    page.locator("#exam-samples input").nth(1).check()
    page.click("#exam-ask")
    until(lambda: backend.open == 3)
    expect(page.locator(".sheet[aria-busy]")).to_contain_text("The model is answering… 1 s")
    if way == "close":
        page.close()
    else:
        page.locator("#interface-language input").nth(1).check()
        expect(page.locator("#exam-head h2")).to_have_text("मॉडल की परीक्षा")
        page.click("#exam-stop")
        expect(page.locator("#exam-sheet .badges")).to_have_text("आपने रोका")
        expect(page.locator("#exam-ask")).to_be_visible()
        assert page.locator(".sheet .verdict").count() == 0
    until(lambda: backend.open == 0)


def test_a_gateway_that_is_away_is_said_in_plain_words(tmp_path: Path, open_page: Any) -> None:
    with RunningPage("http://127.0.0.1:9", sqlite_url(tmp_path)) as running:
        page = open_page(running.url)
        open_tab(page)
        take(page, 2)
        expect(page.locator(".sheet .origin")).to_contain_text("sample · ")
        page.click("#exam-ask")
        expect(page.locator("#exam-sheet [role=alert]")).to_contain_text("cannot be reached", timeout=20_000)
        expect(page.locator("#exam-ask")).to_be_visible()
        assert page.locator(".sheet .gold").count() == 0


@pytest.mark.parametrize(("width", "language"), [(1280, "en-GB"), (390, "hi-IN")])
def test_it_is_accessible_and_fits_a_phone(width: int, language: str, running: RunningPage, open_page: Any) -> None:
    page = open_page(running.url, width=width, language=language)
    open_tab(page)
    for source in (0, 1, 2):
        take(page, source)
        expect(page.locator("#exam-draw")).to_be_visible(visible=source == 2)
        assert_accessible(page)
    expect(page.locator(".sheet .origin")).to_be_visible()
    page.locator("#exam-samples input").nth(1).check()
    page.click("#exam-ask")
    verdict(page)
    assert_accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if width < 400:
        expect(page.locator("#exam-head h2")).to_have_text("मॉडल की परीक्षा")
        expect(page.locator(".sheet .count").first).to_contain_text("3 में से")
