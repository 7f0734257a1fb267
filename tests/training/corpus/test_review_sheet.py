"""Cells that a spreadsheet shows as they are, and any text through a table and back."""

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from judged_rows import cure_med, read_rows, write_rows

from training.corpus.judging import export_review, import_review
from training.corpus.judging.sheet import protect, read_sheet, unprotect, write_sheet

# All that UTF-8 can hold, with what tables and spreadsheets trip over more often.
_TEXT = st.text(st.characters(codec="utf-8") | st.sampled_from("'\"=+-@,;\t\r\n\0 1５५\ufeff\u2028"))
_WORDS = _TEXT.filter(str.strip)


@pytest.mark.parametrize(
    "text",
    [
        "=1+1", "+91", "-5 mg", "@name", "\tx", "\r=1", "\n=1", "＝1", "'=1", "''-x",
        "5-10", "1e5", "SEPT2", "12 December 2024", "007", "3/4", "May 5", "(3)", "₹ 5", "५", "TRUE", "false",
    ],
)  # fmt: skip
def test_what_a_program_would_change_is_protected(text: str) -> None:
    assert protect(text) == f"'{text}"
    assert unprotect(protect(text)) == text


@pytest.mark.parametrize(
    "text", ["", "A", "'", "it's", "दिन में 2 बार", "'quoted'", "दिन में 5-10 बार, भोजन के बाद", "<answer>5</answer> mg"]
)
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert protect(text) == unprotect(text) == text


@given(_TEXT)
def test_every_text_comes_back(text: str) -> None:
    assert unprotect(protect(text)) == text


@given(st.lists(st.tuples(_WORDS, _TEXT), max_size=4))
@settings(max_examples=40, deadline=None)
@example([("a\r\nb", "\0")])
@example([("\ufeff", '"')])
def test_every_table_comes_back(rows: list[tuple[str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "table.csv")
        write_sheet(file, ("id", "text"), rows)
        assert [(cells["id"], cells["text"]) for _number, cells in read_sheet(file, ("id", "text"))] == rows


@given(question=_WORDS, passage=_WORDS, translation=_TEXT, comment=_TEXT, verdict=st.sampled_from(["ok", "wrong", ""]))
@settings(max_examples=40, deadline=None)
def test_every_instance_survives_a_review(
    question: str, passage: str, translation: str, comment: str, verdict: str
) -> None:
    row = cure_med(1, question=question, context=passage)
    row["back_translation"] = {"question": translation, "answer": translation}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = write_rows(folder / "judge" / "book.jsonl", row)
        export_review([file], folder / "given.csv")
        columns = tuple((folder / "given.csv").read_text("utf-8-sig").split("\n", 1)[0].strip().split(","))
        filled: list[dict[str, Any]] = [
            dict(cells) | {"verdict": verdict, "comment": comment if verdict else ""}
            for _number, cells in read_sheet(folder / "given.csv", columns)
        ]
        write_sheet(folder / "filled.csv", columns, [[cells[column] for column in columns] for cells in filled])
        flow = import_review([folder / "filled.csv"], [file], folder / "out")
        kept = read_rows(folder / "out" / "book.jsonl")
        aside = [reject["row"] for reject in read_rows(folder / "out" / "rejects" / "book.jsonl")]
    (result,) = kept + aside
    assert (flow.out, len(aside)) == ((0, 1) if verdict == "wrong" else (1, 0))
    assert result == row | ({"review": result["review"]} if verdict else {})
    if verdict:
        told = comment.replace("\r\n", "\n").replace("\r", "\n").strip()
        assert result["review"]["comment"] == (told or None)
