"""Imported predictions: matched to items, verdicts kept apart from unknown ones, broken rows set aside."""

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from app.errors import InputError
from evaluation.benchmarks import Benchmark, load_benchmark
from evaluation.predictions import Predictions, load_predictions

ROWS = [
    {"number": 1, "language": "Hindi", "question": "क्या यह पहला है?", "answer": "हाँ"},
    {"number": 2, "language": "Hindi", "question": "दूसरा?", "options": {"A": "क", "B": "ख"}, "answer": "B"},
    {"number": 3, "language": "Hindi", "question": "दूसरा?", "options": {"A": "ग", "B": "घ"}, "answer": "A"},
    {"number": 1, "language": "French", "question": "Est-ce le premier ?", "answer": "Oui"},
    {"number": 9, "language": "French", "question": "OK?", "answer": "Oui"},
    {"number": 9, "language": "Spanish", "question": "OK?", "answer": "Sí"},
]


@pytest.fixture
def benchmark(tmp_path: Path) -> Benchmark:
    path = tmp_path / "bench.json"
    path.write_text(json.dumps(ROWS, ensure_ascii=False), encoding="utf-8")
    return load_benchmark(str(path))


@pytest.fixture
def load(tmp_path: Path, benchmark: Benchmark) -> Any:
    """Loads rows, or lines as they are, as a predictions file for the benchmark above."""

    def load_rows(*rows: dict[str, Any] | str) -> Predictions:
        lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
        path = tmp_path / "predictions.jsonl"
        path.write_text("\n".join(lines), encoding="utf-8")
        return load_predictions(path, benchmark)

    return load_rows


def texts(predictions: Predictions, benchmark: Benchmark) -> dict[int, str | None]:
    return {benchmark.by_id[row.item_id].row: row.text for row in predictions.rows}


def reasons(predictions: Predictions) -> list[tuple[int, str, str]]:
    return [(row.row, row.field, row.reason) for row in predictions.invalid]


@pytest.mark.parametrize(
    ("model", "language_share", "correct_share", "missing"),
    [("claude-3-haiku", 93.43, 73.31, 0), ("gemini-2.5-flash", 48.04, 54.83, 1)],
)
def test_the_published_answers_match_every_item_and_keep_the_judges_shares(
    model: str, language_share: float, correct_share: float, missing: int, shared_data: Path
) -> None:
    benchmark = load_benchmark("CUREMED-Bench", data_dir=shared_data)

    predictions = load_predictions(shared_data / "curemed" / "predictions" / f"{model}.jsonl", benchmark)

    assert [row.item_id for row in predictions.rows] == [item.id for item in benchmark.items]
    assert (predictions.invalid, predictions.unread, predictions.missing) == ((), (), ())
    assert predictions.has_judge_language
    assert predictions.has_judge_correct
    for verdicts, share in (
        ([row.judge_language for row in predictions.rows], language_share),
        ([row.judge_correct for row in predictions.rows], correct_share),
    ):
        counts = Counter(verdicts)
        assert counts[None] == missing
        assert round(100 * counts[True] / (counts[True] + counts[False]), 2) == share
    assert sum(row.text == "" for row in predictions.rows) == missing
    assert all(row.text is not None for row in predictions.rows)


def test_rows_are_matched_by_item_id_by_number_or_by_question(load: Any, benchmark: Benchmark) -> None:
    predictions = load(
        {"id": benchmark.items[0].id, "response": "by item id"},
        {"id": 2, "response": "by number"},
        {"question_number": "3", "response": "by the number field"},
        {"question": " Est-ce le  premier ? ", "response": "by question"},
    )

    assert texts(predictions, benchmark) == {
        1: "by item id", 2: "by number", 3: "by the number field", 4: "by question",
    }  # fmt: skip
    assert [item.row for item in predictions.missing] == [5, 6]
    assert not predictions.has_judge_language
    assert not predictions.has_judge_correct
    assert {(row.judge_language, row.judge_correct, row.sample) for row in predictions.rows} == {(None, None, 0)}


def test_an_id_of_no_item_falls_back_to_the_question(load: Any, benchmark: Benchmark) -> None:
    predictions = load({"id": "row-17", "question": "क्या यह पहला है?", "response": "x"})

    assert texts(predictions, benchmark) == {1: "x"}


def test_a_question_with_its_options_behind_it_is_recognised(load: Any, benchmark: Benchmark) -> None:
    predictions = load(
        {"question": "दूसरा?\nA. क\nB. ख", "response": "B"}, {"question": "दूसरा? A. ग B. घ", "response": "A"}
    )

    assert texts(predictions, benchmark) == {2: "B", 3: "A"}


def test_the_kth_row_of_a_repeated_question_answers_the_kth_item_and_more_are_set_aside(
    load: Any, benchmark: Benchmark
) -> None:
    predictions = load(*({"question": "दूसरा?", "response": str(k)} for k in (1, 2, 3)))

    assert texts(predictions, benchmark) == {2: "1", 3: "2"}
    assert reasons(predictions) == [
        (3, "question", "each of the 2 items with this question has an answer from an earlier row")
    ]


def test_the_language_tells_equal_questions_and_numbers_apart(load: Any, benchmark: Benchmark) -> None:
    predictions = load(
        {"language": "es", "question": "OK?", "response": "Sí"},
        {"language": "French", "question": "OK?", "response": "Oui"},
        {"language": "fr-FR", "id": 1, "response": "premier"},
        {"language": "Thai", "question": "OK?", "response": "x"},
        {"id": 1, "response": "of which language?"},
    )

    assert texts(predictions, benchmark) == {4: "premier", 5: "Oui", 6: "Sí"}
    assert reasons(predictions) == [
        (4, "language", "no item with this question is in the language th"),
        (5, "id", "the id stands for 2 items: give the question too"),
    ]


def test_an_empty_response_is_a_generation_and_null_is_none(load: Any, benchmark: Benchmark) -> None:
    predictions = load({"id": 2, "response": ""}, {"id": 3, "response": None})

    assert texts(predictions, benchmark) == {2: "", 3: None}


def test_verdicts_are_true_false_or_unknown_and_never_guessed(load: Any) -> None:
    predictions = load(
        {"id": 2, "response": "x", "judge_language": True, "judge_correct": False, "finish_reason": "length"},
        {"id": 3, "response": "x", "judge_language": None, "judge_correct": "maybe"},
        {"language": "fr", "id": 1, "response": "x", "judge_language": 1, "judge_correct": "False"},
        {"language": "fr", "id": 9, "response": "x", "judge_language": [], "judge_correct": 0.5},
    )

    found = [(row.judge_language, row.judge_correct, row.finish_reason) for row in predictions.rows]
    assert found == [(True, False, "length"), (None, None, None), (True, False, None), (None, None, None)]
    assert [(row.row, row.field, row.reason) for row in predictions.unread] == [
        (2, "judge_correct", "the verdict 'maybe' is neither true nor false"),
        (4, "judge_language", "the verdict '[]' is neither true nor false"),
        (4, "judge_correct", "the verdict '0.5' is neither true nor false"),
    ]
    assert predictions.invalid == ()


def test_rows_that_cannot_be_used_are_set_aside_with_their_reason(load: Any, benchmark: Benchmark) -> None:
    predictions = load(
        {"id": 2, "response": "good"},
        {"id": 3},
        {"id": 3, "response": 5},
        {"id": 3, "response": "x\x00"},
        {"response": "x"},
        {"id": "nobody", "response": "x"},
        {"question": "unasked?", "response": "x"},
        {"question": None, "response": "x"},
        {"id": 3, "question": "क्या यह पहला है?", "response": "x"},
        {"id": 2, "response": "again"},
        {"id": 3, "response": "x", "language": "Klingon"},
        {"id": 3, "response": "x", "finish_reason": 4},
        {"id": ["3"], "response": "x"},
        '{"id": 3, "response": "cut of',
        "[]",
        '{"id": 3, "id": 2, "response": "x"}',
    )

    assert texts(predictions, benchmark) == {2: "good"}
    assert reasons(predictions) == [
        (2, "response", "the response is missing"),
        (3, "response", "the response is a number, not text"),
        (4, "response", "the text holds NUL or half of a surrogate pair"),
        (5, "question", "the row has neither a question nor an id"),
        (6, "id", "no item has the id nobody"),
        (7, "question", "no item has this question"),
        (8, "question", "the row has neither a question nor an id"),
        (9, "id", "the item of id 3 has another question"),
        (10, "id", "the item with this id has an answer from an earlier row"),
        (11, "language", "unknown language 'Klingon'"),
        (12, "finish_reason", "the field is a number, not text"),
        (13, "id", "the field is a list, not text"),
        (14, "row", "not valid JSON: Unterminated string at column 23"),
        (15, "row", "the row is a list, not an object"),
        (16, "row", "the field 'id' stands twice"),
    ]


def write_csv(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_the_releases_csv_has_the_answer_in_test_response(tmp_path: Path, benchmark: Benchmark) -> None:
    columns = ("Question", "Response", "Test Response", "Language_Score", "Logic_Score")
    first = ("OK?", "Oui", "Oui.\nSûr.", "True", "0")
    second = ("Est-ce le premier ?", "Oui", "", "", "?")
    rows = [dict(zip(columns, cells, strict=True)) for cells in (first, second)]
    path = write_csv(tmp_path / "French_model_evaluation.csv", rows)

    predictions = load_predictions(path, benchmark)

    # The file's name gives the language: "OK?" is also a Spanish question. An empty cell is no generation.
    assert texts(predictions, benchmark) == {4: None, 5: "Oui.\nSûr."}
    assert [(row.judge_language, row.judge_correct) for row in predictions.rows] == [(None, None), (True, False)]
    assert [(row.file, row.row, row.field, row.reason) for row in predictions.unread] == [
        ("French_model_evaluation.csv", 2, "Logic_Score", "the verdict '?' is neither true nor false")
    ]


def test_a_folder_of_csv_files_is_one_set_of_predictions(tmp_path: Path, benchmark: Benchmark) -> None:
    folder = tmp_path / "answers"
    (folder / ".ipynb_checkpoints").mkdir(parents=True)
    for language, text in (("French", "Oui"), ("Spanish", "Sí")):
        rows = [{"Question": "OK?", "Response": "x", "Test Response": text}]
        write_csv(folder / f"{language}_data.csv", rows)
        write_csv(folder / ".ipynb_checkpoints" / f"{language}_data-checkpoint.csv", rows)

    predictions = load_predictions(folder, benchmark)

    assert texts(predictions, benchmark) == {5: "Oui", 6: "Sí"}
    assert predictions.invalid == ()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "strangers.jsonl",
            b'{"question": "a?", "response": "x"}\n{"question": "b?", "response": "y"}\n',
            "strangers.jsonl, row 1, field 'question': none of its 2 rows answers an item of bench: "
            "no item has this question; check --bench and --predictions",
        ),
        ("empty.jsonl", b"", "empty.jsonl: the file is empty; get it again"),
        (
            "utf16.csv",
            "Question,Test Response\n".encode("utf-16"),
            "utf16.csv: the file is UTF-16 text; save it as UTF-8",
        ),
        (
            "bench.csv",
            b"Question,Response\na,b\n",
            "bench.csv, field 'Test Response': no such column among Question, Response; "
            "a CSV of predictions has the columns Question and Test Response",
        ),
        (
            "nameless.csv",
            b"Test Response\na\n",
            "nameless.csv, field 'Question': no such column among Test Response; "
            "a CSV of predictions has the columns Question and Test Response",
        ),
        (
            "header.csv",
            b"Question,Response,Test Response\n",
            "header.csv: the file holds no rows; give a file with one answer a row",
        ),
        ("answers.parquet", b"PAR1", "answers.parquet: unknown kind of file '.parquet'; use .json, .jsonl, .csv"),
    ],
)
def test_a_file_that_cannot_be_used_as_a_whole(
    name: str, content: bytes, message: str, tmp_path: Path, benchmark: Benchmark
) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(InputError) as caught:
        load_predictions(tmp_path / name, benchmark)
    assert str(caught.value).replace(f"{tmp_path}/", "") == message


def test_a_file_or_folder_that_is_not_there_or_empty_is_refused(tmp_path: Path, benchmark: Benchmark) -> None:
    with pytest.raises(InputError, match=r"nowhere\.jsonl: there is no such file; correct --predictions"):
        load_predictions(tmp_path / "nowhere.jsonl", benchmark)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty: the folder holds no predictions"):
        load_predictions(tmp_path / "empty", benchmark)
