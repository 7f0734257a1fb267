"""Waiting for what other processes and servers do."""

import asyncio
from collections.abc import Callable


async def until(holds: Callable[[], bool], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110  # nothing tells when
            await asyncio.sleep(0.02)
