"""Passages to CURE-Med's instances: questions in each language, reasoning in steps, and answers that can be checked."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web
from instances_writer import by_chance, config_of, flows, run, served, write_passages
from running import completion

from app.answers import parse_completion
from training.corpus.instances import cure_med
from training.data import load_examples

QUESTIONS = {
    "Hindi": ("प्रकरण {n} का रोगी तीन दिन से ज्वर में है। उसे सबसे पहले क्या पीना चाहिए?",
              "उसे सबसे पहले पानी पीना चाहिए।", "पानी पीना"),
    "French": ("Dans le cas {n}, le patient a de la fièvre depuis trois jours. Que doit-il boire en premier ?",
               "Il doit boire de l'eau en premier.", "boire de l'eau"),
    "Thai": ("ผู้ป่วยรายที่ {n} มีไข้มาสามวันแล้ว เขาควรดื่มอะไรก่อน", "เขาควรดื่มน้ำก่อน", "ดื่มน้ำ"),
}  # fmt: skip


def question(language: str, number: int, which: int) -> dict[str, Any]:
    asked, answer, switch = QUESTIONS[language]
    return {
        "question": asked.format(n=100 * number + which),
        "steps": [
            "The patient has had a fever for three days, so I should ask what the body has lost by now.",
            f"Fluid has been lost, and the first thing that helps is {switch}, which is what the patient should do.",
        ],
        "answer": answer,
    }


class Writer:
    """Writes the questions that are asked for; ``change`` spoils a reply, ``fault`` a request."""

    def __init__(self, fault: Any = lambda number, language, seed: None, change: Any = lambda reply: None) -> None:
        self.fault, self.change = fault, change
        self.replies: Counter[tuple[int, str]] = Counter()

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        asked = body["messages"][1]["content"]
        number = int(re.search(r"प्रकरण (\d+)", asked)[1])
        count, language = re.search(r"up to (\d+) open questions in (\w+),", asked).groups()
        fault = self.fault(number, language, body["seed"])
        if fault == "failed":
            return web.json_response({"error": {"message": "[ERROR]"}}, status=500)
        self.replies[number, language] += 1
        reply = {"questions": [question(language, number, which) for which in range(int(count))]}
        self.change(reply["questions"])
        text = {"nonsense": "…", "declined": "<FAIL>"}.get(fault, orjson.dumps(reply).decode())
        return web.json_response(completion(text, finish="length" if fault == "cut off" else "stop"))


async def test_rows_are_what_training_reads(tmp_path: Path) -> None:
    with served(Writer()) as backend:
        config = config_of(tmp_path, backend, style="cure-med", languages=["hi", "fr", "th"], questions=2)
        manifest, rows, place = await run(config, write_passages(tmp_path, 2))
    assert flows(manifest) == {"write": (6, 6, {}), "items": (12, 12, {})}
    assert [row["id"].split("-", 3)[3] for row in rows[:4]] == ["hi-q1", "hi-q2", "fr-q1", "fr-q2"]
    assert len({row["id"] for row in rows}) == 12
    examples, report = load_examples([place.output], "sft")
    assert (len(examples), report.set_aside, report.notes, report.duplicates) == (12, (), (), ())
    assert report.files[0].layout == "cure-med"
    assert report.groups["language"] == {"fr": 4, "hi": 4, "th": 4}
    assert rows[0]["reasoning"].startswith("<thinking><step1>\nThe patient")
    assert rows[0]["reasoning"].endswith("\n</step2></thinking>")
    assert rows[0]["answer"] == "<answer>उसे सबसे पहले पानी पीना चाहिए।</answer>"
    assert parse_completion(f"{rows[0]['reasoning']}\n{rows[0]['answer']}", "cure-med").well_formed


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"question": "What should the patient drink first when he has had a fever for three days?"}, "not in Hindi"),
        ({"answer": "He should drink water first because he has lost it."}, "answer not in Hindi"),
        ({"answer": "पानी " * 100}, "answer too long"),
        ({"answer": "पानी पिए।\nआराम करे।"}, "answer too long"),
        ({"answer": ""}, "empty"),
        ({"answer": "<answer>पानी</answer>"}, "holds a tag"),
        ({"steps": ["<step1>The patient has a fever.</step1>", "पानी is what helps."]}, "holds a tag"),
        ({"steps": ["The patient has a fever and should drink पानी."]}, "too few steps"),
        ({"steps": ["The patient has a fever.", " "]}, "empty"),
        ({"steps": ["The patient has had a fever.", "The patient should drink some water first."]},
         "reasoning without Hindi"),
        ({"steps": ["रोगी को तीन दिन से ज्वर है।", "इसलिए उसे पानी पीना चाहिए।"]}, "reasoning without English"),
        ({"question": "दिए गए अनुच्छेद के अनुसार रोगी को क्या पीना चाहिए?"}, "refers to the passage"),
        ({"steps": ["The passage says that the patient should drink.", "So पानी is what helps him."]},
         "refers to the passage"),
        ({"answer": "[ERROR: timeout]"}, "declined"),
    ],
)  # fmt: skip
async def test_a_question_that_cannot_be_kept(changes: dict[str, Any], reason: str, tmp_path: Path) -> None:
    with served(Writer(change=lambda reply: reply[0].update(changes))) as backend:
        config = config_of(tmp_path, backend, style="cure-med", questions=2)
        manifest, rows, place = await run(config, write_passages(tmp_path, 1))
    assert flows(manifest)["items"] == (2, 1, {reason: 1})
    assert [row["id"][-2:] for row in rows] == ["q2"]
    assert orjson.loads(place.rejects.read_bytes())["id"].endswith("p00000-hi-q1")


async def test_fewer_more_and_repeated_questions_are_counted(tmp_path: Path) -> None:
    def change(reply: list[Any]) -> None:
        if "100" in reply[0]["question"]:
            reply.pop()
        elif "200" in reply[0]["question"]:
            reply.append(question("Hindi", 2, 9))
        else:
            reply[1] = reply[0]

    with served(Writer(change=change)) as backend:
        config = config_of(tmp_path, backend, style="cure-med")
        manifest, _, _ = await run(config, write_passages(tmp_path, 3))
    assert flows(manifest)["items"] == (10, 7, {"cannot": 1, "more than asked for": 1, "repeated question": 1})


async def test_a_flaky_writer_has_two_tries_a_language_and_resumes_to_the_same(tmp_path: Path) -> None:
    faults = by_chance(5, failed=0.1, nonsense=0.2, declined=0.1, **{"cut off": 0.1})
    writer = Writer(faults)
    with served(writer) as backend:
        config = config_of(tmp_path, backend, style="cure-med", languages=["hi", "th"])
        source = write_passages(tmp_path, 20)
        first, _, _ = await run(config, source)
        assert first.again > 0
        writer.fault = lambda *asked: None if faults(*asked) == "failed" else faults(*asked)
        second, rows, place = await run(config, source)
        made, replies = place.output.read_bytes(), writer.replies.total()
        third, _, _ = await run(config, source)
    assert (place.output.read_bytes(), writer.replies.total(), third.flows) == (made, replies, second.flows)
    assert max(writer.replies.values()) == 2
    assert second.again == 0
    assert set(flows(second)["write"][2]) <= {"no JSON", "declined", "cut off"}
    assert not re.search(rb"ERROR|FAIL", made)
    assert len({row["id"] for row in rows}) == len(rows) > 60


def test_the_releases_answers_are_short_enough(shared_data: Path) -> None:
    answers = [
        re.sub(r"</?answer>", "", orjson.loads(line)["answer"])
        for file in sorted((shared_data / "curemed" / "sft").glob("*.jsonl"))
        for line in file.read_bytes().splitlines()
    ]
    longer = sum(len(answer) > cure_med.MAX_ANSWER_CHARS for answer in answers)
    assert longer < 0.01 * len(answers)
