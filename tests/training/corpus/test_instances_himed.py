"""Passages to HiMed's instances: the writer's budget, what comes through, and that all of it adds up."""

import asyncio
import re
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest
from instances_writer import Writer, by_chance, config_of, flows, mcq, run, served, suits, write_passages

from app.errors import InputError
from app.options import split_lines
from training.corpus.config import CorpusConfig
from training.corpus.instances import InstancesStep
from training.corpus.step import Size
from training.corpus.unit import Work
from training.data import load_examples

ALL = ["MCQ", "QA", "Dialogue"]


async def test_rows_are_what_training_reads(tmp_path: Path) -> None:
    writer = Writer()
    with served(writer) as backend:
        manifest, rows, place = await run(config_of(tmp_path, backend, system="Ayurveda"), write_passages(tmp_path, 3))
    assert flows(manifest) == {"suit": (3, 3, {}), "write": (15, 15, {}), "items": (135, 135, {})}
    assert writer.replies == {0: 6, 1: 6, 2: 6}
    examples, report = load_examples([place.output], "rc")
    assert (len(examples), report.set_aside, report.notes, report.duplicates) == (135, (), (), ())
    assert report.files[0].layout == "himed-trad"
    assert {name: report.groups[name] for name in ("system", "type")} == {
        "system": {"Ayurveda": 135},
        "type": {"Dialogue": 45, "MCQ": 45, "QA": 45},
    }
    assert rows[0]["id"] == "book-0123456789-p00000-diagnosis-mcq-easy"
    assert (rows[0]["passage_id"], rows[0]["pages"], rows[0]["source"]) == (
        "book-0123456789-p00000",
        [1],
        "book-0123456789.pdf",
    )
    assert {row["id"] for row in rows if row["subject"] == "medical knowledge"} >= {
        "book-0123456789-p00002-medical-knowledge-dialogue-hard"
    }
    assert rows[6]["question"].startswith("User: प्रकरण 0 ")
    assert re.findall(r"^(\w+):", rows[6]["question"], re.MULTILINE) == ["User", "Assistant", "User"]


async def test_right_answers_are_spread_over_the_letters_and_ids_over_books(tmp_path: Path) -> None:
    writer = Writer(by_chance(3, nonsense=0.2))
    ids: list[str] = []
    golds: Counter[str] = Counter()
    positions: Counter[str] = Counter()
    with served(writer) as backend:
        for unit in ("book-0123456789", "book-9876543210"):
            _, rows, _ = await run(config_of(tmp_path, backend), write_passages(tmp_path, 12, unit))
            ids += [row["id"] for row in rows]
            assert all(row["id"].startswith(row["passage_id"]) for row in rows)
            questions = [row for row in rows if row["type"] == "MCQ"]
            letters = Counter(row["answer"] for row in questions)
            assert max(letters.values()) - min(letters.values()) <= 1
            golds += letters
            for row in questions:
                options = split_lines(row["question"])[1] or {}
                assert list(options) == list("ABCDE")
                assert options[row["answer"]] == mcq("")["answer"]
                positions[next(letter for letter, text in options.items() if text == "कास का लक्षण")] += 1
    assert len(set(ids)) == len(ids) > 800
    assert set(golds) == set("ABCDE")
    assert min(positions.values()) > sum(positions.values()) / 10  # distractors are shuffled too


async def test_nothing_suits_is_an_answer_and_not_asked_again(tmp_path: Path) -> None:
    writer = Writer()
    writer.suits = suits({})
    with served(writer) as backend:
        manifest, rows, place = await run(config_of(tmp_path, backend), write_passages(tmp_path, 2))
    assert flows(manifest)["suit"] == (2, 0, {"cannot: nothing suits": 2})
    assert (rows, writer.requests, manifest.again) == ([], 2, 0)
    assert orjson.loads(place.rejects.read_bytes().splitlines()[0])["id"] == "book-0123456789-p00000"


async def test_only_what_suits_is_asked_and_null_stays_null(tmp_path: Path) -> None:
    def change(reply: dict[str, Any]) -> None:
        reply["qa"]["hard"] = None
        reply["mcq"]["easy"] = "cannot"

    writer = Writer()
    writer.suits = suits({"treatment": ["QA", "MCQ", "QA"]})
    writer.change = change
    with served(writer) as backend:
        manifest, rows, _ = await run(config_of(tmp_path, backend), write_passages(tmp_path, 1))
    assert flows(manifest) == {"suit": (1, 1, {}), "write": (1, 1, {}), "items": (6, 4, {"cannot": 2})}
    assert [row["id"].split("-", 3)[3] for row in rows] == [
        "treatment-mcq-medium",
        "treatment-mcq-hard",
        "treatment-qa-easy",
        "treatment-qa-medium",
    ]
    assert writer.replies == {0: 2}


async def test_a_failed_subject_costs_its_own_items_only(tmp_path: Path) -> None:
    writer = Writer(lambda number, subject, seed: {"etiology": "nonsense", "treatment": "failed"}.get(subject))
    with served(writer) as backend:
        config, source = config_of(tmp_path, backend), write_passages(tmp_path, 1)
        manifest, rows, _ = await run(config, source)
        assert flows(manifest)["write"] == (5, 3, {"no JSON": 1, "endpoint failed": 1})
        assert flows(manifest)["items"] == (27, 27, {})
        assert (manifest.again, {row["subject"] for row in rows} & {"etiology", "treatment"}) == (1, set())
        writer.fault = lambda number, subject, seed: None
        again, _, _ = await run(config, source)
    assert flows(again)["write"] == (5, 4, {"no JSON": 1})
    assert writer.replies[0] <= 8


async def test_every_subject_has_its_first_try_before_any_has_a_second(tmp_path: Path) -> None:
    writer = Writer(lambda number, subject, seed: "nonsense" if seed == 0 else None)
    with served(writer) as backend:
        manifest, rows, _ = await run(config_of(tmp_path, backend), write_passages(tmp_path, 1))
    # Two replies for what suits, five first tries, and one second try, which the first subject gets.
    assert writer.replies == {0: 8}
    assert flows(manifest)["write"] == (5, 1, {"no JSON": 4})
    assert {row["subject"] for row in rows} == {"diagnosis"}


async def test_a_subject_that_the_endpoint_failed_keeps_its_place_in_the_budget(tmp_path: Path) -> None:
    def fault(number: int, subject: str, seed: int) -> str | None:
        return "failed" if down and subject == "diagnosis" else "nonsense" if seed == 0 else None

    down = True
    writer = Writer(fault)
    with served(writer) as backend:
        config, source = config_of(tmp_path, backend), write_passages(tmp_path, 1)
        await run(config, source)
        assert writer.replies == {0: 6}
        down = False
        manifest, rows, _ = await run(config, source)
    assert writer.replies == {0: 8}
    assert {row["subject"] for row in rows} == {"diagnosis"}
    assert manifest.again == 0


async def test_a_disk_that_is_full_leaves_no_question_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(work: Work, row: Any) -> None:
        raise OSError(28, "no space left")

    monkeypatch.setattr(Work, "keep", full)
    with served(Writer()) as backend:
        under_way = asyncio.all_tasks()
        with pytest.raises(InputError, match="no space left"):
            await run(config_of(tmp_path, backend), write_passages(tmp_path, 20))
        assert asyncio.all_tasks() == under_way


async def test_a_small_budget_leaves_subjects_out_and_says_so(tmp_path: Path) -> None:
    writer = Writer()
    with served(writer) as backend:
        manifest, _, _ = await run(config_of(tmp_path, backend, max_calls=3), write_passages(tmp_path, 1))
    assert writer.replies == {0: 3}
    assert flows(manifest)["write"] == (5, 2, {"over budget": 3})


@pytest.mark.parametrize(
    ("seed", "bad", "failed", "max_calls", "attempts"),
    [(1, 0.1, 0.1, 8, 2), (2, 0.2, 0.3, 8, 4), (3, 0.2, 0.1, 5, 3), (4, 0.1, 0.3, 7, 1)],
)
async def test_a_flaky_writer_never_replies_too_often_and_ends_like_a_steady_one(
    seed: int, bad: float, failed: float, max_calls: int, attempts: int
) -> None:
    rates = dict.fromkeys(("nonsense", "declined", "cut off"), bad)
    passages = 3
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        writer, steady = Writer(by_chance(seed, failed=failed, **rates)), Writer()
        source = write_passages(folder, passages)
        with served(writer) as backend:
            config = config_of(folder, backend, max_calls=max_calls, attempts=attempts)
            first, _, place = await run(config, source)
            assert b"ERROR" not in place.output.read_bytes()
            assert b"FAIL" not in place.output.read_bytes()
            # The endpoint is well again; what it said before still stands.
            answers = by_chance(seed, failed=failed, **rates)
            writer.fault = lambda *asked: None if answers(*asked) == "failed" else answers(*asked)
            second, rows, place = await run(config, source)
            made, asked = place.output.read_bytes(), writer.requests
            third, _, _ = await run(config, source)
            assert (place.output.read_bytes(), writer.requests) == (made, asked)
            assert third.flows == second.flows
        assert max(writer.replies.values(), default=0) <= max_calls
        assert len({row["id"] for row in rows}) == len(rows)
        for manifest in (first, second):
            assert manifest.flows[0].into == passages
            for flow in manifest.flows:
                flow.check()
        steady.fault = writer.fault
        (folder / "steady").mkdir()
        with served(steady) as backend:
            config = config_of(folder / "steady", backend, max_calls=max_calls, attempts=attempts)
            _, _, place = await run(config, source)
        assert place.output.read_bytes() == made


async def test_what_repeats_or_breaks_in_a_passage_is_rejected_with_its_reason(tmp_path: Path) -> None:
    def change(reply: dict[str, Any]) -> None:
        reply["qa"]["medium"] = reply["qa"]["easy"]
        reply["qa"]["hard"]["answer"] = "Give the patient plenty of water and let them rest for two days."
        reply["mcq"]["easy"]["distractors"][0] = reply["mcq"]["easy"]["answer"] + " ।"
        reply["dialogue"]["easy"]["answer"] = "ऊपर दिए गए पाठ के अनुसार आराम करें।"
        reply["dialogue"]["hard"]["reasoning"] = "<FAIL>"

    writer = Writer()
    writer.suits, writer.change = suits({"diagnosis": ALL}), change
    with served(writer) as backend:
        manifest, _, place = await run(config_of(tmp_path, backend), write_passages(tmp_path, 2))
    once = ("repeated question", "not in Hindi", "duplicate options", "refers to the passage", "declined")
    assert flows(manifest)["items"] == (18, 8, dict.fromkeys(once, 2))
    rejects = [orjson.loads(line) for line in place.rejects.read_bytes().splitlines()]
    assert [reject["reason"] for reject in rejects[:5]] == [
        "duplicate options",
        "repeated question",
        "not in Hindi",
        "refers to the passage",
        "declined",
    ]
    assert rejects[0]["row"]["answer"] == "ज्वर का लक्षण"
    assert rejects[0]["id"] == "book-0123456789-p00000-diagnosis-mcq-easy"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"{", "row 2: is no JSON"),
        (b"[]", "row 2: is no JSON object"),
        (b'{"id": "x", "text": " ", "pages": [], "source": "s"}', "row 2, field 'text': is missing, empty or no text"),
        (b'{"id": "x", "text": "t", "pages": ["1"], "source": "s"}', "field 'pages': is no list of numbers"),
        (b'{"id": "book-0123456789-p00000", "text": "t", "pages": [1], "source": "s"}', "the id stands twice"),
    ],
)
async def test_a_broken_line_is_the_fault_of_the_unit(line: bytes, words: str, tmp_path: Path) -> None:
    source = write_passages(tmp_path, 1)
    source.write_bytes(source.read_bytes() + line + b"\n")
    with served(Writer()) as backend:
        manifest, rows, _ = await run(config_of(tmp_path, backend), source)
    assert words in (manifest.fault or "")
    assert rows == []


def test_the_writer_is_wanted_and_settings_are_the_styles_own(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="field 'writer'"):
        InstancesStep(CorpusConfig(sources=tmp_path / "books", folder=tmp_path))
    writer = {"base_url": "http://127.0.0.1:1", "model": "m"}

    def hash_of(more: dict[str, Any] | None = None, **instances: Any) -> str:
        values = {
            "sources": tmp_path / "books",
            "folder": tmp_path,
            "writer": writer | (more or {}),
            "instances": instances,
        }
        return InstancesStep(CorpusConfig.model_validate(values)).settings_hash()

    assert hash_of() == hash_of({"concurrency": 3, "base_url": "http://127.0.0.1:2"}) == hash_of(languages=["fr"])
    different = [
        hash_of(),
        hash_of(system="Unani"),
        hash_of(kinds=["QA"]),
        hash_of(attempts=3),
        hash_of({"temperature": 0.5}),
        hash_of(style="cure-med"),
        hash_of(style="cure-med", languages=["fr"]),
    ]
    assert len(set(different)) == len(different)


def test_an_estimate_before_anything_is_asked(tmp_path: Path) -> None:
    source = write_passages(tmp_path, 10)
    values = {
        "sources": tmp_path / "books",
        "folder": tmp_path,
        "writer": {"base_url": "http://127.0.0.1:1", "model": "m"},
    }
    step = InstancesStep(CorpusConfig.model_validate(values))
    size = step.size(source)
    assert size.items == 10
    expected = step.expect(size)
    assert expected.calls == {"suit": 10, "write": 30}
    assert expected.out.items == pytest.approx(10 * 3 * 1.8 * 3 * 0.8)
    assert expected.prompt_tokens > 40 * 300
    assert expected.completion_tokens > 0
    assert step.expect(Size(0)).out.items == 0
    assert step.size(tmp_path / "none.jsonl").items == 0
