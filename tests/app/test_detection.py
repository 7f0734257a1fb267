"""Which of the fourteen languages a question is in."""

import json
from pathlib import Path

import pytest

from app.consistency import detect_language
from app.languages import get_language

QUESTIONS = {
    "am": "የወባ በሽታ ምልክቶች ምንድን ናቸው?",
    "bn": "ডেঙ্গু জ্বরের লক্ষণ কী কী?",
    "en": "What does the Hindi word बुखार mean in English, doctor?",
    "es": "¿Qué es la diabetes?",
    "fr": "Qu'est-ce que la fièvre jaune?",
    "ha": "Menene alamun zazzabin cizon sauro?",
    "hi": "Paracetamol 500 mg से बुखार न उतरे तो क्या करें?",
    "ja": "糖尿病の症状は何ですか",
    "ko": "당뇨병의 증상은 무엇입니까?",
    "sw": "Dalili za malaria ni zipi?",
    "th": "อาการของโรคไข้เลือดออกคืออะไร",
    "tr": "Diyabet nedir?",
    "vi": "Sốt xuất huyết là gì?",
    "yo": "Kini àwọn àmì àrùn ibà?",
}


@pytest.mark.parametrize("code", QUESTIONS)
def test_a_question_in_each_language(code: str) -> None:
    assert detect_language(QUESTIONS[code]) == code


def test_hindi_in_latin_letters_is_hindi() -> None:
    assert detect_language("Mujhe teen din se bukhar hai, kya karun?") == "hi"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "?",
        "ok",
        "42 mg/dl",
        "Was ist die Ursache von Fieber bei Kindern?",
        "मला ताप आला आहे आणि डोके दुखत आहे काय करावे?",
        "糖尿病的症状是什么？",
        "Лихорадка у детей что делать",
    ],
)
def test_other_languages_and_what_is_too_short_are_none(text: str) -> None:
    assert detect_language(text) is None


def test_real_questions(shared_data: Path) -> None:
    found = []
    for file in sorted((shared_data / "curemed" / "bench").glob("*.jsonl")):
        code = get_language(file.stem).code
        for line in file.read_text(encoding="utf-8").splitlines():
            found.append(detect_language(json.loads(line)["question"]) == code)
    assert len(found) == 1431
    assert sum(found) / len(found) > 0.995
