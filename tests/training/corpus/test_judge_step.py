"""The step `judge` with an endpoint that answers, fails and talks nonsense."""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from judged_rows import SCORES, cure_med, himed, read_rows, write_rows
from scripted_model import Script, scripted_model

from app.errors import InputError
from training.corpus.calls import EndpointAwayError
from training.corpus.config import CorpusConfig
from training.corpus.judging import JudgeStep
from training.corpus.step import Size, find_done, run_step
from training.corpus.unit import Manifest, Unit, hash_file

HIMED = [himed(number, passage, kind=kind) for passage in range(3) for number, kind in enumerate(("MCQ", "QA"))]
CURE_MED = [
    cure_med(number, passage, language) for passage in range(2) for language in ("sw", "hi") for number in (1, 2)
]
_ITEMS = re.compile(r"^[0-9a-f]{12} item_[0-9]+[^\n]*: question\n(.*?)$", re.MULTILINE)


def config_of(folder: Path, port: int = 1, style: str = "himed", **judge: Any) -> CorpusConfig:
    model = {"base_url": f"http://127.0.0.1:{port}", "model": "m", "backoff_s": 0.001, "max_attempts": 1}
    return CorpusConfig.model_validate(
        {
            "sources": "books",
            "folder": str(folder),
            "instances": {"style": style},
            "judge": {"model": model} | judge,
        }
    )


def shown(body: dict[str, Any]) -> list[str]:
    """The first lines of the questions that a request shows."""
    return _ITEMS.findall(body["messages"][1]["content"])


def translates(body: dict[str, Any]) -> bool:
    return body["messages"][0]["content"].startswith("You translate")


def answer(body: dict[str, Any], score: Callable[[str], Any] = lambda _question: 1) -> str:
    """Whatever is asked, in shape: the same score four times for each item."""
    entries: dict[str, Any] = {}
    for number, question in enumerate(shown(body), 1):
        if translates(body):
            entries[f"item_{number}"] = {"question": f"English of {question}", "answer": "English"}
        else:
            entries[f"item_{number}"] = dict.fromkeys(SCORES, score(question))
    return orjson.dumps(entries).decode()


async def judge(
    folder: Path, script: Script, rows: list[dict[str, Any]], *, finish: str = "stop", **settings: Any
) -> tuple[Manifest, list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    """Manifest, rows, rejects and requests of one run."""
    source = write_rows(folder / "instances" / "book.jsonl", *rows)
    with scripted_model(script, finish=finish) as model:
        step = JudgeStep(config_of(folder, model.port, **settings))
        unit = Unit("book", source, "0" * 64)
        manifest = await run_step(step, folder, unit, source, hash_file(source))
        place = step.place(folder, unit)
        return manifest, read_rows(place.output), read_rows(place.rejects), model.requests


async def test_one_call_judges_a_passages_items_of_a_subject(tmp_path: Path) -> None:
    manifest, rows, rejects, requests = await judge(tmp_path, answer, HIMED)
    assert [len(shown(body)) for body in requests] == [2, 2, 2]
    assert rows == [row | {"scores": dict.fromkeys(SCORES, 1.0)} for row in HIMED]
    assert rejects == []
    assert [flow.as_json() for flow in manifest.flows] == [
        {"stage": "judge", "unit": "items", "in": 6, "out": 6, "left": {}}
    ]
    assert {purpose: spent.calls for purpose, spent in manifest.spent.items()} == {"judge": 3}


async def test_low_and_missing_scores_are_rejects_that_people_can_look_at(tmp_path: Path) -> None:
    scores = {"प्रश्न 0?": 0.7, "प्रश्न 1?": None}
    manifest, rows, rejects, _ = await judge(tmp_path, lambda body: answer(body, scores.get), HIMED[:2])
    assert rows == []
    assert [(reject["id"], reject["reason"]) for reject in rejects] == [
        (HIMED[0]["id"], "below grounded_in_context"),
        (HIMED[1]["id"], "missing grounded_in_context"),
    ]
    assert rejects[0]["row"] == HIMED[0] | {"scores": dict.fromkeys(SCORES, 0.7)}
    assert rejects[1]["row"]["scores"] == dict.fromkeys(SCORES)
    assert manifest.again == 0


@pytest.mark.parametrize(
    "nonsense",
    [
        "", "<FAIL>", "no idea", "[ERROR: overloaded]", '{"item_1": {}}', '{"scores": [1, 1]}',
        orjson.dumps({f"item_{n}": dict.fromkeys(SCORES, 7) for n in (1, 2)}).decode(),
        orjson.dumps([dict.fromkeys(SCORES, 1)] * 2).decode(),
        orjson.dumps({f"item_{n}": dict.fromkeys(SCORES, "1.0") for n in (1, 2)}).decode(),
    ],
)  # fmt: skip
async def test_nonsense_is_no_score_and_never_0(nonsense: str, tmp_path: Path) -> None:
    manifest, rows, rejects, requests = await judge(tmp_path, lambda _body: nonsense, HIMED[:2])
    assert rows == []
    assert [reject["reason"] for reject in rejects] == ["unjudged"] * 2
    assert all(reject["row"]["scores"] == dict.fromkeys(SCORES) for reject in rejects)
    assert [len(shown(body)) for body in requests] == [2, 2, 1, 1]  # twice together, then once each
    assert {purpose: spent.calls for purpose, spent in manifest.spent.items()} == {"judge": 4}
    assert manifest.again == 0


async def test_a_reply_that_was_cut_off_is_no_score(tmp_path: Path) -> None:
    _, rows, rejects, _ = await judge(tmp_path, answer, HIMED[:1], finish="length")
    assert rows == []
    assert [(reject["reason"], reject["detail"]) for reject in rejects] == [("unjudged", "cut off: at 2 tokens")]


async def test_a_second_attempt_may_do(tmp_path: Path) -> None:
    _, rows, _, requests = await judge(tmp_path, lambda body: answer(body) if body["seed"] else "?", HIMED[:2])
    assert len(rows) == len(requests) == 2


async def test_items_that_spoil_a_groups_reply_do_not_spoil_the_others(tmp_path: Path) -> None:
    def script(body: dict[str, Any]) -> str:
        return "<FAIL>" if "प्रश्न 1?" in shown(body) else answer(body)

    _, rows, rejects, _ = await judge(tmp_path, script, HIMED[:2])
    assert [row["id"] for row in rows] == [HIMED[0]["id"]]
    assert [(reject["id"], reject["detail"]) for reject in rejects] == [(HIMED[1]["id"], "declined")]


async def test_a_failing_endpoint_is_asked_again_in_another_run(tmp_path: Path) -> None:
    failing = True

    def script(body: dict[str, Any]) -> str | int:
        return 503 if failing and "(1)" in body["messages"][1]["content"] else answer(body)

    manifest, rows, rejects, requests = await judge(tmp_path, script, HIMED)
    assert len(rows) == 4
    assert len(requests) == 3  # no item by item against an endpoint that is down
    assert [(reject["reason"], reject["id"]) for reject in rejects] == [("unjudged", row["id"]) for row in HIMED[2:4]]
    assert manifest.again == 2
    failing = False
    manifest, rows, rejects, requests = await judge(tmp_path, script, HIMED)
    assert (len(rows), len(rejects), len(requests), manifest.again) == (6, 0, 1, 0)


async def test_a_killed_run_goes_on_and_ends_in_the_same_bytes(tmp_path: Path) -> None:
    def script(body: dict[str, Any]) -> str:
        return answer(body, lambda question: 0.5 if question.endswith("-2?") else 0.9)

    settings = {"style": "cure-med", "back_translation": True}
    whole = await judge(tmp_path / "whole", script, CURE_MED, **settings)
    asked: Counter[bytes] = Counter()
    interruptions = 0

    def once(limit: int) -> Script:
        left = limit

        def answers(body: dict[str, Any]) -> str | int:
            nonlocal left
            left -= 1
            if left < 0:
                return 401
            asked[orjson.dumps(body)] += 1
            return script(body)

        return answers

    for limit in (1, 2, 1, 2, 100):
        try:
            last = await judge(tmp_path / "killed", once(limit), CURE_MED, **settings)
        except EndpointAwayError:
            interruptions += 1
            assert not (tmp_path / "killed" / "judge" / "book.jsonl").exists()
    assert interruptions == 4
    assert set(asked) == {orjson.dumps(body) for body in whole[3]}
    # A reply on its way when another request stops the work may be asked for once more.
    assert len(whole[3]) == 8 <= asked.total() <= 8 + interruptions
    for name in ("book.jsonl", "rejects/book.jsonl"):
        assert (tmp_path / "killed" / "judge" / name).read_bytes() == (tmp_path / "whole" / "judge" / name).read_bytes()
    assert last[0].flows == whole[0].flows


async def test_a_back_translation_stands_beside_what_is_kept(tmp_path: Path) -> None:
    def script(body: dict[str, Any]) -> str:
        if translates(body) and "Hindi" in body["messages"][1]["content"]:
            return "[ERROR: no]"
        return answer(body, lambda question: 0.5 if question.endswith("-2?") else 1)

    manifest, rows, _, requests = await judge(tmp_path, script, CURE_MED[:4], style="cure-med", back_translation=True)
    assert [(row["language"], row["back_translation"]) for row in rows] == [
        ("sw", {"question": "English of Swali 0-sw-1?", "answer": "English"}),
        ("hi", None),
    ]
    asked = [body for body in requests if translates(body)]
    assert [shown(body) for body in asked] == [["Swali 0-sw-1?"], *[["Swali 0-hi-1?"]] * 2]
    assert not any("Drink water" in body["messages"][1]["content"] for body in asked)
    assert [flow.as_json() for flow in manifest.flows] == [
        {"stage": "judge", "unit": "items", "in": 4, "out": 2, "left": {"below grounded_in_context": 2}},
        {"stage": "back_translation", "unit": "items", "in": 2, "out": 1, "left": {"no JSON": 1}},
    ]


async def test_a_back_translation_that_the_endpoint_failed_is_asked_again(tmp_path: Path) -> None:
    def script(body: dict[str, Any]) -> str | int:
        return 503 if translates(body) else answer(body)

    manifest, rows, rejects, _ = await judge(tmp_path, script, CURE_MED[:2], style="cure-med", back_translation=True)
    assert [row["back_translation"] for row in rows] == [None, None]
    assert (rejects, manifest.again) == ([], 2)


async def test_an_item_that_spoils_a_groups_back_translation_does_not_spoil_the_others(tmp_path: Path) -> None:
    def script(body: dict[str, Any]) -> str:
        return "<FAIL>" if translates(body) and "Swali 0-sw-1?" in shown(body) else answer(body)

    manifest, rows, _, _ = await judge(tmp_path, script, CURE_MED[:2], style="cure-med", back_translation=True)
    assert [row["back_translation"] for row in rows] == [
        None, {"question": "English of Swali 0-sw-2?", "answer": "English"},
    ]  # fmt: skip
    assert manifest.flows[1].left == {"declined": 1}


async def test_himeds_items_are_not_translated(tmp_path: Path) -> None:
    _, rows, _, requests = await judge(tmp_path, answer, HIMED, back_translation=True)
    assert not any(translates(body) for body in requests)
    assert not any("back_translation" in row for row in rows)


async def test_order_and_counts_hold_under_failures_of_all_kinds(tmp_path: Path) -> None:
    replies = ["<FAIL>", "nonsense", 503, 400, '{"items": [']

    def script(body: dict[str, Any]) -> str | int:
        number = int(body["messages"][1]["content"].split("(", 1)[1].split(")", 1)[0])
        return replies[number % 7] if number % 7 < len(replies) else answer(body)

    rows = [himed(number, passage) for passage in range(60) for number in range(2)]
    manifest, kept, rejects, _ = await judge(tmp_path, script, rows)
    (flow,) = manifest.flows
    assert flow.into == 120 == flow.out + flow.left.total()
    assert [row["id"] for row in kept] == [row["id"] for row in rows if int(row["passage_id"][-5:]) % 7 >= 5]
    assert [reject["id"] for reject in rejects] == [row["id"] for row in rows if int(row["passage_id"][-5:]) % 7 < 5]
    assert manifest.again == sum(reject["detail"].startswith("endpoint failed") for reject in rejects) == 18


async def test_a_source_that_is_no_instances_is_one_fault(tmp_path: Path) -> None:
    manifest, rows, _, _ = await judge(tmp_path, answer, [*HIMED, {"id": "x"}])
    assert manifest.fault is not None
    assert "row 7, field 'passage_id'" in manifest.fault
    assert rows == []


async def test_a_source_that_the_disk_did_not_give_is_read_again_in_another_run(tmp_path: Path) -> None:
    step = JudgeStep(config_of(tmp_path))
    source = tmp_path / "instances" / "book.jsonl"
    source.mkdir(parents=True)
    manifest = await run_step(step, tmp_path, Unit("book", source, "0" * 64), source, "1" * 64)
    assert manifest.fault is not None
    assert "cannot be read (Is a directory)" in manifest.fault
    assert manifest.again == 1


def test_without_a_judge_the_key_is_named(tmp_path: Path) -> None:
    config = CorpusConfig.model_validate({"sources": "books", "folder": str(tmp_path)})
    with pytest.raises(InputError, match=r"field 'judge\.model'"):
        JudgeStep(config)


async def test_another_judge_prompt_or_threshold_is_another_step_but_another_address_is_not(tmp_path: Path) -> None:
    def hash_of(**judge: Any) -> str:
        return JudgeStep(config_of(tmp_path, **judge)).settings_hash()

    plain = hash_of()
    assert hash_of(port=2) == plain
    others = [hash_of(thresholds={"language_quality": 0.1}), hash_of(attempts=3), hash_of(back_translation=True)]
    model = {"base_url": "http://127.0.0.1:1", "model": "other"}
    assert len({plain, *others, hash_of(model=model)}) == 5
    words = orjson.dumps(JudgeStep(config_of(tmp_path, back_translation=True)).settings()).decode()
    for wording in ("You are a careful", "Give the scores of", "multiple choice", "may switch", "Translate 1 items"):
        assert wording in words
    await judge(tmp_path, answer, HIMED)
    unit = Unit("book", tmp_path / "instances" / "book.jsonl", "0" * 64)
    read = hash_file(unit.source)
    assert find_done(JudgeStep(config_of(tmp_path)), tmp_path, unit, read) is not None
    assert find_done(JudgeStep(config_of(tmp_path, attempts=3)), tmp_path, unit, read) is None


def test_what_it_will_cost(tmp_path: Path) -> None:
    source = write_rows(tmp_path / "rows.jsonl", *CURE_MED)
    step = JudgeStep(config_of(tmp_path, style="cure-med", back_translation=True))
    size = step.size(source)
    texts = sum(len(row[field]) for row in CURE_MED for field in ("question", "reasoning", "answer"))
    assert size == Size(8, texts)
    expected = step.expect(size)
    assert expected.out == size
    assert expected.calls == {"judge": 3, "back_translation": 3}  # of 3 questions each
    assert expected.prompt_tokens > 0.6 * texts
    assert expected.completion_tokens > 8 * 60
    assert JudgeStep(config_of(tmp_path)).expect(Size(90, 9000)).calls == {"judge": 10}
    assert JudgeStep(config_of(tmp_path)).size(tmp_path / "missing.jsonl") == Size(0)
    assert JudgeStep(config_of(tmp_path)).expect(Size(0)).prompt_tokens == 0
