"""What goes and what stays: exact, near, word runs; boilerplate never; counts that add up; whole or not there."""

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from app.errors import InputError
from training.corpus.decontamination import Report, Rules, decontaminate, render_report
from training.corpus.decontamination.whole_folder import whole_folder
from training.data import check_data

Row = dict[str, Any]

STEM = "एक 45 वर्षीय रोगी को 3 दिन से तेज बुखार, सिर दर्द और जोड़ों में दर्द है तथा त्वचा पर लाल चकत्ते हैं; सबसे संभावित निदान क्या है?"
OPTIONS = ["मलेरिया", "डेंगू", "टाइफाइड", "खसरा"]
ITEM = {"question": STEM, "options": dict(zip("ABCD", OPTIONS, strict=True)), "answer": "B"}
EXAM = (
    "नीचे दिए गए प्रश्न को ध्यान से पढ़ें और दिए गए विकल्पों में से केवल एक सही विकल्प चुनें। "
    "Please answer with the letter of the correct option only. "
)


def write(path: Path, rows: list[Row]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".json":
        path.write_text(json.dumps({"questions": rows}, ensure_ascii=False), encoding="utf-8")
    else:
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def lined(stem: str, options: list[str]) -> str:
    return "\n".join([stem, *(f"{letter}. {text}" for letter, text in zip("ABCDE", options, strict=False))])


def mcq(stem: str, options: list[str] = OPTIONS) -> Row:
    return {"type": "MCQ", "question": lined(stem, options), "answer": "B", "cot": "…"}


def qa(question: str, **more: str) -> Row:
    return {"type": "QA", "question": question, "answer": "डेंगू", "cot": "…"} | more


def rejects(out: Path) -> list[Row]:
    return [json.loads(line) for line in (out / "rejects.jsonl").read_text(encoding="utf-8").splitlines()]


def searched(tmp_path: Path, rows: list[Row], items: list[Row], **rules: Any) -> tuple[Report, list[Row]]:
    corpus, bench = write(tmp_path / "corpus.jsonl", rows), write(tmp_path / "bench.json", items) if items else None
    out = tmp_path / "out"
    report = decontaminate([corpus], [bench] if bench else [], out, rules=Rules(**rules), processes=1)
    return report, rejects(out)


OTHER = qa("त्रिफला के तीन घटक कौन से हैं और उनका उपयोग पाचन के किस विकार में किया जाता है?")


@pytest.mark.parametrize(
    ("row", "kind", "part"),
    [
        (mcq(STEM), "exact", "whole"),
        (mcq(STEM.replace("45", "४५").replace(";", "।").rstrip("?")), "exact", "whole"),
        (mcq(STEM, OPTIONS[::-1]), "exact", "whole"),
        (mcq(STEM, ["वात", "पित्त", "कफ", "आम"]), "exact", "stem"),
        (qa(STEM), "exact", "stem"),
        (mcq(STEM.replace("45", "62").replace("3 दिन", "7 दिन"), OPTIONS[::-1]), "near", "whole"),
        (mcq(STEM.replace("रोगी", "मरीज")), "near", "whole"),
        (mcq(STEM.replace("तेज ", "")), "near", "whole"),
        (qa("इसका क्या अर्थ है?", context=f"पुस्तक में लिखा है: {STEM} उत्तर आगे है।"), "8-gram", "whole"),
    ],
)
def test_a_benchmarks_question_goes_in_every_disguise(tmp_path: Path, row: Row, kind: str, part: str) -> None:
    report, (reject,) = searched(tmp_path, [OTHER, row], [{"question": "और?", "answer": "x"}, ITEM])

    assert (reject["kind"], reject["part"], reject["row"], reject["against"]) == (kind, part, 2, "benchmark")
    assert reject["other"] == {"file": str(tmp_path / "bench.json"), "row": 2}
    assert reject["content"] == row
    assert (report.flow.into, report.flow.out, report.contaminated, report.status) == (2, 1, 1, 1)
    assert (tmp_path / "out" / "rows" / "corpus.jsonl").read_bytes() == (
        (tmp_path / "corpus.jsonl").read_bytes().split(b"\n")[0] + b"\n"
    )


def test_the_share_of_runs_is_told(tmp_path: Path) -> None:
    words = [f"शब्द{i}" for i in range(20)]
    item = {"question": " ".join(words), "answer": "x"}
    rows = [qa("क्या?", context=" ".join(words[:n])) for n in (13, 14, 20)]

    report, found = searched(tmp_path, rows, [item], inside="keep")

    assert [(reject["row"], reject["hits"], reject["of"], reject["similarity"]) for reject in found] == [
        (2, 7, 13, 0.5385),
        (3, 13, 13, 1.0),
    ]
    assert report.shares == (0, 0, 0, 0, 1, 1, 0, 0, 0, 1)


def boilerplate_rows(n: int, offset: int = 0) -> list[Row]:
    chance = random.Random(n + offset)
    syllables = [c + v for c in "कखगघचछजटडतदनपबमरलवसह" for v in ("", "ा", "ि", "ी", "ु", "े", "ो")]

    def word() -> str:
        return "".join(chance.choices(syllables, k=3))

    return [mcq(f"{EXAM}{word()} {word()} में {word()} का कारण क्या है?", [word() for _ in range(4)]) for _ in range(n)]


def test_exam_boilerplate_is_no_hit(tmp_path: Path) -> None:
    report, found = searched(tmp_path, boilerplate_rows(60), boilerplate_rows(60, 1000))

    assert found == []
    assert report.boilerplate_only > 100
    assert report.status == 0


def test_a_question_under_boilerplate_is_found_all_the_same(tmp_path: Path) -> None:
    items = boilerplate_rows(60, 1000)
    rows = boilerplate_rows(60)
    stem, *options = items[17]["question"].split("\n")
    rows[30] = mcq(stem, [line[3:] for line in options][::-1])
    rows[31] = qa(EXAM)
    items.append(qa(EXAM))

    _, (found,) = searched(tmp_path, rows, items)

    assert (found["row"], found["kind"], found["other"]["row"]) == (31, "exact", 18)


def test_a_short_stem_with_other_options_is_another_question(tmp_path: Path) -> None:
    item = {"question": "निम्नलिखित में से कौन सा सत्य है?", "options": ["वात", "पित्त"], "answer": "A"}
    rows = [
        mcq("निम्नलिखित में से कौन सा सत्य है?", ["यकृत", "वृक्क"]),
        mcq("निम्नलिखित में से कौन सा सत्य है?", ["पित्त", "वात"]),
    ]

    _, found = searched(tmp_path, rows, [item])

    assert [reject["row"] for reject in found] == [2]


def test_the_first_of_duplicates_stays(tmp_path: Path) -> None:
    rows = [
        mcq(STEM),
        qa(STEM),
        mcq(STEM, OPTIONS[::-1]),
        OTHER,
        mcq(STEM.replace("45", "46")),
        OTHER | {"answer": "y"},
    ]

    report, found = searched(tmp_path, rows, [])

    assert [(reject["row"], reject["kind"], reject["other"]["row"], reject["same_answer"]) for reject in found] == [
        (3, "exact", 1, True),
        (5, "near", 1, True),
        (6, "exact", 4, False),
    ]
    assert {reject["against"] for reject in found} == {"corpus"}
    assert (report.other_answers, report.contaminated, report.status, report.flow.out) == (1, 0, 0, 3)


@pytest.mark.parametrize(("inside", "rows_left"), [("near", 1), ("exact", 2), ("keep", 3)])
def test_which_duplicates_go_can_be_said(tmp_path: Path, inside: str, rows_left: int) -> None:
    report, _ = searched(tmp_path, [mcq(STEM), mcq(STEM), mcq(STEM.replace("45", "46"))], [], inside=inside)

    assert report.flow.out == rows_left


def test_what_goes_for_a_benchmark_takes_nothing_else_with_it(tmp_path: Path) -> None:
    """A row near one that went stays where it is not near the item itself."""
    words = [f"शब्द{i}क" for i in range(40)]
    step = [*words[:36], *(f"नया{i}ख" for i in range(4))]
    far = [*(f"और{i}ग" for i in range(4)), *step[4:]]
    _, found = searched(
        tmp_path, [qa(" ".join(step)), qa(" ".join(far))], [{"question": " ".join(words), "answer": "x"}]
    )
    assert [(reject["row"], reject["kind"]) for reject in found] == [(1, "near"), (2, "8-gram")]

    _, found = searched(tmp_path / "b", [qa(" ".join(step)), qa(" ".join(far))], [])
    assert [(reject["row"], reject["kind"], reject["against"]) for reject in found] == [(2, "near", "corpus")]


def test_rows_that_cannot_be_read_are_rejects_and_counts_add_up(tmp_path: Path) -> None:
    lines = [
        json.dumps(OTHER),
        "{broken",
        json.dumps({"question": 7}),
        json.dumps({"response": "x"}),
        json.dumps(OTHER),
    ]
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "x.jsonl").write_text("\n".join(lines), encoding="utf-8")
    write(tmp_path / "corpus" / "bad.json", [mcq(STEM)])
    bench = write(tmp_path / "bench.json", [ITEM])

    report = decontaminate([tmp_path / "corpus"], [bench], tmp_path / "out", processes=1)

    assert {one.file[-8:]: one.flow.as_json() for one in report.files} == {
        "bad.json": {
            "stage": "decontaminate", "unit": "rows", "in": 1, "out": 0, "left": {"stands in a benchmark": 1},
        },
        "/x.jsonl": {
            "stage": "decontaminate", "unit": "rows", "in": 5, "out": 2,
            "left": {"repeats an earlier row": 1, "unreadable": 2},
        },
    }  # fmt: skip
    report.flow.check()
    assert (report.flow.into, report.flow.out, report.not_compared, report.items_met) == (6, 2, 1, 1)
    assert sorted(file.name for file in (tmp_path / "out" / "rows").iterdir()) == ["x.jsonl"]
    assert [(reject["row"], reject["reason"]) for reject in rejects(tmp_path / "out")] == [
        (1, "stands in a benchmark"),
        (2, "unreadable"),
        (3, "unreadable"),
        (5, "repeats an earlier row"),
    ]
    assert json.loads((tmp_path / "out" / "report.json").read_bytes())["flow"]["in"] == 6
    console = Console(width=140, record=True)
    render_report(report, console)
    assert "1 rows repeat or hold 1 of 1 items" in console.export_text()


def test_shards_become_json_lines_that_training_loads(tmp_path: Path) -> None:
    rows = [row | {"system": "Ayurveda", "subject": "etiology"} for row in (mcq(STEM), OTHER, mcq("क्या?"))]
    for n, row in enumerate(rows, start=1):
        write(tmp_path / "corpus" / f"T.part000{n}.json", [row])
    bench = write(tmp_path / "corpus" / "bench.json", [{"question": "अन्य प्रश्न?", "answer": "x"}])

    report = decontaminate([tmp_path / "corpus"], [bench], tmp_path / "out", processes=1)

    assert report.held_out == (str(bench),)
    assert check_data([tmp_path / "out" / "rows"]).kept == 3
    (tmp_path / "corpus" / "T.part0002.json").unlink()
    with pytest.raises(InputError, match="shard 0002 is missing"):
        decontaminate([tmp_path / "corpus"], [], tmp_path / "again")


def test_the_output_is_the_same_for_any_number_of_processes(tmp_path: Path) -> None:
    rows = boilerplate_rows(150) + [mcq(STEM)] * 3 + boilerplate_rows(20)
    corpus, bench = write(tmp_path / "c.jsonl", rows), write(tmp_path / "b.json", [ITEM, *boilerplate_rows(40)])

    for processes in (1, 2):
        decontaminate([corpus], [bench], tmp_path / str(processes), processes=processes)

    one, two = (
        {file.name: file.read_bytes() for file in sorted((tmp_path / name).rglob("*")) if file.is_file()}
        for name in ("1", "2")
    )
    assert one == two
    assert len(one) == 3
    assert not list(tmp_path.glob(".*"))


def test_only_looking_writes_nothing(tmp_path: Path) -> None:
    corpus, bench = write(tmp_path / "c.jsonl", [mcq(STEM)]), write(tmp_path / "b.json", [ITEM])

    report = decontaminate([corpus], [bench], None, processes=1)

    assert report.status == 1
    assert sorted(tmp_path.iterdir()) == [bench, corpus]


def test_bad_input_leaves_nothing(tmp_path: Path) -> None:
    corpus = write(tmp_path / "c.jsonl", [OTHER])
    (tmp_path / "broken.json").write_text('[{"question": "a"}, {"que', encoding="utf-8")
    out = tmp_path / "out"

    for files, benchmarks, problem in (
        ([corpus, tmp_path / "broken.json"], [], "row 2: not valid JSON"),
        ([corpus], [write(tmp_path / "none.jsonl", [{"text": "x"}])], "no row has a question"),
        ([tmp_path / "missing"], [], "no such file"),
        ([corpus, write(tmp_path / "d" / "c.json", [OTHER])], [], "the same name in the output"),
    ):
        with pytest.raises(InputError, match=problem):
            decontaminate(files, benchmarks, out, processes=1)
        assert not out.exists()
    out.mkdir()
    (out / "x").touch()
    with pytest.raises(InputError, match="exists already"):
        decontaminate([corpus], [], out, processes=1)
    assert not list(tmp_path.glob(".*"))


def test_two_runs_do_not_write_one_folder(tmp_path: Path) -> None:
    with whole_folder(tmp_path / "out") as part:
        (part / "x").touch()
        with pytest.raises(InputError, match="another process writes it"), whole_folder(tmp_path / "out"):
            pass
        assert (part / "x").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_file_that_changes_on_the_way_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = write(tmp_path / "c.jsonl", [OTHER])
    from training.corpus.decontamination import run

    def decide(*given: Any) -> dict[int, Any]:
        write(corpus, [OTHER, OTHER])
        return {}

    monkeypatch.setattr(run, "decide", decide)
    with pytest.raises(InputError, match="changed while it was read"):
        decontaminate([corpus], [], tmp_path / "out", processes=1)
    assert not (tmp_path / "out").exists()


def below(pid: int) -> list[int]:
    """All processes under one."""
    try:
        children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return children + [one for child in children for one in below(child)]


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds the workers by /proc")
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_run_leaves_no_half_output(tmp_path: Path, sign: signal.Signals) -> None:
    corpus = write(tmp_path / "c.jsonl", boilerplate_rows(4000))
    code = (
        "from pathlib import Path\nfrom training.corpus.decontamination import decontaminate\n"
        f"if __name__ == '__main__':\n    decontaminate([Path({str(corpus)!r})], [], Path({str(tmp_path / 'out')!r}))\n"
    )
    script = tmp_path / "go.py"
    script.write_text(code, encoding="utf-8")
    root = Path(__file__).resolve().parents[3]
    process = subprocess.Popen(
        [sys.executable, script], cwd=root, env={"PYTHONPATH": str(root)}, stderr=subprocess.PIPE
    )
    while len(workers := below(process.pid)) < 4:  # the fork server, its tracker and both workers
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(sign)
    process.communicate(timeout=60)
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        assert time.monotonic() < deadline
        time.sleep(0.05)

    assert process.returncode != 0
    assert not (tmp_path / "out").exists()
    assert (tmp_path / ".out.part").exists() == (sign == signal.SIGKILL)
    decontaminate([write(corpus, [OTHER])], [], tmp_path / "out", processes=1)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["rejects.jsonl", "report.json", "rows"]
    assert not (tmp_path / ".out.part").exists()


def test_no_false_hit_in_the_west_sample(tmp_path: Path, shared_data: Path) -> None:
    himed = shared_data / "himed"
    bench = himed / "HiMed-West_Bench.json"

    report = decontaminate([himed / "HiMed-West_Corpus_sample.json"], [bench], None, processes=1)

    assert (report.flow.into, report.flow.out) == (500, 500)
    assert report.items == 1784
