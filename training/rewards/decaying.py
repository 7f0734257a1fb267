"""DSR-RL's reward: task and scaffold, weighed by the schedule at the trainer's step."""

from collections.abc import Sequence
from typing import Any

from app.errors import InputError
from training.rewards.base import Completion, LogExtra, LogMetric, Reward, TrainerState
from training.rewards.parts import Part, RewardParts
from training.rewards.schedule import WeightSchedule


class DecayingScaffoldReward:
    """w(t)·task + (1 − w(t))·scaffold, as one reward function of TRL.

    The weights come from ``trainer_state`` at every call, so they reach the trainer without a callback and go on after
    a resume. Raw rewards, weights and weighted sums are logged apart (`RewardParts.log`).
    """

    def __init__(self, task: Reward, scaffold: Reward, schedule: WeightSchedule) -> None:
        self.task, self.scaffold, self.schedule = task, scaffold, schedule

    def __call__(
        self,
        *,
        completions: Sequence[Completion],
        trainer_state: TrainerState | None = None,
        log_metric: LogMetric | None = None,
        log_extra: LogExtra | None = None,
        **columns: Any,
    ) -> list[float | None]:
        """One weighted reward per completion; None where the task's is unknown.

        Raises:
            InputError: no trainer state, or one that does not know the number of steps; a column is missing.
        """
        if trainer_state is None or trainer_state.max_steps < 1:
            raise InputError("the weights need the number of training steps", remedy="call the reward from a trainer")
        weights = self.schedule.at(trainer_state.global_step, trainer_state.max_steps)
        # The parts log under their own names: the weighted ones are logged here.
        task = self.task(completions=completions, log_metric=log_metric, log_extra=log_extra, **columns)
        scaffold = self.scaffold(completions=completions, log_metric=log_metric, log_extra=log_extra, **columns)
        parts = RewardParts((Part("task", weights.task, task), Part("scaffold", weights.scaffold, scaffold)))
        parts.log(log_metric, log_extra)
        return parts.totals()
