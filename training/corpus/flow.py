"""Counts in and out of every stage of a step. They add up, or it is a fault of ours."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Flow:
    """What went into one stage and what became of it: ``into = out + all that left by the way``.

    Attributes:
        stage: its name, such as ``pick``.
        unit: what is counted: ``blocks``, ``passages``, ``items``.
        into: how many came.
        out: how many went on.
        left: how many did not, by reason (``joined``, ``not medical``, ``cut off``).
    """

    stage: str
    unit: str
    into: int = 0
    out: int = 0
    left: Counter[str] = field(default_factory=Counter)

    def check(self) -> None:
        """Raise ValueError where the counts do not add up."""
        if self.into != self.out + self.left.total():
            raise ValueError(
                f"{self.stage}: {self.into} {self.unit} in, but {self.out} out and {dict(self.left)} left by the way"
            )

    def as_json(self) -> dict[str, Any]:
        """For the manifest."""
        left = dict(sorted(self.left.items()))
        return {"stage": self.stage, "unit": self.unit, "in": self.into, "out": self.out, "left": left}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Flow":
        """Read back from a manifest."""
        return cls(value["stage"], value["unit"], value["in"], value["out"], Counter(value["left"]))


def total(flows: Iterable[Flow]) -> list[Flow]:
    """The flows of several units added up, stage by stage, in the order in which the stages came first."""
    found: dict[tuple[str, str], Flow] = {}
    for flow in flows:
        whole = found.setdefault((flow.stage, flow.unit), Flow(flow.stage, flow.unit))
        whole.into += flow.into
        whole.out += flow.out
        whole.left.update(flow.left)
    return list(found.values())
