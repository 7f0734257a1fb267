"""Ask: a conversation in any of the fourteen languages."""

from ui.ask.tab import build

__all__ = ["build"]
