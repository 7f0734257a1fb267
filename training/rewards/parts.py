"""Raw rewards, their weights and the weighted sum, kept and logged apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from training.rewards.base import LogExtra, LogMetric


@dataclass(frozen=True, slots=True)
class Part:
    """One raw reward of a step's completions and its weight. ``values``: one per completion, None where unknown."""

    name: str
    weight: float
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class RewardParts:
    """A step's rewards. The first part is the leading one: correctness."""

    parts: tuple[Part, ...]

    def totals(self) -> list[float | None]:
        """The weighted sum per completion.

        Where the leading part is unknown, so is the sum: TRL then leaves the completion out, and a judge's failure
        teaches nothing. Another part that is unknown gives its weight to those that are known, in proportion, so that
        the sum stays on the same scale.
        """
        leading = self.parts[0].values
        return [self._total(row) if value is not None else None for row, value in enumerate(leading)]

    def _total(self, row: int) -> float:
        known = [(part.weight, value) for part in self.parts if (value := part.values[row]) is not None]
        weights = sum(weight for weight, _ in known)
        # The weights of the known can only be 0 when a schedule starts or ends there.
        return sum(weight * value for weight, value in known) / weights if weights else 0.0

    def log(self, log_metric: LogMetric | None, log_extra: LogExtra | None) -> None:
        """Log the step with TRL's ``log_metric`` and ``log_extra``; None leaves one out.

        Metrics: ``reward/NAME`` (mean of the known), ``unknown/NAME`` (share), ``weight/NAME`` of every part, and
        ``reward/weighted``. Columns of the table of completions: ``reward/NAME`` and ``reward/weighted``.
        """
        totals = self.totals()
        columns = {f"reward/{part.name}": list(part.values) for part in self.parts} | {"reward/weighted": totals}
        if log_extra is not None:
            for name, values in columns.items():
                log_extra(name, values)
        if log_metric is None or not totals:
            return
        for name, values in columns.items():
            if known := [value for value in values if value is not None]:
                log_metric(name, fmean(known))
        for part in self.parts:
            log_metric(f"weight/{part.name}", part.weight)
            log_metric(f"unknown/{part.name}", sum(value is None for value in part.values) / len(part.values))
