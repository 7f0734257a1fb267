"""English rows to Hindi by a scripted endpoint that knows a small table."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from scripted_model import scripted_model
from translating import translate_files

from app.rows import read_rows
from training.corpus.calls import CallStore, EndpointAwayError
from training.corpus.config import Model
from training.corpus.step import Size
from training.corpus.translation import TranslateSection, TranslateStep, parse_gold, parse_prompt
from training.corpus.translation.engines import Failed
from training.corpus.translation.table import _Keys, _translate
from training.corpus.unit import Manifest
from training.data.layouts import find_layout, read_record

HINDI = {
    "Which organ beats 72 times per minute?": "कौन सा अंग प्रति मिनट 72 बार धड़कता है?",
    "Heart": "हृदय",
    "Liver": "यकृत",
    "Lung": "फेफड़ा",
    "Both A and B": "ए और बी दोनों",
    "The heart pumps 5 L of blood.": "हृदय 5 लीटर रक्त पंप करता है।",
    "Heart disease is common.": "हृदय रोग आम है।",
    "Answer with one letter.": "एक अक्षर से उत्तर दें।",
    "Explanation: it pumps.": "स्पष्टीकरण: यह पंप करता है।",
    "What is E. coli?": "ई. कोलाई क्या है?",
    "A germ.": "एक रोगाणु।",
}
PROMPT = "Which organ beats 72 times per minute?\nA. Heart\nB. Liver\nC. Both A and B\nD. 1.5 kg"
ROW = {
    "prompt": PROMPT,
    "Complex_CoT": "The heart pumps 5 L of blood.\n- Heart disease is common.",
    "ground_truth": "A. Heart",
    "source": "MedMCQA",
}
LEXICON = 'English,Hindi\nheart,हृदय\nheart disease,हृदय रोग\nliver,"जिगर, यकृत"\nblood,खून\n'


class Translator:
    """Answers segments from the table; ``spoil`` says what else to say of one, or fails with a status."""

    def __init__(self, spoil: dict[str, str] | None = None) -> None:
        self.spoil = spoil or {}
        self.asked: list[str] = []
        self.status = 0

    def __call__(self, body: dict[str, Any]) -> str | int:
        if self.status:
            return self.status
        text = body["messages"][1]["content"]
        segments = orjson.loads(text[: text.rindex("}") + 1])["segments"]
        self.asked += [segment["english"] for segment in segments]
        said = [
            {"number": segment["number"], "hindi": self.spoil.get(segment["english"]) or HINDI[segment["english"]]}
            for segment in segments
            if segment["english"] in HINDI
        ]
        return orjson.dumps({"translations": said}).decode()


async def translate(
    tmp_path: Path, rows: list[Any], translator: Translator, **changes: Any
) -> tuple[Manifest, list[dict[str, Any]], list[dict[str, Any]]]:
    folder = tmp_path / "in"
    folder.mkdir(exist_ok=True)
    source = folder / "west.json"
    source.write_bytes(orjson.dumps({"questions": rows}))
    lexicon = tmp_path / "lexicon.csv"
    lexicon.write_text(LEXICON, encoding="utf-8")
    with scripted_model(translator) as endpoint:
        model = Model(base_url=f"http://127.0.0.1:{endpoint.port}", model="m", backoff_s=0.001, max_attempts=1)
        config = TranslateSection(model=model, lexicon=lexicon, **({"segments_per_call": 3} | changes))
        (manifest,) = await translate_files(source, tmp_path / "out", config)
    for flow in manifest.flows:
        assert flow.into == flow.out + flow.left.total()
    place = tmp_path / "out" / "translate"
    (file,) = place.glob("*.hi.jsonl")
    lines = [orjson.loads(line) for line in file.read_bytes().splitlines()]
    rejects = (place / "rejects" / f"{manifest.unit}.jsonl").read_bytes().splitlines()
    return manifest, lines, [orjson.loads(line) for line in rejects]


async def test_a_row_in_hindi_with_glosses_and_a_gold_that_is_its_option(tmp_path: Path) -> None:
    translator = Translator()
    manifest, (row,), rejects = await translate(tmp_path, [ROW], translator)
    assert rejects == []
    assert row["prompt"] == (
        "कौन सा अंग प्रति मिनट 72 बार धड़कता है?\nA. हृदय (Heart)\nB. यकृत (Liver)\nC. A और B दोनों\nD. 1.5 kg"
    )
    assert row["Complex_CoT"] == "हृदय (heart) 5 लीटर रक्त पंप करता है।\n- हृदय रोग (Heart disease) आम है।"
    assert row["ground_truth"] == "A. हृदय (Heart)"
    assert (row["source"], row["gold_option"], row["id"]) == ("MedMCQA", "A", f"{manifest.unit}-r000001")
    assert row["source_text"] == {name: ROW[name] for name in ("prompt", "Complex_CoT", "ground_truth")}
    assert sorted(translator.asked) == sorted(set(translator.asked))
    read, translated, glossed, written = manifest.flows
    assert (read.out, translated.into, translated.out, written.out) == (1, 6, 6, 1)
    assert (glossed.into, glossed.out, dict(glossed.left)) == (5, 4, {"no sense in the translation": 1})


async def test_the_output_loads_as_training_data(tmp_path: Path) -> None:
    manifest, _, _ = await translate(tmp_path, [ROW], Translator())
    file = read_rows(next((tmp_path / "out" / "translate").glob("*.hi.jsonl")).rename(tmp_path / "hi.jsonl"))
    assert find_layout(file) == "himed-west"
    record = read_record(file.rows[0].fields, "himed-west", "hi")
    assert record.options is not None
    assert list(record.options) == list("ABCD")
    assert manifest.fault is None


@pytest.mark.parametrize(
    ("gold", "hindi", "option"),
    [
        ("A", "A", "A"),
        ("(B) Liver", "(B) यकृत (Liver)", "B"),
        ("heart.", "हृदय (Heart)", "A"),
        ("Heart. Explanation: it pumps.", "हृदय (Heart). स्पष्टीकरण: यह पंप करता है।", "A"),
        ("D. 1.5 kg", "D. 1.5 kg", "D"),
        ("C. Both A and B", "C. A और B दोनों", "C"),
        ("A germ.", "एक रोगाणु।", None),
    ],
)
async def test_golds(gold: str, hindi: str, option: str | None, tmp_path: Path) -> None:
    _, (row,), _ = await translate(tmp_path, [ROW | {"ground_truth": gold}], Translator())
    assert (row["ground_truth"], row["gold_option"]) == (hindi, option)
    if option:
        named = parse_gold(row["ground_truth"])
        assert named.letter in (option, None)
        assert (parse_prompt(row["prompt"]).options or {}).keys() >= {option}


async def test_layouts_and_instructions_stay(tmp_path: Path) -> None:
    prompts = {
        "Which organ beats 72 times per minute? Answer Choices: A. Heart B. Liver": (
            "कौन सा अंग प्रति मिनट 72 बार धड़कता है? उत्तर विकल्प: A. हृदय (Heart) B. यकृत (Liver)"
        ),
        "Which organ beats 72 times per minute?\n\n(A) Heart\n(B) Liver\n\nAnswer with one letter.\n": (
            "कौन सा अंग प्रति मिनट 72 बार धड़कता है?\n\n(A) हृदय (Heart)\n(B) यकृत (Liver)\n\nएक अक्षर से उत्तर दें।\n"
        ),
    }
    _, rows, rejects = await translate(tmp_path, [ROW | {"prompt": prompt} for prompt in prompts], Translator())
    assert rejects == []
    assert [row["prompt"] for row in rows] == list(prompts.values())


async def test_an_open_question(tmp_path: Path) -> None:
    row = {"prompt": "What is E. coli?", "Complex_CoT": None, "ground_truth": "A germ.", "id": 7}
    _, (hindi,), _ = await translate(tmp_path, [row], Translator())
    assert (hindi["prompt"], hindi["Complex_CoT"], hindi["ground_truth"]) == ("ई. कोलाई क्या है?", None, "एक रोगाणु।")
    assert (hindi["gold_option"], hindi["source_id"]) == (None, 7)


@pytest.mark.parametrize(
    ("row", "reason", "words"),
    [
        (ROW | {"ground_truth": "A. Liver"}, "gold unlike its option", "gives the text of option B"),
        (ROW | {"ground_truth": "A. Lung"}, "gold unlike its option", "says 'Lung'"),
        (ROW | {"ground_truth": "E"}, "gold unlike its option", "names option E"),
        (ROW | {"prompt": "What is E. coli?", "ground_truth": "B"}, "gold unlike its option", "has no options"),
        (ROW | {"ground_truth": ""}, "a field is missing", "ground_truth"),
        (ROW | {"prompt": 5}, "a field is no text", "a number, not text"),
        (ROW | {"prompt": "Which?\nA. Heart\nB.\nC. Lung"}, "an option is empty", "option B"),
        ("text", "no row", "the row is text"),
    ],
)
async def test_rows_that_cannot_be_used_are_told(row: Any, reason: str, words: str, tmp_path: Path) -> None:
    manifest, rows, (reject,) = await translate(tmp_path, [row, ROW], Translator())
    assert (reject["stage"], reject["id"], reject["reason"]) == ("read", f"{manifest.unit}-r000001", reason)
    assert words in reject["detail"]
    assert [row["id"] for row in rows] == [f"{manifest.unit}-r000002"]
    assert dict(manifest.flows[0].left) == {reason: 1}


@pytest.mark.parametrize(
    ("segment", "said", "reason"),
    [
        ("The heart pumps 5 L of blood.", "हृदय 6 लीटर रक्त पंप करता है।", "numbers differ"),
        ("The heart pumps 5 L of blood.", "हृदय 5 मिलीलीटर रक्त पंप करता है।", "numbers differ"),
        ("Heart disease is common.", "Heart disease is very common here.", "English left"),
        ("Heart disease is common.", "[ERROR: failed]", "not in Hindi"),
    ],
)
async def test_a_segment_that_is_refused_stays_missing(segment: str, said: str, reason: str, tmp_path: Path) -> None:
    translator = Translator({segment: said})
    manifest, rows, (reject,) = await translate(tmp_path, [ROW, ROW | {"Complex_CoT": None}], translator)
    assert [row["id"][-1] for row in rows] == ["2"]
    assert (reject["reason"], reject["detail"].split(":")[0]) == ("a segment is missing", reason)
    assert segment in reject["detail"]
    assert translator.asked.count(segment) == 2
    assert dict(manifest.flows[1].left) == {reason: 1}
    assert "ERROR" not in orjson.dumps(rows).decode()


async def test_a_segment_that_the_first_reply_spoils_is_asked_for_alone(tmp_path: Path) -> None:
    class Better(Translator):
        def __call__(self, body: dict[str, Any]) -> str | int:
            self.spoil = {} if "Earlier translations" in body["messages"][0]["content"] else {"Liver": "liver"}
            return super().__call__(body)

    translator = Better()
    _, (row,), _ = await translate(tmp_path, [ROW], translator)
    assert "B. यकृत (Liver)" in row["prompt"]
    assert translator.asked.count("Liver") == 2
    assert translator.asked.count("Heart") == 1


async def test_options_that_become_alike_are_a_reject(tmp_path: Path) -> None:
    _, rows, (reject,) = await translate(tmp_path, [ROW], Translator({"Liver": "हृदय"}))
    assert rows == []
    assert (reject["reason"], reject["detail"]) == ("options became alike", "हृदय; हृदय; A और B दोनों; 1.5 kg")


async def test_what_the_endpoint_failed_at_is_tried_again_and_nothing_else(tmp_path: Path) -> None:
    class Failing(Translator):
        failing = True

        def __call__(self, body: dict[str, Any]) -> str | int:
            return 500 if self.failing and "Heart disease" in body["messages"][1]["content"] else super().__call__(body)

    translator = Failing()
    manifest, rows, _ = await translate(tmp_path, [ROW], translator, segments_per_call=1)
    assert (rows, manifest.again) == ([], 1)
    assert dict(manifest.flows[1].left) == {"endpoint failed": 1}
    asked, translator.asked, translator.failing = translator.asked, [], False
    manifest, rows, _ = await translate(tmp_path, [ROW], translator, segments_per_call=1)
    assert (len(rows), manifest.again) == (1, 0)
    assert translator.asked == ["Heart disease is common."]
    assert len(asked) == 5
    translator.asked = []
    await translate(tmp_path, [ROW], translator, segments_per_call=1)
    assert translator.asked == []


async def test_an_endpoint_that_refuses_everybody_stops_the_work(tmp_path: Path) -> None:
    translator = Translator()
    translator.status = 401
    with pytest.raises(EndpointAwayError):
        await translate(tmp_path, [ROW], translator)


async def test_progress_is_told_without_counting_the_table_after_each_batch(tmp_path: Path) -> None:
    class Counted(dict[str, str | Failed]):
        looks = 0

        def values(self) -> Any:
            self.looks += 1
            return super().values()

    class Engine:
        keeps, window = True, 1

        def batches(self, segments: Sequence[str], attempt: int) -> list[list[str]]:
            return [[segment] for segment in segments]

        async def translate(self, segments: Sequence[str], attempt: int = 0) -> list[str | Failed]:
            return [Failed("cut off") if segment.endswith("3") else "हृदय" for segment in segments]

    table, told = Counted({"known": "हृदय", "x": Failed("empty")}), []
    with CallStore(tmp_path / "calls.db") as store:
        await _translate(
            ["x", *(f"Heart{letter}" for letter in "abc3")], Engine(), 1, store, _Keys({}), table, 0.5,
            lambda *counts: told.append(counts),
        )  # fmt: skip
    assert told == [(2, 6), (3, 6), (4, 6), (5, 6), (5, 6)]
    assert table.looks == 1


async def test_two_runs_give_the_same_bytes(tmp_path: Path) -> None:
    rows = [ROW, ROW | {"ground_truth": "Liver"}, ROW | {"Complex_CoT": "Answer with one letter."}]
    outputs = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        manifest, _, _ = await translate(tmp_path / name, rows, Translator())
        outputs.append(manifest.output)
    assert outputs[0] == outputs[1]


async def test_a_file_that_cannot_be_read_is_one_fault(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    source = tmp_path / "in" / "west.json"
    source.write_text("{")
    config = TranslateSection(model=Model(base_url="http://127.0.0.1:9", model="m"))
    (manifest,) = await translate_files(tmp_path / "in", tmp_path / "out", config)
    assert manifest.fault is not None
    assert re.search("not valid JSON", manifest.fault)
    assert TranslateStep(config).size(source) == Size(0)


def test_what_it_may_cost(tmp_path: Path) -> None:
    source = tmp_path / "west.json"
    source.write_bytes(orjson.dumps([ROW] * 100))
    step = TranslateStep(TranslateSection(model=Model(base_url="http://127.0.0.1:9", model="m")))
    size = step.size(source)
    assert size == Size(100, 100 * sum(len(ROW[name]) for name in ("prompt", "Complex_CoT", "ground_truth")))
    expected = step.expect(size)
    assert expected.out == size
    assert 0 < expected.calls["translate"] < 100
    assert expected.prompt_tokens > expected.completion_tokens > 0


def test_a_section_names_one_engine() -> None:
    with pytest.raises(ValueError, match="either nllb or model"):
        TranslateSection()
