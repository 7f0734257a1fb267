"""How many requests may be in flight: at most so many, fewer for a while when the endpoint is overloaded."""

import asyncio
from collections import deque
from contextlib import suppress


class AdaptiveLimit:
    """A semaphore whose size adapts: additive increase, multiplicative decrease (TCP's rule, RFC 5681).

    A throttled request halves the limit, at most once per round trip: those that were already under way when the
    limit fell say nothing new. A success adds 1/limit, so that the limit grows by one per limit's worth of successes.
    Waiters are served first come, first served; a cancelled one gives its place back.
    """

    def __init__(self, maximum: int) -> None:
        self.maximum = maximum
        self.in_flight = 0
        self._limit = float(maximum)
        self._generation = 0  # counts the decreases
        self._resume_at = 0.0  # loop time before which nothing starts
        self._waiters: deque[asyncio.Future[None]] = deque()

    @property
    def current(self) -> int:
        """Requests that may be in flight now."""
        return int(self._limit)

    async def acquire(self) -> int:
        """Wait for a place and for the end of a pause. Returns a token for `throttled`."""
        if self._waiters or self.in_flight >= self.current:
            await self._wait()
        else:
            self.in_flight += 1
        if self._resume_at:
            try:
                await self._pause()
            except asyncio.CancelledError:
                self.release()
                raise
        return self._generation

    def release(self) -> None:
        """Give a place back."""
        self.in_flight -= 1
        self._serve()

    def succeeded(self) -> None:
        """A request went through: grow slowly back."""
        if self._limit < self.maximum:
            self._limit = min(self.maximum, self._limit + 1 / self._limit)

    def throttled(self, token: int, pause_s: float | None) -> None:
        """The endpoint was asked for too much: halve, and start nothing for ``pause_s`` seconds if it said so."""
        if pause_s:
            self._resume_at = max(self._resume_at, asyncio.get_running_loop().time() + pause_s)
        if token == self._generation:
            self._generation += 1
            self._limit = max(1.0, self._limit / 2)

    async def _wait(self) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.cancelled():
                with suppress(ValueError):  # already passed over by _serve
                    self._waiters.remove(waiter)
                self._serve()
            else:
                self.release()  # a place was handed over in the very moment of the cancellation
            raise

    def _serve(self) -> None:
        while self._waiters and self.in_flight < self.current:
            waiter = self._waiters.popleft()
            if not waiter.done():
                self.in_flight += 1
                waiter.set_result(None)

    async def _pause(self) -> None:
        loop = asyncio.get_running_loop()
        while (wait := self._resume_at - loop.time()) > 0:  # noqa: ASYNC110  # a moment, which others may put off
            await asyncio.sleep(wait)
        self._resume_at = 0.0
