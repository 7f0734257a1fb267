"""The reward on a fixed set of prompts before and after the training, and whether it rose.

Both are taken under the weights that the schedule ends with. The raw rewards are the same functions throughout, but
their weights move: a sum under the first weights and one under the last cannot be compared.
"""

import math
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
import orjson

from app.errors import InputError
from app.files import write_whole
from app.questions import cluster_of
from training.checkpoints import Metric
from training.data import RLPrompt
from training.grpo.table import Sample
from training.rewards.parts import Part, RewardParts

BEFORE = "reward_before.json"
_RESAMPLES = 99_999


@dataclass(frozen=True, slots=True)
class PromptReward:
    """Mean rewards of a prompt's completions, over those that are known; None where none is."""

    question: str  # its cluster
    weighted: float | None
    parts: Mapping[str, float | None]


def draw_prompts(rows: Sequence[RLPrompt], count: int, seed: int) -> list[RLPrompt]:
    """At most ``count`` prompts, the same for the same seed, and one for each question: they are independent."""
    by_question = {cluster_of(row.question or ""): row for row in reversed(rows)}
    names = sorted(by_question)
    drawn = np.random.default_rng(seed).permutation(len(names))[:count]
    return [by_question[names[number]] for number in sorted(drawn)]


class Measure:
    """The measure of one run: what the first process gathers in the trainer's evaluations."""

    def __init__(self, prompts: Sequence[RLPrompt], weights: Mapping[str, float], generations: int, folder: Path):
        """Measure on prompts.

        Args:
            prompts: whose numbers are the samples' ``row``.
            weights: of the raw rewards by name, the leading one first.
            generations: completions per prompt.
            folder: the run's, which keeps the first measure for a resumed run.
        """
        self._questions = [cluster_of(prompt.question or "") for prompt in prompts]
        self._weights, self._generations, self._file = weights, generations, folder / BEFORE
        self._samples: dict[int, list[Sample]] = defaultdict(list)

    def add(self, samples: Sequence[Sample]) -> None:
        """Take a batch; what accelerate repeats to fill the last batch of all processes is left out."""
        for sample in samples:
            if len(known := self._samples[sample.row]) < self._generations:
                known.append(sample)

    def take(self) -> list[PromptReward]:
        """The rewards per prompt of the evaluation that has just ended."""
        found = [
            prompt_reward(question, self._samples[row], self._weights) for row, question in enumerate(self._questions)
        ]
        self._samples.clear()
        return found

    def keep_before(self) -> None:
        """Write the first measure down."""
        prompts = [
            {"question": prompt.question, "weighted": prompt.weighted, "parts": dict(prompt.parts)}
            for prompt in self.take()
        ]
        content = {"weights": dict(self._weights), "generations": self._generations, "prompts": prompts}
        write_whole(self._file, orjson.dumps(content, option=orjson.OPT_INDENT_2))

    def before(self) -> list[PromptReward]:
        """The first measure.

        Raises:
            InputError: it is gone, or was taken on other prompts.
        """
        try:
            content: dict[str, Any] = orjson.loads(self._file.read_bytes())
            found = [PromptReward(**prompt) for prompt in content["prompts"]]
            weights = content["weights"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"cannot be read ({error})", file=self._file) from None
        if [prompt.question for prompt in found] != self._questions or weights != dict(self._weights):
            raise InputError("was measured on other prompts", file=self._file)
        return found

    def figures(self, seed: int) -> dict[str, Metric]:
        """The figures of `compare` after the trainer's last evaluation.

        Where the first measure cannot be used they are unknown, and it is said why: a trained stage is not lost for it.
        """
        after = self.take()
        try:
            before = self.before()
        except InputError as error:
            print(f"warning: {error}; the rewards before and after stay unknown", file=sys.stderr, flush=True)
            before = after = [prompt_reward(question, [], self._weights) for question in self._questions]
        return compare(before, after, seed)


def prompt_reward(question: str, samples: Sequence[Sample], weights: Mapping[str, float]) -> PromptReward:
    """The mean rewards of a prompt's completions under the given weights."""
    parts = {name: [sample.parts.get(name) for sample in samples] for name in weights}
    totals = RewardParts(tuple(Part(name, weights[name], values) for name, values in parts.items())).totals()
    return PromptReward(question, _mean(totals), {name: _mean(values) for name, values in parts.items()})


def compare(before: Sequence[PromptReward], after: Sequence[PromptReward], seed: int) -> dict[str, Metric]:
    """The figures of two measures on the same prompts.

    ``reward_before``, ``reward_after`` and ``reward_gain`` with Student's 95 % interval over the prompts, and the same
    of every raw reward (``reward_NAME_before``, …). ``reward_gain_p`` is the two-sided p-value of the paired
    sign-flip permutation test of the mean gain (Fisher's randomisation test; for NLP, Dror et al. 2018,
    https://aclanthology.org/P18-1128): it assumes nothing about the rewards' distribution, which has a few values only.
    A prompt without a known reward in both measures is missing.
    """
    pairs = [(one.weighted, other.weighted) for one, other in zip(before, after, strict=True)]
    metrics = _pair_metrics("reward", pairs)
    known = _known(pairs)
    p = sign_flip_p([two - one for one, two in known], seed)
    metrics["reward_gain_p"] = Metric(value=p, n=len(known), missing=len(pairs) - len(known))
    for name in before[0].parts if before else ():
        parts = [(one.parts[name], other.parts[name]) for one, other in zip(before, after, strict=True)]
        metrics |= _pair_metrics(f"reward_{name}", parts)
    return metrics


def sign_flip_p(gains: Sequence[float], seed: int) -> float | None:
    """The share of sign flips of the gains whose mean is at least as far from 0; None without a gain.

    Exact up to 16 gains; above, 99,999 random flips with ``seed``, and the smallest p is 2e-5.
    """
    from scipy.stats import permutation_test

    if not gains:
        return None
    result = permutation_test(
        (np.asarray(gains),),
        lambda values, axis: values.mean(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=_RESAMPLES,
        batch=1000,
        rng=np.random.default_rng(seed),
    )
    return float(result.pvalue)


def show(metrics: Mapping[str, Metric]) -> None:
    """Print the figures of `compare` as a table."""
    from rich.console import Console
    from rich.table import Table

    gain, p = metrics["reward_gain"], metrics["reward_gain_p"].value
    said = "p unknown" if p is None else f"p = {p:.2g}"
    console = Console()
    console.print(f"reward on {gain.n} prompts before and after, under the last weights: {said}", soft_wrap=True)
    table = Table()
    for name in ("", "before", "after", "gain", "95 % of the gain"):
        table.add_column(name, justify="right" if name else "left")
    for name in (key.removesuffix("_gain") for key in metrics if key.endswith("_gain")):
        values = [metrics[f"{name}_{when}"].value for when in ("before", "after", "gain")]
        ends = metrics[f"{name}_gain"].ci95
        interval = "-" if ends is None else f"{ends[0]:+.3f} to {ends[1]:+.3f}"
        table.add_row(name, *("-" if value is None else f"{value:.3f}" for value in values), interval)
    console.print(table)


def _pair_metrics(name: str, pairs: Sequence[tuple[float | None, float | None]]) -> dict[str, Metric]:
    known = _known(pairs)
    sides = {
        "before": [one for one, _ in known],
        "after": [two for _, two in known],
        "gain": [two - one for one, two in known],
    }
    missing = len(pairs) - len(known)
    return {f"{name}_{side}": _metric(values, missing) for side, values in sides.items()}


def _known(pairs: Sequence[tuple[float | None, float | None]]) -> list[tuple[float, float]]:
    return [(one, two) for one, two in pairs if one is not None and two is not None]


def _metric(values: Sequence[float], missing: int) -> Metric:
    from scipy.stats import t

    if len(values) < 2:
        return Metric(value=_mean(values), n=len(values), missing=missing)
    mean = fmean(values)
    half = float(t.ppf(0.975, len(values) - 1)) * stdev(values) / math.sqrt(len(values))
    return Metric(value=mean, n=len(values), ci95=(mean - half, mean + half), missing=missing)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
