"""Rows of every layout, and files of them."""

import json
from pathlib import Path
from typing import Any

WEST = {
    "prompt": "वर्ष?\nA. 1990\nB. 1994",
    "Complex_CoT": "वर्ष 1994 था।",
    "ground_truth": "B. 1994",
    "source": "MedMCQA",
}
TRAD = {
    "question_number": "01", "subject": "etiology", "type": "MCQ", "system": "Unani", "source": "HiMed-trad",
    "question": "कौन सा दोष?<br>A. वात \nB. पित्त", "answer": "B", "cot": "क्योंकि पित्त उष्ण है।",
}  # fmt: skip
CURE_MED = {
    "question": "Kwa nini homa hutokea?",
    "reasoning": "<thinking><step1>First — *kwanza*.</step1>\n<step2>Then.</step2></thinking>",
    "answer": "<answer>Kwa sababu ya maambukizi.</answer>",
    "language": "Swahili",
}
TRIPLE = {"response": "Ni malaria.", "reference": "Malaria.", "correct": True}
QUESTION = {"question": "Pourquoi la fièvre ?", "answer": "Une infection.", "language": "French"}


def write_rows(path: Path, *rows: dict[str, Any]) -> Path:
    """One row a line, or a list where the file is called ``.json``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".json":
        path.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    else:
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def count_words(messages: Any) -> int:
    """A tokenizer for tests: one token a word."""
    return sum(len(message["content"].split()) for message in messages)
