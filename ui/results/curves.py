"""Training curves from TensorBoard's event files: scalars only, thinned for a picture."""

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ui.results.memory import Memory

POINTS: Final = 400
_KEPT: Final = 16
_MOST_BYTES: Final = 256 * 2**20
# Panels in their order: the tags of each, where a name that ends in / stands for all tags below it.
PANELS: Final[dict[str, tuple[str, ...]]] = {
    "loss": ("train/loss", "eval/loss"),
    "learning_rate": ("train/learning_rate",),
    "reward": ("train/reward", "eval/reward"),
    "reward_parts": ("train/reward/",),
    "weights": ("train/weight/",),
    "kl": ("train/kl",),
    "grad_norm": ("train/grad_norm",),
    "accuracy": ("train/mean_token_accuracy", "eval/mean_token_accuracy"),
    "length": ("train/completions/mean_length",),
    "tokens_per_second": ("train/tokens_per_second",),
}


@dataclass(frozen=True, slots=True)
class Curve:
    """A figure over the steps of a stage. ``unknown`` counts the values that are no number and left out:
    of a stage that diverged there may be no others."""

    tag: str
    points: tuple[tuple[int, float], ...]
    unknown: int = 0

    @property
    def lowest(self) -> tuple[int, float]:
        """Step and value of the first lowest point."""
        return min(self.points, key=lambda point: (point[1], point[0]))

    @property
    def highest(self) -> tuple[int, float]:
        """Step and value of the first highest point."""
        return max(self.points, key=lambda point: (point[1], -point[0]))

    @property
    def last(self) -> tuple[int, float]:
        """The last step and its value."""
        return self.points[-1]


Curves = dict[str, tuple[Curve, ...]]


class LogsTooLargeError(Exception):
    """The event files are too large to be read while somebody waits."""


class CurveStore:
    """The curves of log folders, read again when a file has grown."""

    def __init__(self) -> None:
        self._read = Memory[Curves](_KEPT)

    def load(self, logs: Path) -> Curves:
        """The curves by panel; empty where nothing was logged.

        Raises:
            LogsTooLargeError: the files together are larger than 256 MiB.
        """
        files = _event_files(logs)
        state = tuple((file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files)
        if sum(size for _, size, _ in state) > _MOST_BYTES:
            raise LogsTooLargeError
        return self._read.get((logs, state), lambda: _read_curves(logs)) if files else {}


def _event_files(logs: Path) -> list[Path]:
    if not logs.is_dir() or logs.is_symlink():
        return []
    return sorted(file for file in logs.glob("*tfevents*") if file.is_file() and not file.is_symlink())


_reading = threading.Lock()


def _read_curves(logs: Path) -> Curves:
    # Imported here: it takes a while, and most people who open the page never look at a curve.
    with _reading:
        from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped]
            EventAccumulator,
        )

    nothing = dict.fromkeys(("compressedHistograms", "images", "audio", "histograms", "tensors"), 1)
    events: Any = EventAccumulator(str(logs), size_guidance={"scalars": 0} | nothing)
    events.Reload()
    tags: list[str] = events.Tags()["scalars"]
    panels: Curves = {}
    for panel, wanted in PANELS.items():
        chosen = [tag for name in wanted for tag in sorted(tags) if _fits(tag, name)]
        curves = [_curve(tag, events.Scalars(tag)) for tag in chosen]
        if curves:
            panels[panel] = tuple(curves)
    return panels


def _fits(tag: str, name: str) -> bool:
    return tag.startswith(name) if name.endswith("/") else tag == name


def _curve(tag: str, scalars: Sequence[Any]) -> Curve:
    # A run that was killed and went on has logged some steps twice: the later value stands.
    values = {int(scalar.step): float(scalar.value) for scalar in scalars}
    points = tuple((step, value) for step, value in sorted(values.items()) if math.isfinite(value))
    return Curve(tag, points, len(values) - len(points))


def thin(points: Sequence[tuple[int, float]], most: int = POINTS) -> list[tuple[int, float]]:
    """At most so many of the points: the lowest and the highest of each stretch, so that no spike is lost."""
    if len(points) <= most:
        return list(points)
    # Two points of each stretch, and both ends.
    stretches = (most - 2) // 2
    kept = {points[0], points[-1]}
    for number in range(stretches):
        part = points[len(points) * number // stretches : len(points) * (number + 1) // stretches]
        kept |= {min(part, key=lambda point: point[1]), max(part, key=lambda point: point[1])}
    return sorted(kept)
