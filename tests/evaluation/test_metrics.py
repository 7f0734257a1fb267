import pytest

from evaluation.benchmarks.item import Item
from evaluation.metrics import baselines, group_records, item_values, measure
from evaluation.results.records import Generation, Record, Score


def record(
    id: str, *choices: str | None, gold: str = "A", language: str = "hi", duplicate_of: str | None = None, **groups: str
) -> Record:
    """An MCQ with one generation per choice; None is no readable choice."""
    options = {"A": "a", "B": "b", "C": "c", "D": "d"}
    item = Item(
        id=id, row=1, number=None, kind="mcq", question=id, options=options, gold=gold, reference="a",
        language=language, groups=groups, cluster=duplicate_of or id, duplicate_of=duplicate_of,
    )  # fmt: skip
    generations = []
    for sample, choice in enumerate(choices):
        value = None if choice is None else float(choice == gold)
        score = Score("choice", "1", value, choice or "unparsed")
        generations.append(Generation(sample=sample, text=choice or "?", scores={"choice": score}))
    return Record(item, generations)


def with_language(target: Record, label: str) -> Record:
    for generation in target.generations:
        generation.scores["language"] = Score("language", "1", 0.5, label)
    return target


def test_an_unparsed_reply_stays_in_the_denominator_of_accuracy_and_is_counted_apart() -> None:
    metrics = measure([record("1", "A"), record("2", "B"), record("3", None), record("4", "A")])
    assert (metrics["accuracy"].value, metrics["accuracy"].n, metrics["accuracy"].missing) == (0.5, 4, 0)
    assert metrics["unparsed"].value == 0.25


def test_an_item_without_a_generation_is_missing_and_never_wrong() -> None:
    failed = record("2")
    failed.generations = [Generation(sample=0, text=None, error="HTTP 500")]
    accuracy = measure([record("1", "A"), failed, record("3")])["accuracy"]
    assert (accuracy.value, accuracy.n, accuracy.missing) == (1.0, 1, 2)


def test_exact_duplicates_count_once_in_the_deduplicated_accuracy() -> None:
    metrics = measure([record("1", "A"), record("1-2", "A", duplicate_of="1"), record("2", "B")])
    assert metrics["accuracy"].value == pytest.approx(2 / 3)
    assert (metrics["accuracy_deduplicated"].value, metrics["accuracy_deduplicated"].n) == (0.5, 2)


def test_repeated_questions_are_resampled_together_and_others_get_wilsons_interval() -> None:
    single = measure([record(str(n), "A" if n < 6 else "B") for n in range(10)])["accuracy"]
    assert single.method == "wilson"
    # statsmodels.stats.proportion.proportion_confint(6, 10, method="wilson")
    assert single.ci95 == pytest.approx((0.3126738, 0.8318197), abs=1e-6)
    repeated = [record(f"{n}", "A" if n < 6 else "B", duplicate_of=str(n - n % 2)) for n in range(10)]
    assert measure(repeated)["accuracy"].method == "cluster-bootstrap"


def test_several_samples_give_their_mean_the_majority_and_pass_at_k() -> None:
    metrics = measure([record("1", "A", "A", "B"), record("2", "B", "B", "A"), record("3", "C", None, "C")], samples=3)
    assert metrics["accuracy"].value == pytest.approx((2 / 3 + 1 / 3 + 0) / 3)
    assert metrics["accuracy_majority"].value == pytest.approx(1 / 3)
    assert metrics["pass_at_k"].value == pytest.approx(2 / 3)


def test_language_consistency_is_over_the_determined_with_the_undetermined_beside() -> None:
    labels = ["consistent", "consistent", "mixed", "inconsistent", "undetermined"]
    metrics = measure([with_language(record(str(n), "A"), label) for n, label in enumerate(labels)])
    consistency = metrics["language_consistency"]
    assert (consistency.value, consistency.n, consistency.missing) == (0.5, 4, 1)
    assert metrics["language_mixed"].value == 0.25
    assert metrics["language_undetermined"].value == 0.2


def test_item_values_leave_out_items_that_the_metric_does_not_speak_of() -> None:
    french = record("2", "B", language="fr")
    share = Score("devanagari_share", "1", 0.9)
    hindi = record("1", "A")
    hindi.generations[0].scores["devanagari_share"] = share
    assert item_values([hindi, french, record("3", "A")], "devanagari_share") == {"1": 0.9, "3": None}


def test_a_run_whose_items_all_failed_says_so_in_every_metric() -> None:
    failed = record("1")
    failed.generations = [Generation(sample=0, text=None, error="HTTP 500")]
    metrics = measure([failed, failed])
    assert {"accuracy", "unparsed", "cut_off", "language_consistency", "well_formed"} <= set(metrics)
    assert all((metric.value, metric.n, metric.missing) == (None, 0, 1) for metric in metrics.values())
    assert "judge_correct" not in metrics


def test_pass_at_k_is_over_items_with_all_samples() -> None:
    part = record("2", "A", "A")
    assert measure([record("1", "B", "B", "A"), part], samples=3)["pass_at_k"].n == 1


def test_groups_are_language_tier_kind_and_the_benchmarks_own() -> None:
    records = [record("1", "A", system="Ayurveda"), record("2", "A", language="fr", system="Unani")]
    groups = group_records(records)
    assert {group: list(values) for group, values in groups.items()} == {
        "language": ["French", "Hindi"],
        "tier": ["high", "low"],
        "kind": ["mcq"],
        "system": ["Ayurveda", "Unani"],
    }


def test_baselines_are_the_best_constant_answer_and_chance() -> None:
    found = baselines([record("1").item, record("2").item, record("3", gold="B").item])
    assert found is not None
    assert (found.constant_answer, found.constant_accuracy, found.chance, found.n) == ("A", 2 / 3, 0.25, 3)
