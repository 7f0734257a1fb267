"""Runs for the tests of the tab Results: what evaluation's own writer stores, hostile words among them."""

from typing import Any

from sqlalchemy import Engine

from evaluation.benchmarks.item import Benchmark, Item
from evaluation.results.records import Generation, Score
from evaluation.results.runs import ensure_benchmark, ensure_model, open_run, release_run
from evaluation.results.writer import RunWriter
from evaluation.scorers import score_generation

HOSTILE = "<script>alert('x')</script><img src=x onerror=alert(1)>"
RIGHT = "## Thinking\n\nपहले लक्षण देखें।\n\n## Response\n\nसही उत्तर {gold} है। रोगी को आराम करना चाहिए।"
WRONG = "## Thinking\n\nपहले लक्षण देखें।\n\n## Response\n\nसही उत्तर {wrong} है। रोगी को आराम करना चाहिए।"
UNPARSED = "## Thinking\n\nपहले लक्षण देखें।\n\n## Response\n\nमुझे इसका उत्तर नहीं पता, क्षमा करें।"
ENGLISH = (
    "## Thinking\n\nपहले लक्षण देखें।\n\n## Response\n\nThe answer is {gold}, because the patient has had a fever for "
    "three days and the doctor has found nothing else."
)


def make_item(number: int, *, language: str = "hi", question: str | None = None) -> Item:
    """An item with four options, whose gold goes round."""
    return Item(
        id=f"{language}{number:03d}",
        row=number,
        number=str(number),
        kind="mcq",
        question=question
        or (f"प्रश्न {number}: रोगी को क्या है?" if language == "hi" else f"Question {number}: what is it?"),
        options={"A": "ज्वर", "B": "कास", "C": "शूल", "D": "मधुमेह"},
        gold="ABCD"[number % 4],
        reference=None,
        language=language,
        groups={"system": "Ayurveda" if number % 2 else "Unani"},
        cluster=f"{language}{number}",
    )


def hindi_benchmark(n: int = 30) -> Benchmark:
    """Items in Hindi; the question of row 3 is hostile."""
    items = [make_item(row, question=f"{HOSTILE} प्रश्न 3" if row == 3 else None) for row in range(1, n + 1)]
    return Benchmark(name="trial", version="1", items=tuple(items))


def english_benchmark(n: int = 30) -> Benchmark:
    """The same questions in English."""
    return Benchmark(
        name="trial-en", version="1", items=tuple(make_item(row, language="en") for row in range(1, n + 1))
    )


def completion(item: Item, wrong_every: int) -> Generation:
    """By row: 4 is unparsed, 5 in English, 6 cut off, 7 hostile and wrong, 8 failed; of the others some are wrong."""
    wrong = "ABCD"[(item.row + 1) % 4]
    common: dict[str, Any] = {
        "finish_reason": "length" if item.row == 6 else "stop",
        "prompt_tokens": 40,
        "completion_tokens": 12,
        "latency_s": 0.25,
        "messages": [{"role": "user", "content": f"{item.question}\n{HOSTILE}"}],
    }
    if item.row == 8:
        return Generation(0, None, error=f"the endpoint answered 500 {HOSTILE}", messages=common["messages"])
    text = WRONG if item.row % wrong_every == 0 else RIGHT
    text = {4: UNPARSED, 5: ENGLISH, 7: WRONG + HOSTILE}.get(item.row, text)
    return Generation(0, text.format(gold=item.gold, wrong=wrong), **common)


def add_run(
    engine: Engine, benchmark: Benchmark, model: str = "himed-8b", *, wrong_every: int = 10, finished: bool = True
) -> str:
    """Store a run, scored by the scorers; its id."""
    benchmark_id = ensure_benchmark(engine, benchmark)
    model_id = ensure_model(engine, model, "ab12", "himed")
    run, _ = open_run(
        engine,
        benchmark_id=benchmark_id,
        model_id=model_id,
        fingerprint=(model.encode() + benchmark.name.encode()).hex().ljust(64, "0")[:64],
        source="endpoint",
        settings={"bench": benchmark.name, "sampling": {"temperature": 0.0}},
        prompt_hash="f" * 64,
        items=benchmark.items,
        samples=1,
        new=True,
    )
    writer = RunWriter(engine, run.id)
    for item in benchmark.items:
        generation = completion(item, wrong_every)
        scores: list[Score] = [] if generation.text is None else score_generation(item, generation, "himed")
        writer.add_generation(item.id, generation, scores, [])
    writer.flush()
    release_run(engine, run.id, "finished" if finished else "interrupted")
    return run.id
