"""Several gateway processes that share the listening socket, started again when they die."""

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from time import monotonic

from prometheus_client import multiprocess

from app.errors import InputError
from server.access import SharedTable
from server.gateway import Setup
from server.handover import LONGEST_LINE, Handover, Report, read_lines
from server.metrics import MULTIPROCESS_VARIABLE
from server.waiting import until

logger = logging.getLogger(__name__)

_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 30.0
_STEADY_S = 60.0  # one that ran this long did not die of its start
_END_S = 5.0
_OVERTIME_S = 10.0  # after drain_s, until a process that does not end is killed


class WorkerPool:
    """Gateway processes 0 to ``workers - 1``.

    Args:
        listener: bound and listening.
        database: its URL.

    Attributes:
        listening: set once all of them take requests.
    """

    def __init__(self, listener: socket.socket, database: str, setup: Setup) -> None:
        self._listener, self._database = listener, database
        self._handover = Handover(0, setup, database)
        self._workers: list[_Worker | None] = [None] * setup.config.workers
        self._stopping = asyncio.Event()
        self.listening = asyncio.Event()

    async def serve(self) -> None:
        """Run the processes until they are told to stop.

        Raises:
            InputError: one of them ended before all took requests for the first time.
        """
        with TemporaryDirectory(prefix="himed-metrics-") as metrics:
            table = SharedTable.create(workers=len(self._workers))
            try:
                async with asyncio.TaskGroup() as group:
                    for number in range(len(self._workers)):
                        group.create_task(self._keep(number, table, metrics))
            except ExceptionGroup as failures:
                raise failures.exceptions[0] from None
            finally:
                table.close()

    def load(self, setup: Setup) -> None:
        """Hand another setup to all of them."""
        self._handover = Handover(self._handover.number + 1, setup, self._database)
        for worker in self._running():
            worker.send(self._handover)

    async def drained(self) -> None:
        """Wait until no request runs any more that began with an earlier setup, ``drain_s`` at most."""
        number, drain_s = self._handover.number, self._handover.setup.config.drain_s
        await until(lambda: all(worker.drained >= number for worker in self._running()), drain_s + _OVERTIME_S)

    def stop(self, *, at_once: bool = False) -> None:
        """Stop when open requests have ended or ``drain_s`` has passed, or at once."""
        if not self._stopping.is_set():
            self._stopping.set()
            self._listener.close()  # else the system would go on to take connections for us
            longest = self._handover.setup.config.drain_s + _OVERTIME_S
            asyncio.get_running_loop().call_later(longest, self._signal, signal.SIGKILL)
        self._signal(signal.SIGINT if at_once else signal.SIGTERM)

    def _running(self) -> "list[_Worker]":
        return [worker for worker in self._workers if worker is not None]

    def _signal(self, number: signal.Signals) -> None:
        for worker in self._running():
            worker.process.send_signal(number)  # nothing to one that has ended

    async def _keep(self, number: int, table: SharedTable, metrics: str) -> None:
        """Keep one of them running."""
        wait_s = _FIRST_WAIT_S
        while not self._stopping.is_set():
            began = monotonic()
            await self._run_once(number, table, metrics)
            if self._stopping.is_set():
                return
            wait_s = _FIRST_WAIT_S if monotonic() - began > _STEADY_S else min(2 * wait_s, _LONGEST_WAIT_S)
            await until(self._stopping.is_set, wait_s)

    async def _run_once(self, number: int, table: SharedTable, metrics: str) -> None:
        """Start one and follow it to its end.

        Raises:
            InputError: it ended before all took requests for the first time.
        """
        parent_end, child_end = socket.socketpair()
        reader, writer = await asyncio.open_unix_connection(sock=parent_end, limit=LONGEST_LINE)
        with child_end:
            if self._stopping.is_set():
                return writer.close()
            process = _spawn(number, child_end, self._listener, table, metrics)
        worker = self._workers[number] = _Worker(process, writer, self._handover.number)
        worker.send(self._handover)
        try:
            await self._follow(worker, reader)
        finally:
            self._workers[number] = None
            await worker.end()
            # What the dead one had open is open no more.
            table.clear_worker(number)
            multiprocess.mark_process_dead(process.pid, metrics)  # type: ignore[no-untyped-call]
        if not self._stopping.is_set():
            fields = {"worker": number, "pid": process.pid, "status": process.returncode}
            logger.error("gateway process died", extra=fields)
            if not self.listening.is_set():
                problem = f"a gateway process ended with status {process.returncode} before it took requests"
                raise InputError(problem, remedy="its own messages stand above")

    async def _follow(self, worker: "_Worker", reader: asyncio.StreamReader) -> None:
        """Read what a process reports until it is gone."""
        async for line in read_lines(reader):
            report = Report.load(line)
            worker.drained = max(worker.drained, report.number)
            worker.listens = True
            if all(other is not None and other.listens for other in self._workers):
                self.listening.set()


@dataclass(eq=False, slots=True)
class _Worker:
    """One process.

    ``drained`` is the number of the setup before whose coming no request runs any more.
    """

    process: "subprocess.Popen[bytes]"
    writer: asyncio.StreamWriter
    drained: int
    listens: bool = False

    def send(self, handover: Handover) -> None:
        """Hand a setup over; to one that has just died it goes nowhere."""
        self.writer.write(handover.dump())

    async def end(self) -> None:
        """See it to its end: it has closed its socket, or nobody follows it any more."""
        self.writer.close()  # which is its parent's end to it
        if not await until(lambda: self.process.poll() is not None, _END_S):
            self.process.kill()
            self.process.wait()


def _spawn(
    number: int, control: socket.socket, listener: socket.socket, table: SharedTable, metrics: str
) -> "subprocess.Popen[bytes]":
    descriptors = (control.fileno(), listener.fileno(), table.fileno())
    return subprocess.Popen(
        # -P: the working folder's own packages must not hide any.
        [sys.executable, "-P", "-m", "server.worker", *map(str, descriptors), str(number)],
        env=os.environ | {MULTIPROCESS_VARIABLE: metrics},
        stdin=subprocess.DEVNULL,
        pass_fds=descriptors,
        start_new_session=True,  # Ctrl-C in the terminal is for the parent, which stops it in order
    )
