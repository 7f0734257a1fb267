"""Broken benchmark files: refused or set aside with file, row, field and remedy, never with a traceback."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.errors import InputError
from evaluation.benchmarks import load_benchmark

GOOD = {"question": "प्रश्न?", "options": {"A": "हाँ", "B": "नहीं"}, "answer": "A"}
SHAPE = 'give a list of items, or {"questions": [...]}'
NEEDS = "a row needs a question, an answer and, for multiple choice, options"
CUT = "the file may be cut off: get it again"


def refuse(path: Path, language: str | None = "hi") -> str:
    """The one line about a file, without the folder before its name."""
    with pytest.raises(InputError) as caught:
        load_benchmark(str(path), language=language)
    message = str(caught.value)
    assert "\n" not in message
    return message.replace(f"{path.parent}/", "")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.json", b"", "empty.json: the file is empty; get it again"),
        ("blank.jsonl", b"\n \n", "blank.jsonl: the file is empty; get it again"),
        (
            "cut.json",
            b'{"questions": [{"question": "x", "opt',
            f"cut.json: not valid JSON: Unterminated string at line 1 column 34; {CUT}",
        ),
        (
            "cut2.json",
            b'[\n {"question": "x"},\n',
            f"cut2.json: not valid JSON: Expecting value at line 3 column 1; {CUT}",
        ),
        (
            "utf16.json",
            '[{"question": "x"}]'.encode("utf-16"),
            "utf16.json: the file is UTF-16 text; save it as UTF-8",
        ),
        (
            "binary.json",
            b"PK\x03\x04\x9c\xff\x00",
            "binary.json: the file is no UTF-8 text (byte 0x9c at offset 4); save it as UTF-8",
        ),
        (
            "latin1.csv",
            "Question,Response\nÉ,x\n".encode("latin-1"),
            "latin1.csv: the file is no UTF-8 text (byte 0xc9 at offset 18); save it as UTF-8",
        ),
        (
            "pointer.json",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n",
            "pointer.json: the file is a Git LFS pointer, not the data; run `git lfs pull`",
        ),
        (
            "strings.json",
            b'["one", "two"]',
            "strings.json, row 1, field 'row': none of its 2 rows can be used: "
            f"the row is text, not an object; {NEEDS}",
        ),
        ("none.json", b'{"questions": []}', f"none.json: the file holds no rows; {NEEDS}"),
        (
            "other.json",
            b'{"data": []}',
            f"other.json: the file is an object without a field 'questions'; {SHAPE}",
        ),
        (
            "digits.json",
            b"[" + b"9" * 5000 + b"]",
            "digits.json: not readable as JSON: a number is too long; correct it",
        ),
        ("number.json", b'{"questions": 3}', f"number.json: the items are a number, not a list; {SHAPE}"),
        (
            "twice.json",
            b'{"questions": [], "questions": []}',
            f"twice.json, field 'questions': the field stands twice; {SHAPE}",
        ),
        (
            "deep.json",
            b"[" * 100_000,
            "deep.json: not readable as JSON: nested too deeply; correct it",
        ),
        (
            "columns.csv",
            b"Frage,Antwort\nx,y\n",
            "columns.csv, field 'Question': no such column among Frage, Antwort; "
            "a CSV benchmark has the columns Question and Response",
        ),
        (
            "answerless.csv",
            b"Question,Note\nx,y\n",
            "answerless.csv, field 'Response': no such column among Question, Note; "
            "a CSV benchmark has the columns Question and Response",
        ),
        (
            "twice.csv",
            b"Question,Question,Response\nx,y,z\n",
            "twice.csv, field 'Question': the column stands twice; rename one of the two",
        ),
        (
            "quote.csv",
            b'Question,Response\na,b\n"never closed,c\n',
            f"quote.csv, row 2: not valid CSV: unexpected end of data (line 3); {CUT}",
        ),
        (
            "header.csv",
            b"Question,Response\n",
            f"header.csv: the file holds no rows; {NEEDS}",
        ),
        (
            "table.xlsx",
            b"PK",
            "table.xlsx: unknown kind of file '.xlsx'; use .json, .jsonl, .csv",
        ),
    ],
)
def test_a_file_that_cannot_be_used_as_a_whole(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)

    assert refuse(path) == message


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"question": None}, "question", "the question is empty"),
        ({"question": " "}, "question", "the question is empty"),
        ({"question": 5}, "question", "the field is a number, not text"),
        ({"question": ["a"]}, "question", "the field is a list, not text"),
        ({"question": "x\ud800"}, "question", "the text holds NUL or half of a surrogate pair"),
        ({"question": "x\x00"}, "question", "the text holds NUL or half of a surrogate pair"),
        ({"answer": ""}, "answer", "the gold answer is empty"),
        ({"answer": None}, "answer", "the gold answer is empty"),
        ({"answer": True}, "answer", "the field is a boolean, not text"),
        ({"answer": "C"}, "answer", "the gold answer 'C' is not among the options A, B"),
        ({"answer": "x" * 50}, "answer", f"the gold answer '{'x' * 39}…' is not among the options A, B"),
        ({"options": "A. x\nB. y"}, "options", "the options are text, neither an object nor a list"),
        ({"options": 2}, "options", "the options are a number, neither an object nor a list"),
        ({"options": {"A": "x"}}, "options", "the question has 1 option, not 2 or more"),
        ({"options": {"A": "x", "B": ""}}, "options", "option B is empty"),
        ({"options": {"A": "x", "B": None}}, "options", "option B is empty"),
        ({"options": {"A": "x", "B": ["y"]}}, "options", "option B is a list, not text"),
        ({"options": {"A": "x", "a": "y"}}, "options", "option A stands twice"),
        ({"options": {"1": "x", "2": "y"}}, "options", "the key '1' is no letter from A to Z"),
        ({"options": ["x"] * 27}, "options", "there are 27 options, more than letters"),
        ({"options": {}, "type": "MCQ"}, "options",
         "the question has no options, neither in the field nor as its last lines"),
        ({"options": None, "question": "A. x\nB. y"}, "question", "the question is empty but for its options"),
        ({"language": "Klingon"}, "language", "unknown language 'Klingon'"),
        ({"language": 5}, "language", "the field is a number, not text"),
        ({"language": ""}, "language", "the language is missing"),
        ({"source": {"a": 1}}, "source", "the field is an object, not text"),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_used_is_set_aside(
    change: dict[str, Any], field: str, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "rows.json"
    path.write_text(json.dumps([GOOD | {"language": "hi"}, GOOD | {"language": "hi"} | change]))

    benchmark = load_benchmark(str(path))

    assert len(benchmark.items) == 1
    assert [(row.file, row.row, row.field, row.reason) for row in benchmark.invalid] == [
        ("rows.json", 2, field, reason)
    ]


@pytest.mark.parametrize(
    ("row", "field", "reason"),
    [
        ({"answer": "A"}, "question", "the question is missing"),
        ({"question": "x"}, "answer", "the gold answer is missing"),
    ],
)
def test_a_missing_field_is_named(row: dict[str, str], field: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text(json.dumps([row]))

    assert refuse(path) == f"rows.json, row 1, field '{field}': none of its 1 rows can be used: {reason}; {NEEDS}"


def test_a_broken_line_of_a_jsonl_file_is_set_aside_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    good = json.dumps(GOOD, ensure_ascii=False)
    path.write_text(f'{good}\n\n{good[:30]}\n[1]\n{{"question": "a", "question": "b"}}\n{good}\n', encoding="utf-8")

    benchmark = load_benchmark(str(path), language="hi")

    assert [item.row for item in benchmark.items] == [1, 6]
    assert [(row.row, row.field, row.reason) for row in benchmark.invalid] == [
        (3, "row", "not valid JSON: Unterminated string at column 25"),
        (4, "row", "the row is a list, not an object"),
        (5, "row", "the field 'question' stands twice"),
    ]


def test_an_option_letter_that_stands_twice_in_the_file_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    twice = '{"question": "x", "options": {"A": "x", "A": "y"}, "answer": "A"}'
    path.write_text(f"[{json.dumps(GOOD)}, {twice}]")

    benchmark = load_benchmark(str(path), language="hi")

    assert [(row.row, row.field, row.reason) for row in benchmark.invalid] == [(2, "options", "option A stands twice")]


def test_csv_rows_with_too_many_or_too_few_cells_are_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "Hindi.csv"
    path.write_text("Question,Response\na,b\n\nonly\nc,d,e\nf,g\n")

    benchmark = load_benchmark(str(path))

    assert [(item.row, item.question) for item in benchmark.items] == [(1, "a"), (4, "f")]
    assert [(row.row, row.field, row.reason) for row in benchmark.invalid] == [
        (2, "row", "the row has 1 cells under 2 columns"),
        (3, "row", "the row has 3 cells under 2 columns"),
    ]


def test_a_jsonl_file_called_json_is_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text(f"{json.dumps(GOOD)}\n{json.dumps(GOOD | {'question': 'और?'})}\n")

    assert len(load_benchmark(str(path), language="hi").items) == 2


def test_a_file_without_any_language_asks_for_it(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text(json.dumps([GOOD]))

    assert (
        refuse(path, language=None) == "rows.json, field 'language': the rows name no language; name it with --language"
    )


def test_a_gap_in_the_shards_is_named(tmp_path: Path) -> None:
    for number in (1, 3):
        (tmp_path / f"X.part{number:04d}.json").write_text(json.dumps([GOOD]))

    with pytest.raises(InputError) as caught:
        load_benchmark(str(tmp_path), language="hi")
    assert str(caught.value) == (
        f"{tmp_path}: shard 0002 is missing among X.part0001.json, X.part0003.json; complete the shards"
    )


def test_two_files_of_one_shard_number_are_refused(tmp_path: Path) -> None:
    for name in ("X.part1.json", "X.part01.json"):
        (tmp_path / name).write_text(json.dumps([GOOD]))

    with pytest.raises(InputError, match=r"two files are the same shard among X\.part01\.json, X\.part1\.json"):
        load_benchmark(str(tmp_path), language="hi")


def test_a_folder_of_files_that_do_not_belong_together_is_refused(tmp_path: Path) -> None:
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_text(json.dumps([GOOD]))

    with pytest.raises(InputError) as caught:
        load_benchmark(str(tmp_path), language="hi")
    assert str(caught.value) == (
        f"several files could be meant: {tmp_path / 'a.json'}, {tmp_path / 'b.json'}; "
        "give the path of one of them as --bench"
    )


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"the folder holds no file \.json, \.jsonl, \.csv; name one file"):
        load_benchmark(str(tmp_path), language="hi")
