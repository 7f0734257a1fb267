"""What watches a GRPO run: the clock of its phases, the table of samples, the measure before and after."""

import itertools
import json
import random
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean

import pytest

from app.errors import InputError
from app.questions import cluster_of
from training.data import RLPrompt
from training.grpo.measure import (
    BEFORE,
    Measure,
    PromptReward,
    compare,
    draw_prompts,
    prompt_reward,
    show,
    sign_flip_p,
)
from training.grpo.phases import PHASES, PhaseClock
from training.grpo.table import FILE, Sample, SampleTable

WEIGHTS = {"task": 0.9, "scaffold": 0.1}


def sample(row: int, task: float | None = 1.0, scaffold: float = 0.5, text: str = "उत्तर") -> Sample:
    parts: Mapping[str, float | None] = {"task": task, "scaffold": scaffold}
    return Sample(row=row, question="?", language="hi", text=text, ids=[1, 2], reward=0.4, parts=parts)


def prompt(question: str, row: int = 1) -> RLPrompt:
    return RLPrompt(
        stage="rl", question=question, language="hi", groups={}, file=Path("x"), row=row,
        messages=({"role": "user", "content": question},), answer="a", reasoning=None,
    )  # fmt: skip


# The clock


def test_an_inner_phase_stops_the_outer_ones_clock() -> None:
    clock = PhaseClock()
    with clock.phase("loss"):
        time.sleep(0.01)
        with clock.phase("reward"):
            time.sleep(0.02)
    clock.steps = 2
    figures = clock.figures()
    assert {f"time/{name}" for name in PHASES} < figures.keys()
    assert figures["time/reward"] >= 0.01
    assert figures["time/loss"] >= 0.005
    assert sum(figures[f"time/{name}"] for name in PHASES) == pytest.approx(figures["time/step"])
    assert figures["time/reward_share"] == pytest.approx(figures["time/reward"] / figures["time/step"])
    clock.restart()
    assert clock.figures()["time/reward"] == 0


def test_the_gpu_is_waited_for_where_a_phase_begins_and_ends() -> None:
    waits: list[int] = []
    clock = PhaseClock(lambda: waits.append(1))
    with clock.phase("loss"):
        pass
    assert len(waits) == 2


# The table


def test_a_table_is_due_every_so_many_steps_even_if_completions_are_made_at_others(tmp_path: Path) -> None:
    table = SampleTable(tmp_path, 5, 2)
    table.begin(0)
    shown = []
    for step in range(0, 20, 3):
        if table.is_due(step):
            shown.append(step)
            table.add(step, [sample(0), sample(0), sample(1), sample(1)], WEIGHTS)
    assert shown == [0, 6, 12, 15]
    lines = [json.loads(line) for line in (tmp_path / FILE).read_text(encoding="utf-8").splitlines()]
    assert [line["step"] for line in lines] == [1, 1, 7, 7, 13, 13, 16, 16]  # one group each
    assert lines[0] == {
        "step": 1, "question": "?", "language": "hi", "completion": "उत्तर", "tokens": 2,
        "rewards": {"task": 1.0, "scaffold": 0.5}, "weights": WEIGHTS, "weighted": 0.4,
    }  # fmt: skip


def test_a_resumed_run_forgets_what_came_after_its_checkpoint(tmp_path: Path) -> None:
    table = SampleTable(tmp_path, 2, 1)
    for step in (0, 2, 4):
        table.add(step, [sample(0)], WEIGHTS)
    with (tmp_path / FILE).open("ab") as stream:
        stream.write(b'{"step": 1, "quest')  # killed while writing
    again = SampleTable(tmp_path, 2, 1)
    again.begin(3)
    assert [json.loads(line)["step"] for line in (tmp_path / FILE).read_bytes().splitlines()] == [1, 3]
    assert not again.is_due(3)
    assert again.is_due(4)


def test_marks_in_a_completion_stay_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Writer:
        text = ""

        def add_text(self, name: str, text: str, step: int) -> None:
            self.text = text

    writer = Writer()
    table = SampleTable(tmp_path, 1, 2)
    table.add(0, [sample(0, text="[bold]a|b`c\nd[/nothing]"), sample(0, task=None)], WEIGHTS, writer)
    assert "[bold]a|b`c d[/nothing]" in capsys.readouterr().out
    assert "`[bold]a¦b'c d[/nothing]`" in writer.text
    assert len(writer.text.splitlines()) == 4
    assert "| - | 0.500 | 0.400 |" in writer.text


# The measure


def test_prompts_are_drawn_by_seed_and_one_of_each_question() -> None:
    rows = [prompt(f"प्रश्न {number // 2}?" + "?" * (number % 2), number) for number in range(40)]
    drawn = draw_prompts(rows, 8, seed=1)
    assert drawn == draw_prompts(rows, 8, seed=1) != draw_prompts(rows, 8, seed=2)
    assert len({cluster_of(row.question or "") for row in drawn}) == len(drawn) == 8
    assert len(draw_prompts(rows, 64, seed=1)) == 20
    assert draw_prompts(rows, 0, seed=1) == []


def test_a_prompts_reward_is_the_mean_of_what_is_known_under_the_given_weights() -> None:
    found = prompt_reward("q", [sample(0, 1.0, 0.0), sample(0, 0.0, 1.0), sample(0, None, 0.4)], WEIGHTS)
    assert found.weighted == pytest.approx((0.9 + 0.1) / 2)
    assert found.parts == {"task": 0.5, "scaffold": pytest.approx(1.4 / 3)}
    assert prompt_reward("q", [sample(0, None)], WEIGHTS).weighted is None


def test_the_test_flips_signs_exactly_where_there_are_few_gains() -> None:
    gains = [0.3, 0.1, -0.05, 0.4, 0.2, 0.15]
    flips = [fmean(s * g for s, g in zip(signs, gains, strict=True)) for signs in itertools.product((1, -1), repeat=6)]
    expected = sum(abs(mean) >= abs(fmean(gains)) - 1e-12 for mean in flips) / len(flips)
    assert sign_flip_p(gains, 0) == pytest.approx(expected)
    assert sign_flip_p([], 0) is None
    assert sign_flip_p([0.0] * 20, 0) == 1.0


def test_a_real_gain_is_found_and_noise_is_not() -> None:
    draw = random.Random(0)
    noise = [draw.gauss(0, 0.1) for _ in range(64)]
    p = sign_flip_p([0.1 + value for value in noise], 0)
    assert p is not None
    assert p < 0.001
    other = sign_flip_p([value - fmean(noise) + 0.001 for value in noise], 0)
    assert other is not None
    assert other > 0.5


def test_figures_have_their_interval_their_denominator_and_what_is_missing() -> None:
    def rewards(*values: float | None) -> list[PromptReward]:
        return [PromptReward(str(n), value, {"task": value}) for n, value in enumerate(values)]

    metrics = compare(rewards(0.1, 0.2, 0.3, None), rewards(0.4, 0.4, 0.5, 0.9), seed=0)
    assert metrics["reward_before"].value == pytest.approx(0.2)
    assert metrics["reward_after"].value == pytest.approx(1.3 / 3)
    gain = metrics["reward_gain"]
    assert (gain.n, gain.missing) == (3, 1)
    assert gain.value == pytest.approx(0.7 / 3)
    assert gain.ci95 == pytest.approx((0.0899, 0.3768), abs=1e-4)  # 0.23333 -+ 4.30265 * 0.057735 / sqrt(3)
    assert metrics["reward_gain_p"].value == pytest.approx(0.25)  # 2 of 2^3 sign flips
    assert metrics["reward_task_gain"].value == gain.value
    assert compare(rewards(None), rewards(0.1), seed=0)["reward_gain"].value is None


def test_repeated_completions_are_left_out_and_the_first_measure_outlives_the_run(tmp_path: Path) -> None:
    prompts = [prompt("a"), prompt("b")]
    measure = Measure(prompts, WEIGHTS, 2, tmp_path)
    measure.add([sample(0, 1.0), sample(0, 0.0), sample(1, 1.0), sample(1, 1.0)])
    measure.add([sample(0, 1.0), sample(0, 1.0)])  # what fills accelerate's last batch
    measure.keep_before()
    found = Measure(prompts, WEIGHTS, 2, tmp_path).before()
    assert [one.parts["task"] for one in found] == [0.5, 1.0]
    with pytest.raises(InputError, match="was measured on other prompts"):
        Measure([prompt("a"), prompt("c")], WEIGHTS, 2, tmp_path).before()
    (tmp_path / BEFORE).unlink()
    with pytest.raises(InputError, match=r"reward_before\.json: cannot be read"):
        measure.before()


@pytest.mark.parametrize(
    "content", [None, "", "[]", '{"prompts": [1], "weights": {}}', '{"prompts": [], "weights": {}}']
)
def test_without_its_first_measure_a_run_has_unknown_figures_and_says_so_in_a_line(
    content: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        (tmp_path / BEFORE).write_text(content, encoding="utf-8")
    measure = Measure([prompt("a"), prompt("b")], WEIGHTS, 1, tmp_path)
    measure.add([sample(0), sample(1)])
    figures = measure.figures(seed=0)
    assert {name for name in figures if name.startswith("reward_task")} == {
        "reward_task_before", "reward_task_after", "reward_task_gain",
    }  # fmt: skip
    assert {(metric.value, metric.n, metric.missing) for metric in figures.values()} == {(None, 0, 2)}
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"warning: {tmp_path / BEFORE}: ")
    show(figures)
    assert "p unknown" in capsys.readouterr().out


def test_with_its_first_measure_a_run_has_the_figures_of_both(tmp_path: Path) -> None:
    prompts = [prompt("a"), prompt("b")]
    measure = Measure(prompts, WEIGHTS, 1, tmp_path)
    measure.add([sample(0, 0.0), sample(1, 0.5)])
    measure.keep_before()
    again = Measure(prompts, WEIGHTS, 1, tmp_path)
    again.add([sample(0, 1.0), sample(1, 1.0)])
    figures = again.figures(seed=0)
    assert figures["reward_task_gain"].value == pytest.approx(0.75)
    assert figures["reward_gain"].value == pytest.approx(0.75 * 0.9)
