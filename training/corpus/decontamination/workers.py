"""Work on several processes with results in order, a bounded number of tasks at once."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from app.errors import InputError

Task = TypeVar("Task")
Result = TypeVar("Result")


def in_order(
    work: Callable[[Task], Result],
    tasks: Iterable[Task],
    processes: int,
    start: Callable[..., None],
    given: tuple[Any, ...],
) -> Iterator[Result]:
    """The results of all tasks, in their order, whatever the number of processes; one is this process.

    Args:
        work: what is done; a function of a module.
        tasks: read as they are needed.
        processes: how many work at once.
        start: called in each process before its first task, with ``given``.
        given: small values; large ones stand in files that ``start`` reads.

    Raises:
        InputError: a process was killed.
    """
    if processes == 1:
        start(*given)
        yield from map(work, tasks)
        return
    # Not fork: the parent may have threads. Under forkserver and spawn a process begins clean.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([work.__module__, "training.corpus.decontamination.gather", "rensa"])
    pool = ProcessPoolExecutor(processes, context, initializer=_begin, initargs=(start, given))
    waiting: deque[Future[Result]] = deque()
    try:
        for task in tasks:
            waiting.append(pool.submit(work, task))
            if len(waiting) > 2 * processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool:
        raise InputError("a process was killed, maybe for want of memory", remedy="use fewer processes") from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _begin(start: Callable[..., None], given: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all: the parent ends the work
    threading.Thread(target=_end_with_parent, daemon=True).start()
    start(*given)


def _end_with_parent() -> None:
    """A parent that was killed can end nobody; a worker that waits for its next task would wait for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
