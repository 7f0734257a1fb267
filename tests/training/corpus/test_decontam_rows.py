"""Rows are read one after another from every layout, with their own bytes, and a broken file is refused by name."""

import json
from pathlib import Path

import pytest

from app.errors import InputError
from app.rows import RowError, read_rows
from training.corpus.decontamination import rows as module
from training.corpus.decontamination.rows import RawRow, as_line, parse_row, raw_rows

ROWS = [{"question": f'प्रश्न {i} \u2028 [{{]}} \\" ?', "answer": i, "more": {"a": [1, 2.5, None]}} for i in range(40)]


def written(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def read(path: Path) -> list[tuple[int, dict[str, object]]]:
    return [(row.number, parse_row(row)) for row in raw_rows(path)]


@pytest.mark.parametrize("at_once", [1, 7, 64, 1 << 20])
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("wrapped", [True, False])
def test_a_list_reads_as_app_rows_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int, indent: int | None, ascii_only: bool, wrapped: bool
) -> None:
    monkeypatch.setattr(module, "_AT_ONCE", at_once)
    value = {"questions": ROWS, "version": 3} if wrapped else ROWS
    file = written(tmp_path / "x.json", "\ufeff" + json.dumps(value, ensure_ascii=ascii_only, indent=indent) + "\n")

    assert read(file) == [(row.number, row.fields) for row in read_rows(file).rows]


def test_lines_keep_their_bytes_and_numbers(tmp_path: Path) -> None:
    lines = [
        b'{"question":"a",  "x": 1e2}',
        b"",
        b'{"question": "\\u0905"}\r',
        b"{broken",
        b'{"a": 1, "a": 2}',
        b"\xff",
    ]
    file = written(tmp_path / "x.jsonl", b"\xef\xbb\xbf" + b"\n".join(lines))
    seen = []

    found = list(raw_rows(file, seen.append))

    assert [(row.number, row.data) for row in found] == [(i, line) for i, line in enumerate(lines, start=1) if line]
    assert b"".join(seen) == file.read_bytes()
    assert as_line(found[0], lines=True) == lines[0] + b"\n"
    reasons = []
    for row in found[2:]:
        with pytest.raises(RowError) as error:
            parse_row(row)
        reasons.append(error.value.reason)
    assert reasons[0].startswith("not valid JSON")
    assert reasons[1:] == ["the field 'a' stands twice", "no UTF-8 text"]


def test_other_files_are_read_by_app_rows(tmp_path: Path) -> None:
    table = written(tmp_path / "x.csv", "Question,Response\nक्या?,हाँ\nक्यों\n")

    found = list(raw_rows(table))

    assert parse_row(found[0]) == {"Question": "क्या?", "Response": "हाँ"}
    assert (found[1].number, found[1].fault) == (2, "the row has 1 cells under 2 columns")
    lines = written(tmp_path / "lines.json", '{"question": "a"}\n{"question": "b"}\n')
    assert read(lines) == [(1, {"question": "a"}), (2, {"question": "b"})]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[{"a": 1}, {"a": ', "row 2: not valid JSON"),
        ('[{"a": 1} {"a": 2}]', "row 1: not valid JSON: ',' or ']' expected"),
        ('[{"a": 1},]', "a comma before ']'"),
        ('[{"a": 1}', "row 1: not valid JSON"),
        ('[{"a": 1}] x', "behind the rows"),
        ('{"questions": [{"a": 1}], "questions": []}', "the field stands twice"),
        ("[]", "the file has no rows"),
        ("", "the file is empty"),
        ("{}", "without a field 'questions'"),
        (b'[{"a": "\xff"}]', "no UTF-8 text"),
    ],
)
def test_a_broken_file_is_refused(tmp_path: Path, text: str | bytes, problem: str) -> None:
    file = written(tmp_path / "x.json", text)

    with pytest.raises(InputError) as error:
        list(raw_rows(file))

    assert problem in str(error.value)
    assert str(file) in str(error.value)


def test_a_row_of_a_list_becomes_one_line() -> None:
    assert as_line(RawRow(1, '{\n "a": "ज्व\\n" }'.encode()), lines=False) == '{"a": "ज्व\\n"}\n'.encode()
    assert as_line(RawRow(1, b'{"a": "\\ud800"}'), lines=False) == b'{"a": "\\ud800"}\n'
