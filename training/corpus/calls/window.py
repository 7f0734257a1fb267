"""Many things at once, and their results in order: the memory of a window, whatever the length of the book."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


async def in_order(
    items: Iterable[T], work: Callable[[T], Awaitable[R]], window: int
) -> AsyncGenerator[tuple[T, R], None]:
    """Each item with its result, in the order of the items.

    At most ``window`` items are under way or wait for an earlier one. The first exception ends it; what is under way
    then, or when the caller leaves, is cancelled.

    Args:
        items: read as far as the window goes, never further.
        work: what is done to one.
        window: at least 1; about twice the endpoint's concurrency keeps it busy behind one slow reply.
    """
    under_way: deque[tuple[T, asyncio.Future[R]]] = deque()
    try:
        for item in items:
            if len(under_way) >= window:
                first, task = under_way.popleft()
                yield first, await task
            under_way.append((item, asyncio.ensure_future(work(item))))
            # A window that fills without ever waiting would hold back the requests that are ready to go.
            await asyncio.sleep(0)
        while under_way:
            first, task = under_way.popleft()
            yield first, await task
    finally:
        for _item, task in under_way:
            task.cancel()
        await asyncio.gather(*(task for _item, task in under_way), return_exceptions=True)
