"""What a GRPO stage rewards, and when a run is going wrong: the settings of training/rewards and of its guards."""

import math
from typing import Annotated, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from training.recipe.section import Section

Share = Annotated[float, Field(ge=0, le=1)]


class WeightSchedule(Section):
    """The weight w of the task reward over training; the scaffold reward has 1 - w, so that both add up to 1."""

    kind: Literal["cosine", "linear", "fixed"]
    """Way from start to end; fixed holds start for the whole run, for comparison."""
    start: Share
    """w at the first step."""
    end: Share
    """w at the last step."""

    @model_validator(mode="after")
    def _fixed_has_no_end(self) -> Self:
        if self.kind == "fixed" and self.start != self.end:
            raise ValueError("a fixed schedule has the same start and end")
        return self


class TaskReward(Section):
    """R1: the reward model's verdict on (response, reference), turned into two values."""

    model: str
    """Recipe whose checkpoint judges, or the folder of a reward model."""
    threshold: Share
    """P(True) above which the response counts as right."""
    right: float
    """Reward above the threshold."""
    wrong: float
    """Reward at or below the threshold."""
    batch_size: PositiveInt = 32
    """Pairs scored at a time, sorted by length."""


class ScaffoldReward(Section):
    """Share of Devanagari among the non-space characters after lexicon terms are masked."""

    lexicon: str
    """English-Hindi lexicon (xlsx), in the data folder; a missing one is an error, never "no masking"."""


class DualReward(Section):
    """HiMed's reward: w(t) x task + (1 - w(t)) x scaffold."""

    kind: Literal["task-and-scaffold"]
    """Names this reward."""
    task: TaskReward
    """The task reward."""
    scaffold: ScaffoldReward
    """The scaffold reward."""
    schedule: WeightSchedule
    """The weight of the task reward over training."""


class JudgedAccuracy(Section):
    """A judge endpoint scores the answer against the reference reasoning and answer, in [0, 1]."""

    by: Literal["judge"]
    """Names this way."""
    endpoint: str
    """URL of an OpenAI-compatible endpoint; its key is HIMED_JUDGE_API_KEY in the environment."""
    model: str
    """The judge's name at the endpoint."""
    concurrency: PositiveInt = 64
    """Most requests in flight."""
    timeout: PositiveFloat = 120.0
    """Seconds for one request."""
    max_failure_rate: Share = 0.05
    """Share of the last 256 judged completions without a readable score above which the run stops; below it their
    rewards stay unknown."""


class MatchedAccuracy(Section):
    """1 where the answer is the reference after normalisation, else 0; needs no judge."""

    by: Literal["match"]
    """Names this way."""


class CompositeReward(Section):
    """CURE-Med's reward: a weighted sum of accuracy, language and format."""

    kind: Literal["composite"]
    """Names this reward."""
    accuracy_weight: Share
    """Weight of the answer's accuracy."""
    language_weight: Share
    """Weight of the answer's language."""
    format_weight: Share
    """Weight of exactly one thinking and one answer block."""
    accuracy: Annotated[JudgedAccuracy | MatchedAccuracy, Field(discriminator="by")]
    """Who says whether an answer is right."""
    language_by: Literal["consistency", "judge"] = "consistency"
    """Who says whether the answer is in its language: app/consistency, or the accuracy's judge."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        total = self.accuracy_weight + self.language_weight + self.format_weight
        if not math.isclose(total, 1.0, abs_tol=1e-6):
            raise ValueError(f"the three weights add up to {total:g}, not to 1")
        if self.language_by == "judge" and self.accuracy.by != "judge":
            raise ValueError("language_by: judge needs accuracy.by: judge")
        return self


class Guards(Section):
    """Signs of a run that goes wrong: logged at every step, and a mean over the window above its limit acts."""

    action: Literal["warn", "stop"]
    """What a breach does."""
    window: PositiveInt
    """Steps that are averaged."""
    max_zero_spread: Share
    """Share of groups whose rewards are all equal: they teach nothing."""
    max_cut_off: Share
    """Share of completions that end at the token limit."""
    max_unanswered: Share = 1.0
    """Share of completions in which no answer can be read; at 1 it is only logged."""
    max_language_drift: Share
    """Share of completions whose answer is in another language than asked."""
    max_degenerate: Share
    """Share of completions that are empty or repeat themselves."""
    max_degenerate_gain: float = 0.0
    """Mean reward of such completions minus that of the others: above 0 the model is taught to write them."""
