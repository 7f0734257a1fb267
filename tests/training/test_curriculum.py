"""The three staged sets: exact counts, the same rows everywhere, whole or not there."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from data_rows import CURE_MED, TRIPLE, write_rows

from app.data_files import data_files
from app.errors import InputError
from app.languages import LANGUAGES
from training.curriculum import build_curriculum
from training.data import load_rl_prompts

NAMES = {language.english: language for language in LANGUAGES if language.tier}
SIZES = {name: 7 + 3 * i for i, name in enumerate(sorted(NAMES))}


def rows_of(name: str) -> list[dict[str, Any]]:
    return [CURE_MED | {"question": f"{name} {i}?", "language": name} for i in range(SIZES[name])]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in NAMES:
        write_rows(tmp_path / "in" / f"{name}.jsonl", *rows_of(name))
    return tmp_path / "in"


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_each_stage_has_its_tier_whole_and_the_floored_share_of_earlier_languages(folder: Path, tmp_path: Path) -> None:
    built = build_curriculum(folder, tmp_path / "out", seed=3)

    order = ["high", "medium", "low"]
    for number, stage in enumerate(built.stages):
        expected = {
            language.code: SIZES[name] if language.tier == stage.tier else SIZES[name] * 85 // 100
            for name, language in NAMES.items()
            if language.tier in order[: number + 1]
        }
        assert stage.tier == order[number]
        assert stage.languages == expected
        rows = read(tmp_path / "out" / stage.file)
        assert stage.rows == len(rows) == sum(expected.values())
        for name, language in NAMES.items():
            found = [row["question"] for row in rows if row["language"] == name]
            assert len(found) == len(set(found)) == expected.get(language.code, 0)
        # Languages are mixed: a stage does not begin with a whole language.
        assert len({row["language"] for row in rows[:12]}) > 1
    prompts, report = load_rl_prompts([tmp_path / "out" / "low.jsonl"])
    assert len(prompts) == built.stages[2].rows
    assert report.set_aside == ()


def test_the_share_is_exact_where_floating_point_is_not(folder: Path, tmp_path: Path) -> None:
    write_rows(folder / "French.jsonl", *(CURE_MED | {"question": f"{i}?", "language": "fr"} for i in range(100)))

    built = build_curriculum(folder, tmp_path / "out", seed=0, replay=0.29)

    assert int(100 * 0.29) == 28
    assert built.stages[1].languages["fr"] == 29


def test_the_same_rows_whatever_the_order_of_rows_fields_and_names(folder: Path, tmp_path: Path) -> None:
    one = build_curriculum(folder, tmp_path / "one", seed=1)
    for name in NAMES:
        (folder / f"{name}.jsonl").unlink()
        rows = [dict(reversed(row.items())) for row in rows_of(name)]
        random.Random(name).shuffle(rows)
        write_rows(folder / f"{NAMES[name].code}.json", *rows)

    other = build_curriculum(folder, tmp_path / "other", seed=1)

    assert other.stages == one.stages
    for stage in one.stages:
        assert (tmp_path / "one" / stage.file).read_bytes() == (tmp_path / "other" / stage.file).read_bytes()


def test_the_sets_of_a_seed_are_these_on_every_machine(folder: Path, tmp_path: Path) -> None:
    built = build_curriculum(folder, tmp_path / "out", seed=0)

    assert [stage.sha256[:12] for stage in built.stages] == ["b24b97e8a516", "2008a02b25d4", "8b28567b61aa"]


def test_another_seed_replays_other_rows_and_each_stage_chooses_anew(folder: Path, tmp_path: Path) -> None:
    build_curriculum(folder, tmp_path / "one", seed=1, replay=0.5)
    build_curriculum(folder, tmp_path / "two", seed=2, replay=0.5)

    def french(path: Path) -> set[str]:
        return {row["question"] for row in read(path) if row["language"] == "French"}

    assert french(tmp_path / "one" / "high.jsonl") == french(tmp_path / "two" / "high.jsonl")
    assert french(tmp_path / "one" / "medium.jsonl") != french(tmp_path / "two" / "medium.jsonl")
    assert french(tmp_path / "one" / "medium.jsonl") != french(tmp_path / "one" / "low.jsonl")


def test_broken_and_repeated_rows_are_left_out_and_named(folder: Path, tmp_path: Path) -> None:
    good = rows_of("Hindi")
    bad = [good[0], good[1] | {"answer": ""}, good[2] | {"language": "Thai"}]
    file = write_rows(folder / "Hindi.jsonl", *good, *bad)
    file.write_text(file.read_text() + "{\n")

    built = build_curriculum(folder, tmp_path / "out", seed=0)

    n = len(good)
    assert [(row.file, row.row, row.field) for row in built.set_aside] == [
        ("Hindi.jsonl", n + 2, "answer"), ("Hindi.jsonl", n + 3, "language"), ("Hindi.jsonl", n + 4, "row"),
    ]  # fmt: skip
    (source,) = [source for source in built.sources if source.language == "hi"]
    assert (source.rows, source.usable, source.duplicates) == (n + 4, n + 1, 1)
    assert built.stages[2].languages["hi"] == n
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["seed"] == 0
    assert manifest["replay"] == "0.85"
    assert manifest["set_aside"][0]["reason"] == "the field is empty"
    assert [stage["sha256"] for stage in manifest["stages"]] == [stage.sha256 for stage in built.stages]


def test_a_smaller_curriculum_names_its_languages(folder: Path, tmp_path: Path) -> None:
    for name in NAMES:
        if name not in ("French", "Thai", "Hindi"):
            (folder / f"{name}.jsonl").unlink()

    built = build_curriculum(folder, tmp_path / "out", seed=0, languages=["hi", "French", "th"])

    assert [set(stage.languages) for stage in built.stages] == [{"fr"}, {"fr", "th"}, {"fr", "hi", "th"}]
    with pytest.raises(InputError, match="no language of the medium tier"):
        build_curriculum(folder, tmp_path / "out", seed=0, languages=["hi", "fr"])
    with pytest.raises(InputError, match="English has no tier"):
        build_curriculum(folder, tmp_path / "out", seed=0, languages=["hi", "fr", "th", "en"])


def test_missing_unknown_and_second_files_are_errors(folder: Path, tmp_path: Path) -> None:
    (folder / "Thai.jsonl").rename(folder / "Klingon.jsonl")
    with pytest.raises(InputError, match=r"Klingon\.jsonl: the file is called after no language"):
        build_curriculum(folder, tmp_path / "out", seed=0)
    (folder / "Klingon.jsonl").unlink()
    (folder / "Turkish.jsonl").unlink()
    with pytest.raises(InputError, match="no file for Thai, Turkish"):
        build_curriculum(folder, tmp_path / "out", seed=0)
    write_rows(folder / "hi.json", *rows_of("Hindi"))
    with pytest.raises(InputError, match=r"hi\.json: a second file of Hindi beside Hindi\.jsonl"):
        build_curriculum(folder, tmp_path / "out", seed=0)
    with pytest.raises(InputError, match="there is no such folder"):
        build_curriculum(tmp_path / "none", tmp_path / "out", seed=0)
    assert not (tmp_path / "out").exists()


def test_files_of_other_layouts_and_shares_out_of_range_are_errors(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"the share is 1\.5"):
        build_curriculum(folder, tmp_path / "out", seed=0, replay=1.5)
    write_rows(folder / "Hindi.jsonl", TRIPLE)
    with pytest.raises(InputError, match="the layout triples is no data for the curriculum"):
        build_curriculum(folder, tmp_path / "out", seed=0)


def test_a_curriculum_that_fails_half_way_has_no_manifest(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    build_curriculum(folder, out, seed=0)
    from training import curriculum

    def fail(file: Path, content: bytes) -> None:
        raise InputError("cannot be written", file=file)

    monkeypatch.setattr(curriculum, "write_whole", fail)
    with pytest.raises(InputError, match="cannot be written"):
        build_curriculum(folder, out, seed=1)
    assert not (out / "manifest.json").exists()


def test_the_real_files_give_the_published_tiers(shared_data: Path, tmp_path: Path) -> None:
    built = build_curriculum(shared_data / "curemed" / "sft", tmp_path / "out", seed=0)

    assert [stage.rows for stage in built.stages] == [4_743, 6_908, 12_288]
    assert built.set_aside == ()


def test_a_folder_of_sets_holds_data_and_a_manifest_that_is_none(folder: Path, tmp_path: Path) -> None:
    built = build_curriculum(folder, tmp_path / "out", seed=0)
    found = [file.name for file in data_files(tmp_path / "out")]
    assert found == sorted(stage.file for stage in built.stages)
