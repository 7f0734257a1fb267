"""A writer and judge that answers every question of the pipeline in its shape, by rules, from the passage itself.

It fails, stalls, talks nonsense, declines and is cut off at set rates. What it says hangs on the request alone, but for
failures of the endpoint, which hit the n-th request of a text.
"""

import hashlib
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import orjson

_PASSAGE = re.compile(r"<<<\n(.*)\n>>>", re.DOTALL)
_SENTENCE = re.compile(r"[^।?!\n]+[।?!]")
_NOT_MEDICAL = ("आभारी", "पुस्तक")
_LEVELS = ("easy", "medium", "hard")
_ASKED = ("क्या है", "किस प्रकार समझा जाता है", "किस कारण महत्वपूर्ण है")


@dataclass(frozen=True, slots=True)
class Rates:
    """Shares of requests."""

    fails: float = 0.0
    stalls: float = 0.0
    nonsense: float = 0.0
    declines: float = 0.0
    cut_off: float = 0.0


@dataclass(frozen=True, slots=True)
class Said:
    """A reply: its text, or the status of a failure; how it ended, and how long it takes in seconds."""

    text: str = ""
    status: int = 200
    finish: str = "stop"
    stall_s: float = 0.0


@dataclass(slots=True)
class CorpusModel:
    """See the module."""

    rates: Rates = Rates()
    stall_s: float = 1.0
    requests: Counter[str] = field(default_factory=Counter)
    replies: Counter[str] = field(default_factory=Counter)
    """How often each request was answered well: more than once is work done twice."""

    def answer(self, raw: bytes) -> Said:
        """The reply to a request's body."""
        key = hashlib.sha256(raw).hexdigest()
        self.requests[key] += 1
        chance = _chance(f"{key} {self.requests[key]}")
        rates = self.rates
        if chance < rates.fails:
            return Said(status=503)
        stall_s = self.stall_s if chance < rates.fails + rates.stalls else 0.0
        self.replies[key] += 1
        fate = _chance(key)
        for share, said in (
            (rates.nonsense, Said('{"passage_1": "क्या पता", [', stall_s=stall_s)),
            (rates.declines, Said("<FAIL>", stall_s=stall_s)),
            (rates.cut_off, Said('{"easy": {"question": "बीच में', finish="length", stall_s=stall_s)),
        ):
            if fate < share:
                return said
            fate -= share
        return Said(self._in_shape(orjson.loads(raw)), stall_s=stall_s)

    def _in_shape(self, body: dict[str, Any]) -> str:
        wanted = body["response_format"]["json_schema"]
        user = body["messages"][-1]["content"]
        kind = re.sub(r"\d+$", "", wanted["name"])
        found = _SHAPES[kind](user, wanted["schema"])
        return orjson.dumps(found).decode()


def _judged(user: str, _schema: Any) -> Any:
    return {
        name: {
            "in_language": True,
            "is_medical": not any(word in text for word in _NOT_MEDICAL),
            "has_ambiguity": text.startswith(("ऐसे में", "यह ")),
            "is_title_or_heading": False,
        }
        for name, text in orjson.loads(user).items()
    }


def _graded(user: str, _schema: Any) -> Any:
    grades = ("good", "good", "middle", "bad")
    return {name: {"grade": grades[int(4 * _chance(text))]} for name, text in orjson.loads(user).items()}


def _suits(user: str, schema: Any) -> Any:
    text = _passage(user)
    found = {}
    for subject in schema["properties"]:
        chance = _chance(subject + text)
        found[subject] = ["MCQ", "QA", "Dialogue"][: 1 + int(chance * 7.5)] if chance < 0.4 else []
    return found


def _items(user: str, schema: Any) -> Any:
    sentences = [sentence.strip() for sentence in _SENTENCE.findall(_passage(user))] or ["यह पर्याप्त नहीं है।"]
    subject = user.partition("on one subject: ")[2].partition(" (")[0]
    found: dict[str, Any] = {}
    for kind in schema["properties"]:
        found[kind] = {}
        for place, level in enumerate(_LEVELS):
            sentence = sentences[(place + len(kind)) % len(sentences)]
            if _chance(f"{subject}{kind}{level}{sentence}") < 0.1:
                found[kind][level] = None
                continue
            topic = " ".join(sentence.split()[:5])
            question = f"{topic} वाला तथ्य {_ASKED[place]} और {_SUBJECTS.get(subject, 'रोग')} में इसका क्या अर्थ होता है?"
            reasoning = f"पहले यह देखते हैं कि प्रश्न किस विषय में है। {sentence} इसलिए उत्तर यही है।"
            found[kind][level] = _FORMS[kind](question, sentence, reasoning)
    return found


def _mcq(question: str, answer: str, reasoning: str) -> Any:
    words = answer.rstrip("।?!").split()
    distractors = [f"{' '.join(words[:3])} {other}" for other in ("कभी नहीं", "केवल बच्चों में", "बिना कारण के", "सदा के लिए")]
    return {"question": question, "answer": " ".join(words[:12]), "distractors": distractors, "reasoning": reasoning}


def _qa(question: str, answer: str, reasoning: str) -> Any:
    return {"question": question, "answer": answer, "reasoning": reasoning}


def _dialogue(question: str, answer: str, reasoning: str) -> Any:
    turns = [
        {"role": "user", "text": "नमस्ते, मुझे अपने स्वास्थ्य के बारे में कुछ पूछना है।"},
        {"role": "assistant", "text": "नमस्ते, कृपया अपना प्रश्न बताइए।"},
        {"role": "user", "text": question},
    ]
    return {"turns": turns, "answer": answer, "reasoning": reasoning}


_FORMS = {"mcq": _mcq, "qa": _qa, "dialogue": _dialogue}
_SUBJECTS = {
    "diagnosis": "निदान",
    "etiology": "कारण",
    "medical knowledge": "चिकित्सा ज्ञान",
    "prognosis": "परिणाम",
    "treatment": "उपचार",
}


def _scores(user: str, schema: Any) -> Any:
    count = int(re.search(r"Give the scores of (\d+) items", user)[1])  # type: ignore[index]
    found = {}
    for number in range(1, count + 1):
        chance = _chance(f"{number}{user}")
        good = 0.5 if chance < 0.05 else 0.9
        found[f"item_{number}"] = {
            "grounded_in_context": good,
            "medical_correctness": None if 0.05 <= chance < 0.07 else 0.9,
            "reasoning_clarity": 0.8,
            "language_quality": 1.0,
        }
    return found


_SHAPES = {"Judged": _judged, "Graded": _graded, "Suits": _suits, "Items": _items, "ItemScores": _scores}


def _passage(user: str) -> str:
    found = _PASSAGE.search(user)
    assert found, user[:200]
    return found[1]


def _chance(text: str) -> float:
    """A number in [0, 1) that hangs on a text alone."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6]) / 2**48
