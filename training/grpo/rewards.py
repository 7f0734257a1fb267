"""The reward that a GRPO recipe names, built from its settings."""

import os
from collections.abc import Sequence
from pathlib import Path

from app.endpoint import EndpointSettings
from app.errors import InputError
from app.settings import load_settings
from training.grpo.phases import PhaseClock
from training.recipe import rewards as settings
from training.recipe.stages import GrpoRecipe
from training.rewards.base import LogMetric
from training.rewards.composite import Accuracy, CompositeWeights, CureMedReward, JudgedAccuracy, MatchedAccuracy
from training.rewards.decaying import DecayingScaffoldReward
from training.rewards.judge import Judge, Messages
from training.rewards.judge_cache import ScoreCache
from training.rewards.scaffold import ScaffoldReward
from training.rewards.schedule import WeightSchedule
from training.rewards.task import TaskReward
from training.rewards.verifier import RewardModel
from training.stage.data import data_folder
from training.stage.folder import RunFolder, result_folder

GrpoReward = DecayingScaffoldReward | CureMedReward


class _TimedModel(RewardModel):
    def __init__(self, clock: PhaseClock, folder: Path, *, device: str, batch_size: int) -> None:
        super().__init__(folder, device=device, batch_size=batch_size)
        self._clock = clock

    def probabilities(self, pairs: Sequence[tuple[str, str]]) -> list[float | None]:
        with self._clock.phase("judge"):
            return super().probabilities(pairs)


class _TimedJudge(Judge):
    def __init__(self, clock: PhaseClock, endpoint: EndpointSettings, *, max_failure_rate: float) -> None:
        super().__init__(endpoint, max_failure_rate=max_failure_rate)
        self._clock = clock

    async def scores(self, prompts: Sequence[Messages], *, log_metric: LogMetric | None = None) -> list[float | None]:
        # In the thread of TRL's event loop, while the thread of the other phases waits for it.
        with self._clock.phase("judge"):
            return await super().scores(prompts, log_metric=log_metric)


def build_reward(recipe: GrpoRecipe, clock: PhaseClock) -> GrpoReward:
    """The recipe's reward. Build it before the trainer's arguments: DeepSpeed's stage 3 would divide a reward model
    that is loaded after them, as if it were trained. ``clock`` counts what the reward model or the judge takes.

    Raises:
        InputError: the reward model, the lexicon or the judge cannot be used.
    """
    if isinstance(recipe.reward, settings.DualReward):
        return _dual_reward(recipe, recipe.reward, clock)
    return _composite_reward(recipe, recipe.reward, clock)


def end_weights(reward: settings.DualReward | settings.CompositeReward) -> dict[str, float]:
    """The weight of every raw reward at the end of the training, by name; the leading one is first."""
    if isinstance(reward, settings.DualReward):
        return {"task": reward.schedule.end, "scaffold": 1 - reward.schedule.end}
    return {
        "accuracy": reward.accuracy_weight,
        "language": reward.language_weight,
        "format": reward.format_weight,
    }


def keep_scores(reward: GrpoReward, recipe: GrpoRecipe, folder: RunFolder) -> None:
    """Have a judge keep its scores in the run's folder, so that a resumed run does not ask again; nothing without one.

    The processes of a machine share a file. Each machine has its own: SQLite's locks do not hold over network file
    systems.

    Raises:
        InputError: the file cannot be used.
    """
    if isinstance(reward, CureMedReward) and isinstance(reward.accuracy, JudgedAccuracy):
        folder.path.mkdir(parents=True, exist_ok=True)
        machine = int(os.environ.get("RANK", "0")) // recipe.launch.processes
        reward.accuracy.judge.cache = ScoreCache(folder.path / f"judge-{machine}.db")


def _dual_reward(recipe: GrpoRecipe, reward: settings.DualReward, clock: PhaseClock) -> DecayingScaffoldReward:
    lexicon = data_folder(recipe.data) / reward.scaffold.lexicon
    scaffold = ScaffoldReward.load(lexicon)
    model = _TimedModel(
        clock,
        result_folder(reward.task.model, "reward.task.model"),
        device=_own_device(recipe),
        batch_size=reward.task.batch_size,
    )
    task = TaskReward(model, threshold=reward.task.threshold, right=reward.task.right, wrong=reward.task.wrong)
    return DecayingScaffoldReward(task, scaffold, WeightSchedule(**reward.schedule.model_dump()))


def _own_device(recipe: GrpoRecipe) -> str:
    """This process's GPU, which nothing has chosen for it yet."""
    import torch

    if recipe.trainer.use_cpu or not torch.cuda.is_available():
        return "cpu"
    return f"cuda:{os.environ.get('LOCAL_RANK', '0')}"


def _composite_reward(recipe: GrpoRecipe, reward: settings.CompositeReward, clock: PhaseClock) -> CureMedReward:
    if recipe.format != "cure-med":
        raise InputError(
            f"the composite reward reads CURE-Med's completions, and the format is {recipe.format}",
            field="format",
            remedy="use format: cure-med, or the reward task-and-scaffold",
        )
    weights = CompositeWeights(reward.accuracy_weight, reward.language_weight, reward.format_weight)
    if not isinstance(reward.accuracy, settings.JudgedAccuracy):
        return CureMedReward(MatchedAccuracy(), weights=weights)
    judge = _judge(reward.accuracy, clock)
    accuracy: Accuracy = JudgedAccuracy(judge)
    return CureMedReward(accuracy, language_judge=judge if reward.language_by == "judge" else None, weights=weights)


def _judge(judge: settings.JudgedAccuracy, clock: PhaseClock) -> Judge:
    endpoint = EndpointSettings(
        judge.endpoint,
        judge.model,
        concurrency=judge.concurrency,
        timeout_s=judge.timeout,
        api_key=load_settings().judge_api_key,
        key_variable="HIMED_JUDGE_API_KEY",
    )
    return _TimedJudge(clock, endpoint, max_failure_rate=judge.max_failure_rate)
