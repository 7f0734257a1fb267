"""Compare: one question to two models whose names stay hidden until the vote."""

from ui.compare.tab import build

__all__ = ["build"]
