"""How the weight moves from the scaffold reward to the task reward over training (HiMed's DSR-RL)."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from app.errors import InputError

ScheduleKind = Literal["cosine", "linear", "fixed"]


@dataclass(frozen=True, slots=True)
class Weights:
    """The weights of the two rewards at one step; their sum is 1."""

    task: float
    scaffold: float


@dataclass(frozen=True, slots=True)
class WeightSchedule:
    """The task's weight w from ``start`` to ``end``; the scaffold's is 1 − w, so the two always sum to 1.

    With the progress p = t / (T − 1), held within 0 and 1, of step t out of T:

        linear  w(t) = start + (end − start) · p
        cosine  w(t) = start + (end − start) · (1 − cos(π p)) / 2
        fixed   w(t) = start = end, for comparison

    so the first step has exactly ``start`` and the last exactly ``end``. This is the decaying scaffolding reward of
    HiMed (https://arxiv.org/abs/2605.24635), w from 0.1 to 0.9 along a cosine. The weights are a function of the step
    alone: a resumed run continues them exactly.

    Raises:
        InputError: an unknown kind, an end outside 0 to 1, or a fixed weight with two ends.
    """

    kind: ScheduleKind = "cosine"
    start: float = 0.1
    end: float = 0.9

    def __post_init__(self) -> None:
        if self.kind not in get_args(ScheduleKind):
            raise InputError(f"the kind is {self.kind!r}", field="kind", remedy="use cosine, linear or fixed")
        for name in ("start", "end"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise InputError(f"the weight is {value}", field=name, remedy="use a number from 0 to 1")
        if self.kind == "fixed" and self.start != self.end:
            raise InputError(f"a fixed weight ends at {self.end}", field="end", remedy=f"set it to {self.start}")

    def at(self, step: int, total: int) -> Weights:
        """The weights of a step.

        Args:
            step: optimiser steps done before it (the trainer's ``global_step``); beyond the last it stays at ``end``.
            total: optimiser steps of the whole training; of one step only, that step has ``start``.

        Raises:
            InputError: ``step`` is negative or ``total`` is not positive.
        """
        if step < 0 or total < 1:
            raise InputError(
                f"step {step} of {total}", remedy="count steps from 0 and give the training's number of steps"
            )
        progress = min(1.0, step / max(1, total - 1))
        if self.kind == "cosine":
            progress = (1 - math.cos(math.pi * progress)) / 2
        # In this form both ends come out exactly, without rounding.
        task = (1 - progress) * self.start + progress * self.end
        return Weights(task, 1 - task)
