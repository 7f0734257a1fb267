"""Reports and records that the tests of reports share."""

from datetime import UTC, datetime
from typing import Any

from evaluation.benchmarks.item import Item
from evaluation.reports.definitions import DEFINITIONS
from evaluation.reports.model import Baselines, BenchmarkInfo, Failure, InvalidInfo, Metric, Report, RunInfo
from evaluation.results.records import Generation, Record, Score
from evaluation.statistics import Comparison, compare

HOSTILE = "<script>alert('x')</script>"


def metric(value: float | None, n: int, low: float = 0.0, high: float = 1.0, missing: int = 0) -> Metric:
    ci95 = None if value is None else (low, high)
    return Metric(value=value, n=n, ci95=ci95, missing=missing, method=None if value is None else "wilson")


def make_report(**changes: Any) -> Report:
    overall = {
        "cut_off": metric(0.015625, 1784, 0.0109, 0.0224),
        "accuracy": Metric(value=0.237668, n=1784, ci95=(0.2186, 0.258012), missing=0, method="cluster-bootstrap"),
        "unparsed": metric(1.0, 1784, 0.9979, 1.0),
        "language_consistency": metric(0.926717, 1733, 0.9138, 0.9389, missing=51),
        "judge_correct": metric(None, 0, missing=1784),
    }
    report = Report(
        run=RunInfo(
            id="01JGJ0Q8M3T1W9XKZV5R7N2PAB",
            status="finished",
            model="tiny_model",
            format="himed",
            source="endpoint",
            samples=1,
            n=1784,
            failed=1,
            started=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
            finished=datetime(2026, 1, 2, 3, 16, tzinfo=UTC),
            code_version="0.1.0",
            settings={"bench": "HiMed-West", "sampling": {"temperature": 0.0, "stop": ["</answer>"]}},
            packages={"numpy": "2.3.5"},
        ),
        benchmark=BenchmarkInfo(
            name="HiMed-West",
            version="1",
            sha256="ab12" * 16,
            n=1784,
            invalid=12,
            duplicates=94,
            invalid_rows=[
                InvalidInfo(file="exam.json", row=row, field="answer", reason="the gold answer is empty")
                for row in range(1, 13)
            ],
        ),
        metrics=overall,
        groups={
            "language": {"hi": overall},
            "system": {
                "आयुर्वेद": {"accuracy": metric(0.4, 1000, 0.37, 0.43), "cut_off": metric(0.01, 1000, 0.005, 0.02)},
                "Unani|Siddha": {"accuracy": metric(0.03, 784, 0.02, 0.045), "cut_off": metric(None, 0, missing=784)},
            },
        },
        baselines=Baselines(constant_answer="D", constant_accuracy=0.237668, chance=0.134, n=1784),
        failures=[Failure(item="a3f09c11", row=90, sample=0, error="the endpoint answered 500")],
    )
    return report.model_copy(update=changes)


def many_metrics_report() -> Report:
    """Every defined metric with figures of their own, in a group of four values with wide and long names."""
    languages = ["hi", "ja", "am", "ko"]
    values = {
        code: {
            name: metric(0.1 + 0.2 * row + 0.003 * column, 1000 + 100 * row + column, 0.05, 0.9876)
            for column, name in enumerate(DEFINITIONS)
        }
        for row, code in enumerate(languages)
    }
    subjects = {"बालरोग और प्रसूति विज्ञान की पाठ्यपुस्तक": values["hi"], "日本の医療制度と公衆衛生": values["ja"]}
    return make_report(metrics=values["hi"], groups={"language": values, "subject": subjects})


def make_record(
    number: int,
    *,
    text: str | None = "उत्तर: A",
    language: str = "hi",
    choice: tuple[float | None, str] | None = (1.0, "B"),
    verdict: str = "consistent",
    foreign: list[list[Any]] | None = None,
) -> Record:
    item = Item(
        id=f"item{number}",
        row=number,
        number=None,
        kind="mcq",
        question=f"प्रश्न {number}",
        options={"A": "एक", "B": "दो"},
        gold="B",
        reference="दो",
        language=language,
        groups={"system": "Ayurveda"},
        cluster=f"c{number}",
    )
    scores = {"language": Score("language", "1", 0.9, verdict, {"foreign": foreign} if foreign else None)}
    if choice is not None:
        scores["choice"] = Score("choice", "1", choice[0], choice[1], {"tier": "letter"})
    return Record(item, [Generation(0, text, finish_reason="stop", completion_tokens=7, latency_s=0.25, scores=scores)])


def comparison() -> Comparison:
    run_a = {"accuracy": {str(i): float(i % 3 == 0) for i in range(60)}, "cut_off": {"0": None}}
    run_b = {"accuracy": {str(i): float(i % 2 == 0) for i in range(60)}, "cut_off": {"0": 1.0}}
    return compare(run_a, run_b, {}, names=("run [a]", "run b"))
