"""A writer of instances behind a real endpoint, good or bad at set rates, and the step over one book with it."""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web
from running import ScriptedBackend, completion

from training.corpus.config import CorpusConfig
from training.corpus.instances import InstancesStep
from training.corpus.instances.shapes import LEVELS
from training.corpus.step import run_step
from training.corpus.unit import Manifest, Place, Unit

_SUBJECTS = {
    "diagnosis": "निदान",
    "etiology": "कारण",
    "medical knowledge": "ज्ञान",
    "prognosis": "परिणाम",
    "treatment": "उपचार",
}
_LEVELS = {"easy": "सरल", "medium": "मध्यम", "hard": "कठिन"}
_OPTIONS = ("ज्वर", "कास", "श्वास", "शोथ", "पाण्डु")

# Of a request, seen as the passage's number, the subject ("" for the question what suits) and the seed.
Fault = Callable[[int, str, int], str | None]


def mcq(what: str) -> dict[str, Any]:
    return {
        "question": f"{what} में रोगी को सबसे अधिक कौन सा लक्षण होता है?",
        "answer": f"{_OPTIONS[0]} का लक्षण",
        "distractors": [f"{name} का लक्षण" for name in _OPTIONS[1:]],
        "reasoning": "इस रोग में शरीर का ताप बढ़ जाता है, इसलिए यही लक्षण सबसे अधिक होता है।",
    }


def qa(what: str) -> dict[str, Any]:
    return {
        "question": f"{what} में रोगी को क्या सलाह देनी चाहिए?",
        "answer": "रोगी को आराम करना चाहिए और पानी अधिक पीना चाहिए।",
        "reasoning": "आराम और पानी से शरीर का ताप कम होता है, इसलिए यह सलाह दी जाती है।",
    }


def dialogue(what: str) -> dict[str, Any]:
    return {
        "turns": [
            {"role": "user", "text": f"{what} में मुझे बहुत कमजोरी होती है, क्या करूँ?"},
            {"role": "assistant", "text": "आपको कुछ दिन आराम करना चाहिए।"},
            {"role": "user", "text": "और मुझे भोजन में क्या लेना चाहिए?"},
        ],
        "answer": "हल्का भोजन लेना चाहिए, जैसे कि दलिया।",
        "reasoning": "कमजोरी में पाचन मंद होता है, इसलिए हल्का भोजन अच्छा है।",
    }


FORMS = {"mcq": mcq, "qa": qa, "dialogue": dialogue}


def suits(subjects: dict[str, list[str]]) -> str:
    named = {name.replace(" ", "_"): subjects.get(name, []) for name in _SUBJECTS}
    return orjson.dumps(named).decode()


def items(number: int, subject: str, kinds: list[str]) -> dict[str, dict[str, Any]]:
    return {
        kind: {level: FORMS[kind](f"प्रकरण {number} के {_SUBJECTS[subject]} के {_LEVELS[level]} रूप") for level in LEVELS}
        for kind in kinds
    }


class Writer:
    """Everything suits every passage, and all is well written, but where ``fault`` says otherwise.

    ``fault`` names "failed" (no reply), "nonsense", "declined", "cut off" or None.
    """

    def __init__(self, fault: Fault = lambda number, subject, seed: None) -> None:
        self.fault = fault
        self.replies: Counter[int] = Counter()
        self.requests = 0
        self.change: Callable[[dict[str, Any]], None] = lambda reply: None
        self.suits = suits({subject: ["MCQ", "QA", "Dialogue"] for subject in _SUBJECTS})

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.requests += 1
        asked = body["messages"][1]["content"]
        number = int(re.search(r"प्रकरण (\d+)", asked)[1])
        found = re.search(r"on one subject: ([a-z ]+) \(", asked)
        subject = found[1] if found else ""
        fault = self.fault(number, subject, body["seed"])
        if fault == "failed":
            return web.json_response({"error": {"message": "[ERROR: overloaded]"}}, status=503)
        self.replies[number] += 1
        text = self._text(asked, number, subject)
        text = {"nonsense": "{] हाँ", "declined": "<FAIL>"}.get(fault or "", text)
        return web.json_response(completion(text, finish="length" if fault == "cut off" else "stop"))

    def _text(self, asked: str, number: int, subject: str) -> str:
        if not subject:
            return self.suits
        reply: dict[str, Any] = items(number, subject, [kind for kind in FORMS if f'- "{kind}":' in asked])
        self.change(reply)
        return orjson.dumps(reply).decode()


def by_chance(seed: int, **rates: float) -> Fault:
    """Faults at set rates, the same each time for one request."""

    def fault(number: int, subject: str, attempt: int) -> str | None:
        drawn = hashlib.sha256(f"{seed} {number} {subject} {attempt}".encode()).digest()
        share = int.from_bytes(drawn[:6], "big") / 2**48
        for name, rate in rates.items():
            if (share := share - rate) < 0:
                return name
        return None

    return fault


@contextmanager
def served(writer: Callable[[web.Request], Any]) -> Iterator[ScriptedBackend]:
    with ScriptedBackend(writer) as backend:
        yield backend


def config_of(folder: Path, backend: ScriptedBackend, **instances: Any) -> CorpusConfig:
    return CorpusConfig.model_validate(
        {
            "sources": folder / "books",
            "folder": folder / "made",
            "writer": {
                "base_url": f"http://127.0.0.1:{backend.port}",
                "model": "m",
                "backoff_s": 0.001,
                "max_attempts": 1,
                "concurrency": 8,
            },
            "instances": instances,
        }
    )


def write_passages(folder: Path, count: int, unit: str = "book-0123456789") -> Path:
    """Passages numbered from 0; each text names its number."""
    source = folder / f"{unit}.jsonl"
    rows = (
        {
            "id": f"{unit}-p{number:05}",
            "text": f"प्रकरण {number} में ज्वर का वर्णन है। रोगी को आराम करना चाहिए।",
            "pages": [number + 1],
            "source": f"{unit}.pdf",
            "flags": {},
            "grade": "good",
        }
        for number in range(count)
    )
    source.write_bytes(b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows))
    return source


async def run(config: CorpusConfig, source: Path) -> tuple[Manifest, list[dict[str, Any]], Place]:
    step = InstancesStep(config)
    unit = Unit(source.stem, source, "0" * 64)
    manifest = await run_step(step, config.folder, unit, source, "1" * 64)
    place = step.place(config.folder, unit)
    return manifest, [orjson.loads(line) for line in place.output.read_bytes().splitlines()], place


def flows(manifest: Manifest) -> dict[str, tuple[int, int, dict[str, int]]]:
    return {flow.stage: (flow.into, flow.out, dict(flow.left)) for flow in manifest.flows}
