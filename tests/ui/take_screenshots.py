"""Pictures of every tab, wide and narrow, for docs/page/: of the real page before a real gateway.

    himed-eval --bench sample --predictions example-a.jsonl --db sqlite:////tmp/results.db     # two runs of any kind
    export PYTHONPATH=tests/server
    python tests/ui/take_screenshots.py docs/page --db sqlite:////tmp/results.db --checkpoints /tmp/runs

The models behind the gateway are scripted: their answers are written here. The pictures of the tab Results show the
database and the checkpoints as they are given.
"""

import argparse
from pathlib import Path
from typing import Any

from medical_gateway import cure_med, himed, medical_backend, medical_gateway
from page_gateway import speaking
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright
from running_page import RunningPage

from app.schema import open_database
from server.store import Store

_WIDE, _NARROW = 1280, 390
_COLOURS = 96  # a palette keeps a picture at some tens of kilobytes
_HINDI_QUESTION = "टाइप 2 मधुमेह के शुरुआती लक्षण क्या हैं?"
_HINDI = himed(
    "**शुरुआती लक्षण** धीरे-धीरे आते हैं:\n\n- बार-बार प्यास लगना और अधिक पेशाब आना\n- थकान और धुंधला दिखना\n- घाव देर से भरना\n\n"
    "खाली पेट रक्त शर्करा 126 mg/dL या HbA1c 6.5 % से अधिक हो तो जाँच दोबारा कराएँ। "
    "Please see a doctor soon if these symptoms last for more than two weeks.",
    "प्रश्न टाइप 2 मधुमेह (type 2 diabetes) के आरंभिक लक्षणों के बारे में है।\n\nइंसुलिन प्रतिरोध से रक्त शर्करा बढ़ती है, "
    "इसलिए प्यास और पेशाब बढ़ते हैं।",
)
_AMHARIC = cure_med(
    "የወባ ምልክቶች ትኩሳት፣ ብርድ ብርድ ማለት፣ ራስ ምታት እና ድካም ናቸው። ምልክቶቹ ከታዩ በፍጥነት ወደ ጤና ተቋም ይሂዱ።",
    "<step1>The question asks for the symptoms of malaria (ወባ).</step1><step2>Fever with chills is typical.</step2>",
)
_ENGLISH_A = (
    "Sudden weakness on one side of the body, a drooping face, and slurred speech are the warning signs of a stroke. "
    "Call the emergency number at once and note the time at which they began."
)
_ENGLISH_B = (
    "A stroke shows itself by sudden numbness or weakness, trouble speaking, and loss of balance. Rest is enough."
)


class Camera:
    """Takes pictures into a folder."""

    def __init__(self, browser: Browser, url: str, folder: Path) -> None:
        self._browser, self._url, self._folder = browser, url, folder

    def open(self, width: int, language: str) -> Page:
        """The page in a window of its own."""
        context = self._browser.new_context(
            viewport={"width": width, "height": 900}, locale=language, device_scale_factor=1
        )
        page = context.new_page()
        page.goto(self._url)
        page.wait_for_selector(".foot p:visible", timeout=30_000)
        page.wait_for_timeout(800)
        return page

    def take(self, page: Page, name: str) -> None:
        """The whole page, with few colours."""
        page.evaluate("document.activeElement && document.activeElement.blur()")
        page.mouse.move(0, 0)
        page.wait_for_timeout(500)
        file = self._folder / f"{name}.png"
        page.screenshot(path=file, full_page=True)
        with Image.open(file) as picture:
            picture.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE).save(file, optimize=True)
        print(f"{file}: {file.stat().st_size // 1024} KiB")


def tab(page: Page, name: str) -> None:
    """Choose a tab of the page by its place."""
    page.get_by_role("tab").nth(("ask", "exam", "compare", "results").index(name)).click()
    page.wait_for_timeout(600)


def choose(page: Page, place: str, option: str | int) -> None:
    """Choose an option of a drop-down by its words or its number."""
    page.click(f"{place} input")
    options: Locator = page.get_by_role("option")
    (options.nth(option) if isinstance(option, int) else options.filter(has_text=option).first).click()
    page.wait_for_timeout(300)


def ask(page: Page, hindi: bool) -> None:
    """The tab Ask after one question, or two on a wide page."""
    questions = [_HINDI_QUESTION] if hindi else [_HINDI_QUESTION, "የወባ በሽታ ምልክቶች ምንድን ናቸው?"]
    for number, question in enumerate(questions):
        page.fill("#question textarea", question)
        page.wait_for_timeout(600)
        page.click("#send")
        expect(page.locator("#present .exchange:not([aria-busy]) .badges")).to_be_visible(timeout=20_000)
        if not number:
            page.locator("#present details.reasoning summary").click()


def exam(page: Page) -> None:
    """The tab Exam after a question that was typed."""
    tab(page, "exam")
    page.fill("#exam-question textarea", "विटामिन C की कमी से कौन सा रोग होता है?")
    page.fill("#exam-options textarea", "स्कर्वी\nरिकेट्स\nबेरी-बेरी\nपेलाग्रा")
    page.locator("#exam-samples input").nth(2).check()
    page.click("#exam-ask")
    expect(page.locator("#exam-sheet .badges")).to_be_visible(timeout=20_000)


def compare(page: Page) -> None:
    """The tab Compare after a vote."""
    tab(page, "compare")
    page.fill("#compare-question textarea", "What are the warning signs of a stroke?")
    page.click("#compare-ask")
    ballot = page.locator("#compare-verdict button")
    expect(ballot).to_have_count(4, timeout=20_000)
    ballot.first.click()
    expect(page.locator("#compare-voted")).to_be_visible()


def results(camera: Camera, page: Page, suffix: str) -> None:
    """The inner tabs of Results."""
    tab(page, "results")
    page.wait_for_timeout(1500)
    camera.take(page, f"results-runs-{suffix}")
    page.locator("[data-action=open]").first.click()
    page.wait_for_timeout(6000)
    camera.take(page, f"results-run-{suffix}")
    for name in ("items", "pair", "training"):
        page.locator("#results-tabs").get_by_role("tab").nth(
            ("runs", "run", "items", "pair", "training").index(name)
        ).click()
        page.wait_for_timeout(1500)
        if name == "pair":
            choose(page, "#pair-a", 0)
            choose(page, "#pair-b", 1)
            page.click("#pair-compare")
            page.wait_for_timeout(4000)
        if name == "training":
            choose(page, "#checkpoint", 0)
            page.wait_for_timeout(3000)
        camera.take(page, f"results-{name}-{suffix}")


def main() -> None:
    """Take them all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--db", required=True, help="results database")
    parser.add_argument("--checkpoints", type=Path, help="folder of checkpoints")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    answers = {"himed": _HINDI, "cure": _AMHARIC, "plain": _ENGLISH_A}
    engine = open_database(options.db)
    more: dict[str, Any] = {"checkpoints": (options.checkpoints,)} if options.checkpoints else {}
    with (
        medical_backend(speaking(answers, wait_s=0.0)) as backend,
        medical_gateway(backend, store=Store(engine)) as gateway,
        RunningPage(gateway.url, options.db, **more) as running,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=options.chromium, args=["--no-sandbox", "--disable-gpu"])
        camera = Camera(browser, running.url, options.folder)
        for width, language, suffix in ((_WIDE, "en-GB", "wide"), (_NARROW, "hi-IN", "narrow")):
            page = camera.open(width, language)
            camera.take(page, f"welcome-{suffix}")
            ask(page, hindi=suffix == "narrow")
            camera.take(page, f"ask-{suffix}")
            backend.handler = speaking(answers | {"himed": himed("सही उत्तर है स्कर्वी।\n\nउत्तर: A. स्कर्वी")}, wait_s=0.0)
            exam(page)
            camera.take(page, f"exam-{suffix}")
            backend.handler = speaking({"himed": _ENGLISH_A, "cure": _ENGLISH_B, "plain": _ENGLISH_A}, wait_s=0.0)
            compare(page)
            camera.take(page, f"compare-{suffix}")
            results(camera, page, suffix)
            backend.handler = speaking(answers, wait_s=0.0)
        browser.close()
    engine.dispose()


if __name__ == "__main__":
    main()
