"""What is known of passages: by the text itself, and by a model that is asked for several at once."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from running import ScriptedBackend
from scripted_model import scripted_model, settings_of

from app.endpoint import Endpoint, Sampling
from app.errors import InputError
from training.corpus.calls import Caller, CallStore
from training.corpus.passages import Block, Flags, Passage
from training.corpus.passages.ask import GROUP_CHARS, in_groups
from training.corpus.passages.flag import Languages, flag, is_plain_title
from training.corpus.passages.grade import grade

HINDI = Languages.of(["hi"])
PROSE = "मधुमेह में रक्त शर्करा बढ़ जाती है। इंसुलिन उसे घटाता है।"
ENGLISH = "Insulin lowers the glucose in the blood, and the pancreas makes it."
YES = {"in_language": True, "is_medical": True, "has_ambiguity": False, "is_title_or_heading": False}


@asynccontextmanager
async def caller_of(model: ScriptedBackend, folder: Path) -> AsyncIterator[Caller]:
    async with Endpoint(settings_of(model)) as endpoint:
        with CallStore(folder / "calls.db") as store:
            yield Caller(endpoint, store, Sampling(temperature=0.0))


def passages(*texts: str) -> list[Passage]:
    return [Passage(text, (1,), number) for number, text in enumerate(texts, 1)]


def shown(body: dict[str, Any]) -> dict[str, str]:
    texts: dict[str, str] = orjson.loads(body["messages"][-1]["content"])
    return texts


def answering(**changes: dict[str, Any]) -> Callable[[dict[str, Any]], str]:
    """The same answer for all but the passages with these texts."""
    return lambda body: orjson.dumps({name: YES | changes.get(text, {}) for name, text in shown(body).items()}).decode()


async def flags_of(script: Any, group: list[Passage], folder: Path) -> tuple[list[Any], list[dict[str, Any]]]:
    with scripted_model(script) as model:
        async with caller_of(model, folder) as caller:
            return await flag(caller, group, HINDI), model.requests


async def test_a_group_is_one_question(tmp_path: Path) -> None:
    group = passages(PROSE, 'उसे "यह" कहते हैं।\nऔर', "सूची")
    script = answering(**{"सूची": {"is_title_or_heading": True, "has_ambiguity": True}})
    found, asked = await flags_of(script, group, tmp_path)
    assert [passage.flags for passage, _ in found] == [
        Flags(True, True, False, False),
        Flags(True, True, False, False),
        Flags(True, True, True, True),
    ]
    assert all(fault is None for _, fault in found)
    assert [shown(body) for body in asked] == [{f"passage_{one.number}": one.text for one in group}]
    schema = asked[0]["response_format"]["json_schema"]
    assert schema["name"] == "Judged3"
    assert schema["schema"]["required"] == ["passage_1", "passage_2", "passage_3"]


async def test_the_text_itself_tells_its_language_where_it_can(tmp_path: Path) -> None:
    wrong = {PROSE: {"in_language": False}, ENGLISH: {"in_language": True}, "BMI": {"in_language": False}}
    found, _ = await flags_of(answering(**wrong), passages(PROSE, ENGLISH, "BMI"), tmp_path)
    assert [passage.flags.is_hindi for passage, _ in found] == [True, False, False]


@pytest.mark.parametrize(
    "reply",
    [
        "<FAIL>",
        "sorry",
        orjson.dumps({"passage_1": YES}).decode(),
        orjson.dumps({"passage_1": YES, "passage_2": YES, "passage_3": YES}).decode(),
        orjson.dumps({"passage_1": YES, "passage_2": YES | {"is_medical": "yes"}}).decode(),
        '{"passage_1": %s, "passage_1": %s, "passage_2": %s}' % ((orjson.dumps(YES).decode(),) * 3),
    ],
)
async def test_a_group_without_an_answer_is_asked_one_by_one(reply: str, tmp_path: Path) -> None:
    def script(body: dict[str, Any]) -> str:
        return reply if len(shown(body)) == 2 else answering()(body)

    found, asked = await flags_of(script, passages(PROSE, "BMI"), tmp_path)
    assert [passage.flags for passage, _ in found] == [Flags(True, True, False, False)] * 2
    assert [(len(shown(body)), body["seed"]) for body in asked] == [(2, 0), (2, 1), (1, 0), (1, 0)]


async def test_what_nobody_could_tell_is_unknown(tmp_path: Path) -> None:
    def script(body: dict[str, Any]) -> str:
        return "<FAIL>" if "BMI" in shown(body).values() else answering()(body)

    title = Passage("उपचार", (1,), 3, Flags(is_title_or_heading=True))
    found, asked = await flags_of(script, [*passages(PROSE, "BMI"), title], tmp_path)
    assert len(asked) == 2 + 3
    assert [passage.flags for passage, _ in found] == [
        Flags(True, True, False, False),
        Flags(),
        Flags(True, True, False, True),
    ]
    assert [fault and fault.reason for _, fault in found] == [None, "declined", None]
    assert [passage.trouble for passage, _ in found] == ["", "declined", ""]


async def test_a_failing_endpoint_is_not_asked_for_each_passage(tmp_path: Path) -> None:
    found, asked = await flags_of(lambda _body: 503, passages(PROSE, "BMI"), tmp_path)
    assert len(asked) == 2  # one question, as often as the endpoint's settings allow
    assert [passage.flags for passage, _ in found] == [Flags(is_hindi=True), Flags()]
    assert all(fault.again for _, fault in found)


async def test_grades(tmp_path: Path) -> None:
    def script(body: dict[str, Any]) -> str:
        texts = shown(body)
        if "odd" in texts.values():
            return "I cannot."
        return orjson.dumps({name: {"grade": text} for name, text in texts.items()}).decode()

    with scripted_model(script) as model:
        async with caller_of(model, tmp_path) as caller:
            found = await grade(caller, passages("good", "middle", "bad", "odd", "fine"))
    assert [passage.grade for passage, _ in found] == ["good", "middle", "bad", "unknown", "unknown"]
    assert [fault and fault.reason for _, fault in found] == [None, None, None, "no JSON", "not in shape"]


def test_groups_are_bounded_by_number_and_length() -> None:
    texts = ["x" * length for length in (10, 10, 10, GROUP_CHARS - 5, 6, GROUP_CHARS + 1, 1)]
    found = [[len(passage.text) for passage in group] for group in in_groups(passages(*texts), 2)]
    assert found == [[10, 10], [10], [GROUP_CHARS - 5], [6], [GROUP_CHARS + 1], [1]]
    assert list(in_groups([], 2)) == []


@pytest.mark.parametrize(
    ("codes", "text", "told"),
    [
        (["hi"], PROSE, True),
        (["hi"], ENGLISH, False),
        (["hi"], "BMI", None),
        (["hi"], f"{PROSE} {ENGLISH}", False),  # more of its letters are English
        (["hi"], f"{PROSE * 3} {ENGLISH}", True),
        (["hi", "en"], ENGLISH, True),
        (["sw"], PROSE, False),
        (["en", "sw"], "BMI", None),
        ([], "BMI", True),
    ],
)
def test_the_languages_of_the_corpus(codes: list[str], text: str, told: bool | None) -> None:
    assert Languages.of(codes).include(text) is told


def test_an_unknown_language_is_named_with_its_key() -> None:
    with pytest.raises(InputError, match="field 'languages': unknown language 'xx'"):
        Languages.of(["hi", "xx"])
    assert [Languages.of(codes).names for codes in (["hi"], ["hi", "bn"], [])] == [
        "Hindi",
        "Hindi or Bengali",
        "any language",
    ]


@pytest.mark.parametrize(
    ("text", "kind", "plain"),
    [
        ("मधुमेह का उपचार", "heading", True),
        ("मधुमेह का उपचार", "paragraph", False),
        ("मधुमेह में प्यास लगती है।", "heading", False),
        ("मधुमेह\nप्यास लगती है", "heading", False),
        ("मधुमेह " * 20, "heading", False),
    ],
)
def test_a_title_that_needs_nobodys_word(text: str, kind: Any, plain: bool) -> None:
    assert is_plain_title(Block(text, 1, kind=kind)) is plain
