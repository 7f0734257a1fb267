"""Small pictures of training curves: where each line, tick and label stands."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ui.results.curves import Curve, thin

WIDTH: Final = 360
HEIGHT: Final = 210
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 10, 12, 38
_TICKS: Final = 4
_FEW: Final = 40  # points that are drawn as dots as well


@dataclass(frozen=True, slots=True)
class Tick:
    """A line of the grid, in units of the picture, and its label."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Line:
    """One curve: the points of its line as SVG writes them, and the dots of a short one."""

    name: str
    path: str
    dots: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture."""

    x: tuple[Tick, ...]
    y: tuple[Tick, ...]
    lines: tuple[Line, ...]
    left: float = _LEFT
    right: float = WIDTH - _RIGHT
    top: float = _TOP
    bottom: float = HEIGHT - _BOTTOM


def draw_panel(curves: Sequence[Curve], names: Sequence[str]) -> Panel:
    """The picture of some curves, which share both axes; one of them has a point."""
    steps = [step for curve in curves for step, _ in curve.points]
    values = [value for curve in curves for _, value in curve.points]
    x_ticks = [step for step in _ticks(min(steps), max(steps), whole=True) if min(steps) <= step <= max(steps)]
    y_ticks = _ticks(min(values), max(values))
    low, high = min(y_ticks[0], min(values)), max(y_ticks[-1], max(values))

    def across(step: float) -> float:
        share = (step - min(steps)) / (max(steps) - min(steps)) if max(steps) > min(steps) else 0.5
        return round(_LEFT + share * (WIDTH - _LEFT - _RIGHT), 1)

    def down(value: float) -> float:
        share = (value - low) / (high - low) if high > low else 0.5
        return round(HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM), 1)

    lines = []
    for curve, name in zip(curves, names, strict=True):
        places = [(across(step), down(value)) for step, value in thin(curve.points)]
        path = " ".join(f"{x},{y}" for x, y in places)
        lines.append(Line(name, path, tuple(places) if len(places) <= _FEW else ()))
    return Panel(
        tuple(Tick(across(step), f"{step:,.0f}") for step in x_ticks or [min(steps)]),
        tuple(Tick(down(value), number(value)) for value in y_ticks),
        tuple(lines),
    )


def number(value: float) -> str:
    """A value with at most four digits that count."""
    if value and not 1e-3 <= abs(value) < 1e6:
        mantissa, _, exponent = f"{value:.3g}".partition("e")
        text = f"{mantissa}e{int(exponent)}" if exponent else mantissa
    else:
        text = f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}"
    return text.replace("-", "−")


def _ticks(low: float, high: float, *, whole: bool = False) -> list[float]:
    """A few round numbers from one at or below ``low`` to one at or above ``high``."""
    if high <= low:
        return [low]
    raw = (high - low) / _TICKS
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw * 0.999)
    if whole:
        step = max(1.0, math.ceil(step))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [place * step for place in range(first, last + 1)]
