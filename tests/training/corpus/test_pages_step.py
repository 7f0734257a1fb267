"""Books to recognised text: page numbers hold, whatever becomes of single pages."""

import asyncio
import multiprocessing
import pickle
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web
from make_pdf import make_pdf
from running import ScriptedBackend, completion
from scripted_model import scripted_model

from app.errors import InputError
from training.corpus.calls import EndpointAwayError
from training.corpus.config import CorpusConfig, Model, PagesSection
from training.corpus.pages import SUFFIXES, PagesStep
from training.corpus.pages.pdf import Pdf
from training.corpus.passages.blocks import PAGE_MARK, parse_mmd
from training.corpus.step import Size, find_done, run_step
from training.corpus.unit import Manifest, Unit, find_units

DPI, MAX_SIDE = 72, 300


def step_for(model: ScriptedBackend | None, **changes: Any) -> PagesStep:
    section = PagesSection(dpi=DPI, max_side=MAX_SIDE)
    if model is not None:
        fields = {"concurrency": 4, "max_attempts": 1, "backoff_s": 0.0} | changes
        section = section.model_copy(
            update={"model": Model(base_url=f"http://127.0.0.1:{model.port}/v1", model="m", **fields)}
        )
    return PagesStep(CorpusConfig(sources=Path("in"), folder=Path("out"), pages=section))


def book(folder: Path, data: bytes, name: str = "book.pdf") -> Unit:
    (folder / "in").mkdir(exist_ok=True)
    (folder / "in" / name).write_bytes(data)
    (unit,), _ = find_units(folder / "in", SUFFIXES)
    return unit


async def run(folder: Path, unit: Unit, step: PagesStep) -> Manifest:
    return await run_step(step, folder, unit, unit.source, unit.sha256)


def pictures(unit: Unit) -> dict[str, int]:
    """The number of every page by its picture."""
    with Pdf(unit.source) as pdf:
        return {pdf.draw(number, DPI, MAX_SIDE).data_url(): number for number in range(1, len(pdf) + 1)}


def page_of(request: dict[str, Any], known: dict[str, int]) -> int:
    (message,) = request["messages"]
    return known[message["content"][0]["image_url"]["url"]]


@contextmanager
def reader(unit: Unit, say: Callable[[int], str | int]) -> Iterator[ScriptedBackend]:
    """A model that recognises the book's pages by their pictures."""
    known = pictures(unit)
    with scripted_model(lambda request: say(page_of(request, known))) as model:
        yield model


def text_of(step: PagesStep, folder: Path, unit: Unit) -> str:
    return step.place(folder, unit).output.read_text(encoding="utf-8")


def rejects_of(step: PagesStep, folder: Path, unit: Unit) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in step.place(folder, unit).rejects.read_bytes().splitlines()]


async def test_every_page_has_its_number_behind_empty_and_failed_ones(tmp_path: Path) -> None:
    unit = book(tmp_path, make_pdf(["one", "", "three", "four", "five", "six", "seven", ""]))
    said: dict[int, str | int] = {
        1: f"<|ref|>text<|/ref|><|det|>[[1, 2, 3, 4]]<|/det|>\nपहला\n{PAGE_MARK}\nपन्ना",
        3: 400,
        4: "<|ref|>image<|/ref|><|det|>[[1, 2, 3, 4]]<|/det|>",
        5: "फिर वही " * 60,
        6: "",
        7: "सातवाँ",
    }
    with reader(unit, said.__getitem__) as model:
        step = step_for(model)
        manifest = await run(tmp_path, unit, step)
        asked = sorted(page_of(request, pictures(unit)) for request in model.requests)
    assert asked == [1, 3, 4, 5, 6, 7]  # once each, and not about the empty ones
    text = text_of(step, tmp_path, unit)
    assert text.count(PAGE_MARK) == 8
    assert [(block.text, block.page) for block in parse_mmd(text)] == [("पहला", 1), ("पन्ना", 1), ("सातवाँ", 7)]
    (flow,) = manifest.flows
    left = {"empty": 2, "refused": 1, "no text": 1, "looped": 1, "empty reply": 1}
    assert (flow.stage, flow.unit, flow.into, flow.out, dict(flow.left)) == ("pages", "pages", 8, 2, left)
    rejects = rejects_of(step, tmp_path, unit)
    assert [(row["id"], row["reason"], row["row"]) for row in rejects] == [
        (f"{unit.id}-page00003", "refused", {"page": 3}),
        (f"{unit.id}-page00005", "looped", {"page": 5}),
        (f"{unit.id}-page00006", "empty reply", {"page": 6}),
    ]
    assert manifest.spent["recognise"].calls == 5


async def test_a_request_holds_the_picture_and_the_prompt(tmp_path: Path) -> None:
    unit = book(tmp_path, make_pdf(["one"]))
    with reader(unit, lambda _page: "text") as model:
        await run(tmp_path, unit, step_for(model, max_tokens=7000, extra={"skip_special_tokens": False}))
        (request,) = model.requests
    (url,) = pictures(unit)
    assert request["messages"][0]["content"] == [
        {"type": "image_url", "image_url": {"url": url}},
        {"type": "text", "text": "<|grounding|>Convert the document to markdown."},
    ]
    assert (request["temperature"], request["max_tokens"], request["skip_special_tokens"]) == (0.0, 7000, False)


async def test_a_reply_that_is_cut_off_is_no_page(tmp_path: Path) -> None:
    unit = book(tmp_path, make_pdf(["one"]))
    with scripted_model(lambda _request: "half of the pa", finish="length") as model:
        manifest = await run(tmp_path, unit, step := step_for(model))
        assert len(model.requests) == 1  # greedy: another seed would give the same
    assert dict(manifest.flows[0].left) == {"cut off": 1}
    assert text_of(step, tmp_path, unit) == f"{PAGE_MARK}\n"


async def test_with_a_temperature_a_page_has_a_second_try(tmp_path: Path) -> None:
    unit = book(tmp_path, make_pdf(["one"]))
    replies = iter(["", "text"])
    with scripted_model(lambda _request: next(replies)) as model:
        await run(tmp_path, unit, step := step_for(model, temperature=0.2))
    assert text_of(step, tmp_path, unit) == f"text\n{PAGE_MARK}\n"


async def test_a_page_that_the_endpoint_failed_on_is_asked_again_and_no_other(tmp_path: Path) -> None:
    unit = book(tmp_path, make_pdf(["one", "two", "three"]))
    with reader(unit, lambda page: 503 if page == 2 else f"text {page}") as model:
        step = step_for(model)
        assert (await run(tmp_path, unit, step)).again == 1
    assert find_done(step, tmp_path, unit, unit.sha256) is None
    with reader(unit, lambda page: f"text {page}") as model:
        manifest = await run(tmp_path, unit, step_for(model))
        assert [page_of(request, pictures(unit)) for request in model.requests] == [2]
    assert (manifest.again, manifest.flows[0].out) == (0, 3)
    assert text_of(step, tmp_path, unit) == "".join(f"text {page}\n{PAGE_MARK}\n" for page in (1, 2, 3))


async def test_what_was_read_is_read_from_the_store(tmp_path: Path) -> None:
    unit = book(tmp_path, make_pdf(["one", "", "three"]))
    with reader(unit, lambda page: f"text {page}") as model:
        first = await run(tmp_path, unit, step_for(model))
        again = await run(tmp_path, unit, step_for(model))
        assert len(model.requests) == 2
    assert first.output == again.output
    assert first.spent == again.spent


def _work(step: PagesStep, folder: Path, unit: Unit) -> None:
    asyncio.run(run(folder, unit, step))


async def test_a_killed_run_goes_on_and_ends_in_the_same_bytes(tmp_path: Path) -> None:
    unit = book(tmp_path, make_pdf([f"page {number}" if number % 5 else "" for number in range(1, 25)]))
    known, stuck, patient = pictures(unit), threading.Semaphore(0), threading.Event()
    answered: list[int] = []

    async def answer(request: web.Request) -> web.Response:
        page = page_of(await request.json(), known)
        if page > 12 and not patient.is_set():
            stuck.release()
            await asyncio.sleep(60)
        answered.append(page)
        return web.json_response(completion(f"text {page}"))

    with ScriptedBackend(answer) as model:
        step = step_for(model)
        process = multiprocessing.get_context("spawn").Process(target=_work, args=(step, tmp_path, unit))
        process.start()
        for _ in range(4):  # as many as it asks at once: now it waits
            assert await asyncio.to_thread(stuck.acquire, timeout=30)
        await asyncio.sleep(0.2)
        before = answered.copy()
        process.kill()
        process.join()
        assert not step.place(tmp_path, unit).output.exists()
        patient.set()
        manifest = await run(tmp_path, unit, step)
        assert len(before) > 4
        assert sorted(answered) == [n for n in range(1, 25) if n % 5]  # each once, in both runs together
        whole = tmp_path / "whole"
        await run(whole, unit, step)
    assert text_of(step, tmp_path, unit) == text_of(step, whole, unit)
    assert [block.page for block in parse_mmd(text_of(step, tmp_path, unit))] == [n for n in range(1, 25) if n % 5]
    assert (manifest.flows[0].into, manifest.flows[0].out, manifest.spent["recognise"].calls) == (24, 20, 20)


async def test_an_endpoint_that_is_away_ends_the_work(tmp_path: Path) -> None:
    unit = book(tmp_path, make_pdf(["one", "two"]))
    with scripted_model(lambda _request: 404) as model:
        step = step_for(model)
        with pytest.raises(EndpointAwayError):
            await run(tmp_path, unit, step)
    assert not step.place(tmp_path, unit).output.exists()


async def test_few_pictures_are_held_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unit = book(tmp_path, make_pdf([f"page {number}" for number in range(40)]))
    drawn, held = [], []
    draw = Pdf.draw

    def counted(pdf: Pdf, number: int, dpi: int, max_side: int) -> Any:
        drawn.append(number)
        return draw(pdf, number, dpi, max_side)

    async def answer(_request: web.Request) -> web.Response:
        if not held:
            await asyncio.sleep(0.5)
        held.append(len(drawn))
        return web.json_response(completion("text"))

    monkeypatch.setattr(Pdf, "draw", counted)
    with ScriptedBackend(answer) as model:
        await run(tmp_path, unit, step_for(model, concurrency=8))
    assert len(drawn) == len(held) == 40
    assert held[0] <= 8 + 4  # before the first reply: those that are asked about, and a few ahead


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (make_pdf(["one"], encrypted=True), "is encrypted; save it without a password"),
        (b"%PDF-1.7 nothing", "is no PDF, or a broken one"),
    ],
)
async def test_a_bad_pdf_is_one_reject(data: bytes, words: str, tmp_path: Path) -> None:
    unit = book(tmp_path, data)
    with scripted_model(lambda _request: "text") as model:
        step = step_for(model)
        manifest = await run(tmp_path, unit, step)
        assert model.requests == []
    assert manifest.fault is not None
    assert words in manifest.fault
    assert text_of(step, tmp_path, unit) == ""
    assert find_done(step, tmp_path, unit, unit.sha256) == manifest
    assert step.size(unit.source) == Size(0)


async def test_a_pdf_without_a_model_names_the_key(tmp_path: Path) -> None:
    unit = book(tmp_path, make_pdf(["one"]))
    with pytest.raises(InputError, match=r"book\.pdf: a PDF, and no model .*pages\.model"):
        await run(tmp_path, unit, step_for(None))


async def test_text_needs_no_model_and_its_pages_are_counted(tmp_path: Path) -> None:
    text = f"एक\n{PAGE_MARK}\n{PAGE_MARK}\nतीन\n{PAGE_MARK}\n"
    unit = book(tmp_path, text.encode(), "book.mmd")
    step = step_for(None)
    manifest = await run(tmp_path, unit, step)
    assert text_of(step, tmp_path, unit) == text
    (flow,) = manifest.flows
    assert (flow.into, flow.out, dict(flow.left)) == (3, 2, {"empty": 1})


def test_what_is_expected_of_books_of_both_kinds(tmp_path: Path) -> None:
    step = step_for(None)
    pdf = book(tmp_path, make_pdf([f"page {number}" for number in range(7)])).source
    text = tmp_path / "in" / "leaflet.md"
    text.write_text("दवा लें।" * 100, encoding="utf-8")
    assert (step.size(pdf), step.size(text)) == (Size(7), Size(0, 800))
    expected = step.expect(step.size(pdf) + step.size(text))
    assert expected.calls == {"recognise": 7}
    assert expected.out.chars == 7 * 1800 + 800
    assert expected.prompt_tokens > 7 * 900
    assert step.expect(step.size(text)).calls == {}


def settings_of(**changes: Any) -> str:
    model = Model(**({"base_url": "http://a", "model": "m"} | changes))
    section = PagesSection(model=model)
    return PagesStep(CorpusConfig(sources=Path("in"), folder=Path("out"), pages=section)).settings_hash()


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"base_url": "http://b"}, True),
        ({"concurrency": 1}, True),
        ({"model": "other"}, False),
        ({"extra": {"skip_special_tokens": False}}, False),
    ],
)
def test_settings_are_what_the_output_depends_on(changes: dict[str, Any], same: bool) -> None:
    assert (settings_of(**changes) == settings_of()) is same


def test_a_step_can_be_sent_to_another_process() -> None:
    step = step_for(None)
    assert pickle.loads(pickle.dumps(step)).settings() == step.settings()


def test_suffixes_of_books() -> None:
    known: Sequence[str] = SUFFIXES
    assert set(known) == {".pdf", ".mmd", ".html", ".htm", ".md", ".txt"}
