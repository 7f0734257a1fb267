"""The demo's data: facts that can be read back, files that the stages take, no leak into the held-out benchmarks."""

import hashlib
import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from app.answers import extract_choice, parse_completion
from app.consistency import assess
from app.errors import InputError
from app.languages import LANGUAGES
from app.lexicon import Lexicon
from app.options import split_lines
from app.prompts import build_messages, render_completion
from training.data import load_examples, load_rl_prompts, load_triples
from training.demo import data as demo
from training.demo.data import BASE, DATA, MARKER, build_demo
from training.demo.facts import Fact, cure_med_facts, himed_facts, load_facts
from training.demo.triples import make_triples

FACTS = load_facts()
TIERS = {language.code: language.tier for language in LANGUAGES if language.tier}
CODES = tuple(TIERS)
WORDINGS = ("इस प्रश्न का सही उत्तर है: ", "सही उत्तर: ", "अतः सही विकल्प है: ", "उत्तर है: ")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder, without the base model."""
    data = tmp_path_factory.mktemp("demo") / DATA
    demo._build_data(data, 0)
    return data


def rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def digests(folder: Path) -> dict[str, str]:
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_there_are_forty_hindi_facts_and_four_in_each_language() -> None:
    assert len(himed_facts()) >= 40
    counts = Counter(fact.language for fact in cure_med_facts())
    assert counts == dict.fromkeys(CODES, 4)
    assert len({fact.id for fact in FACTS}) == len(FACTS)


@pytest.mark.parametrize("fact", FACTS, ids=[fact.id for fact in FACTS])
def test_a_fact_has_distractors_for_both_halves_and_short_reasoning_in_its_language(fact: Fact) -> None:
    texts = [fact.answer, *fact.distractors]
    assert len(fact.distractors) >= 7
    assert len({text.casefold() for text in texts}) == len(texts)
    assert len(fact.reasoning.split()) <= 25
    assert assess(fact.reasoning, fact.language, fact.question).verdict in ("consistent", "undetermined")
    assert fact.source


@pytest.mark.parametrize("fact", FACTS, ids=[fact.id for fact in FACTS])
def test_every_option_stated_as_an_answer_is_read_back_and_in_its_language(fact: Fact) -> None:
    formats = ["himed"] if fact.english is None else ["himed", "cure-med"]
    for options in (*fact.trained_options(16), *fact.prompted_options(8), *fact.held_out_options(8)):
        for letter, text in options.items():
            answer = fact.state(text)
            assert assess(answer, fact.language).verdict == "consistent"
            for format in formats:
                completion = parse_completion(render_completion("<step1>x</step1>", answer, format), format)
                assert completion.well_formed
                assert extract_choice(completion.answer or "", options).letter == letter


def test_sets_of_options_differ_and_their_right_letters_go_round() -> None:
    for fact in FACTS:
        dealt = fact.trained_options(16, turn=2)
        assert len({tuple(options.values()) for options in dealt}) == 16
        letters = [next(letter for letter, text in options.items() if text == fact.answer) for options in dealt]
        assert letters == list("CDAB") * 4
        assert fact.trained_options(4, skip=6, turn=2) == dealt[6:10]
        assert fact.trained_options(16, seed=1) != fact.trained_options(16)


def test_the_stages_take_every_row(folder: Path) -> None:
    expected: list[tuple[str, Any, int]] = [
        ("la", "la", 6 * len(himed_facts())),
        ("rc", "rc", 6 * len(himed_facts())),
        ("sft", "sft", 7 * len(cure_med_facts())),
        ("sft_held_out", "sft", len(cure_med_facts())),
    ]
    for name, stage, count in expected:
        examples, report = load_examples([folder / f"{name}.jsonl"], stage)
        assert len(examples) == count
        assert not report.set_aside
        assert not report.duplicates
        assert not report.notes
    prompts, report = load_rl_prompts([folder / "rl_prompts.jsonl"])
    assert len(prompts) == 4 * len(himed_facts())
    assert not report.set_aside
    references = {prompt.reference for prompt in prompts}
    triples, report = load_triples([folder / "triples.jsonl"])
    assert not report.set_aside
    assert not report.duplicates
    assert {triple.reference for triple in triples} == references
    assert 0.3 < sum(triple.correct for triple in triples) / len(triples) < 0.4
    assert len(Lexicon.load(folder / demo.LEXICON)) >= 60


@pytest.mark.parametrize(("stage", "format"), [("la", "himed"), ("rc", "himed"), ("sft", "cure-med")])
def test_the_right_letter_is_read_off_every_completion(folder: Path, stage: Any, format: Any) -> None:
    facts = {(fact.language, fact.question): fact for fact in FACTS}
    examples, _ = load_examples([folder / f"{stage}.jsonl"], stage)
    for row, example in zip(rows(folder / f"{stage}.jsonl"), examples, strict=True):
        question, options = row.get("question"), row.get("options")
        if question is None:
            question, options = split_lines(row["prompt"])
        fact = facts[example.language or "", question]
        # The prompt is the one that the evaluator asks.
        asked = build_messages(question, format=format, language=fact.language, options=options)
        assert list(example.messages) == asked
        answer = parse_completion(example.completion, format).answer
        assert answer == fact.sentence
        assert assess(answer, fact.language).verdict == "consistent"
        if options is not None:
            assert options[extract_choice(answer, options).letter or ""] == fact.answer


def test_cure_meds_reasoning_begins_in_english_and_goes_on_in_the_language(folder: Path) -> None:
    examples, _ = load_examples([folder / "sft.jsonl"], "sft")
    facts = {(fact.language, fact.sentence, fact.reasoning): fact for fact in cure_med_facts()}
    for example in examples:
        completion = parse_completion(example.completion, "cure-med")
        steps = (completion.reasoning or "").removeprefix("<step1>").removesuffix("</step2>")
        english, own = steps.split("</step1><step2>")
        fact = facts[example.language or "", completion.answer or "", own]
        assert english == fact.english
        assert assess(english, "en").verdict in ("consistent", "undetermined")


def test_later_tiers_replay_earlier_languages(folder: Path) -> None:
    sizes = {}
    for tier in ("high", "medium", "low"):
        prompts, report = load_rl_prompts([folder / demo.CURRICULUM / f"{tier}.jsonl"])
        assert not report.set_aside
        sizes[tier] = Counter(prompt.language for prompt in prompts)
    high, medium, low = ({code for code in CODES if TIERS[code] == tier} for tier in ("high", "medium", "low"))
    whole = sizes["high"]["fr"]
    replayed = whole * 85 // 100
    assert sizes["high"] == dict.fromkeys(high, whole)
    assert sizes["medium"] == dict.fromkeys(medium, whole) | dict.fromkeys(high, replayed)
    assert sizes["low"] == dict.fromkeys(low, whole) | dict.fromkeys(high | medium, replayed)


def test_no_trained_prompt_is_used_twice_across_a_systems_stages(folder: Path) -> None:
    himed = [row["prompt"] for name in ("la", "rc", "rl_prompts") for row in rows(folder / f"{name}.jsonl")]
    assert len(set(himed)) == len(himed)
    files = [folder / "sft.jsonl", folder / "sft_held_out.jsonl", *(folder / "languages").iterdir()]
    cure_med = [(row["question"], str(row.get("options"))) for file in files for row in rows(file)]
    assert len(set(cure_med)) == len(cure_med)


def test_prompts_of_grpo_have_an_option_that_no_supervised_row_has(folder: Path) -> None:
    for name, supervised, prompted in (
        ("HiMed", ["la", "rc", "triples"], [folder / "rl_prompts.jsonl"]),
        ("CURE-Med", ["sft", "sft_held_out"], sorted((folder / "languages").iterdir())),
    ):
        trained: dict[str, set[str]] = defaultdict(set)
        for row in (row for file in supervised for row in rows(folder / f"{file}.jsonl")):
            question, options = asked(row)
            trained[question] |= set(options)
        for row in (row for file in prompted for row in rows(file)):
            question, options = asked(row)
            assert set(options) - trained[question], (name, question)


def asked(row: dict[str, Any]) -> tuple[str, list[str]]:
    """A row's question and the texts of its options; none of an open one."""
    question, options = split_lines(row.get("prompt") or row["question"])
    return question, list((row.get("options") or options or {}).values())


def test_held_out_items_ask_trained_questions_with_an_option_that_no_training_row_has(folder: Path) -> None:
    trained: dict[str, set[str]] = defaultdict(set)
    for file in [*folder.glob("*.jsonl"), *folder.glob("languages/*"), *folder.glob("curriculum/*.jsonl")]:
        for row in rows(file) if not file.name.startswith("held_out") else ():
            question, options = asked(row)
            trained[question] |= set(options)
    for name, facts, count in (("himed", himed_facts(), 3), ("cure_med", cure_med_facts(), 3)):
        items = rows(folder / f"held_out_{name}.jsonl")
        assert len(items) == count * len(facts)
        for item in items:
            assert item["options"][item["answer"]] in trained[item["question"]]
            assert set(item["options"].values()) - trained[item["question"]]
        letters = Counter(item["answer"] for item in items)
        assert max(letters.values()) - min(letters.values()) <= 1
        assert len({item["id"] for item in items}) == len(items)
        assert len({(item["question"], *item["options"].values()) for item in items}) == len(items)


def test_responses_are_right_only_where_they_give_the_answer() -> None:
    facts = {fact.id: fact for fact in himed_facts()}
    counts: dict[str, Counter[bool]] = defaultdict(Counter)
    for fact, response, correct in make_triples(himed_facts()):
        counts[fact.id][correct] += 1
        completion = parse_completion(response, "himed")
        assert (fact.answer in (completion.answer or "")) == correct
        if correct:
            assert completion.well_formed
    assert counts.keys() == facts.keys()
    # A response's words must not say whether it is right: each wording of an answer is about as often in right ones.
    for fact in facts.values():
        forms: dict[bool, Counter[str]] = defaultdict(Counter)
        for of, response, correct in make_triples([fact, *facts.values()]):
            if of is not fact:
                break
            for wording in WORDINGS:
                forms[correct][wording] += f"\n\n{wording}" in response
        total = {correct: sum(counter.values()) for correct, counter in forms.items()}
        for wording in WORDINGS:
            assert abs(forms[True][wording] / total[True] - forms[False][wording] / total[False]) < 0.06
    taught = {(fact.id, render_completion(fact.reasoning, fact.sentence, "himed")) for fact in himed_facts()}
    assert taught <= {(fact.id, response) for fact, response, correct in make_triples(himed_facts()) if correct}


def test_the_same_seed_builds_the_same_files_and_another_one_others(folder: Path, tmp_path: Path) -> None:
    demo._build_data(tmp_path / DATA, 0)
    assert digests(tmp_path / DATA) == digests(folder)
    demo._build_data(tmp_path / DATA, 1)
    assert digests(tmp_path / DATA)["rc.jsonl"] != digests(folder)["rc.jsonl"]
    assert sorted(file.name for file in tmp_path.iterdir()) == [DATA]


def test_finished_data_is_kept_and_a_build_that_was_killed_is_built_again(folder: Path, tmp_path: Path) -> None:
    partial = tmp_path / f".{DATA}.partial"
    partial.mkdir()
    (partial / "la.jsonl").write_text("half")
    demo._build_data(tmp_path / DATA, 0)
    assert not partial.exists()
    before = (tmp_path / DATA / "la.jsonl").stat().st_mtime_ns
    demo._build_data(tmp_path / DATA, 0)
    assert (tmp_path / DATA / "la.jsonl").stat().st_mtime_ns == before
    assert digests(tmp_path / DATA) == digests(folder)


@pytest.mark.parametrize("marker", [None, "[]", '{"builder": "somebody else"}', "not json"])
def test_a_folder_of_something_else_is_never_overwritten(tmp_path: Path, marker: str | None) -> None:
    data = tmp_path / DATA
    data.mkdir()
    (data / "thesis.tex").write_text("years of work")
    if marker is not None:
        (data / MARKER).write_text(marker)
    with pytest.raises(InputError, match="holds something else; name another folder"):
        build_demo(tmp_path)
    assert (data / "thesis.tex").read_text() == "years of work"
    assert not (tmp_path / BASE).exists()


def test_a_folder_that_cannot_be_made_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot be written"):
        build_demo(tmp_path / "file")


@pytest.mark.slow
def test_the_base_model_is_small_whole_and_cheap_to_ask_for_again(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    build_demo(tmp_path)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / BASE)
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / BASE)
    assert model.dtype == torch.float32
    assert model.num_parameters() < 2_000_000
    for stage, longest in (("rc", 128), ("sft", 128)):
        examples, _ = load_examples([tmp_path / DATA / f"{stage}.jsonl"], stage)
        lengths = [len(tokenizer.apply_chat_template(example.chat, return_dict=False)) for example in examples]
        assert max(lengths) <= longest
    before = digests(tmp_path)
    build_demo(tmp_path)
    assert digests(tmp_path) == before
