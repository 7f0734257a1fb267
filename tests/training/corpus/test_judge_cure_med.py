"""CURE-Med's style from passages to judged rows that training loads, in languages of four scripts."""

import re
from pathlib import Path
from typing import Any

import orjson
import pytest
from instances_writer import flows, write_passages
from judged_rows import SCORES, read_rows
from scripted_model import scripted_model

from training.corpus.config import CorpusConfig
from training.corpus.instances import InstancesStep
from training.corpus.judging import JudgeStep, export_review, import_review
from training.corpus.step import run_step
from training.corpus.unit import Manifest, Unit, hash_file
from training.data import load_examples

# Question, answer, and what the reasoning switches to.
SAID = {
    "Hindi": ("मामला {n}: रोगी तीन दिन से ज्वर में है। उसे सबसे पहले क्या पीना चाहिए?",
              "उसे सबसे पहले पानी पीना चाहिए।", "पानी पीना"),
    "Amharic": ("ጉዳይ {n}፦ ታካሚው ለሦስት ቀናት ትኩሳት አለበት። በመጀመሪያ ምን መጠጣት አለበት?",
                "በመጀመሪያ ንጹህ ውሃ መጠጣት አለበት።", "ንጹህ ውሃ"),
    "Japanese": ("症例{n}：患者は三日前から熱があります。最初に何を飲むべきですか。",
                 "最初に水を飲むべきです。", "水を飲む"),
    "Yoruba": ("Ọ̀ràn {n}: Aláìsàn náà ti ní ibà fún ọjọ́ mẹ́ta. Kí ni ó yẹ kí ó kọ́kọ́ mu?",
               "Ó yẹ kí ó kọ́kọ́ mu omi tó mọ́.", "omi tó mọ́"),
}  # fmt: skip
CODES = ("hi", "am", "ja", "yo")


def question(language: str, number: int) -> dict[str, Any]:
    asked, answer, switch = SAID[language]
    return {
        "question": asked.format(n=number),
        "steps": [
            "The patient has had a fever for three days, so I should ask what the body has lost by now.",
            f"Fluid has been lost, and the first thing that helps is {switch}, which is what the patient should do.",
        ],
        "answer": answer,
    }


def script(body: dict[str, Any]) -> str:
    """Writer, judge and translator. The second question of a passage is answered in another language."""
    user = body["messages"][1]["content"]
    if wanted := re.search(r"up to 2 open questions in (\w+),", user):
        passage = int(re.search(r"प्रकरण (\d+)", user)[1])  # type: ignore[index]
        questions = [question(wanted[1], 100 * passage + number) for number in range(2)]
        if passage == 1:
            questions[1]["answer"] = "The patient should drink clean water before anything else."
        return orjson.dumps({"questions": questions}).decode()
    names = list(body["response_format"]["json_schema"]["schema"]["properties"])
    if "You translate" in body["messages"][0]["content"]:
        return orjson.dumps({name: {"question": "What first?", "answer": "Water."} for name in names}).decode()
    return orjson.dumps({name: dict.fromkeys(SCORES, 0.9) for name in names}).decode()


@pytest.fixture
def config(tmp_path: Path) -> CorpusConfig:
    model = {"base_url": "http://127.0.0.1:1", "model": "m", "backoff_s": 0.001, "max_attempts": 1}
    return CorpusConfig.model_validate(
        {
            "sources": tmp_path / "books",
            "folder": tmp_path / "made",
            "writer": model | {"family": "llama"},
            "instances": {"style": "cure-med", "languages": CODES, "questions": 2},
            "judge": {"model": model | {"family": "qwen"}, "back_translation": True},
        }
    )


async def make(config: CorpusConfig, passages: Path, port: int) -> tuple[list[Manifest], Path]:
    address = {"base_url": f"http://127.0.0.1:{port}"}
    assert config.writer
    assert config.judge.model
    judge = config.judge.model_copy(update={"model": config.judge.model.model_copy(update=address)})
    config = config.model_copy(update={"writer": config.writer.model_copy(update=address), "judge": judge})
    unit, source, manifests = Unit(passages.stem, passages, "0" * 64), passages, []
    for step in (InstancesStep(config), JudgeStep(config)):
        manifests.append(await run_step(step, config.folder, unit, source, hash_file(source)))
        source = step.place(config.folder, unit).output
    return manifests, source


async def test_four_languages_from_passages_to_training(config: CorpusConfig, tmp_path: Path) -> None:
    with scripted_model(script) as model:
        (written, judged), file = await make(config, write_passages(tmp_path, 2), model.port)
    languages = ("Hindi", "Amharic", "Japanese", "Yoruba")
    assert flows(written) == {
        "write": (8, 8, {}),
        "items": (16, 12, {f"answer not in {language}": 1 for language in languages}),
    }
    assert flows(judged) == {"judge": (12, 12, {}), "back_translation": (12, 12, {})}
    rows = read_rows(file)
    assert [row["language"] for row in rows] == [code for code in CODES for _ in range(2)] + list(CODES)
    assert all(row["back_translation"] == {"question": "What first?", "answer": "Water."} for row in rows)

    reviewed = tmp_path / "reviewed"
    export_review([file], tmp_path / "table.csv")
    import_review([tmp_path / "table.csv"], [file], reviewed)
    for folder in (file, reviewed / file.name):
        examples, report = load_examples([folder], "sft")
        assert report.files[0].layout == "cure-med"
        assert (len(examples), report.set_aside, report.notes, report.duplicates) == (12, (), (), ())
        assert report.groups["language"] == dict.fromkeys(sorted(CODES), 3)
