"""Waiting for what no event tells of."""

import asyncio
from collections.abc import Callable

_TICK_S = 0.05


async def until(holds: Callable[[], bool], seconds: float) -> bool:
    """Wait until a condition holds, or the time has passed. Returns whether it holds."""
    end = asyncio.get_running_loop().time() + seconds
    while not holds():
        if asyncio.get_running_loop().time() >= end:
            return False
        await asyncio.sleep(_TICK_S)
    return True
