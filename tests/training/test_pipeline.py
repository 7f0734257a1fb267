"""Pipelines: which stages, where each starts, and a real short run of the demo's that is not run twice."""

from pathlib import Path

import pytest

from app.errors import InputError
from training.checkpoints import lineage_chain
from training.pipeline import pipeline_names, plan_pipeline, run_pipeline
from training.recipe import load_recipe


def test_every_system_has_a_pipeline_of_its_stages() -> None:
    assert pipeline_names() == [
        *(f"cure-med-{size}" for size in ("1.5b", "14b", "32b", "3b", "7b")),
        "demo",
        "himed-8b",
    ]
    assert [stage.recipe for stage in plan_pipeline("himed-8b")] == [
        "himed-8b/la", "himed-8b/rc", "himed-8b/reward-model", "himed-8b/dsr-rl",
    ]  # fmt: skip
    assert [stage.recipe for stage in plan_pipeline("cure-med-7b")] == [
        "cure-med-7b/sft", "cure-med-7b/rl-high", "cure-med-7b/rl-medium", "cure-med-7b/rl-low",
    ]  # fmt: skip


def test_a_moved_pipeline_takes_each_stage_from_the_last(tmp_path: Path) -> None:
    *_, dsr = plan_pipeline("himed-8b", ["data.folder=/data"], tmp_path)
    recipe = load_recipe(dsr.recipe, dsr.overrides)
    assert recipe.output == tmp_path / "dsr-rl"
    assert recipe.model.parent == str(tmp_path / "rc" / "final")
    assert recipe.reward.task.model == str(tmp_path / "reward-model" / "final")  # type: ignore[union-attr]
    assert recipe.data.folder == Path("/data")


def test_an_override_can_be_for_one_stage() -> None:
    la, rc, *_ = plan_pipeline("himed-8b", ["la:trainer.max_steps=7", "trainer.seed=3"])
    read = [load_recipe(stage.recipe, stage.overrides).trainer for stage in (la, rc)]
    assert [(trainer.max_steps, trainer.seed) for trainer in read] == [(7, 3), (-1, 3)]


def test_a_pipeline_can_stop_after_a_stage() -> None:
    assert [stage.recipe for stage in plan_pipeline("demo", until="dsr-rl")] == [
        "demo/la", "demo/rc", "demo/reward-model", "demo/dsr-rl",
    ]  # fmt: skip


def test_mistakes_are_found_before_the_first_stage() -> None:
    with pytest.raises(InputError, match="no pipeline is called 'himed'"):
        plan_pipeline("himed")
    with pytest.raises(InputError, match="'sft' is no stage of himed-8b"):
        plan_pipeline("himed-8b", ["sft:trainer.max_steps=7"])
    with pytest.raises(InputError, match="field '--until': 'sft' is no stage of himed-8b"):
        plan_pipeline("himed-8b", until="sft")
    with pytest.raises(InputError, match="unknown key"):
        plan_pipeline("himed-8b", ["dsr-rl:trainer.max_step=7"])


@pytest.mark.slow
def test_the_demos_stages_follow_one_another_and_are_not_run_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("trl", reason="TRL is not installed: run `make setup`")
    from training.demo import build_demo
    from training.demo.run import plan_demo

    build_demo(tmp_path)
    grpo = ("dsr-rl", "rl-high", "rl-medium", "rl-low")
    few = ["trainer.max_steps=2", *(f"{stage}:measure_prompts=0" for stage in grpo)]
    stages = plan_demo(tmp_path, [*few, *(f"{stage}:trainer.max_completion_length=16" for stage in grpo)])
    run_pipeline(stages)
    capsys.readouterr()
    chain = lineage_chain(stages[-1].folder / "final")
    assert [lineage.stage for lineage in chain] == [
        "rl-low", "rl-medium", "rl-high", "sft", "merge", "dsr-rl", "rc", "la",
    ]  # fmt: skip
    run_pipeline(stages)
    assert capsys.readouterr().out.count("finished before") == len(stages) == 8
