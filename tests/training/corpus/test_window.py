"""Many things at once, results in order, memory of a window."""

import asyncio
from collections.abc import Iterator

import pytest

from training.corpus.calls import in_order


async def test_results_come_in_order_whoever_ends_first() -> None:
    async def work(number: int) -> int:
        await asyncio.sleep(0.001 * (5 - number))
        return number * number

    assert [pair async for pair in in_order(range(5), work, 3)] == [(n, n * n) for n in range(5)]


async def test_no_more_than_the_window_is_read_ahead() -> None:
    read, most = 0, 0
    taken = 0

    def items() -> Iterator[int]:
        nonlocal read
        for number in range(50):
            read += 1
            yield number

    async def work(number: int) -> int:
        await asyncio.sleep(0)
        return number

    async for _ in in_order(items(), work, 4):
        taken += 1
        most = max(most, read - taken)
    assert (taken, read) == (50, 50)
    assert most <= 4


async def test_the_first_failure_ends_it_and_nothing_goes_on_behind_its_back() -> None:
    ended = []

    async def work(number: int) -> int:
        try:
            if number == 1:
                raise RuntimeError("no")
            await asyncio.sleep(0 if number == 0 else 60)
        finally:
            ended.append(number)
        return number

    with pytest.raises(RuntimeError, match="no"):
        async for _ in in_order(range(10), work, 4):
            pass
    assert {0, 1, 2, 3} <= set(ended)
    assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
