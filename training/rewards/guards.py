"""Guards over a GRPO run: signs that it goes wrong, measured at every step, logged, able to stop it."""

from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from app.answers import parse_completion
from app.errors import InputError
from app.formats import Format
from training.rewards.base import LogMetric
from training.rewards.composite import language_score
from training.rewards.repetition import is_degenerate

_EQUAL = 1e-6  # rewards closer than this are equal: their advantages are noise


class GuardError(Exception):
    """A guard has stopped the run."""


@dataclass(frozen=True, slots=True)
class StepRows:
    """What a step generated: whole groups, one after the other, all lists of one length.

    Attributes:
        completions: the texts.
        completion_ids: their tokens, without padding.
        rewards: what the trainer learns from, None where unknown.
        languages: in which each answer should be; None where any will do.
        questions: an answer may quote its question.
    """

    completions: Sequence[str]
    completion_ids: Sequence[Sequence[int]]
    rewards: Sequence[float | None]
    languages: Sequence[str | None]
    questions: Sequence[str]


@dataclass(frozen=True, slots=True)
class GuardLimits:
    """Highest means over the last ``window`` steps; what is above its limit is a finding.

    Attributes:
        max_zero_spread: share of groups without a difference in reward: they teach nothing.
        max_cut_off: share of completions that end at the token limit.
        max_unanswered: share of completions in which no answer can be read; at 1, the default, it is only logged.
        max_language_drift: share of answers, of those that can be told, that are not wholly in their language.
        max_degenerate: share of completions that are empty or repeat themselves (`repetition.is_degenerate`).
        max_degenerate_gain: mean reward of such completions minus the mean reward of the others: above 0 the model is
            taught to write them.
        window: steps that are averaged; nothing is found before so many were seen.
        action: whether a finding stops the run.

    Raises:
        InputError: a share outside 0 to 1, or a window below 1.
    """

    max_zero_spread: float
    max_cut_off: float
    max_language_drift: float
    max_degenerate: float
    max_unanswered: float = 1.0
    max_degenerate_gain: float = 0.0
    window: int = 10
    action: Literal["warn", "stop"] = "stop"

    def __post_init__(self) -> None:
        for name in ("max_zero_spread", "max_cut_off", "max_unanswered", "max_language_drift", "max_degenerate"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"the limit is {getattr(self, name)}", field=name, remedy="use a share from 0 to 1")
        if self.window < 1:
            raise InputError(f"the window is {self.window}", field="window", remedy="use 1 or more steps")


@dataclass(frozen=True, slots=True)
class Finding:
    """A measure whose mean over the window is above its limit."""

    measure: str
    mean: float
    limit: float
    window: int

    def __str__(self) -> str:
        return f"{_MEANINGS[self.measure]}: {self.mean:.2f} over {self.window} steps (limit {self.limit:g})"


_MEANINGS = {
    "zero_spread": "share of groups whose rewards are all equal",
    "cut_off": "share of completions that end at the token limit",
    "unanswered": "share of completions without an answer",
    "language_drift": "share of answers not in their language",
    "degenerate": "share of completions that are empty or repeat themselves",
    "degenerate_gain": "reward of empty or repeated completions above that of the others",
}


def zero_spread(rewards: Sequence[float | None], group_size: int) -> float | None:
    """The share of groups whose known rewards do not differ; None without a group. One known reward is no difference.

    Raises:
        InputError: the rewards are no whole groups.
    """
    if group_size < 1 or len(rewards) % group_size:
        raise InputError(f"{len(rewards)} rewards are no whole groups of {group_size}", remedy="gather whole groups")
    groups = [rewards[start : start + group_size] for start in range(0, len(rewards), group_size)]
    known = [[reward for reward in group if reward is not None] for group in groups]
    return _share([not group or max(group) - min(group) <= _EQUAL for group in known])


def cut_off(completion_ids: Sequence[Sequence[int]], end_tokens: Collection[int]) -> float | None:
    """The share of completions whose last token is none that ends a turn; None without a completion."""
    return _share([not tokens or tokens[-1] not in end_tokens for tokens in completion_ids])


def unanswered(answers: Sequence[str | None]) -> float | None:
    """The share of completions in which no answer was found; None without a completion."""
    return _share([answer is None for answer in answers])


def language_drift(
    answers: Sequence[str | None], languages: Sequence[str | None], questions: Sequence[str]
) -> float | None:
    """The share of answers that are not consistently in their language, among those that can be told; None if none can.

    Left out: completions without an answer, languages that are None, answers too short to tell.
    """
    scores = [
        language_score(answer, language, question)
        for answer, language, question in zip(answers, languages, questions, strict=True)
        if answer is not None and language is not None
    ]
    return _share([score < 1 for score in scores if score is not None])


def degenerate(completions: Sequence[str], rewards: Sequence[float | None]) -> tuple[float | None, float | None]:
    """The share of empty or repeated completions, and how much more than the others they earn on average.

    The share is None without a completion, the gain where either side has no known reward.
    """
    flags = [is_degenerate(completion) for completion in completions]
    known = [(flag, reward) for flag, reward in zip(flags, rewards, strict=True) if reward is not None]
    bad, good = ([reward for flag, reward in known if flag is side] for side in (True, False))
    return _share(flags), fmean(bad) - fmean(good) if bad and good else None


class Guards:
    """The guards of one run.

    Call `check` once a step, in one process, with the gathered rows. After a resume the window fills anew.
    """

    def __init__(self, limits: GuardLimits, *, format: Format, group_size: int, end_tokens: Collection[int]) -> None:
        """Guard a run.

        Args:
            limits: what may be.
            format: the completions' format, to read the answer.
            group_size: completions per prompt.
            end_tokens: ids of the tokens that end a completion.
        """
        self.limits, self.format, self.group_size, self.end_tokens = limits, format, group_size, frozenset(end_tokens)
        self._steps: deque[dict[str, float]] = deque(maxlen=limits.window)

    def check(self, rows: StepRows, *, log_metric: LogMetric | None = None) -> list[Finding]:
        """Measure a step, log it as ``guard/MEASURE``, and find what is above its limit over the window.

        Raises:
            GuardError: there is a finding and the limits' action is to stop.
            InputError: the rows are no whole groups.
        """
        measures = self.measure(rows)
        if log_metric is not None:
            for name, value in measures.items():
                log_metric(f"guard/{name}", value)
        self._steps.append(measures)
        findings = self._findings() if len(self._steps) == self.limits.window else []
        if findings and self.limits.action == "stop":
            raise GuardError(f"the run was stopped: {'; '.join(map(str, findings))}")
        return findings

    def measure(self, rows: StepRows) -> dict[str, float]:
        """All measures of a step by name, without those that cannot be told."""
        answers = [parse_completion(text, self.format).answer for text in rows.completions]
        share, gain = degenerate(rows.completions, rows.rewards)
        measures: Mapping[str, float | None] = {
            "zero_spread": zero_spread(rows.rewards, self.group_size),
            "cut_off": cut_off(rows.completion_ids, self.end_tokens),
            "unanswered": unanswered(answers),
            "language_drift": language_drift(answers, rows.languages, rows.questions),
            "degenerate": share,
            "degenerate_gain": gain,
        }
        return {name: value for name, value in measures.items() if value is not None}

    def _findings(self) -> list[Finding]:
        findings = []
        for measure in _MEANINGS:
            limit = getattr(self.limits, f"max_{measure}")
            # A measure that few steps could take says little: at least half of them must have it.
            values = [step[measure] for step in self._steps if measure in step]
            if 2 * len(values) >= self.limits.window and (mean := fmean(values)) > limit:
                findings.append(Finding(measure, mean, limit, self.limits.window))
        return findings


def _share(flags: Sequence[bool]) -> float | None:
    return sum(flags) / len(flags) if flags else None
