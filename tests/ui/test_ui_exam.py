"""The question of an exam: what is read from boxes and pasted text, what is drawn, and what is shown of it."""

import asyncio
import time
from collections import Counter
from typing import Any

import pytest
from aiohttp import web
from medical_gateway import HINDI_QUESTION, OPTIONS, medical_backend, medical_gateway
from served import until
from sqlalchemy import Engine

from app.database import open_session
from app.tables import BenchmarkRow, ItemRow
from evaluation.benchmarks.registry import load_benchmark
from ui.answers import LiveAnswer
from ui.exam.asking import Asking
from ui.exam.items import BUILT_IN, built_in_source, draw_item, list_sources
from ui.exam.paper import FieldError, Paper, read_options, read_paper, take_apart
from ui.exam.pictures import draw_sheet, judge, option_rows
from ui.gateway import Gateway, MedicalAnswer, Question
from ui.texts import texts

PAPER = Paper("Which vitamin?", {"A": "B12", "B": "C", "C": "D"}, gold="B", language="en", samples=5)


def result(**fields: Any) -> MedicalAnswer:
    about = {"question": "en", "answer": "en", "verdict": "consistent", "foreign": [], "enforced": None}
    known = {
        "id": "r1", "answer": "B", "reasoning": None, "choice": "B", "votes": None, "unread": None, "confidence": None,
        "language": about, "cut_off": False, "attempts": 1, "model": "m", "usage": None, "notice": "Ask a doctor.",
    }  # fmt: skip
    return MedicalAnswer.model_validate(known | fields)


@pytest.mark.parametrize(
    ("text", "question", "options"),
    [
        ("Which?\nA. one\nB. two", "Which?", ["one", "two"]),
        ("किस विटामिन से?\n(A) विटामिन A\n(B) विटामिन C\nऔर D", "किस विटामिन से?", ["विटामिन A", "विटामिन C और D"]),
        ("Which? A) one B) two C) three", "Which?", ["one", "two", "three"]),
        ("What does\nE. coli cause?", "What does\nE. coli cause?", []),
        ("", "", []),
        ("Which?\n\na) one\nb) two  x\n\nc) three\n", "Which?", ["one", "two x", "three"]),
        ("Which?\na. one\nb. two", "Which?", ["one", "two"]),
        ("7. Which?\n1. one\n2. two\n3. three", "7. Which?", ["one", "two", "three"]),
        ("कौन सा?\n(क) एक\n(ख) दो\n(ग) तीन\n(घ) चार", "कौन सा?", ["एक", "दो", "तीन", "चार"]),
        ("कौन सा?\n(अ) एक\n(ब) दो\n(स) तीन", "कौन सा?", ["एक", "दो", "तीन"]),
        ("कौन सा?\n१. एक\n२. दो", "कौन सा?", ["एक", "दो"]),
        ("Given:\n1. x\n2. y\nWhich?\n(a) 1\n(b) 2", "Given:\n1. x\n2. y\nWhich?", ["1", "2"]),
        ("Given:\n1. x\n2. y\nWhat is it?", "Given:\n1. x\n2. y\nWhat is it?", []),  # options stand last
        ("Which?\nb) one\nc) two", "Which?\nb) one\nc) two", []),  # not from the first
        ("Which?\na) one\nc) two", "Which?\na) one\nc) two", []),
        ("Doses:\n1.5 mg\n2.5 mg", "Doses:\n1.5 mg\n2.5 mg", []),
        ("a) one\nb) two", "a) one\nb) two", []),  # without a question
    ],
)
def test_pasted_text_is_taken_apart(text: str, question: str, options: list[str]) -> None:
    assert take_apart(text) == (question, options)


@pytest.mark.parametrize("label", ["A. x", "a) x", "A.<br>"])
def test_a_long_list_is_taken_apart_at_once(label: str) -> None:
    text = "Which?\n" + f"{label}\n" * 20_000
    begun = time.perf_counter()
    assert take_apart(text) == (text.strip(), [])
    assert time.perf_counter() - begun < 1


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("one\n\n  two \nthree", {"A": "one", "B": "two", "C": "three"}),
        ("A. one\nB) two", {"A": "one", "B": "two"}),
        ("A. one\ntwo", {"A": "A. one", "B": "two"}),  # a label that not every line has is text
        ("", {}),
    ],
)
def test_options_come_one_a_line(text: str, options: dict[str, str]) -> None:
    assert read_options(text) == options


@pytest.mark.parametrize(
    ("question", "options", "field", "key", "values"),
    [
        (" \n", "a\nb", "question", "exam.empty", {}),
        ("q\x00", "a\nb", "question", "exam.unusable", {}),
        ("q" * 32_001, "a\nb", "question", "problem.too_long", {}),
        ("q", f"a\n{'b' * 4_001}", "options", "exam.long_option", {"letter": "B", "most": "4,000"}),
        ("q", "a", "options", "exam.few_options", {}),
        ("q", "", "options", "exam.few_options", {}),
        ("q", "A.\nB.", "options", "exam.few_options", {}),
        ("q", "a\nb\x00", "options", "exam.unusable", {}),
        ("q", "\n".join(map(str, range(27))), "options", "exam.many_options", {"n": 27}),
    ],
)
def test_what_cannot_be_asked_is_said_at_its_field(
    question: str, options: str, field: str, key: str, values: dict[str, Any]
) -> None:
    with pytest.raises(FieldError) as caught:
        read_paper(question, options)
    assert (caught.value.field, caught.value.key, caught.value.values) == (field, key, values)
    assert texts("hi")(key, **values)


def test_twenty_six_options_have_a_letter_each() -> None:
    assert "".join(read_paper("q", "\n".join(map(str, range(26)))).options) == "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@pytest.mark.parametrize(
    ("gold", "choice", "text", "tone"),
    [
        ("B", "B", "✓ Right: the model chose B.", "good"),
        ("B", "C", "✕ Wrong: the model chose C, the right answer is B.", "bad"),
        ("B", None, "? The model named no option that can be read; the right answer is B.", "warn"),
        (None, "C", "The model chose C.", "plain"),
        (None, None, "? The model named no option that can be read.", "warn"),
    ],
)
def test_the_verdict_is_said_in_words(gold: str | None, choice: str | None, text: str, tone: str) -> None:
    badge = judge(Paper("q", PAPER.options, gold=gold), result(choice=choice), texts("en"))
    assert (badge.text, badge.tone) == (text, tone)


def test_votes_are_shares_of_all_samples_the_unread_included() -> None:
    rows = option_rows(PAPER, result(choice="C", votes={"C": 2, "A": 1}, unread=2, confidence=0.4), texts("en"))
    assert [(row.letter, row.votes, row.share) for row in rows] == [
        ("A", 1, 0.2), ("B", 0, 0.0), ("C", 2, 0.4), ("", 2, 0.4)
    ]  # fmt: skip
    assert [(row.chosen, row.gold) for row in rows] == [(False, False), (False, True), (True, False), (False, False)]


def test_no_letter_is_chosen_where_none_can_be_read() -> None:
    rows = option_rows(PAPER, result(choice=None, votes={}, unread=5), texts("en"))
    assert not any(row.chosen for row in rows)
    assert [row.votes for row in rows] == [0, 0, 0, 5]


def test_the_sheet_holds_the_right_answer_only_once_the_model_has_answered() -> None:
    say = texts("en")
    paper = Paper("Which vitamin?", PAPER.options, gold="B", samples=5)
    before = draw_sheet(paper, say)
    paper.answer = LiveAnswer(state="running")
    during = draw_sheet(paper, say, seconds=7)
    paper.answer.state = "stopped"
    stopped = draw_sheet(paper, say)
    paper.answer.finish(result(votes={"B": 4}, unread=1, confidence=0.8))
    after = draw_sheet(paper, say)
    for html in (before, during, stopped):
        assert say("exam.right") not in html
        assert "gold" not in html
        assert say("exam.hidden") in html
    assert say("exam.working", seconds=7) in during
    assert say("exam.right") in after
    assert "4 of 5 · 80 %" in after
    assert "4 of 5 samples chose B (95 % interval 38–96 %)" in after  # Wilson of 4 in 5: 37.6 to 96.4
    assert say("exam.hidden") not in after


def test_texts_of_people_and_models_stay_text() -> None:
    hostile = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    paper = Paper(hostile, {"A": hostile, "B": "b"}, origin=hostile, answer=LiveAnswer())
    assert paper.answer is not None
    paper.answer.finish(result(answer=hostile, reasoning=hostile, model=hostile, notice=hostile))
    html = draw_sheet(paper, texts("en"))
    assert "<script" not in html
    assert "<img" not in html


def store_benchmark(engine: Engine, name: str, sha256: str, items: list[tuple[str, str, str, str | None]]) -> int:
    """A benchmark of (id, kind, language, duplicate_of) items; its id."""
    with open_session(engine) as session:
        row = BenchmarkRow(name=name, version=sha256[:4], sha256=sha256, n=len(items), duplicates=0, invalid=[])
        session.add(row)
        session.flush()
        for position, (item_id, kind, language, duplicate_of) in enumerate(items):
            mcq = kind == "mcq"
            session.add(
                ItemRow(
                    benchmark_id=row.id, id=item_id, position=position, row=position + 1, number=None, kind=kind,
                    language=language, question=f"q {item_id}", options={"B": "two", "A": "one"} if mcq else None,
                    gold="A" if mcq else None, reference=None, groups={}, cluster=item_id, duplicate_of=duplicate_of,
                )
            )  # fmt: skip
        return row.id


def test_multiple_choice_questions_are_drawn_from_the_database(engine: Engine) -> None:
    items = [("a", "mcq", "hi", None), ("b", "mcq", "fr", None), ("c", "mcq", "hi", "a"), ("d", "qa", "sw", None)]
    number = store_benchmark(engine, "HiMed-Trad", "1" * 64, items)
    store_benchmark(engine, "Open", "2" * 64, [("e", "qa", "hi", None)])
    (source,) = list_sources(engine)
    assert (source.id, source.name, source.languages, source.n) == (str(number), "HiMed-Trad", {"hi": 1, "fr": 1}, 2)
    drawn = [draw_item(engine, source.id, None) for _ in range(30)]
    assert {each.id for each in drawn if each} == {"a", "b"}
    only = draw_item(engine, source.id, "hi", besides="a")  # the only one there is
    assert only is not None
    assert (only.id, only.paper.language, only.paper.gold, only.paper.origin) == ("a", "hi", "A", "HiMed-Trad · 1")
    assert list(only.paper.options) == ["A", "B"]
    assert all(each and each.id == "b" for each in (draw_item(engine, source.id, None, besides="a") for _ in range(9)))
    assert draw_item(engine, source.id, "sw") is None


def test_benchmarks_of_one_name_are_told_apart_and_the_sample_stands_once(engine: Engine) -> None:
    for sha256 in ("3" * 64, "4" * 64, load_benchmark("sample").sha256):
        store_benchmark(engine, "X", sha256, [("a", "mcq", "hi", None)])
    assert [source.name for source in list_sources(engine)] == ["X 3333", "X 4444"]


def test_the_built_in_sample_needs_no_database(engine: Engine) -> None:
    source = built_in_source()
    languages = Counter(item.language for item in load_benchmark("sample").items if item.kind == "mcq")
    assert source.languages == dict(languages)
    drawn = [draw_item(engine, BUILT_IN, "sw") for _ in range(40)]
    assert {each.paper.language for each in drawn if each} == {"sw"}
    assert len({each.id for each in drawn if each}) == languages["sw"]
    assert all(each.paper.gold in each.paper.options for each in drawn if each)


async def _hang(_request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(60)
    return web.json_response({})


async def test_stopping_closes_the_request() -> None:
    asking, live = Asking(), LiveAnswer()
    with medical_backend(_hang) as backend, medical_gateway(backend) as running:
        gateway = Gateway(f"{running.url}/v1")
        question = Question(HINDI_QUESTION, options=OPTIONS, samples=3)

        async def stop() -> None:
            while backend.open < 3:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            assert asking.stop("me")

        stopping = asyncio.create_task(stop())
        seconds = [tick async for tick in asking.wait("me", gateway, question, live)]
        await stopping
        assert live.state == "stopped"
        assert len(seconds) < 5
        await asyncio.to_thread(until, lambda: backend.open == 0)
        assert not asking.stop("me")
        await gateway.close()


async def test_a_reader_who_leaves_closes_the_request_too() -> None:
    asking, live = Asking(), LiveAnswer()
    with medical_backend(_hang) as backend, medical_gateway(backend) as running:
        gateway = Gateway(f"{running.url}/v1")
        waiting = asking.wait("me", gateway, Question(HINDI_QUESTION, options=OPTIONS), live)
        assert await anext(waiting) == 1
        assert backend.open == 1
        await waiting.aclose()  # type: ignore[attr-defined]  # what Gradio does with the generator
        await asyncio.to_thread(until, lambda: backend.open == 0)
        assert live.state == "stopped"
        await gateway.close()


async def test_a_gateway_that_is_away_is_said() -> None:
    live = LiveAnswer()
    gateway = Gateway("http://127.0.0.1:9/v1")
    assert [tick async for tick in Asking().wait("me", gateway, Question("q", options=OPTIONS), live)] == []
    assert (live.state, live.problem) == ("failed", "problem.away")
    await gateway.close()


async def test_an_answer_that_is_no_json_is_said() -> None:
    """As a web server between the page and the gateway may send."""

    async def no_json(_request: web.Request) -> web.Response:
        return web.Response(text="<html>busy</html>", content_type="application/json")

    application = web.Application()
    application.router.add_post("/v1/medical/answer", no_json)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    gateway, live = Gateway(f"http://127.0.0.1:{runner.addresses[0][1]}/v1"), LiveAnswer()
    async for _ in Asking().wait("me", gateway, Question("q", options=OPTIONS), live):
        pass
    assert live.state == "failed"
    assert live.problem is not None
    await runner.cleanup()
