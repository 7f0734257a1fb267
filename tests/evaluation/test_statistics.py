"""Statistics, checked against statsmodels, scipy and published figures."""

import itertools

import numpy as np
import pytest
from scipy import stats
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import NormalIndPower
from statsmodels.stats.proportion import proportion_confint

from evaluation.statistics import (
    cluster_bootstrap,
    compare,
    gap,
    holm,
    interval,
    intervals,
    majority_vote,
    mcnemar_exact,
    paired_bootstrap,
    pass_at_k,
    smallest_difference,
    wilson,
)


def singles(n: int) -> list[int]:
    return list(range(n))


# Newcombe (1998), Statistics in Medicine 17, 857-872, table I, method 3.
@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_the_published_limits(successes: int, n: int, low: float, high: float) -> None:
    assert wilson(successes, n) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(("successes", "n"), [(0, 1), (1, 1), (424, 1784), (1784, 1784), (999_999, 1_000_000)])
def test_wilson_equals_statsmodels(successes: int, n: int) -> None:
    assert wilson(successes, n) == pytest.approx(proportion_confint(successes, n, method="wilson"), abs=1e-12)


def test_wilson_stays_within_0_and_1_exactly() -> None:
    assert wilson(0, 37)[0] == 0.0
    assert wilson(37, 37)[1] == 1.0


@pytest.mark.parametrize(("successes", "n"), [(0, 0), (-1, 5), (6, 5)])
def test_wilson_refuses_what_is_no_share(successes: int, n: int) -> None:
    with pytest.raises(ValueError, match="no share"):
        wilson(successes, n)


def test_bootstrap_of_single_items_agrees_with_scipy() -> None:
    values = np.random.default_rng(1).beta(2, 1, size=300)
    theirs = stats.bootstrap((values,), np.mean, method="percentile", rng=np.random.default_rng(2)).confidence_interval
    assert cluster_bootstrap(values, singles(300)) == pytest.approx(tuple(theirs), abs=0.003)


def test_bootstrap_of_clusters_agrees_with_cluster_robust_errors_of_statsmodels() -> None:
    generator = np.random.default_rng(3)
    sizes = generator.integers(1, 6, size=250)
    clusters = np.repeat(np.arange(250), sizes)
    values = (generator.random(250)[clusters] < 0.4).astype(float)  # copies of a question get the same answer
    fit = OLS(values, np.ones_like(values)).fit(cov_type="cluster", cov_kwds={"groups": clusters})
    low, high = cluster_bootstrap(values, clusters.tolist())
    assert (high - low) / 2 == pytest.approx(1.96 * fit.bse[0], rel=0.05)
    wilson_low, wilson_high = wilson(int(values.sum()), values.size)
    assert high - low > 1.4 * (wilson_high - wilson_low)


def test_both_ways_to_draw_clusters_give_the_same_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(4)
    clusters = generator.integers(0, 400, size=600).tolist()
    values = (generator.random(600) < 0.7).astype(float)
    by_counts = cluster_bootstrap(values, clusters)
    monkeypatch.setattr(intervals, "_MOST_KINDS", 0)
    one_by_one = cluster_bootstrap(values, clusters)
    assert by_counts == pytest.approx(one_by_one, abs=0.003)


def test_bootstrap_is_the_same_each_time_and_depends_on_the_seed() -> None:
    values = np.random.default_rng(5).random(200)
    assert cluster_bootstrap(values, singles(200)) == cluster_bootstrap(values, singles(200))
    assert cluster_bootstrap(values, singles(200)) != cluster_bootstrap(values, singles(200), seed=1)


def test_bootstrap_covers_the_true_mean_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(6)
    covered = 0
    for _ in range(300):
        clusters = np.repeat(np.arange(120), generator.integers(1, 4, size=120))
        values = (generator.random(120)[clusters] < 0.6).astype(float)
        low, high = cluster_bootstrap(values, clusters.tolist(), resamples=1_000)
        covered += low <= 0.6 <= high
    assert 0.91 <= covered / 300 <= 0.98


def test_bootstrap_refuses_a_missing_value() -> None:
    with pytest.raises(ValueError, match="NaN"):
        cluster_bootstrap([0.0, np.nan], [1, 2])


def test_bootstrap_refuses_values_and_clusters_of_different_length() -> None:
    with pytest.raises(ValueError, match="2 clusters"):
        cluster_bootstrap([0.0, 1.0, 1.0], [1, 2])


def test_interval_of_single_right_or_wrong_items_is_wilsons() -> None:
    assert interval([1, 0, 1, 1], ["a", "b", "c", "d"]) == (wilson(3, 4), "wilson")


def test_interval_with_a_repeated_question_is_the_bootstraps() -> None:
    values, clusters = [1, 0, 1, 1, 0], ["a", "b", "c", "c", "d"]
    assert interval(values, clusters) == (cluster_bootstrap(values, clusters), "cluster-bootstrap")


def test_interval_of_shares_between_0_and_1_is_the_bootstraps() -> None:
    assert interval([0.2, 0.9, 0.4], singles(3))[1] == "cluster-bootstrap"


@pytest.mark.parametrize(("value", "successes"), [(0.0, 0), (1.0, 3)])
def test_interval_never_claims_certainty_when_all_clusters_agree(value: float, successes: int) -> None:
    found, method = interval([value] * 5, ["a", "a", "b", "b", "c"])
    assert (found, method) == (wilson(successes, 3), "wilson")


def test_interval_of_one_cluster_is_as_wide_as_of_one_item() -> None:
    (low, high), method = interval([1, 0], ["a", "a"])
    assert method == "wilson"
    assert (low, high) == pytest.approx(proportion_confint(0.5, 1, method="wilson"))


def test_interval_refuses_values_that_are_no_shares() -> None:
    with pytest.raises(ValueError, match=r"0\.\.1"):
        interval([0.5, 1.5], [1, 2])


@pytest.mark.parametrize(("b", "c"), [(0, 0), (1, 0), (0, 6), (10, 25), (121, 59), (300, 300)])
def test_mcnemar_equals_statsmodels(b: int, c: int) -> None:
    assert mcnemar_exact(b, c) == pytest.approx(mcnemar([[5, b], [c, 7]], exact=True).pvalue, abs=1e-12)


def test_paired_bootstrap_agrees_with_the_paired_t_test() -> None:
    generator = np.random.default_rng(7)
    a = generator.random(400)
    b = np.clip(a + generator.normal(-0.012, 0.1, size=400), 0, 1)
    difference, (low, high), p_value = paired_bootstrap(a, b, singles(400))
    theirs = stats.ttest_rel(a, b)
    assert difference == pytest.approx((a - b).mean())
    assert (low, high) == pytest.approx(tuple(theirs.confidence_interval(0.95)), abs=0.001)
    assert p_value == pytest.approx(theirs.pvalue, abs=0.01)


def test_paired_bootstrap_of_equal_runs_finds_no_difference_and_no_certainty() -> None:
    difference, (low, high), p_value = paired_bootstrap([1, 0, 1, 1], [1, 0, 1, 1], singles(4))
    assert (difference, p_value) == (0.0, 1.0)
    assert high == -low == pytest.approx(wilson(0, 4)[1])


def test_paired_bootstrap_of_a_constant_difference_uses_the_sign_test_over_clusters() -> None:
    difference, (low, high), p_value = paired_bootstrap([1] * 6, [0] * 6, ["a", "a", "b", "c", "d", "e"])
    assert (difference, high) == (1.0, 1.0)
    assert low == pytest.approx(1 - 2 * wilson(0, 5)[1])
    assert p_value == pytest.approx(stats.binomtest(5, 5).pvalue)


def test_paired_bootstrap_refuses_unpaired_values() -> None:
    with pytest.raises(ValueError, match="unpaired"):
        paired_bootstrap([1, 0], [1], [1, 2])


@pytest.mark.parametrize("p_values", [[0.01, 0.04, 0.03, 0.005], [0.5, 0.5, 0.9], [0.2], [], [0.02, 0.02, 0.001, 1.0]])
def test_holm_equals_statsmodels(p_values: list[float]) -> None:
    theirs = multipletests(p_values, method="holm")[1] if p_values else []
    assert holm(p_values) == pytest.approx(list(theirs))


def test_smallest_paired_difference_is_the_one_of_millers_worked_example() -> None:
    # Miller (2024), section 5: 969 questions to find 3 points where the paired variance is 1/9.
    assert smallest_difference(969, discordant=1 / 9) == pytest.approx(0.03, abs=1e-5)


@pytest.mark.parametrize(("n", "accuracy", "power"), [(100, 0.5, 0.8), (1784, 0.2377, 0.8), (6010, 0.6, 0.9)])
def test_smallest_unpaired_difference_equals_statsmodels(n: int, accuracy: float, power: float) -> None:
    effect = NormalIndPower().solve_power(nobs1=n, alpha=0.05, power=power, ratio=1)
    theirs = effect * np.sqrt(accuracy * (1 - accuracy))
    assert smallest_difference(n, accuracy=accuracy, power=power) == pytest.approx(theirs, rel=1e-4)


def test_smallest_difference_wants_exactly_one_kind_of_variance() -> None:
    with pytest.raises(ValueError, match="either"):
        smallest_difference(100)
    with pytest.raises(ValueError, match="either"):
        smallest_difference(100, accuracy=0.5, discordant=0.1)


@pytest.mark.parametrize(
    ("letters", "winner"),
    [
        (["A", "B", "A"], "A"),
        (["A", "B"], None),
        (["A", "A", "B", "B", "C"], None),
        ([None, None, "C"], "C"),
        ([None, None], None),
        ([], None),
    ],
)
def test_majority_is_the_letter_that_leads_alone(letters: list[str | None], winner: str | None) -> None:
    assert majority_vote(letters) == winner


@pytest.mark.parametrize("right", range(6))
@pytest.mark.parametrize("k", range(1, 6))
def test_pass_at_k_is_the_share_of_k_subsets_with_a_right_sample(right: int, k: int) -> None:
    samples = [index < right for index in range(5)]
    subsets = list(itertools.combinations(samples, k))
    assert pass_at_k(5, right, k) == pytest.approx(sum(map(any, subsets)) / len(subsets))


@pytest.mark.parametrize(("n", "c", "k"), [(3, 1, 4), (3, 4, 1), (3, 1, 0), (3, -1, 1)])
def test_pass_at_k_refuses_impossible_counts(n: int, c: int, k: int) -> None:
    with pytest.raises(ValueError, match="pass@"):
        pass_at_k(n, c, k)


def two_runs() -> tuple[dict[str, dict[str, float | None]], dict[str, dict[str, float | None]]]:
    generator = np.random.default_rng(8)
    items = [f"i{index}" for index in range(200)]
    a = {"accuracy": dict(zip(items, (generator.random(200) < 0.7).astype(float).tolist(), strict=True))}
    b = {"accuracy": dict(zip(items, (generator.random(200) < 0.5).astype(float).tolist(), strict=True))}
    a["devanagari_share"] = dict(zip(items, generator.random(200).tolist(), strict=True))
    b["devanagari_share"] = dict(zip(items, generator.random(200).tolist(), strict=True))
    return a, b


def test_comparison_pairs_items_tests_them_and_adjusts_for_all_metrics() -> None:
    a, b = two_runs()
    result = compare(a, b, {}, names=("run a", "run b"))
    accuracy, share = result.metrics
    first, second = np.array(list(a["accuracy"].values())), np.array(list(b["accuracy"].values()))
    table = [[0, int((first > second).sum())], [int((second > first).sum()), 0]]
    assert (result.a, result.b, accuracy.metric, accuracy.n, accuracy.missing) == ("run a", "run b", "accuracy", 200, 0)
    assert (accuracy.a, accuracy.b) == pytest.approx((first.mean(), second.mean()))
    assert accuracy.difference == pytest.approx(first.mean() - second.mean())
    assert (accuracy.only_a, accuracy.only_b) == (table[0][1], table[1][0])
    assert accuracy.test == "mcnemar-exact"
    assert accuracy.p == pytest.approx(mcnemar(table, exact=True).pvalue)
    assert share.test == "paired-bootstrap"
    assert share.only_a is None
    assert accuracy.p is not None
    assert share.p is not None
    adjusted = multipletests([accuracy.p, share.p], method="holm")[1]
    assert [accuracy.p_holm, share.p_holm] == pytest.approx(list(adjusted))
    discordant = (table[0][1] + table[1][0]) / 200
    assert accuracy.smallest_difference == pytest.approx(smallest_difference(200, discordant=discordant))


def test_comparison_leaves_out_items_unknown_to_either_run_and_counts_them() -> None:
    a = {"accuracy": {"i": 1.0, "j": 0.0, "k": None, "l": 1.0}}
    b = {"accuracy": {"i": 0.0, "j": 0.0, "k": 1.0, "m": 1.0}}
    (row,) = compare(a, b, {}).metrics
    assert (row.n, row.missing, row.a, row.b) == (2, 3, 0.5, 0.0)


def test_comparison_keeps_a_metric_without_any_pair_as_unknown() -> None:
    a: dict[str, dict[str, float | None]] = {"judge_correct": {"i": None}, "accuracy": {"i": 1.0}, "only_a": {"i": 1.0}}
    b: dict[str, dict[str, float | None]] = {"judge_correct": {"i": 1.0}, "accuracy": {"i": 0.0}}
    judge, accuracy = compare(a, b, {}).metrics
    assert (judge.n, judge.missing, judge.difference, judge.p_holm) == (0, 1, None, None)
    assert accuracy.p_holm == accuracy.p


def test_comparison_of_equal_runs_still_says_what_it_could_have_shown() -> None:
    run = {"accuracy": {f"i{index}": 1.0 for index in range(50)}}
    (row,) = compare(run, run, {}).metrics
    assert (row.difference, row.p) == (0.0, 1.0)
    assert row.smallest_difference == pytest.approx(smallest_difference(50, discordant=wilson(0, 50)[1]))


def test_comparison_is_less_sure_when_items_repeat_each_other() -> None:
    a, b = two_runs()
    clusters = {f"i{index}": str(index // 4) for index in range(200)}
    for run in (a, b):
        run["accuracy"] = {item: run["accuracy"][f"i{4 * (int(item[1:]) // 4)}"] for item in run["accuracy"]}
    alone, clustered = compare(a, b, {}).metrics[0].ci95, compare(a, b, clusters).metrics[0].ci95
    assert alone is not None
    assert clustered is not None
    assert clustered[1] - clustered[0] > 1.6 * (alone[1] - alone[0])


def test_gap_pairs_parallel_items_and_counts_those_without_partner() -> None:
    english = {"accuracy": {"e1": 1.0, "e2": 1.0, "e3": 0.0, "e4": 1.0}}
    hindi = {"accuracy": {"h1": 1.0, "h2": 0.0, "h3": 0.0, "h9": 1.0}}
    result = gap(english, hindi, {"e1": "h1", "e2": "h2", "e3": "h3"}, {})
    (row,) = result.metrics
    assert (result.a, result.b) == ("English", "Hindi")
    assert (row.n, row.missing) == (3, 2)
    assert row.difference == pytest.approx(1 / 3)
    assert row.ci95 is not None
    assert row.ci95[0] <= 1 / 3 <= row.ci95[1]


def test_gap_does_not_pair_items_that_share_an_id_by_accident() -> None:
    (row,) = gap({"accuracy": {"1": 1.0, "2": 1.0}}, {"accuracy": {"1": 0.0, "2": 1.0}}, {"1": "2"}, {}).metrics
    assert (row.n, row.difference, row.missing) == (1, 0.0, 2)


def test_gap_refuses_two_items_with_one_partner() -> None:
    with pytest.raises(ValueError, match="same item"):
        gap({}, {}, {"e1": "h1", "e2": "h1"}, {})
