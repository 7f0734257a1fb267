"""A tiny model in NLLB's shape through the whole path, by transformers and by CTranslate2."""

import asyncio
from pathlib import Path

import orjson
import pytest
from tiny_nllb import build_tiny_nllb, convert_to_ctranslate2
from translating import translate_files

from app.errors import InputError
from training.corpus.calls import CallStore
from training.corpus.translation import Nllb, TranslateSection
from training.corpus.translation.engines import Failed, model_identity, open_nllb, split_clauses
from training.corpus.translation.engines.base import batch_by_length
from training.corpus.translation.table import translate_segments

PAIRS = {
    "Which drug is given?": "कौन सी दवा दी जाती है?",
    "Insulin": "इंसुलिन",
    "Both A and B": "ए और बी दोनों",
    "The heart has 4 chambers.": "हृदय में 4 कक्ष होते हैं।",
    "Insulin lowers the blood sugar.": "इंसुलिन रक्त शर्करा घटाता है।",
    "Aspirin": "एस्पिरिन",
}
ROW = {
    "prompt": "Which drug is given?\nA. Insulin\nB. Aspirin\nC. Both A and B",
    "Complex_CoT": "Insulin lowers the blood sugar. The heart has 4 chambers.",
    "ground_truth": "A. Insulin",
    "source": "MedMCQA",
}
# One thread: on a busy machine two wait for one another.
SMALL = {"max_source": 40, "max_target": 40, "beam": 2, "intra_threads": 1}


@pytest.fixture(scope="module")
def random_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_nllb(tmp_path_factory.mktemp("random"), PAIRS)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A model that knows six sentences by heart, in each engine's form."""
    folder = tmp_path_factory.mktemp("taught")
    taught = build_tiny_nllb(folder / "hf", PAIRS, steps=60)
    return {
        "transformers": taught,
        "ctranslate2": convert_to_ctranslate2(taught, folder / "ct2"),
        "int8": convert_to_ctranslate2(taught, folder / "int8", quantization="int8"),
    }


def settings(folder: Path, engine: str = "") -> Nllb:
    return Nllb(path=folder, precision="int8" if engine == "int8" else "default", **SMALL)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["transformers", "ctranslate2", "int8"])
def test_a_row_goes_through_a_model_in_a_folder(engine: str, folders: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    source = tmp_path / "in" / "west.json"
    # The model has no word for 7: what it makes of the other row lacks a number, whatever it is.
    source.write_bytes(orjson.dumps([ROW, ROW | {"prompt": "Are 7 quokkas ill?", "ground_truth": "Aspirin"}]))
    config = TranslateSection(nllb=settings(folders[engine], engine))
    (manifest,) = asyncio.run(translate_files(source, tmp_path, config))
    (row,) = [orjson.loads(line) for line in next((tmp_path / "translate").glob("*.hi.jsonl")).open()]
    assert row["prompt"] == "कौन सी दवा दी जाती है?\nA. इंसुलिन\nB. एस्पिरिन\nC. A और B दोनों"
    assert row["ground_truth"] == "A. इंसुलिन"
    assert row["Complex_CoT"] == "इंसुलिन रक्त शर्करा घटाता है। हृदय में 4 कक्ष होते हैं।"
    assert row["source_text"] == {name: ROW[name] for name in ("prompt", "Complex_CoT", "ground_truth")}
    assert dict(manifest.flows[-1].left) == {"a segment is missing": 1}
    assert manifest.spent["translate"].calls >= len(PAIRS)


@pytest.mark.slow
def test_random_weights_run_the_whole_path_and_give_no_data(random_model: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "west.jsonl").write_bytes(orjson.dumps(ROW))
    for folder in (random_model, convert_to_ctranslate2(random_model, tmp_path / "ct2", quantization="int8")):
        out = tmp_path / f"out-{folder.name}"
        (manifest,) = asyncio.run(translate_files(tmp_path / "in", out, TranslateSection(nllb=settings(folder))))
        read, translate, write = manifest.flows
        assert (read.into, read.out, translate.into, write.into) == (1, 1, len(PAIRS), 1)
        assert translate.out < translate.into
        assert write.out == 0
        assert dict(write.left) == {"a segment is missing": 1}
        assert manifest.spent["translate"].calls >= translate.into


@pytest.mark.slow
def test_both_engines_say_the_same_in_the_order_of_the_segments(folders: dict[str, Path]) -> None:
    said = {}
    for engine, folder in folders.items():
        opened = open_nllb(settings(folder, engine))
        assert sorted(segment for batch in opened.batches(list(PAIRS), 0) for segment in batch) == sorted(PAIRS)
        said[engine] = asyncio.run(opened.translate(list(PAIRS)))
    assert said["transformers"] == list(PAIRS.values())
    assert said["transformers"] == said["ctranslate2"] == said["int8"]


@pytest.mark.slow
def test_what_is_longer_than_the_model_reads_is_never_cut(folders: dict[str, Path]) -> None:
    engine = open_nllb(Nllb(path=folders["ctranslate2"], max_source=12, max_target=40, beam=1, intra_threads=1))
    (failed,) = asyncio.run(engine.translate(["Insulin lowers the blood sugar " * 5]))
    assert failed == Failed("too long for the model")
    engine = open_nllb(Nllb(path=folders["ctranslate2"], max_source=40, max_target=3, beam=1, intra_threads=1))
    assert asyncio.run(engine.translate(["The heart has 4 chambers."])) == [Failed("cut off", "at 3 tokens")]


@pytest.mark.slow
def test_a_killed_run_goes_on_without_saying_anything_twice(folders: dict[str, Path], tmp_path: Path) -> None:
    real = open_nllb(Nllb(path=folders["ctranslate2"], batch_tokens=12, **SMALL))
    asked: list[str] = []

    class Dying:
        keeps, window = False, 1
        left = 2

        def batches(self, segments: list[str], attempt: int) -> list[list[str]]:
            return real.batches(segments, attempt)

        async def translate(self, segments: list[str], attempt: int = 0) -> list[str | Failed]:
            if not self.left:
                raise KeyboardInterrupt
            self.left -= 1
            asked.extend(segments)
            return await real.translate(segments, attempt)

    async def run(engine: Dying) -> dict[str, str | Failed]:
        with CallStore(tmp_path / "calls.db") as store:
            return await translate_segments(PAIRS, lambda: engine, store, {"model": "m"}, attempts=1, least_target=0.5)

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(run(Dying()))
    begun = list(asked)
    assert 0 < len(begun) < len(PAIRS)
    patient = Dying()
    patient.left = 100
    table = asyncio.run(run(patient))
    assert table == PAIRS | {"Both A and B": "A और B दोनों"}
    assert sorted(asked) == sorted(PAIRS)

    def never() -> Dying:
        raise AssertionError("nothing is left to translate")

    with CallStore(tmp_path / "calls.db") as store:
        again = asyncio.run(translate_segments(PAIRS, never, store, {"model": "m"}, attempts=1, least_target=0.5))
    assert again == table


@pytest.mark.slow
def test_a_model_is_known_by_its_files_and_its_search(folders: dict[str, Path]) -> None:
    one = model_identity(settings(folders["ctranslate2"]))
    assert one != model_identity(settings(folders["int8"]))
    assert one != model_identity(Nllb(path=folders["ctranslate2"], **(SMALL | {"beam": 3})))
    assert one == model_identity(Nllb(path=folders["ctranslate2"], inter_threads=2, batch_tokens=8, **SMALL))


@pytest.mark.slow
def test_a_folder_that_is_no_model_is_named(folders: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        open_nllb(Nllb(path=tmp_path / "none"))
    with pytest.raises(InputError, match="no weights"):
        open_nllb(Nllb(path=tmp_path))
    (tmp_path / "model.bin").write_bytes(b"nothing")
    with pytest.raises(InputError, match="no tokenizer"):
        open_nllb(Nllb(path=tmp_path))
    with pytest.raises(InputError, match="cannot be opened"):
        open_nllb(Nllb(path=tmp_path, tokenizer=folders["transformers"]))
    with pytest.raises(InputError, match="no language xxx_Latn"):
        open_nllb(Nllb(path=folders["transformers"], source="xxx_Latn"))
    with pytest.raises(InputError, match="cannot compute in int8"):
        open_nllb(Nllb(path=folders["transformers"], precision="int8"))


def test_batches_hold_so_many_tokens_with_padding_and_begin_with_the_longest() -> None:
    lengths = [3, 9, 1, 4, 4, 20]
    batches = batch_by_length(lengths, 12)
    assert batches == [[5], [1], [3, 4, 0], [2]]
    assert all(max(lengths[place] for place in batch) * len(batch) <= 12 or len(batch) == 1 for batch in batches)
    assert batch_by_length([], 12) == []


@pytest.mark.parametrize(
    ("segment", "clauses"),
    [
        (
            "The patient was given insulin twice, and her blood sugar fell to 90 mg/dL (normal: 70 to 100).",
            ["The patient was given insulin twice,", "and her blood sugar fell to 90 mg/dL", "(normal: 70 to 100)."],
        ),
        ("Give 1, 2, or 3 of them.", ["Give 1, 2, or 3 of them."]),
    ],
)
def test_clauses(segment: str, clauses: list[str]) -> None:
    assert split_clauses(segment) == clauses
