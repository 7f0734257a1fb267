"""Signs that a GRPO run goes wrong."""

from typing import Any

import pytest

from app.errors import InputError
from training.rewards.guards import (
    GuardError,
    GuardLimits,
    Guards,
    StepRows,
    cut_off,
    degenerate,
    language_drift,
    unanswered,
    zero_spread,
)
from training.rewards.repetition import is_degenerate, repetition

END = 7
HINDI = "इस रोगी को विटामिन सी की कमी से स्कर्वी रोग हुआ है।"
ENGLISH = "This patient has scurvy because there is not enough vitamin C in the diet."
LOOP = "यह एक लक्षण है और " * 40
STRICT: dict[str, float] = {
    "max_zero_spread": 0.5, "max_cut_off": 0.5, "max_language_drift": 0.5, "max_degenerate": 0.5,
}  # fmt: skip


def himed(answer: str) -> str:
    return f"## Thinking\n\nपहले लक्षण देखें।\n\n## Response\n\n{answer}"


def rows(answers: list[str], rewards: list[float | None], end: int = END) -> StepRows:
    return StepRows(
        completions=[himed(answer) for answer in answers],
        completion_ids=[[1, 2, end] for _ in answers],
        rewards=rewards,
        languages=["hi"] * len(answers),
        questions=["?"] * len(answers),
    )


def guards(**limits: Any) -> Guards:
    return Guards(GuardLimits(**(STRICT | limits)), format="himed", group_size=2, end_tokens=[END, 9])


GOOD = rows([HINDI] * 4, [0.1, 1.0, 0.5, 0.2])


# Repetition


@pytest.mark.parametrize(
    ("text", "share"),
    [("", 0.0), ("a b c d", 0.0), (" ".join(map(str, range(60))), 0.0), ("x " * 12, 0.0), ("x " * 24, 1 - 1 / 21)],
)
def test_repetition_is_the_share_of_4_grams_that_stood_before(text: str, share: float) -> None:
    assert repetition(text) == pytest.approx(share)


def test_a_text_whose_second_half_loops_has_about_a_half() -> None:
    words = [f"w{number}" for number in range(200)]
    assert repetition(" ".join(words + words[:5] * 40)) == pytest.approx(0.49, abs=0.02)


@pytest.mark.parametrize("loop", ["को " * 60, "क" * 400, "हाहा" * 100, "咳嗽" * 60, "ไข้และ" * 60, LOOP])
def test_loops_are_seen_in_every_script_with_blanks_and_without(loop: str) -> None:
    assert repetition(loop) > 0.9
    assert is_degenerate(f"{HINDI} {loop}")


@pytest.mark.parametrize("text", ["", " \n", "।।। ... ---", "<>"])
def test_a_text_without_a_letter_is_degenerate(text: str) -> None:
    assert is_degenerate(text)


@pytest.mark.parametrize("text", ["D", HINDI, ENGLISH, himed(HINDI)])
def test_an_ordinary_text_is_not(text: str) -> None:
    assert not is_degenerate(text)


# Measures


def test_groups_without_a_difference_in_known_rewards_have_zero_spread() -> None:
    assert zero_spread([1.0, 1.0, 0.1, 1.0, None, 0.5, None, None], 2) == 0.75
    assert zero_spread([0.1, 0.1 + 1e-9], 2) == 1.0
    assert zero_spread([], 2) is None


@pytest.mark.parametrize(("rewards", "size"), [([1.0, 1.0, 1.0], 2), ([1.0], 0)])
def test_rewards_that_are_no_whole_groups_are_refused(rewards: list[float | None], size: int) -> None:
    with pytest.raises(InputError, match="no whole groups"):
        zero_spread(rewards, size)


def test_a_completion_is_cut_off_unless_an_end_token_ends_it() -> None:
    assert cut_off([[1, END], [1, 2], [], [END, 9]], {END, 9}) == 0.5
    assert cut_off([], {END}) is None


def test_unanswered_counts_completions_without_an_answer() -> None:
    assert unanswered(["A", None, None, "B"]) == 0.5


def test_drift_is_measured_over_the_answers_that_can_be_told() -> None:
    answers = [HINDI, ENGLISH, f"{HINDI} {ENGLISH}", "12", None, ENGLISH]
    assert language_drift(answers, ["hi"] * 5 + [None], ["?"] * 6) == pytest.approx(2 / 3)
    assert language_drift(["12"], ["hi"], ["?"]) is None


def test_degenerate_texts_are_counted_and_their_reward_is_set_against_the_others() -> None:
    share, gain = degenerate(["", LOOP, HINDI, HINDI], [0.8, 0.6, 0.1, None])
    assert share == 0.5
    assert gain == pytest.approx(0.6)
    assert degenerate([HINDI], [1.0]) == (0.0, None)


# Guards


def test_a_good_step_is_measured_and_logged_and_nothing_is_found() -> None:
    logged: dict[str, float] = {}
    guard = guards(window=1)
    assert guard.check(GOOD, log_metric=logged.__setitem__) == []
    assert logged == {
        "guard/zero_spread": 0.0, "guard/cut_off": 0.0, "guard/unanswered": 0.0, "guard/language_drift": 0.0,
        "guard/degenerate": 0.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("bad", "measure"),
    [
        (rows([HINDI] * 4, [0.5, 0.5, 1.0, 1.0]), "zero_spread"),
        (rows([HINDI] * 4, [0.1, 1.0, 0.5, 0.2], end=3), "cut_off"),
        (rows([ENGLISH] * 4, [0.1, 1.0, 0.5, 0.2]), "language_drift"),
        (rows([LOOP] * 4, [0.1, 1.0, 0.5, 0.2]), "degenerate"),
        (rows([HINDI, LOOP, HINDI, HINDI], [0.1, 1.0, 0.5, 0.2]), "degenerate_gain"),
        (rows([""] * 4, [0.1, 1.0, 0.5, 0.2]), "unanswered"),
    ],
)
def test_each_guard_stops_a_run_that_it_is_there_for(bad: StepRows, measure: str) -> None:
    warning = guards(window=3, action="warn", max_unanswered=0.5)
    assert [warning.check(bad) for _ in range(2)] == [[], []]
    assert [finding.measure for finding in warning.check(bad)] == [measure]
    stopping = guards(window=1, max_unanswered=0.5)
    with pytest.raises(GuardError, match=r"the run was stopped: .* over 1 steps \(limit"):
        stopping.check(bad)


def test_one_bad_step_among_good_ones_is_no_finding_and_old_steps_are_forgotten() -> None:
    guard = guards(window=4, action="warn")
    bad = rows([HINDI] * 4, [0.5, 0.5, 1.0, 1.0])
    for step in [bad, GOOD, GOOD, GOOD, bad, GOOD]:
        assert guard.check(step) == []
    for step in [bad, bad]:
        found = guard.check(step)
    assert [(finding.measure, finding.mean) for finding in found] == [("zero_spread", 0.75)]


def test_a_measure_that_few_steps_could_take_is_no_finding() -> None:
    guard = guards(window=5, action="warn")
    looping = rows([HINDI, LOOP, HINDI, HINDI], [0.1, 1.0, 0.5, 0.2])
    for step in [looping, looping, GOOD, GOOD]:
        guard.check(step)
    assert guard.check(GOOD) == []
    assert [finding.measure for step in [looping] * 3 for finding in guard.check(step)] == ["degenerate_gain"]


def test_by_default_completions_without_an_answer_are_only_logged() -> None:
    logged: dict[str, float] = {}
    assert guards(window=1).check(rows([""] * 2, [0.1, 0.2]), log_metric=logged.__setitem__) == []
    assert logged["guard/unanswered"] == 1.0


@pytest.mark.parametrize("limits", [{"max_cut_off": 1.5}, {"max_degenerate": -0.1}, {"window": 0}])
def test_impossible_limits_are_refused(limits: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        guards(**limits)
