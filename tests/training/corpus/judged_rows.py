"""Rows of instances as the steps before the judge write them."""

from pathlib import Path
from typing import Any

import orjson

PASSAGE = "त्रिफला चूर्ण रात को गुनगुने पानी के साथ दिया जाता है।"
SCORES = ("grounded_in_context", "medical_correctness", "reasoning_clarity", "language_quality")


def himed(
    number: int, passage: int = 0, subject: str = "treatment", kind: str = "MCQ", **changes: Any
) -> dict[str, Any]:
    options = "\n".join(f"{letter}. विकल्प {letter}" for letter in "ABCDE")
    return {
        "id": f"book-0123456789-p{passage:05}-{subject}-{number}",
        "passage_id": f"book-0123456789-p{passage:05}",
        "pages": [1],
        "source": "book.pdf",
        "context": f"{PASSAGE} ({passage})",
        "system": "Ayurveda",
        "subject": subject,
        "type": kind,
        "level": "easy",
        "question": f"प्रश्न {number}?" + (f"\n{options}" if kind == "MCQ" else ""),
        "answer": "B" if kind == "MCQ" else f"उत्तर {number}",
        "cot": f"कारण {number}",
    } | changes


def cure_med(number: int, passage: int = 0, language: str = "sw", **changes: Any) -> dict[str, Any]:
    return {
        "id": f"leaflet-0123456789-p{passage:05}-{language}-{number}",
        "passage_id": f"leaflet-0123456789-p{passage:05}",
        "pages": [1],
        "source": "leaflet.html",
        "context": f"Drink water before every meal. ({passage})",
        "language": language,
        "question": f"Swali {passage}-{language}-{number}?",
        "reasoning": f"<thinking><step1>Water, maji {number}.</step1></thinking>",
        "answer": f"<answer>Jibu {number}.</answer>",
    } | changes


def write_rows(file: Path, *rows: dict[str, Any]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows))
    return file


def read_rows(file: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in file.read_bytes().splitlines()]
