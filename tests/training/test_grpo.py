"""A GRPO stage before its first step: prompts, arguments, and the reward that the recipe names."""

import multiprocessing
import os
from pathlib import Path
from typing import Any

import pytest
from data_rows import CURE_MED, QUESTION, write_rows
from grpo_sample import add_scores

from app.errors import InputError
from training.data import TokenCounter
from training.recipe import GrpoRecipe, load_recipe, recipe_names
from training.rewards.guards import GuardLimits
from training.rewards.judge_cache import ScoreCache
from training.stage.folder import RunFolder
from training.stage.job import Job
from training.stage.weights import Start

pytest.importorskip("trl", reason="TRL is not installed: run `make setup`")

from training.grpo.phases import PhaseClock
from training.grpo.rewards import build_reward, end_weights, keep_scores
from training.grpo.stage import load_prompts, make_arguments, to_dataset, unused_prompts

ONE_PASS = "trainer.gradient_accumulation_steps=1"
EVALUATED_ALIKE = "trainer.num_generations_eval=null"


def grpo(name: str, *overrides: str) -> GrpoRecipe:
    recipe = load_recipe(name, overrides)
    assert isinstance(recipe, GrpoRecipe)
    return recipe


def job_of(recipe: GrpoRecipe, base: Path) -> Job[GrpoRecipe]:
    return Job(recipe, Start(str(base), None, False), RunFolder(recipe.output), False, "")


def prompts_job(base: Path, data: Path, output: Path, *overrides: str) -> Job[GrpoRecipe]:
    own = (f"data.folder={data.parent}", f"data.train=[{data.name}]", f"output={output}", f"model.base={base}")
    small = ("effective_batch=4", "trainer.per_device_train_batch_size=4", "trainer.num_generations=4", ONE_PASS)
    return job_of(grpo("demo/rl-high", *own, *small, *overrides), base)


def tokenizer_of(folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


# Prompts


def test_a_prompt_is_as_long_as_trl_feeds_it(tiny_checkpoint: Path, tmp_path: Path) -> None:
    data = write_rows(tmp_path / "rows.jsonl", CURE_MED, QUESTION)
    tokenizer = tokenizer_of(tiny_checkpoint)
    prompts = load_prompts(prompts_job(tiny_checkpoint, data, tmp_path, "data.max_prompt_length=4000"), tokenizer).train
    # As GRPOTrainer._tokenize_prompts calls it.
    fed = tokenizer.apply_chat_template(
        conversation=[list(prompt.messages) for prompt in prompts],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
    )["input_ids"]
    lengths = [TokenCounter(tokenizer)(prompt.chat) for prompt in prompts]
    assert lengths == [len(ids) for ids in fed]
    longest = max(lengths)
    kept = load_prompts(prompts_job(tiny_checkpoint, data, tmp_path, f"data.max_prompt_length={longest}"), tokenizer)
    assert len(kept.train) == 2
    fewer = load_prompts(
        prompts_job(tiny_checkpoint, data, tmp_path, f"data.max_prompt_length={longest - 1}"), tokenizer
    )
    assert len(fewer.train) == 1
    assert fewer.reports[0].set_aside[0].reason == f"longer than {longest - 1} tokens"


def test_the_data_set_has_every_column_that_a_reward_reads(tiny_checkpoint: Path, tmp_path: Path) -> None:
    data = write_rows(tmp_path / "rows.jsonl", CURE_MED, QUESTION)
    job = prompts_job(tiny_checkpoint, data, tmp_path, "data.max_prompt_length=4000")
    rows = to_dataset(load_prompts(job, tokenizer_of(tiny_checkpoint)).train)
    columns = ["prompt", "row", "question", "language", "reference", "reference_reasoning", "reference_answer"]
    assert rows.column_names == columns
    assert rows["row"][:] == [0, 1]
    assert [message["role"] for message in rows[0]["prompt"]] == ["system", "user"]
    assert rows[1]["reference_reasoning"] is None
    assert rows[1]["reference"] == rows[1]["reference_answer"] == QUESTION["answer"]


def test_too_few_prompts_for_a_step_are_refused(tiny_checkpoint: Path, tmp_path: Path) -> None:
    tokenizer = tokenizer_of(tiny_checkpoint)
    data = write_rows(tmp_path / "rows.jsonl", CURE_MED)
    eight = ("effective_batch=8", "trainer.per_device_train_batch_size=8", "data.max_prompt_length=4000")
    with pytest.raises(InputError, match="there are 1 prompts, and a step takes 2"):
        load_prompts(prompts_job(tiny_checkpoint, data, tmp_path, *eight), tokenizer)


@pytest.mark.parametrize("prompts", [2, 3, 24, 25])
def test_the_prompts_that_an_epoch_leaves_unused_are_those_that_trls_sampler_drops(prompts: int) -> None:
    from trl.trainer.utils import RepeatSampler

    small = ("effective_batch=8", "trainer.per_device_train_batch_size=8", "trainer.num_generations=4", ONE_PASS)
    recipe = grpo("demo/rl-high", *small)
    # As GRPOTrainer._get_train_sampler builds it.
    sampler = RepeatSampler(range(prompts), mini_repeat_count=4, batch_size=8 // 4, repeat_count=1, seed=42)
    assert unused_prompts(recipe, prompts) == prompts - len(set(sampler)) == prompts % 2


# Arguments


def test_an_evaluations_batches_hold_whole_groups(tiny_checkpoint: Path, tmp_path: Path) -> None:
    recipe = grpo("demo/rl-high", f"output={tmp_path}", "trainer.per_device_eval_batch_size=9")
    arguments = make_arguments(job_of(recipe, tiny_checkpoint))
    assert arguments["per_device_eval_batch_size"] == recipe.trainer.num_generations_eval == 24
    same = grpo("demo/rl-high", f"output={tmp_path}", "trainer.per_device_eval_batch_size=9", EVALUATED_ALIKE)
    assert make_arguments(job_of(same, tiny_checkpoint))["per_device_eval_batch_size"] == 16
    published = grpo("cure-med-7b/rl-high", f"output={tmp_path}")
    size = make_arguments(job_of(published, tiny_checkpoint))["per_device_eval_batch_size"]
    assert size * published.launch.world_size % published.trainer.num_generations == 0


def test_only_a_runs_beginning_is_measured(tiny_checkpoint: Path, tmp_path: Path) -> None:
    recipe = grpo("demo/rl-high", f"output={tmp_path}")
    assert make_arguments(job_of(recipe, tiny_checkpoint))["eval_on_start"]
    off = grpo("demo/rl-high", f"output={tmp_path}", "measure_prompts=0")
    assert not make_arguments(job_of(off, tiny_checkpoint))["eval_on_start"]


def test_the_reference_model_of_the_hub_is_the_same_revision(tmp_path: Path) -> None:
    recipe = grpo("cure-med-7b/rl-high", f"output={tmp_path}")
    job = Job(recipe, Start("Qwen/Qwen2.5-7B-Instruct", "abc", False), RunFolder(tmp_path), False, "")
    loading = make_arguments(job)["model_init_kwargs"]
    assert loading == {"local_files_only": True, "trust_remote_code": False, "revision": "abc"}


@pytest.mark.parametrize("name", [name for name in recipe_names() if isinstance(load_recipe(name), GrpoRecipe)])
def test_every_guard_of_a_recipe_reaches_its_limits(name: str) -> None:
    guards = grpo(name, "guards.max_unanswered=0.25", "guards.max_degenerate_gain=-0.5").guards
    limits = GuardLimits(**guards.model_dump())
    assert {field: getattr(limits, field) for field in type(guards).model_fields} == guards.model_dump()


# Rewards


def test_a_missing_lexicon_or_reward_model_stops_the_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "terms.csv").write_text("English,Hindi\nfever,बुखार\n", encoding="utf-8")
    own = (f"data.folder={tmp_path}", "reward.scaffold.lexicon=terms.csv")
    with pytest.raises(InputError, match=r"absent\.xlsx: the lexicon does not exist"):
        build_reward(grpo("demo/dsr-rl", *own, "reward.scaffold.lexicon=absent.xlsx"), PhaseClock())
    with pytest.raises(InputError, match=r"'reward\.task\.model': there is no such folder"):
        build_reward(grpo("demo/dsr-rl", *own, "reward.task.model=./absent"), PhaseClock())
    with pytest.raises(InputError, match="run it first: himed-train run demo/reward-model"):
        build_reward(grpo("demo/dsr-rl", *own), PhaseClock())
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no reward model here"):
        build_reward(grpo("demo/dsr-rl", *own, f"reward.task.model={tmp_path / 'empty'}"), PhaseClock())


def judged(*overrides: str) -> GrpoRecipe:
    judge = "{by: judge, endpoint: 'http://127.0.0.1:9/v1', model: j, timeout: 7, concurrency: 3}"
    return grpo("demo/rl-high", f"reward.accuracy={judge}", *overrides)


def test_the_judge_is_called_as_the_recipe_says_with_the_key_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HIMED_JUDGE_API_KEY", "secret")
    reward: Any = build_reward(judged("reward.accuracy.max_failure_rate=0.2", "reward.language_by=judge"), PhaseClock())
    judge = reward.accuracy.judge
    settings = judge.settings
    assert (settings.base_url, settings.model, settings.timeout_s, settings.concurrency) == (
        "http://127.0.0.1:9/v1", "j", 7.0, 3,
    )  # fmt: skip
    assert settings.api_key.get_secret_value() == "secret"
    assert judge.max_failure_rate == 0.2
    assert reward.language_judge is judge
    assert build_reward(judged(), PhaseClock()).language_judge is None  # type: ignore[union-attr]


def test_the_composite_reward_wants_its_format() -> None:
    with pytest.raises(InputError, match=r"field 'format'.*the format is himed"):
        build_reward(grpo("demo/rl-high", "format=himed"), PhaseClock())


def test_the_last_weights_are_the_schedules_end_or_the_composites_own() -> None:
    assert end_weights(grpo("himed-8b/dsr-rl").reward) == {"task": 0.9, "scaffold": pytest.approx(0.1)}
    assert end_weights(grpo("cure-med-7b/rl-low").reward) == {"accuracy": 0.65, "language": 0.3, "format": 0.05}


def test_the_judges_scores_are_kept_in_a_file_for_each_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = judged()
    for rank in ("0", "1"):
        monkeypatch.setenv("RANK", rank)
        keep_scores(build_reward(recipe, PhaseClock()), recipe, RunFolder(tmp_path / "run"))
    assert sorted(file.name for file in (tmp_path / "run").iterdir()) == ["judge-0.db", "judge-1.db"]


def test_several_processes_keep_their_scores_in_one_file(tmp_path: Path) -> None:
    file = tmp_path / "judge.db"
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=add_scores, args=(file, number)) for number in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    keys = [f"{process}-{number}" for process in (0, 1, 2, "all") for number in range(20)]
    assert len(ScoreCache(file).find(keys)) == 80
    assert os.listdir(tmp_path) == ["judge.db"]
