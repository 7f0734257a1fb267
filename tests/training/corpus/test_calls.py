"""Asking models: what is kept, what is asked again, and what is no answer."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from running import ScriptedBackend
from scripted_model import scripted_model, settings_of

from app.endpoint import Endpoint, Sampling
from app.errors import InputError
from training.corpus.calls import Budget, Caller, CallError, CallStore, EndpointAwayError, Shape, Spent, Unusable
from training.corpus.calls.caller import GIVE_UP_AFTER

SAMPLING = Sampling(temperature=0.0, max_tokens=64)
MESSAGES = [{"role": "user", "content": "ज्वर?"}]


class Grade(Shape):
    """A reply of the tests."""

    grade: Literal["good", "bad"]


@asynccontextmanager
async def caller_of(
    model: ScriptedBackend, file: Path, *, attempts: int = 2, max_attempts: int = 2
) -> AsyncIterator[Caller]:
    async with Endpoint(settings_of(model, max_attempts=max_attempts)) as endpoint:
        with CallStore(file) as store:
            yield Caller(endpoint, store, SAMPLING, attempts)


async def ask(
    model: ScriptedBackend, file: Path, *, attempts: int = 2, budget: Budget | None = None
) -> tuple[Grade | str, Caller, dict[str, Spent]]:
    """The answer, or the words of the CallError; the caller; what the store has counted."""
    async with caller_of(model, file, attempts=attempts) as caller:
        try:
            answer: Grade | str = await caller.ask("grade", MESSAGES, Grade, budget=budget)
        except CallError as error:
            answer = f"{error.reason}{' (again)' if error.again else ''}"
        return answer, caller, caller.store.spent()


def in_turn(*replies: str | int) -> Callable[[dict[str, Any]], str | int]:
    left = list(replies)
    return lambda _body: left.pop(0) if len(left) > 1 else left[0]


async def test_an_answer_in_shape_is_kept_and_not_asked_again(tmp_path: Path) -> None:
    with scripted_model(in_turn('{"grade": "good"}', 500)) as model:
        for asked in (1, 0):
            answer, caller, spent = await ask(model, tmp_path / "calls.db")
            assert answer == Grade(grade="good")
            assert caller.asked == asked
            assert spent == {"grade": Spent(1, 3, 2, 0)}
        assert len(model.requests) == 1
        assert model.requests[0]["response_format"]["json_schema"]["schema"]["required"] == ["grade"]


async def test_a_useless_answer_is_followed_by_another_seed(tmp_path: Path) -> None:
    with scripted_model(in_turn("I am sure it is good.", '```json\n{"grade": "bad"}\n```')) as model:
        answer, _, spent = await ask(model, tmp_path / "calls.db")
        assert answer == Grade(grade="bad")
        assert [body["seed"] for body in model.requests] == [0, 1]
        assert spent["grade"].calls == 2


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("", "empty"),
        ("<FAIL>", "declined"),
        ("<fail/> sorry", "declined"),
        ("no idea", "no JSON"),
        ('{"grade": "fine"}', "not in shape"),
        ('{"grade": "good", "more": 1}', "not in shape"),
        ("[1]", "not in shape"),
        ('{"grade": ' + "[" * 300 + "]" * 300 + "}", "not in shape"),
    ],
)
async def test_what_cannot_be_used_has_a_reason_and_costs_its_tries_once(
    reply: str, reason: str, tmp_path: Path
) -> None:
    with scripted_model(in_turn(reply)) as model:
        for _ in range(2):
            answer, _, spent = await ask(model, tmp_path / "calls.db", attempts=3)
            assert answer == reason
        assert len(model.requests) == spent["grade"].calls == 3


async def test_a_reply_that_was_cut_off_is_none(tmp_path: Path) -> None:
    with scripted_model(in_turn('{"grade": "good"}'), finish="length") as model:
        assert (await ask(model, tmp_path / "calls.db"))[0] == "cut off"


async def test_words_around_the_object_are_left_away(tmp_path: Path) -> None:
    with scripted_model(in_turn('Here: {"grade": "good"} as asked.')) as model:
        assert (await ask(model, tmp_path / "calls.db"))[0] == Grade(grade="good")


async def test_a_failure_is_not_kept_and_may_be_asked_again(tmp_path: Path) -> None:
    with scripted_model(in_turn(503, 503, '{"grade": "good"}')) as model:
        answer, _, spent = await ask(model, tmp_path / "calls.db")
        assert answer == "endpoint failed (again)"
        assert spent == {}
        assert (await ask(model, tmp_path / "calls.db"))[0] == Grade(grade="good")


async def test_a_request_that_the_endpoint_refuses_is_no_call_to_repeat(tmp_path: Path) -> None:
    with scripted_model(in_turn(400)) as model:
        assert (await ask(model, tmp_path / "calls.db"))[0] == "refused"
        assert len(model.requests) == 1


async def test_a_budget_ends_the_tries(tmp_path: Path) -> None:
    with scripted_model(in_turn("nonsense")) as model:
        budget = Budget(3)
        assert (await ask(model, tmp_path / "calls.db", attempts=2, budget=budget))[0] == "no JSON"
        assert (await ask(model, tmp_path / "other.db", attempts=2, budget=budget))[0] == "no JSON"
        assert (await ask(model, tmp_path / "third.db", attempts=2, budget=budget))[0] == "over budget"
        assert len(model.requests) == 3


async def test_an_endpoint_that_is_away_stops_the_work(tmp_path: Path) -> None:
    with scripted_model(in_turn(503)) as model:
        async with caller_of(model, tmp_path / "calls.db", max_attempts=1) as caller:
            for _ in range(GIVE_UP_AFTER - 1):
                with pytest.raises(CallError, match="endpoint failed"):
                    await caller.ask("grade", MESSAGES, Grade)
            with pytest.raises(EndpointAwayError, match="one after the other"):
                await caller.ask("grade", MESSAGES, Grade)


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_a_wrong_key_or_address_stops_the_work_at_once(status: int, tmp_path: Path) -> None:
    with scripted_model(in_turn(status)) as model, pytest.raises(EndpointAwayError, match=str(status)):
        await ask(model, tmp_path / "calls.db")


async def test_free_text_is_read_as_the_caller_says(tmp_path: Path) -> None:
    def one_word(text: str) -> str:
        if " " in text:
            raise Unusable("several words", text)
        return text

    with scripted_model(in_turn("two words", "one")) as model:
        async with caller_of(model, tmp_path / "calls.db") as caller:
            assert await caller.ask_text("word", MESSAGES, one_word) == "one"
            assert "response_format" not in model.requests[0]


async def test_the_store_keeps_prompts_but_no_pictures(tmp_path: Path) -> None:
    picture = "data:image/png;base64," + "A" * 10_000
    parts = [{"type": "image_url", "image_url": {"url": picture}}, {"type": "text", "text": "Read it."}]
    with scripted_model(in_turn("पाठ")) as model:
        async with caller_of(model, tmp_path / "calls.db") as caller:
            messages = [{"role": "user", "content": parts}]
            assert await caller.ask_text("ocr", messages, str) == "पाठ"
            assert model.requests[0]["messages"] == messages
            (call,) = caller.store.calls()
    kept = call["request"]["messages"][0]["content"]
    assert kept[0]["image_url"]["url"].startswith("sha256:")
    assert kept[1] == parts[1]
    assert (call["purpose"], call["model"], call["reply"]) == ("ocr", "m", "पाठ")


def test_one_process_at_a_time_has_a_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.corpus.calls.store._LOCK_WAIT_S", 0.05)
    with CallStore(tmp_path / "calls.db"), pytest.raises(InputError, match="another process works on this unit"):
        CallStore(tmp_path / "calls.db")


def test_a_file_that_is_no_store_is_named(tmp_path: Path) -> None:
    (tmp_path / "calls.db").write_text("not a database, but long enough to be one " * 50)
    with pytest.raises(InputError, match=r"calls\.db: the calls cannot be kept"):
        CallStore(tmp_path / "calls.db")
