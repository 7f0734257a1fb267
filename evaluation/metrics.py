"""From scores to figures: what each metric counts, over whom, and with which interval."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.languages import get_language
from app.tables import RunRow
from evaluation.benchmarks.item import Item, best_constant_answer, chance_accuracy
from evaluation.reports.model import Baselines, BenchmarkInfo, Failure, InvalidInfo, Metric, Report, RunInfo
from evaluation.results.records import JUDGE_SCORERS, Generation, Record, Score, is_imported, load_records
from evaluation.statistics import interval, majority_vote, pass_at_k


@dataclass(frozen=True, slots=True)
class MetricDefinition:
    """A metric: read from the scores of ``scorer``.

    ``read`` gives the value of one score, None where it is unknown. An item that the metric ``applies_to`` and that has
    no score is missing. An ``optional`` metric stands in a report only when something was scored for it.
    """

    scorer: str
    read: Callable[[Score], float | None]
    applies_to: Callable[[Item], bool] = lambda item: True
    optional: bool = False


def _value(score: Score) -> float | None:
    return score.value


def _right(score: Score) -> float:
    # A reply without a readable choice is no right answer, and stays in the denominator; `unparsed` says how many.
    return score.value or 0.0


def _unknown(score: Score) -> float:
    return float(score.value is None)


def _consistent(score: Score) -> float | None:
    return None if score.label not in _DETERMINED else float(score.label == "consistent")


def _mixed(score: Score) -> float | None:
    return None if score.label not in _DETERMINED else float(score.label == "mixed")


def _undetermined(score: Score) -> float | None:
    return None if score.label == "no answer" else float(score.label == "undetermined")


def _is_choice(item: Item) -> bool:
    return item.options is not None and item.gold is not None


def _is_open(item: Item) -> bool:
    return item.options is None and item.reference is not None


def _is_hindi(item: Item) -> bool:
    return item.language == "hi"


def _is_scored(item: Item) -> bool:
    return False  # whether a completion has reasoning is known from its score alone


_MAX_GROUP_VALUES = 30
_DETERMINED = {"consistent", "mixed", "inconsistent"}

# In the order of the reports. `accuracy_deduplicated`, `accuracy_majority` and `pass_at_k` are made from `accuracy`.
METRICS: dict[str, MetricDefinition] = {
    "accuracy": MetricDefinition("choice", _right, _is_choice),
    "unparsed": MetricDefinition("choice", _unknown, _is_choice),
    "exact_match": MetricDefinition("exact_match", _value, _is_open),
    "normalised_match": MetricDefinition("normalised_match", _value, _is_open),
    "judge_correct": MetricDefinition("judge_correct", _value, _is_open, optional=True),
    "judge_language": MetricDefinition("judge_language", _value, optional=True),
    "cut_off": MetricDefinition("cut_off", _value),
    "language_consistency": MetricDefinition("language", _consistent),
    "language_mixed": MetricDefinition("language", _mixed),
    "language_undetermined": MetricDefinition("language", _undetermined),
    "reasoning_language_consistency": MetricDefinition("reasoning_language", _consistent, _is_scored, optional=True),
    "reasoning_language_mixed": MetricDefinition("reasoning_language", _mixed, _is_scored, optional=True),
    "reasoning_language_undetermined": MetricDefinition("reasoning_language", _undetermined, _is_scored, optional=True),
    "langdetect_agreement": MetricDefinition("langdetect", _value),
    "well_formed": MetricDefinition("format", _value),
    "devanagari_share": MetricDefinition("devanagari_share", _value, _is_hindi),
}


def item_values(records: Iterable[Record], metric: str) -> dict[str, float | None]:
    """A metric's value per item id: the mean over its generations with a known value, None where none is known.

    Items that the metric does not speak of are left out.
    """
    definition = METRICS[metric]
    values: dict[str, float | None] = {}
    scored = [(r, [s for g in r.generations if (s := g.scores.get(definition.scorer)) is not None]) for r in records]
    imported = any(is_imported(score.version) for _, scores in scored for score in scores)
    for record, scores in scored:
        # The verdicts of a file speak of all its answers, our judge's of correctness of open ones alone.
        if not scores and not imported and not definition.applies_to(record.item):
            continue
        known = [value for score in scores if (value := definition.read(score)) is not None]
        values[record.item.id] = sum(known) / len(known) if known else None
    return values


def measure(records: Sequence[Record], samples: int = 1) -> dict[str, Metric]:
    """All metrics that speak of the records, of a run with so many samples per item."""
    scored = {name for record in records for g in record.generations for name in g.scores}
    metrics: dict[str, Metric] = {}
    for name, definition in METRICS.items():
        if definition.optional and definition.scorer not in scored:
            continue
        if values := item_values(records, name):
            metrics[name] = _aggregate(records, values)
            if name == "accuracy":
                metrics |= _accuracies(records, samples)
    return metrics


def _accuracies(records: Sequence[Record], k: int) -> dict[str, Metric]:
    first_copies: dict[str, Record] = {}
    for record in records:
        first_copies.setdefault(record.item.duplicate_of or record.item.id, record)
    unique = list(first_copies.values())
    made = {"accuracy_deduplicated": _aggregate(unique, item_values(unique, "accuracy"))}
    if k > 1:
        choices = {r.item.id: _choices(r) for r in records if _is_choice(r.item)}
        golds = {r.item.id: r.item.gold for r in records}
        majority = {id: float(majority_vote(c) == golds[id]) if c else None for id, c in choices.items()}
        # An item whose generations failed in part says nothing about k of them.
        passed = {id: pass_at_k(k, c.count(golds[id]), k) if len(c) == k else None for id, c in choices.items()}
        made["accuracy_majority"] = _aggregate(records, majority)
        made["pass_at_k"] = _aggregate(records, passed)
    return made


def _choices(record: Record) -> list[str | None]:
    scores = [g.scores["choice"] for g in record.generations if "choice" in g.scores]
    return [None if score.value is None else score.label for score in scores]


def _aggregate(records: Sequence[Record], values: dict[str, float | None]) -> Metric:
    known = [(value, r.item.cluster) for r in records if (value := values.get(r.item.id)) is not None]
    missing = len(values) - len(known)
    if not known:
        return Metric(value=None, n=0, missing=missing)
    numbers = [value for value, _ in known]
    ci95, method = interval(numbers, [cluster for _, cluster in known])
    return Metric(value=sum(numbers) / len(numbers), n=len(known), ci95=ci95, missing=missing, method=method)


def group_records(records: Iterable[Record]) -> dict[str, dict[str, list[Record]]]:
    """Records by group and value: the item's language (in English), its tier, kind, and the benchmark's own groups."""
    groups: dict[str, dict[str, list[Record]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        language = get_language(record.item.language)
        groups["language"][language.english].append(record)
        if language.tier is not None:
            groups["tier"][language.tier].append(record)
        if "type" not in record.item.groups:  # the benchmark's own name for it
            groups["kind"][record.item.kind].append(record)
        for group, value in record.item.groups.items():
            groups[group][value].append(record)
    return {group: {value: by_value[value] for value in sorted(by_value)} for group, by_value in groups.items()}


def judge_of(records: Sequence[Record]) -> str | None:
    """The judge whose verdicts the records hold; behind ``imported:`` the name of imported predictions."""
    generations = [generation for record in records for generation in record.generations]
    versions = {g.scores[name].version for g in generations for name in JUDGE_SCORERS if name in g.scores}
    return ", ".join(sorted(version.partition(":")[2] for version in versions)) or None


def baselines(items: Sequence[Item]) -> Baselines | None:
    """The best constant answer and chance over the multiple-choice items; None without any."""
    constant, chance = best_constant_answer(items), chance_accuracy(items)
    if constant is None or chance is None:
        return None
    letter, accuracy, n = constant
    return Baselines(constant_answer=letter, constant_accuracy=accuracy, chance=chance, n=n)


def build_report(session: Session, run: RunRow) -> Report:
    """The report of a run as it stands in the database, finished or not."""
    records = load_records(session, run)
    return report_records(run, records)


def report_records(run: RunRow, records: Sequence[Record]) -> Report:
    """The report of a run whose records are at hand."""
    failures = [
        Failure(item=r.item.id, row=r.item.row, sample=g.sample, error=g.error or "no generation")
        for r in records
        for g in _failed_or_absent(r, run.samples)
    ]
    benchmark = run.benchmark
    groups = {
        group: {value: measure(members, run.samples) for value, members in values.items()}
        for group, values in group_records(records).items()
        # A group with one value over all items says what the whole says, but the language is always asked for. One of
        # dozens of values (the sources of single facts) is no group to read figures from.
        if 1 < len(values) <= _MAX_GROUP_VALUES or group == "language"
    }
    return Report(
        run=RunInfo(
            id=run.id,
            status=run.status,
            model=run.model.name,
            format=run.model.format,
            source=run.source,
            judge=judge_of(records),
            samples=run.samples,
            n=run.n,
            failed=len(failures),
            started=run.started,
            finished=run.finished,
            code_version=run.code_version,
            settings=run.settings,
            packages=run.packages,
        ),
        benchmark=BenchmarkInfo(
            name=benchmark.name,
            version=benchmark.version,
            sha256=benchmark.sha256,
            n=benchmark.n,
            invalid=len(benchmark.invalid),
            duplicates=benchmark.duplicates,
            invalid_rows=[InvalidInfo(**row) for row in benchmark.invalid],
        ),
        metrics=measure(records, run.samples),
        groups=groups,
        baselines=baselines([record.item for record in records]),
        failures=failures,
    )


def _failed_or_absent(record: Record, samples: int) -> list[Generation]:
    failed = [g for g in record.generations if g.text is None]
    done = {g.sample for g in record.generations}
    return failed + [Generation(sample=s, text=None) for s in range(samples) if s not in done]
