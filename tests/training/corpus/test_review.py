"""Instances given to people as a table, and their verdicts read back."""

import csv
import io
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from judged_rows import SCORES, cure_med, himed, read_rows, write_rows

from app.errors import InputError
from training.corpus.flow import Flow
from training.corpus.judging import COLUMNS, export_review, import_review
from training.data.layouts import read_record

SCORED = {"scores": dict.fromkeys(SCORES, 0.9)}
TRANSLATED = SCORED | {"back_translation": {"question": "Question?", "answer": "Answer."}}
ROWS = [himed(1, **SCORED), himed(2, kind="QA", **SCORED), cure_med(1, **TRANSLATED), cure_med(2, **TRANSLATED)]
MCQ, QA, CURE, LAST = (row["id"] for row in ROWS)


def read_table(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(file.read_bytes().decode("utf-8-sig"), newline="")))


def write_table(file: Path, rows: list[dict[str, str]], **how: Any) -> Path:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), **how)
    writer.writeheader()
    writer.writerows(rows)
    file.write_bytes(text.getvalue().encode("utf-8-sig"))
    return file


class Desk:
    """A folder with judged instances, their table, and what people write into it."""

    def __init__(self, folder: Path, *rows: dict[str, Any]) -> None:
        self.folder = folder
        self.file = write_rows(folder / "judge" / "book.jsonl", *(rows or ROWS))
        self.table = folder / "review.csv"
        self.out = folder / "review"
        export_review([self.file], self.table)

    def fill(self, filled: Mapping[str, Mapping[str, str]], name: str = "filled.csv", **how: Any) -> Path:
        rows = [row | filled.get(row["id"].lstrip("'"), {}) for row in read_table(self.table)]
        return write_table(self.folder / name, rows, **how)

    def read_back(self, *tables: Path, **how: Any) -> tuple[Flow, list[dict[str, Any]], list[dict[str, Any]]]:
        flow = import_review(tables, [self.file], self.out, **how)
        name = self.file.name
        return flow, read_rows(self.out / name), read_rows(self.out / "rejects" / name)

    def refuses(self, words: str, *tables: Path, **how: Any) -> None:
        with pytest.raises(InputError, match=words):
            self.read_back(*tables, **how)
        assert not self.out.exists()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_table_shows_what_people_need_and_leaves_room_for_what_they_write(desk: Desk) -> None:
    assert desk.table.read_bytes().startswith(b"\xef\xbb\xbfid,")
    rows = read_table(desk.table)
    assert [row["id"] for row in rows] == [MCQ, QA, CURE, LAST]
    assert set(rows[0]) == set(COLUMNS)
    shown = rows[2]
    assert shown["passage"] == ROWS[2]["context"]
    assert (shown["question"], shown["reasoning"], shown["answer"]) == tuple(
        ROWS[2][field] for field in ("question", "reasoning", "answer")
    )
    assert (shown["back_translated_question"], shown["back_translated_answer"]) == ("Question?", "Answer.")
    assert shown["medical_correctness"] == "0.9"
    empty = ("verdict", "corrected_question", "corrected_reasoning", "corrected_answer", "comment", "reviewer")
    assert {row[name] for row in rows for name in empty} == {""}
    assert rows[0]["back_translated_answer"] == ""


def test_a_table_that_nobody_filled_in_changes_nothing(desk: Desk) -> None:
    flow, kept, rejects = desk.read_back(desk.table)
    assert kept == ROWS
    assert rejects == []
    assert (flow.into, flow.out) == (4, 4)


def test_verdicts_keep_drop_and_set_aside(desk: Desk) -> None:
    filled = desk.fill(
        {
            MCQ: {"verdict": "OK ", "reviewer": "Dr. A"},
            QA: {"verdict": "wrong", "comment": "खुराक गलत है", "reviewer": "Dr. A"},
            CURE: {"verdict": "unsure"},
        }
    )
    flow, kept, rejects = desk.read_back(filled)
    assert flow.as_json() == {
        "stage": "review", "unit": "items", "in": 4, "out": 2, "left": {"unsure": 1, "wrong": 1},
    }  # fmt: skip
    note = {"reviewer": "Dr. A", "verdict": "ok", "comment": None, "corrected": []}
    assert kept == [ROWS[0] | {"review": note}, ROWS[3]]
    assert [(reject["id"], reject["reason"], reject["detail"]) for reject in rejects] == [
        (QA, "wrong", "खुराक गलत है"),
        (CURE, "unsure", ""),
    ]
    assert rejects[0]["row"]["review"]["verdict"] == "wrong"
    assert rejects[1]["row"]["review"]["reviewer"] is None


def test_what_nobody_reviewed_may_be_left_out_but_earlier_reviews_count(desk: Desk) -> None:
    flow, kept, _ = desk.read_back(desk.fill({MCQ: {"verdict": "ok"}}), require_review=True)
    assert ([row["id"] for row in kept], dict(flow.left)) == ([MCQ], {"not reviewed": 3})
    again = import_review([desk.fill({}, "empty.csv")], [desk.file], desk.folder / "other")
    assert again.out == 4
    last = import_review(
        [write_table(desk.folder / "one.csv", read_table(desk.table)[:1])],
        [desk.out / "book.jsonl"],
        desk.folder / "last",
        require_review=True,
    )
    assert (last.into, last.out) == (1, 1)


def test_corrections_replace_the_texts_and_make_scores_and_translations_unknown(desk: Desk) -> None:
    filled = desk.fill(
        {
            QA: {"verdict": "ok", "corrected_answer": "दिन में दो बार\r\nभोजन के बाद", "reviewer": "Dr. B"},
            CURE: {"verdict": "ok", "corrected_question": "Swali jipya?", "corrected_answer": "Jibu jipya."},
            LAST: {"verdict": "ok", "corrected_answer": ROWS[3]["answer"]},
        }
    )
    _, kept, _ = desk.read_back(filled)
    assert kept[1]["answer"] == "दिन में दो बार\nभोजन के बाद"
    assert kept[1]["scores"] == dict.fromkeys(SCORES)
    assert "back_translation" not in kept[1]
    assert kept[1]["review"]["corrected"] == ["answer"]
    assert (kept[2]["question"], kept[2]["answer"]) == ("Swali jipya?", "<answer>Jibu jipya.</answer>")
    assert kept[2]["back_translation"] is None
    assert kept[2]["review"]["corrected"] == ["question", "answer"]
    assert read_record(kept[2], "cure-med", None).answer == "Jibu jipya."
    assert kept[3]["scores"] == SCORED["scores"]  # the correction said what stood there
    assert kept[3]["review"]["corrected"] == []


def test_another_letter_needs_the_reasoning_that_leads_to_it(desk: Desk) -> None:
    desk.refuses(
        "row 1, field 'corrected_reasoning': the reasoning leads to B, not to C",
        desk.fill({MCQ: {"verdict": "ok", "corrected_answer": "c"}}),
    )
    filled = desk.fill({MCQ: {"verdict": "ok", "corrected_answer": "c", "corrected_reasoning": "इसलिए C"}})
    _, kept, _ = desk.read_back(filled)
    assert (kept[0]["answer"], kept[0]["cot"]) == ("C", "इसलिए C")
    assert kept[0]["review"]["corrected"] == ["cot", "answer"]


@pytest.mark.parametrize(
    ("item", "filled", "words"),
    [
        (MCQ, {"corrected_answer": "F"}, "row 1, field 'corrected_answer': 'F' is no letter of an option; write one"),
        (MCQ, {"corrected_answer": "विकल्प C"}, "field 'corrected_answer': 'विकल्प C' is no letter"),
        (MCQ, {"corrected_question": "नया प्रश्न?"}, "field 'corrected_question': the question has no options"),
        (MCQ, {"corrected_question": "नया?\nA. एक\nB. दो"}, "had the options A, B, C, D, E, and now has A, B;"),
        (CURE, {"corrected_reasoning": "no steps"}, "row 3, field 'corrected_reasoning': the reasoning has no step"),
        (CURE, {"corrected_answer": "x <answer>y</answer>"}, "field 'corrected_answer': text stands outside"),
        (QA, {"corrected_answer": "#NAME?"}, "field 'corrected_answer': #NAME\\? is a spreadsheet's error"),
        (QA, {"corrected_answer": "a\0b"}, "field 'corrected_answer': the text holds NUL"),
        # What training would read back as other reasoning and another answer.
        (QA, {"corrected_reasoning": "एक\n## Response\nदो"}, "'corrected_reasoning': with it .* holds a heading"),
        (CURE, {"corrected_reasoning": "<step1>a</step1> <answer>b</answer>"}, "'corrected_reasoning': .* holds a tag"),
        (CURE, {"corrected_answer": "<thinking>a</thinking>"}, "'corrected_answer': with it the instance holds a tag"),
    ],
)  # fmt: skip
def test_a_correction_must_leave_an_instance(desk: Desk, item: str, filled: dict[str, str], words: str) -> None:
    desk.refuses(words, desk.fill({item: {"verdict": "ok"} | filled}))


@pytest.mark.parametrize(
    ("filled", "words"),
    [
        ({"verdict": "maybe"}, "row 2, field 'verdict': 'maybe' is no verdict; write ok, wrong, unsure"),
        ({"corrected_answer": "x"}, "row 2, field 'verdict': there is a correction or comment but no verdict"),
        ({"comment": "hm"}, "row 2, field 'verdict'"),
        ({"verdict": "wrong", "corrected_answer": "x"}, "field 'verdict': a correction goes with ok, not with wrong"),
        ({"answer": "अलग"}, f"row 2, field 'answer': the text of {QA} is another than the instance's; undo"),
        ({"passage": ""}, "row 2, field 'passage'"),
        ({"id": "book-x"}, "row 2, field 'id': no instance has the id 'book-x'"),
        ({"id": " "}, "row 2, field 'id': the id is missing"),
        ({"id": MCQ}, f"row 2, field 'id': the id {MCQ} stands twice"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_and_nothing_is_written(desk: Desk, filled: dict[str, str], words: str) -> None:
    desk.refuses(words, desk.fill({QA: filled, MCQ: {"verdict": "ok"}}))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data.decode("utf-8-sig").encode("utf-16"), "is no UTF-8 text; save it as CSV in UTF-8"),
        (lambda data: data.replace(b",verdict", b",judgement"), "field 'verdict': the column is missing"),
        (lambda data: data.replace(b",comment", b",verdict"), "field 'verdict': the column stands twice"),
        (lambda data: data + b'"open', "row 5: is no valid CSV"),
        (lambda data: data + b"a" + 30 * b",x" + b"\r\n", "row 5: the row has 31 cells under"),
        (lambda _data: b"", "field 'id': the column is missing"),
    ],
)
def test_a_file_that_is_no_table_is_named(desk: Desk, change: Callable[[bytes], bytes], words: str) -> None:
    file = desk.folder / "filled.csv"
    file.write_bytes(change(desk.table.read_bytes()))
    desk.refuses(words, file)
    desk.refuses("missing.csv: cannot be read", desk.folder / "missing.csv")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_spreadsheets_own_habits_are_no_changes(desk: Desk, delimiter: str) -> None:
    rows = read_table(desk.table)[::-1]  # sorted anew
    for row in rows:
        row |= {"question": row["question"].replace("\n", "\r\n"), "note of mine": "x", "language": "Hindi"}
        row |= dict.fromkeys(SCORES, "0,9")  # as numbers are written elsewhere
    rows[0]["verdict"] = "wrong"
    rows.insert(2, dict.fromkeys(rows[0], ""))
    file = write_table(desk.folder / "filled.csv", rows, delimiter=delimiter, lineterminator="\n")
    flow, kept, _ = desk.read_back(file)
    assert dict(flow.left) == {"wrong": 1}
    assert kept == ROWS[:3]


def test_several_people_share_one_table(desk: Desk) -> None:
    one = desk.fill({MCQ: {"verdict": "ok", "reviewer": "A"}}, "one.csv")
    other = desk.fill({QA: {"verdict": "wrong", "reviewer": "B"}}, "other.csv")
    flow, kept, _ = desk.read_back(one, other)
    assert dict(flow.left) == {"wrong": 1}
    assert kept[0]["review"]["reviewer"] == "A"


def test_two_verdicts_on_one_instance_are_for_people_to_settle(desk: Desk) -> None:
    one = desk.fill({MCQ: {"verdict": "ok"}}, "one.csv")
    other = desk.fill({MCQ: {"verdict": "wrong"}}, "other.csv")
    desk.refuses(r"other\.csv, row 1, field 'verdict': .* has a verdict in .*one\.csv, row 1, too", one, other)


def test_files_are_not_overwritten(desk: Desk) -> None:
    with pytest.raises(InputError, match="stands there already"):
        export_review([desk.file], desk.table)
    with pytest.raises(InputError, match="would be overwritten"):
        import_review([desk.table], [desk.file], desk.file.parent)
    with pytest.raises(InputError, match="two files have this name"):
        import_review([desk.table], [desk.file, desk.folder / "b" / "book.jsonl"], desk.out)
    with pytest.raises(InputError, match="unknown kind of file"):
        export_review([desk.file], desk.folder / "review.xlsx")
    assert len(read_rows(desk.file)) == 4


def test_an_instance_that_stands_in_two_files_is_named(desk: Desk) -> None:
    copy = write_rows(desk.folder / "judge" / "copy.jsonl", ROWS[0])
    with pytest.raises(InputError, match=f"copy.jsonl, field 'id': the id {MCQ} stands twice"):
        import_review([desk.table], [desk.file, copy], desk.out)
    for sample in (None, 1):
        with pytest.raises(InputError, match=f"copy.jsonl, field 'id': the id {MCQ} stands twice"):
            export_review([desk.file, copy], desk.folder / "other.csv", sample=sample)
    assert not (desk.folder / "other.csv").exists()


def test_several_files_stay_several(tmp_path: Path) -> None:
    files = [write_rows(tmp_path / "judge" / f"{name}.jsonl", row) for name, row in zip("ab", ROWS, strict=False)]
    export_review(files, tmp_path / "t.csv")
    flow = import_review([tmp_path / "t.csv"], files, tmp_path / "out")
    assert (flow.into, flow.out) == (2, 2)
    assert [read_rows(tmp_path / "out" / f"{name}.jsonl") for name in "ab"] == [[ROWS[0]], [ROWS[1]]]


def test_a_sample_takes_evenly_from_languages_and_types(tmp_path: Path) -> None:
    rows = [himed(number, passage) for number in range(5) for passage in range(20)]
    rows += [himed(number, subject="etiology", kind="QA") for number in range(30)]
    rows += [cure_med(number) for number in range(3)] + [cure_med(number, language="yo") for number in range(40)]
    file = write_rows(tmp_path / "rows.jsonl", *rows)
    flow = export_review([file], tmp_path / "a.csv", sample=31, seed=1)
    table = read_table(tmp_path / "a.csv")
    assert (flow.into, flow.out, flow.left.total()) == (173, 31, 142)
    counts = Counter((row["language"], row["type"]) for row in table)
    assert counts["sw", ""] == 3
    assert sorted(counts.values()) == [3, 9, 9, 10]
    order = [row["id"] for row in rows]
    assert [row["id"] for row in table] == sorted((row["id"] for row in table), key=order.index)
    export_review([file], tmp_path / "b.csv", sample=31, seed=1)
    export_review([file], tmp_path / "c.csv", sample=31, seed=2)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    assert (tmp_path / "a.csv").read_bytes() != (tmp_path / "c.csv").read_bytes()


@pytest.mark.parametrize(("sample", "out"), [(1, 1), (4, 4), (9, 4)])
def test_a_sample_is_never_larger_than_asked_for(desk: Desk, sample: int, out: int) -> None:
    assert export_review([desk.file], desk.folder / "s.csv", sample=sample).out == out
    with pytest.raises(InputError, match="a sample of 0"):
        export_review([desk.file], desk.folder / "t.csv", sample=0)


def test_a_draw_is_the_same_however_the_rows_are_ordered(tmp_path: Path) -> None:
    rows = [himed(number, passage) for number in range(10) for passage in range(50)]
    for name, ordered in (("a", rows), ("b", rows[::-1])):
        export_review([write_rows(tmp_path / f"{name}.jsonl", *ordered)], tmp_path / f"{name}.csv", sample=7)
    drawn = [{row["id"] for row in read_table(tmp_path / f"{name}.csv")} for name in "ab"]
    assert drawn[0] == drawn[1]
    assert len(drawn[0]) == 7
