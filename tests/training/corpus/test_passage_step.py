"""Recognised books to passages, end to end, by a writer that fails, stalls, talks nonsense and declines."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web
from make_pdf import make_pdf
from running import ScriptedBackend, completion

from app.errors import InputError
from training.corpus.calls import EndpointAwayError
from training.corpus.config import CorpusConfig, Model
from training.corpus.passages import PassagesStep
from training.corpus.passages.blocks import PAGE_MARK
from training.corpus.step import Size, find_done, run_step
from training.corpus.unit import Manifest, Unit, find_units, hash_file

BOOK = f"""# मधुमेह

मधुमेह में रक्त शर्करा बढ़ जाती है ( hyperglycaemia ) और प्यास अधिक लगती है।

यह इंसुलिन की कमी से होता है।
{PAGE_MARK}
{PAGE_MARK}
इसमें रोगी का वजन भी घटता है।

#

The publisher thanks everybody who has helped with this book.

लेखक ने यह पुस्तक बड़े परिश्रम से लिखी है।

मलेरिया मच्छर के काटने से फैलता है और कँपकँपी के साथ ज्वर आता है।
{PAGE_MARK}
अस्पष्ट और टूटा हुआ चिकित्सा का यह वाक्य यहाँ पर है।
"""


@dataclass
class Writer:
    """Flags and grades by rules; ``trouble`` may say otherwise: a text, a status or seconds to wait before it answers.

    Attributes:
        trouble: what to do with a body, which was sent so many times before; None to answer it.
    """

    trouble: Callable[[dict[str, Any], int], str | int | float | None] = lambda _body, _before: None
    sent: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        body, key = orjson.loads(raw), hashlib.sha256(raw).hexdigest()
        trouble = self.trouble(body, self.sent[key])
        self.sent[key] += 1
        if isinstance(trouble, float):
            await asyncio.sleep(trouble)
        elif isinstance(trouble, int):
            return web.json_response({"error": {"message": "no"}}, status=trouble)
        self.answered[key] += 1
        return web.json_response(completion(trouble if isinstance(trouble, str) else rule(body)))


def rule(body: dict[str, Any]) -> str:
    kind = body["response_format"]["json_schema"]["name"]
    if kind == "Corrected":
        passage = body["messages"][1]["content"][-1]["text"].removeprefix("The passage:\n\n")
        return orjson.dumps({"text": passage.replace("fevr", "fever").replace("500", "50")}).decode()
    texts = orjson.loads(body["messages"][1]["content"])
    one = judged if kind.startswith("Judged") else graded
    return orjson.dumps({name: one(text) for name, text in texts.items()}).decode()


def judged(text: str) -> dict[str, bool]:
    return {
        "in_language": True,
        "is_medical": "पुस्तक" not in text,
        "has_ambiguity": text.startswith(("यह", "इस")),
        "is_title_or_heading": False,
    }


def graded(text: str) -> dict[str, str]:
    return {"grade": "bad" if "टूटा" in text else "middle" if "मलेरिया" in text else "good"}


@contextmanager
def writing(writer: Writer, **settings: Any) -> Iterator[Model]:
    with ScriptedBackend(writer) as backend:
        url = f"http://127.0.0.1:{backend.port}/v1"
        yield Model(base_url=url, model="w", **({"max_attempts": 2, "backoff_s": 0.001} | settings))


def config_of(folder: Path, writer: Model | None, **changes: Any) -> CorpusConfig:
    return CorpusConfig.model_validate({"sources": folder, "folder": folder, "writer": writer} | changes)


def book_of(folder: Path, text: str, name: str = "book.mmd", source: bytes | None = None) -> tuple[Unit, Path]:
    """A unit and its recognised text."""
    for each in ("sources", "read"):
        (folder / each).mkdir(exist_ok=True)
    (folder / "sources" / name).write_bytes(source or text.encode())
    (unit,), _ = find_units(folder / "sources", [Path(name).suffix])
    recognised = folder / "read" / f"{unit.id}.mmd"
    recognised.write_text(text, encoding="utf-8")
    return unit, recognised


async def run(step: PassagesStep, folder: Path, book: tuple[Unit, Path]) -> tuple[Manifest, list[dict[str, Any]]]:
    unit, read = book
    manifest = await run_step(step, folder, unit, read, hash_file(read))
    output = step.place(folder, unit).output.read_bytes()
    return manifest, [orjson.loads(line) for line in output.splitlines()]


def counts(manifest: Manifest) -> dict[str, tuple[int, int, dict[str, int]]]:
    return {flow.stage: (flow.into, flow.out, {k: n for k, n in flow.left.items() if n}) for flow in manifest.flows}


def rejects(step: PassagesStep, folder: Path, unit: Unit) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in step.place(folder, unit).rejects.read_bytes().splitlines()]


async def test_a_book_becomes_passages(tmp_path: Path) -> None:
    book = book_of(tmp_path, BOOK)
    writer = Writer()
    with writing(writer) as model:
        step = PassagesStep(config_of(tmp_path, model))
        manifest, rows = await run(step, tmp_path, book)
        output = step.place(tmp_path, book[0]).output.read_bytes()
        flags = {"is_hindi": True, "is_medical": True, "has_ambiguity": False, "is_title_or_heading": False}
        assert rows == [
            {
                "id": f"{book[0].id}-p00002",
                "text": "मधुमेह में रक्त शर्करा बढ़ जाती है (hyperglycaemia) और प्यास अधिक लगती है।\n"
                "यह इंसुलिन की कमी से होता है।\nइसमें रोगी का वजन भी घटता है।",
                "pages": [1, 3],
                "source": "book.mmd",
                "flags": flags,
                "grade": "good",
            },
            {
                "id": f"{book[0].id}-p00007",
                "text": "मलेरिया मच्छर के काटने से फैलता है और कँपकँपी के साथ ज्वर आता है।",
                "pages": [3],
                "source": "book.mmd",
                "flags": flags,
                "grade": "middle",
            },
        ]
        assert counts(manifest) == {
            "clean": (9, 8, {"empty": 1}),
            "merge": (8, 8, {}),
            "flag": (8, 8, {}),
            "combine": (8, 6, {"joined": 2}),
            "pick": (6, 3, {"title or heading": 1, "not Hindi": 1, "not medical": 1}),
            "grade": (3, 2, {"bad": 1}),
        }
        assert [
            (reject["stage"], reject["id"][-6:], reject["reason"]) for reject in rejects(step, tmp_path, book[0])
        ] == [
            ("pick", "p00001", "title or heading"),
            ("pick", "p00005", "not Hindi"),
            ("pick", "p00006", "not medical"),
            ("grade", "p00008", "bad"),
        ]
        assert {purpose: spent.calls for purpose, spent in manifest.spent.items()} == {"flag": 1, "grade": 1}
        assert find_done(step, tmp_path, book[0], hash_file(book[1])) == manifest
        await run(step, tmp_path, book)
        assert writer.sent.total() == 2
        assert step.place(tmp_path, book[0]).output.read_bytes() == output


def long_book(blocks: int) -> str:
    parts = []
    for number in range(blocks):
        start = ("इस रोग", "यह लक्षण", "मलेरिया", "मधुमेह", "ज्वर", "यह पुस्तक")[number * 7 % 6]
        parts.append(f"{start} की अवस्था {number} में रोगी को विश्राम और औषधि दी जाती है।")
        if number % 10 == 9:
            parts.append(PAGE_MARK)
    return "\n\n".join(parts)


def fate(body: dict[str, Any], salt: str = "") -> float:
    digest = hashlib.sha256(orjson.dumps([body, salt])).digest()
    return int.from_bytes(digest[:4]) / 2**32


async def test_a_rough_writer_leaves_counts_that_add_up_and_no_words_of_its_own(tmp_path: Path) -> None:
    def trouble(body: dict[str, Any], before: int) -> str | int | float | None:
        if before == 0 and fate(body, "endpoint") < 0.3:
            return 503 if fate(body, "stall") < 0.8 else 5.0  # longer than anybody waits
        for reply in ("<FAIL>", "[ERROR: I am only a model]", '{"passage_1": {"grade": "fine"}}', "", "{"):
            if fate(body, reply) < 0.08:
                return reply
        return None

    book, writer = book_of(tmp_path, long_book(300)), Writer(trouble)
    with writing(writer, timeout_s=1.5, concurrency=8, max_attempts=3) as model:
        keep = ["good", "middle", "unknown"]
        step = PassagesStep(config_of(tmp_path, model, passages={"blocks_per_call": 4, "keep": keep}))
        manifest, rows = await run(step, tmp_path, book)
        output, sent = step.place(tmp_path, book[0]).output.read_bytes(), writer.sent.total()
        assert (manifest.again, manifest.fault) == (0, None)
        flow = {flow.stage: flow for flow in manifest.flows}
        assert flow["flag"].into == 300
        assert 0 < flow["flag"].left.total() < 60
        assert set(flow["flag"].left) <= {"declined", "no JSON", "not in shape", "empty"}
        assert flow["pick"].out == flow["grade"].into
        unknown = [key for key in flow["pick"].left if key.startswith("unknown: ")]
        assert 0 < sum(flow["pick"].left[key] for key in unknown) <= flow["flag"].left.total()
        assert {row["grade"] for row in rows} <= {"good", "middle", "unknown"}
        assert len({row["id"] for row in rows}) == len(rows) == flow["grade"].out > 50
        assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)
        text = book[1].read_text(encoding="utf-8")
        assert all(line in text for row in rows for line in row["text"].split("\n"))
        assert all(row["flags"] == rows[0]["flags"] for row in rows)
        notes = Counter(reject["stage"] for reject in rejects(step, tmp_path, book[0]))
        assert notes["flag"] == flow["flag"].left.total()
        assert notes["pick"] == flow["pick"].left.total()
        assert max(writer.answered.values()) == 1
        again, _ = await run(step, tmp_path, book)
        assert writer.sent.total() == sent
        assert step.place(tmp_path, book[0]).output.read_bytes() == output
        assert counts(again) == counts(manifest)


async def test_what_the_endpoint_failed_for_is_made_good_by_the_next_run(tmp_path: Path) -> None:
    text = long_book(120)
    down = Writer(lambda body, before: 503 if before < 2 and fate(body) < 0.2 else None)
    results = {}
    for name, writer in (("up", Writer()), ("down", down)):
        folder = tmp_path / name
        folder.mkdir()
        book = book_of(folder, text)
        with writing(writer) as model:
            step = PassagesStep(config_of(folder, model, passages={"blocks_per_call": 2}))
            manifest, rows = await run(step, folder, book)
            if name == "down":
                failed = dict(manifest.flows[2].left)
                assert set(failed) == {"endpoint failed"}
                assert manifest.again >= failed["endpoint failed"] > 0
                assert len(rows) < len(results["up"])
                for _ in range(3):  # what was unknown to flag is seen by the grader for the first time
                    assert find_done(step, folder, book[0], hash_file(book[1])) is None
                    manifest, rows = await run(step, folder, book)
                    if not manifest.again:
                        break
                assert max(writer.answered.values()) == 1
            assert manifest.again == 0
            results[name] = rows
    assert results["up"] == results["down"]


async def test_a_run_that_was_stopped_goes_on(tmp_path: Path) -> None:
    book = book_of(tmp_path, long_book(200))
    writer = Writer()
    with writing(writer, concurrency=2, max_attempts=1) as model:
        step = PassagesStep(config_of(tmp_path, model, passages={"blocks_per_call": 2}))
        for stop in (20, 50, 80):
            writer.trouble = lambda _body, _before, stop=stop: 401 if writer.answered.total() >= stop else None
            with pytest.raises(EndpointAwayError, match="401"):
                await run(step, tmp_path, book)
            assert not step.place(tmp_path, book[0]).output.exists()
        writer.trouble = lambda _body, _before: None
        manifest, rows = await run(step, tmp_path, book)
        assert manifest.again == 0
        assert len(rows) == counts(manifest)["grade"][1] > 40
        assert max(writer.answered.values()) == 1


async def test_passages_are_compared_with_their_pages(tmp_path: Path) -> None:
    lines = [
        "Malaria brings fevr and sweat, and the mosquito carries it.",
        "Quinine 500 mg is given for fevr of malaria, as the doctor says.",
        "The heart has four chambers and pumps the blood through the body.",
    ]
    text = f"{lines[0]}\n{PAGE_MARK}\n{lines[1]}\n\n{lines[2]}\n{PAGE_MARK}\n"
    pdf = make_pdf(["Malaria brings fever", "Quinine 500 mg"])
    book, writer = book_of(tmp_path, text, "book.pdf", pdf), Writer()
    with writing(writer) as model:
        config = config_of(
            tmp_path, model, languages=["en"], passages={"calibrate": True, "grade": False, "vision": model}
        )
        step = PassagesStep(config)
        manifest, rows = await run(step, tmp_path, book)
        assert [row["text"] for row in rows] == [lines[0].replace("fevr", "fever"), *lines[1:]]
        assert counts(manifest)["calibrate"] == (3, 1, {"changes a number": 1, "nothing to correct": 1})
        assert {row["grade"] for row in rows} == {"unknown"}
        assert "grade" not in counts(manifest)
        (refused,) = rejects(step, tmp_path, book[0])
        assert refused["reason"] == "changes a number"
        assert "50 mg" in refused["detail"]
        assert refused["row"] == {"text": lines[1]}
        sent = writer.sent.total()
        await run(step, tmp_path, book)
        assert writer.sent.total() == sent == 4


async def test_a_book_without_pages_is_compared_with_nothing(tmp_path: Path) -> None:
    book = book_of(tmp_path, BOOK)
    with writing(Writer()) as model:
        config = config_of(tmp_path, model, passages={"calibrate": True}, pages={"model": model})
        manifest, rows = await run(PassagesStep(config), tmp_path, book)
    assert counts(manifest)["calibrate"] == (3, 0, {"no pictures": 3})
    assert len(rows) == 2


@pytest.mark.parametrize(
    ("reply", "reason"),
    [("<FAIL>", "declined"), ('{"text": ""}', "empty"), ('{"text": "short"}', "changes too much"), (400, "refused")],
)
async def test_a_correction_that_is_none_leaves_the_passage(reply: str | int, reason: str, tmp_path: Path) -> None:
    def trouble(body: dict[str, Any], _before: int) -> str | int | None:
        return reply if body["response_format"]["json_schema"]["name"] == "Corrected" else None

    text = "The heart has four chambers and pumps the blood through the body."
    book = book_of(tmp_path, text, "book.pdf", make_pdf(["The heart"]))
    with writing(Writer(trouble)) as model:
        config = config_of(tmp_path, model, languages=["en"], passages={"calibrate": True, "vision": model})
        manifest, rows = await run(PassagesStep(config), tmp_path, book)
    assert counts(manifest)["calibrate"] == (1, 0, {reason: 1})
    assert [row["text"] for row in rows] == [text]


async def test_an_encoder_joins_neighbours_first(tiny_checkpoint: Path, tmp_path: Path) -> None:
    book = book_of(tmp_path, "मधुमेह में प्यास अधिक लगती है।\n\nमधुमेह में प्यास अधिक लगती है।\n\n- मलेरिया में ज्वर आता है।")
    with writing(Writer()) as model:
        config = config_of(tmp_path, model, passages={"encoder": {"path": str(tiny_checkpoint)}, "threshold": 0.99})
        manifest, rows = await run(PassagesStep(config), tmp_path, book)
    assert counts(manifest)["merge"] == (3, 2, {"joined": 1})
    assert [row["id"][-6:] for row in rows] == ["p00001", "p00002"]
    assert rows[0]["text"].count("\n") == 1


async def test_an_empty_book_and_one_that_is_no_text(tmp_path: Path) -> None:
    writer = Writer()
    with writing(writer) as model:
        step = PassagesStep(config_of(tmp_path, model))
        manifest, rows = await run(step, tmp_path, book_of(tmp_path, f"{PAGE_MARK}\n{PAGE_MARK}"))
        assert (rows, manifest.fault) == ([], None)
        unit, read = book_of(tmp_path, "x")
        read.write_bytes(b"\xff\xfe")
        manifest, rows = await run(step, tmp_path, (unit, read))
        assert rows == []
        assert "is no UTF-8 text (byte 0)" in str(manifest.fault)
        assert step.size(read) == Size(0)
        read.unlink()
        manifest = await run_step(step, tmp_path, unit, read, "gone since")
        assert (manifest.again, "cannot be read" in str(manifest.fault)) == (1, True)
    assert not writer.sent


def test_what_is_missing_is_named_with_its_key(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="field 'writer': no model that flags and grades passages"):
        PassagesStep(config_of(tmp_path, None))
    model = Model(base_url="http://127.0.0.1:1/v1", model="w")
    with pytest.raises(InputError, match=r"field 'passages\.vision': no model that compares"):
        PassagesStep(config_of(tmp_path, model, passages={"calibrate": True}))
    with pytest.raises(InputError, match="field 'languages'"):
        PassagesStep(config_of(tmp_path, model, languages=["hindi?"]))


def test_settings_hold_what_the_output_depends_on_and_nothing_else(tmp_path: Path) -> None:
    def hash_of(url: str = "http://a/v1", languages: tuple[str, ...] = ("hi",), speed: int = 1, **passages: Any) -> str:
        model = Model(base_url=url, model="w", concurrency=speed)
        return PassagesStep(config_of(tmp_path, model, languages=languages, passages=passages)).settings_hash()

    assert hash_of() == hash_of("http://b/v1", speed=9) == hash_of(keep=["middle", "good"]) == hash_of(max_change=0.5)
    vision = {"base_url": "http://a/v1", "model": "v"}
    others = [
        hash_of(threshold=0.5),
        hash_of(max_chars=100),
        hash_of(blocks_per_call=4),
        hash_of(grade=False),
        hash_of(keep=["good"]),
        hash_of(languages=("en",)),
        hash_of(calibrate=True, vision=vision),
        hash_of(calibrate=True, vision=vision, max_change=0.5),
        hash_of(encoder={"model": vision}),
    ]
    assert len({hash_of(), *others}) == 1 + len(others)


def test_an_estimate_of_calls(tmp_path: Path) -> None:
    model = Model(base_url="http://a/v1", model="w")
    _, read = book_of(tmp_path, BOOK)
    step = PassagesStep(config_of(tmp_path, model, passages={"calibrate": True, "vision": model}))
    assert step.size(read).items == 9
    found = step.expect(Size(800, 240_000))
    assert found.calls == {"flag": 100, "calibrate": 400, "grade": 50}
    assert 0 < found.out.items < 400
    assert found.prompt_tokens > 240_000 * 0.6
    assert found.completion_tokens > 800 * 20
