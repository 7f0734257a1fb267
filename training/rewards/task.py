"""The task reward: does the completion agree with the reference, by the R1 reward model (HiMed's DSR-RL)."""

from collections.abc import Sequence
from typing import Any, Protocol

from app.errors import InputError
from training.rewards.base import Completion, LogMetric, completion_text, read_column
from training.rewards.template import THRESHOLD


class Verifier(Protocol):
    """Says how likely it is that a response agrees with a reference."""

    def probabilities(self, pairs: Sequence[tuple[str, str]]) -> list[float | None]:
        """P(True) of each (response, reference); None where the pair is longer than the model reads."""
        ...


class TaskReward:
    """``right`` where P(True) is above the threshold, else ``wrong``, as a reward function of TRL.

    Needs the column ``reference``, the text that R1 was trained to compare with (reasoning and answer). A blank
    completion is wrong without asking: the reward model never saw one. A pair that the model cannot read whole has no
    reward, and their share is logged as ``task/too_long``. The mean of P(True) is logged as ``task/p_true``.

    Defaults: HiMed's, 1.0 above 0.65 and 0.1 elsewhere (https://arxiv.org/abs/2605.24635).

    Raises:
        InputError: the threshold is no probability, or ``wrong`` is not below ``right``.
    """

    def __init__(
        self, verifier: Verifier, *, threshold: float = THRESHOLD, right: float = 1.0, wrong: float = 0.1
    ) -> None:
        if not 0 <= threshold <= 1:
            raise InputError(f"the threshold is {threshold}", field="threshold", remedy="use a number from 0 to 1")
        if not wrong < right:
            raise InputError(f"right is {right}, wrong is {wrong}", remedy="reward the right more than the wrong")
        self.verifier, self.threshold, self.right, self.wrong = verifier, threshold, right, wrong

    def __call__(
        self, *, completions: Sequence[Completion], log_metric: LogMetric | None = None, **columns: Any
    ) -> list[float | None]:
        """One reward per completion.

        Raises:
            InputError: there is no column ``reference``, or a reference is empty.
        """
        texts = [completion_text(completion) for completion in completions]
        references = read_column(columns, "reference", len(texts))
        if not all(isinstance(reference, str) and reference.strip() for reference in references):
            raise InputError("a reference is empty", field="reference", remedy="leave such rows out of the prompts")
        asked = [row for row, text in enumerate(texts) if text.strip()]
        found = self.verifier.probabilities([(texts[row], references[row]) for row in asked])
        rewards: list[float | None] = [self.wrong] * len(texts)
        for row, probability in zip(asked, found, strict=True):
            rewards[row] = self._reward(probability)
        if log_metric is not None and asked:
            log_metric("task/too_long", found.count(None) / len(asked))
            if known := [probability for probability in found if probability is not None]:
                log_metric("task/p_true", sum(known) / len(known))
        return rewards

    def _reward(self, probability: float | None) -> float | None:
        if probability is None:
            return None
        return self.right if probability > self.threshold else self.wrong
