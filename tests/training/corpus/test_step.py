"""One step over one unit: whole or not there, done once, and counts that add up."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from app.errors import InputError
from training.corpus.calls import CallError, CallStore
from training.corpus.flow import Flow, total
from training.corpus.step import Expected, Size, Step, find_done, run_step
from training.corpus.unit import Manifest, SourceError, Unit, Work, find_units


class Lines(Step):
    """Keeps lines in lower case; "FAIL" fails for now, "stop" stops it, "?" is no source, "~" is out of reach."""

    name = "lines"

    def __init__(self, version: int = 1) -> None:
        self.version = version

    def settings(self) -> Mapping[str, Any]:
        return {"version": self.version}

    def size(self, source: Path) -> Size:
        return Size(len(lines_of(source)))

    def expect(self, size: Size) -> Expected:
        return Expected(size)

    async def run(self, source: Path, work: Work) -> None:
        flow = work.flow("sift", "lines")
        for line in lines_of(source):
            flow.into += 1
            if line == "?":
                raise SourceError("is no text", file=source, remedy="give another")
            if line == "~":
                raise SourceError("is out of reach", file=source, again=True)
            if line == "stop":
                raise KeyboardInterrupt
            if line == "lost":
                continue
            if line.islower():
                work.keep({"line": line})
                flow.out += 1
            else:
                work.reject(
                    flow, line, CallError("endpoint failed" if line == "FAIL" else "loud", again=line == "FAIL")
                )


def lines_of(source: Path) -> list[str]:
    return source.read_text().splitlines()


def unit_of(source: Path, text: str) -> Unit:
    source.mkdir(exist_ok=True)
    (source / "book.txt").write_text(text)
    (unit,), _ = find_units(source, [".txt"])
    return unit


async def run(folder: Path, unit: Unit, step: Step | None = None) -> Manifest:
    return await run_step(step or Lines(), folder, unit, unit.source, unit.sha256)


async def test_output_rejects_and_counts(tmp_path: Path) -> None:
    unit = unit_of(tmp_path / "in", "a\nB\nc")
    manifest = await run(tmp_path, unit)
    place = Lines().place(tmp_path, unit)
    assert [orjson.loads(line) for line in place.output.read_bytes().splitlines()] == [{"line": "a"}, {"line": "c"}]
    assert orjson.loads(place.rejects.read_bytes()) == {"stage": "sift", "id": "B", "reason": "loud", "detail": ""}
    (flow,) = manifest.flows
    assert (flow.into, flow.out, dict(flow.left)) == (3, 2, {"loud": 1})
    assert Manifest.read(place.manifest) == manifest
    made = {path.name for path in (tmp_path / "lines").iterdir()}
    assert made == {f"{unit.id}.jsonl", "calls", "manifests", "progress", "rejects"}
    assert not any((tmp_path / "lines" / "progress").iterdir())


async def test_what_is_done_is_found_until_something_changes(tmp_path: Path) -> None:
    unit = unit_of(tmp_path / "in", "a")
    assert find_done(Lines(), tmp_path, unit, unit.sha256) is None
    manifest = await run(tmp_path, unit)
    assert find_done(Lines(), tmp_path, unit, unit.sha256) == manifest
    assert find_done(Lines(version=2), tmp_path, unit, unit.sha256) is None
    assert find_done(Lines(), tmp_path, unit, "another input") is None
    Lines().place(tmp_path, unit).output.unlink()
    assert find_done(Lines(), tmp_path, unit, unit.sha256) is None


async def test_a_unit_with_failures_of_the_endpoint_is_run_again(tmp_path: Path) -> None:
    unit = unit_of(tmp_path / "in", "a\nFAIL")
    assert (await run(tmp_path, unit)).again == 1
    assert find_done(Lines(), tmp_path, unit, unit.sha256) is None


async def test_a_run_that_is_stopped_leaves_the_earlier_output(tmp_path: Path) -> None:
    unit = unit_of(tmp_path / "in", "a\nb")
    await run(tmp_path, unit)
    unit.source.write_text("a\nstop\nc")
    with pytest.raises(KeyboardInterrupt):
        await run(tmp_path, unit)
    place = Lines().place(tmp_path, unit)
    assert place.output.read_bytes().count(b"\n") == 2
    assert [path.name for path in place.output.parent.iterdir() if path.is_file()] == [place.output.name]


async def test_a_second_process_on_a_unit_leaves_the_first_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.corpus.calls.store._LOCK_WAIT_S", 0.01)
    unit = unit_of(tmp_path / "in", "a")

    class Disturbed(Lines):
        async def run(self, source: Path, work: Work) -> None:
            with pytest.raises(InputError, match="another process works on this unit"):
                await run_step(Lines(), tmp_path, unit, source, unit.sha256)
            await super().run(source, work)

    manifest = await run(tmp_path, unit, Disturbed())
    assert find_done(Lines(), tmp_path, unit, unit.sha256) == manifest


async def test_an_old_manifest_never_stands_for_a_new_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.corpus.calls.store._LOCK_WAIT_S", 0.01)
    unit = unit_of(tmp_path / "in", "a")
    await run(tmp_path, unit)

    def killed(_manifest: Manifest, _file: Path) -> None:
        with pytest.raises(InputError, match="another process"):  # it is still this one's
            CallStore(Lines().place(tmp_path, unit).calls)
        raise KeyboardInterrupt

    monkeypatch.setattr(Manifest, "write", killed)
    with pytest.raises(KeyboardInterrupt):
        await run(tmp_path, unit, Lines(version=2))
    assert find_done(Lines(), tmp_path, unit, unit.sha256) is None


async def test_what_the_disk_refuses_is_named(tmp_path: Path) -> None:
    unit = unit_of(tmp_path / "in", "a")
    (tmp_path / "lines").write_text("no folder")
    with pytest.raises(InputError, match="lines: cannot be read or written"):
        await run(tmp_path, unit)


async def test_a_source_that_could_not_be_read_then_is_tried_again(tmp_path: Path) -> None:
    unit = unit_of(tmp_path / "in", "~")
    manifest = await run(tmp_path, unit)
    assert (manifest.fault, manifest.again) == (f"{unit.source}: is out of reach", 1)
    assert find_done(Lines(), tmp_path, unit, unit.sha256) is None


async def test_a_source_that_cannot_be_read_is_one_reject(tmp_path: Path) -> None:
    unit = unit_of(tmp_path / "in", "a\n?")
    manifest = await run(tmp_path, unit)
    assert manifest.fault == f"{unit.source}: is no text; give another"
    assert manifest.flows == ()
    assert Lines().place(tmp_path, unit).output.read_bytes() == b""
    assert find_done(Lines(), tmp_path, unit, unit.sha256) == manifest


async def test_counts_that_do_not_add_up_are_our_fault(tmp_path: Path) -> None:
    unit = unit_of(tmp_path / "in", "a\nlost")
    with pytest.raises(ValueError, match=r"sift: 2 lines in, but 1 out and \{\} left by the way"):
        await run(tmp_path, unit)
    assert not Lines().place(tmp_path, unit).output.exists()


@pytest.mark.parametrize("text", ["{}", "[]", '{"flows": [], "spent": []}'])
async def test_a_broken_manifest_is_named(text: str, tmp_path: Path) -> None:
    unit = unit_of(tmp_path / "in", "a")
    await run(tmp_path, unit)
    Lines().place(tmp_path, unit).manifest.write_text(text)
    with pytest.raises(InputError, match="is no manifest"):
        find_done(Lines(), tmp_path, unit, unit.sha256)


def test_flows_of_several_units_add_up() -> None:
    one, other = Flow("pick", "blocks", 3, 2), Flow("pick", "blocks", 5, 4)
    one.left["title"] = other.left["title"] = 1
    (whole,) = total([one, other])
    assert (whole.into, whole.out, dict(whole.left)) == (8, 6, {"title": 2})
    whole.check()


def test_units_are_named_by_name_and_contents_and_copies_are_told(tmp_path: Path) -> None:
    for name, text in {
        "चरक संहिता (1).txt": "x",
        "b/चरक संहिता (1).txt": "y",
        "copy.txt": "x",
        ".hidden/a.txt": "z",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    units, copies = find_units(tmp_path, [".txt"])
    assert [unit.id.rsplit("-", 1)[0] for unit in units] == ["चरक-संहिता-1", "copy"]
    assert len({unit.id for unit in units}) == 2
    assert [copy.name for copy, _ in copies] == ["चरक संहिता (1).txt"]


@pytest.mark.parametrize("known", ["", "[]", "{"])
def test_hashes_that_are_kept_are_no_more_than_a_short_cut(known: str, tmp_path: Path) -> None:
    unit = unit_of(tmp_path / "in", "a")
    (tmp_path / "books.json").write_text(known)
    for _ in range(2):
        assert find_units(tmp_path / "in", [".txt"], tmp_path / "books.json")[0] == [unit]
    assert unit.sha256 in (tmp_path / "books.json").read_text()


@pytest.mark.parametrize(("made", "words"), [(False, "no such folder"), (True, "holds no book")])
def test_a_folder_without_books_is_named(made: bool, words: str, tmp_path: Path) -> None:
    if made:
        (tmp_path / "in").mkdir()
    with pytest.raises(InputError, match=words):
        find_units(tmp_path / "in", [".pdf"])
