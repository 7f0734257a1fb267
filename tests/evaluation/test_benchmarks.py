"""Known benchmarks: found by name in every layout of the releases, loaded whole, refused when in doubt."""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from app.errors import InputError
from app.languages import LANGUAGES
from evaluation.benchmarks import Benchmark, load_benchmark
from evaluation.benchmarks.item import best_constant_answer, chance_accuracy

WEST_ROW = {"question_number": 7, "question": "प्रश्न?", "options": {"A": "हाँ", "B": "नहीं"}, "answer": "B", "source": "X"}
THIRTEEN = [language.english for language in LANGUAGES if language.tier]


def write_json(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
    return path


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def write_curemed(folder: Path, languages: list[str] = THIRTEEN, **more: str) -> None:
    for language in languages:
        row = {"question": f"Q {language}?", "answer": f"A {language}.", "language": language, **more}
        write_jsonl(folder / f"{language}.jsonl", [row])


def error_of(name: str, **arguments: Any) -> str:
    with pytest.raises(InputError) as caught:
        load_benchmark(name, **arguments)
    return str(caught.value)


def test_himed_west_has_its_published_figures(shared_data: Path) -> None:
    benchmark = load_benchmark("HiMed-West", data_dir=shared_data)

    assert (benchmark.name, len(benchmark.items), benchmark.invalid) == ("HiMed-West", 1784, ())
    best = best_constant_answer(benchmark.items)
    assert best is not None
    assert (best[0], round(100 * best[1], 2), best[2]) == ("D", 23.77, 1784)
    chance = chance_accuracy(benchmark.items)
    assert chance == pytest.approx(0.13402, abs=1e-5)
    assert {item.language for item in benchmark.items} == {"hi"}
    gpqa = [item for item in benchmark.items if item.groups["source"] == "GPQA-med"]
    assert Counter(item.gold for item in gpqa) == {"D": 249}


def test_himed_west_asks_94_questions_twice_and_219_more_than_once(shared_data: Path) -> None:
    benchmark = load_benchmark("HiMed-West", data_dir=shared_data)

    # The same options and right answer, in another order: duplicates, though no copy is equal letter by letter.
    assert benchmark.duplicates == 94
    assert len({item.id for item in benchmark.items}) == 1784
    assert not any("-" in item.id for item in benchmark.items)
    for item in benchmark.items:
        if item.duplicate_of is not None:
            original = benchmark.by_id[item.duplicate_of]
            assert original.row < item.row
            assert original.options is not None
            assert item.options is not None
            assert original.options != item.options
            assert sorted(original.options.values()) == sorted(item.options.values())
            assert original.reference == item.reference
    # The other 125 repeat only the question ("choose the right statement"): one cluster, no duplicates.
    assert len(benchmark.items) - len({item.cluster for item in benchmark.items}) == 219


def test_curemed_bench_is_the_bench_folder_and_not_the_training_files(shared_data: Path) -> None:
    benchmark = load_benchmark("CUREMED-Bench", data_dir=shared_data)

    assert (len(benchmark.items), benchmark.invalid, benchmark.duplicates) == (1431, (), 0)
    assert {Path(file).parent.name for file in benchmark.files} == {"bench"}
    assert {item.kind for item in benchmark.items} == {"qa"}
    order = list(dict.fromkeys(item.language for item in benchmark.items))
    assert order == ["am", "bn", "fr", "ha", "hi", "ja", "ko", "es", "sw", "th", "tr", "vi", "yo"]


def test_the_trad_corpus_reads_as_a_benchmark_with_its_groups(shared_data: Path) -> None:
    benchmark = load_benchmark(str(shared_data / "himed" / "HiMed-Trad_Corpus_sample.json"))

    assert Counter(item.kind for item in benchmark.items) == {"dialogue": 176, "mcq": 161, "qa": 160}
    reasons = {row.row: (row.field, row.reason) for row in benchmark.invalid}
    assert reasons == {
        421: ("options", "the question has no options, neither in the field nor as its last lines"),
        451: ("question", "the question is empty but for its options"),
        471: ("options", "the question has no options, neither in the field nor as its last lines"),
    }
    assert {len(item.options) for item in benchmark.items if item.options} == {5}
    assert not any("\nB. " in item.question for item in benchmark.items)
    assert set(benchmark.items[0].groups) == {"system", "type", "subject", "source"}
    dialogue = next(item for item in benchmark.items if item.kind == "dialogue")
    assert dialogue.question.startswith("User: ")
    assert "Assistant: " in dialogue.question


def test_the_west_corpus_reads_as_a_benchmark(shared_data: Path) -> None:
    benchmark = load_benchmark(str(shared_data / "himed" / "HiMed-West_Corpus_sample.json"))

    assert len(benchmark.items) + len(benchmark.invalid) == 500
    kinds = {source: Counter[str]() for source in ("MedMCQA", "Medreason", "Huatuo-o1 Corpus")}
    for item in benchmark.items:
        kinds[item.groups["source"]][item.kind] += 1
    assert kinds["MedMCQA"] == {"mcq": 359}
    assert sum(kinds["Medreason"].values()) + sum(kinds["Huatuo-o1 Corpus"].values()) == 107


def test_the_shipped_sample_loads_whole_without_a_data_folder() -> None:
    benchmark = load_benchmark("Sample")

    assert benchmark.name == "sample"
    assert benchmark.invalid == ()
    assert {item.language for item in benchmark.items} == {language.code for language in LANGUAGES}
    assert {item.kind for item in benchmark.items} >= {"mcq", "qa"}
    # Its numbers are shared by the languages: that is how English and Hindi are paired.
    numbers = {language: {i.number for i in benchmark.items if i.language == language} for language in ("en", "hi")}
    assert numbers["en"] <= numbers["hi"]


@pytest.mark.parametrize("name", ["HiMed-West", "himed west", "HIMED_WEST", "HiMed-West_Bench"])
@pytest.mark.parametrize(
    "path",
    [
        "HiMed-West_Bench.json",
        "Data/HiMed-West_Bench/HiMed-West_Bench.json",
        "data/himed_west_bench/test.json",
        "data/himed_west_bench/HiMed-West_Bench.part0001.json",
    ],
)
def test_a_release_is_found_by_name_in_every_layout(name: str, path: str, tmp_path: Path) -> None:
    write_json(tmp_path / path, {"questions": [WEST_ROW]})
    write_json(tmp_path / "data" / "HiMed-West_Corpus" / "HiMed-West_Corpus.part0001.json", {"questions": []})
    write_json(tmp_path / "HiMed-West_Exam.json", {"questions": []})

    benchmark = load_benchmark(name, data_dir=tmp_path)

    assert benchmark.name == "HiMed-West"
    assert benchmark.files == (str(tmp_path / path),)
    assert benchmark.items[0].language == "hi"


@pytest.mark.parametrize(
    ("name", "file"), [("HiMed-Trad", "HiMed-Trad_Bench.json"), ("HiMed-West-Exam", "HiMed-West_Exam.json")]
)
def test_the_other_releases_are_found_too(name: str, file: str, tmp_path: Path) -> None:
    write_json(tmp_path / "deep" / file, [WEST_ROW])

    assert load_benchmark(name, data_dir=tmp_path).name == name


def test_a_path_to_a_release_file_is_that_benchmark_and_another_file_has_its_own_name(tmp_path: Path) -> None:
    release = write_json(tmp_path / "HiMed-West_Exam.json", [WEST_ROW])
    other = write_json(tmp_path / "mine.json", [WEST_ROW])

    assert load_benchmark(str(release)).name == "HiMed-West-Exam"
    mine = load_benchmark(str(other), language="Hindi")
    assert (mine.name, mine.items[0].language) == ("mine", "hi")


def test_the_hash_is_of_the_content_and_the_version_of_the_bytes(tmp_path: Path) -> None:
    as_list = load_benchmark(str(write_json(tmp_path / "a.json", [WEST_ROW])), language="hi")
    as_lines = load_benchmark(str(write_jsonl(tmp_path / "b.jsonl", [WEST_ROW])), language="hi")

    assert as_list.sha256 == as_lines.sha256
    assert as_list.version != as_lines.version


def test_shards_are_read_in_order_of_their_numbers(tmp_path: Path) -> None:
    for number in (2, 10, 1, *range(3, 10)):
        row = WEST_ROW | {"question": f"प्रश्न {number}"}
        write_json(tmp_path / f"HiMed-Trad_Bench.part{number:04d}.json", {"questions": [row]})

    benchmark = load_benchmark("HiMed-Trad", data_dir=tmp_path)

    assert [item.question for item in benchmark.items] == [f"प्रश्न {number}" for number in range(1, 11)]
    assert load_benchmark(str(tmp_path)).sha256 == benchmark.sha256


def test_curemed_csv_files_name_their_language(tmp_path: Path) -> None:
    for language in THIRTEEN:
        text = f'Question,Response\r\n"Q, {language}?\nline",A {language}\r\n'
        (tmp_path / f"{language.lower()}_test.csv").write_text(text, encoding="utf-8-sig", newline="")

    benchmark = load_benchmark("CUREMED-Bench", data_dir=tmp_path)

    assert len(benchmark.items) == 13
    assert benchmark.items[4].question == "Q, Hindi?\nline"
    assert (benchmark.items[4].language, benchmark.items[4].reference) == ("hi", "A Hindi")


def test_curemed_leaves_training_and_prediction_folders_aside(tmp_path: Path) -> None:
    write_curemed(tmp_path / "bench")
    write_curemed(tmp_path / "sft", reasoning="<thinking></thinking>")
    write_curemed(tmp_path / "answers", response="text")
    write_curemed(tmp_path / "bench" / ".ipynb_checkpoints")
    for language in THIRTEEN:
        (tmp_path / f"{language}_model.csv").write_text("Question,Response,Test Response\nq,r,t\n")

    benchmark = load_benchmark("curemed-bench", data_dir=tmp_path)

    assert {Path(file).parent.name for file in benchmark.files} == {"bench"}


def test_two_possible_folders_are_refused_by_name(tmp_path: Path) -> None:
    write_curemed(tmp_path / "test")
    write_curemed(tmp_path / "train")

    assert error_of("CUREMED-Bench", data_dir=tmp_path) == (
        f"several folders could be meant: {tmp_path / 'test'}, {tmp_path / 'train'}; "
        "give the path of one of them as --bench"
    )
    assert len(load_benchmark(str(tmp_path / "test")).items) == 13


def test_two_files_of_one_language_are_refused(tmp_path: Path) -> None:
    write_curemed(tmp_path)
    write_curemed(tmp_path / "more", ["Hindi"])
    (tmp_path / "more" / "Hindi.jsonl").rename(tmp_path / "Hindi_v2.jsonl")

    assert error_of("CUREMED-Bench", data_dir=tmp_path) == (
        f"several files of one language could be meant: {tmp_path / 'Hindi.jsonl'}, {tmp_path / 'Hindi_v2.jsonl'}; "
        "give the path of one of them as --bench"
    )


def test_a_missing_language_is_an_error_unless_the_folder_is_named(tmp_path: Path) -> None:
    write_curemed(tmp_path / "bench", [language for language in THIRTEEN if language not in ("Hausa", "Yoruba")])

    assert error_of("CUREMED-Bench", data_dir=tmp_path) == (
        f"{tmp_path / 'bench'}: no file whose first row has a question and an answer for Hausa, Yoruba; "
        "complete the folder, or give its path as --bench to take it as it is"
    )
    named = load_benchmark(str(tmp_path / "bench"))
    assert (named.name, len(named.items)) == ("bench", 11)


def test_two_copies_of_a_release_are_refused_by_name(tmp_path: Path) -> None:
    first = write_json(tmp_path / "a" / "HiMed-West_Bench.json", [WEST_ROW])
    second = write_json(tmp_path / "b" / "HiMed-West_Bench.json", [WEST_ROW])

    assert error_of("HiMed-West", data_dir=tmp_path) == (
        f"several files could be meant: {first}, {second}; give the path of one of them as --bench"
    )


@pytest.mark.parametrize("other", ["HiMed-West_Bench.jsonl", "HiMed-West_Bench.part0001.json"])
def test_a_release_in_two_forms_is_refused_by_name(other: str, tmp_path: Path) -> None:
    first = write_json(tmp_path / "HiMed-West_Bench.json", [WEST_ROW])
    second = write_jsonl(tmp_path / other, [WEST_ROW])
    message = f"several files could be meant: {first}, {second}; give the path of one of them as --bench"

    assert error_of("HiMed-West", data_dir=tmp_path) == message
    assert error_of(str(tmp_path)) == message


def test_a_benchmark_that_is_not_there_is_said_with_where_it_was_looked_for_and_how_to_get_it(tmp_path: Path) -> None:
    how = (
        "download the hub data set FreedomIntelligence/HiMed and name its folder with --data-dir or HIMED_DATA_DIR, "
        "or allow the download with --allow-hub"
    )

    assert error_of("HiMed-Trad") == f"HiMed-Trad was not found: no data folder was given; {how}"
    assert error_of("HiMed-Trad", data_dir=tmp_path) == f"HiMed-Trad was not found: not under {tmp_path}; {how}"
    assert error_of("HiMed-Trad", data_dir=tmp_path / "no") == (
        f"{tmp_path / 'no'}: the data folder does not exist; correct --data-dir"
    )


def test_an_unknown_name_lists_the_known_ones() -> None:
    assert error_of("MedQA") == (
        "unknown benchmark 'MedQA'; use one of HiMed-Trad, HiMed-West, HiMed-West-Exam, CUREMED-Bench, sample, "
        "or the path of a file or folder"
    )


def test_an_unknown_language_is_an_error() -> None:
    assert error_of("sample", language="Klingon").startswith("unknown language 'Klingon'; use one of Amharic (am)")


class FakeHub:
    """Stands for the hub's download: gives a local folder in the hub's layout and notes what was asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[dict[str, Any]] = []

    def snapshot_download(self, **arguments: Any) -> str:
        self.asked.append(arguments)
        return str(self.folder)


@pytest.fixture
def fake_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    huggingface_hub = pytest.importorskip("huggingface_hub")
    fake = FakeHub(tmp_path / "snapshot")
    monkeypatch.setattr(huggingface_hub, "snapshot_download", fake.snapshot_download)
    return fake


def test_the_hub_is_asked_only_when_allowed_and_only_for_the_benchmarks_files(fake_hub: FakeHub) -> None:
    write_json(fake_hub.folder / "data" / "himed_west_bench" / "HiMed-West_Bench.json", {"questions": [WEST_ROW]})

    error_of("HiMed-West")
    assert fake_hub.asked == []
    benchmark = load_benchmark("HiMed-West", allow_hub=True)

    assert (benchmark.name, len(benchmark.items)) == ("HiMed-West", 1)
    patterns = ["*HiMed-West_Bench*", "*himed_west_bench*"]
    assert fake_hub.asked == [
        {"repo_id": "FreedomIntelligence/HiMed", "repo_type": "dataset", "allow_patterns": patterns}
    ]


def test_curemed_comes_from_its_own_data_set(fake_hub: FakeHub) -> None:
    write_curemed(fake_hub.folder / "test")

    assert len(load_benchmark("CUREMED-Bench", allow_hub=True).items) == 13
    assert fake_hub.asked[0]["repo_id"] == "Aikyam-Lab/CUREMED-BENCH"


def test_the_data_folder_goes_before_the_hub(fake_hub: FakeHub, tmp_path: Path) -> None:
    write_json(tmp_path / "own" / "HiMed-West_Bench.json", [WEST_ROW])

    load_benchmark("HiMed-West", data_dir=tmp_path / "own", allow_hub=True)

    assert fake_hub.asked == []


def test_a_data_set_without_the_benchmark_is_said_so(fake_hub: FakeHub, tmp_path: Path) -> None:
    fake_hub.folder.mkdir()
    (tmp_path / "own").mkdir()

    assert error_of("HiMed-West", data_dir=tmp_path / "own", allow_hub=True).startswith(
        f"HiMed-West was not found: not under {tmp_path / 'own'} and not in the hub data set FreedomIntelligence/HiMed;"
    )


def test_a_hub_out_of_reach_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    huggingface_hub = pytest.importorskip("huggingface_hub")

    def refuse(**_: Any) -> str:
        raise ConnectionError("Network is unreachable\nlong story")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    assert error_of("HiMed-West", allow_hub=True) == (
        "the hub data set FreedomIntelligence/HiMed cannot be had: Network is unreachable; "
        "check the network, or download it elsewhere and name its folder with --data-dir"
    )


def test_without_huggingface_hub_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)

    assert error_of("HiMed-West", allow_hub=True) == (
        "loading from the hub needs huggingface_hub; pip install 'himed[data]'"
    )


def test_benchmarks_have_equal_ids_wherever_they_were_read(shared_data: Path) -> None:
    by_name = load_benchmark("HiMed-West", data_dir=shared_data)
    by_path: Benchmark = load_benchmark(str(shared_data / "himed" / "HiMed-West_Bench.json"))

    assert by_name.sha256 == by_path.sha256
    assert by_name.version == by_path.version
