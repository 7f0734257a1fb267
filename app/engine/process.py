"""Processes that never outlive their owner."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

from app.engine import supervisor

_GRACE_S = 10.0
_COMMAND_GRACE_S = 60.0  # a stage saves a checkpoint after its step
_POLL_S = 0.05


def supervised(command: Sequence[str], grace_s: float = _GRACE_S) -> list[str]:
    """The command under a supervisor: it ends, with all that it started, when this process does, even by SIGKILL.

    Args:
        command: what to run.
        grace_s: seconds between the supervisor's SIGTERM to it and SIGKILL.
    """
    # -I -S: nothing but the standard library, whatever the environment says; it starts in 20 ms.
    return [sys.executable, "-I", "-S", supervisor.__file__, str(os.getpid()), str(grace_s), *command]


def run_supervised(
    command: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    output: Path | None = None,
    grace_s: float = _COMMAND_GRACE_S,
) -> int:
    """Run a command in this terminal and wait for it. Ctrl-C ends it by SIGTERM, in its own order, and then this wait.

    Args:
        command: what to run.
        environment: its environment; this process's by default.
        output: a file for its standard output; this process's by default.
        grace_s: seconds that it has after SIGTERM.

    Returns:
        Its exit status; 128 + N after signal N.

    Raises:
        KeyboardInterrupt: after Ctrl-C, when the command and all that it started are gone.
    """
    with output.open("wb") if output else nullcontext() as stdout:
        process = subprocess.Popen(supervised(command, grace_s), env=environment, stdout=stdout)
        try:
            return process.wait()
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()


class ServerProcess:
    """A command, run with its output in a log, under a supervisor that ends it with all its children.

    Ctrl-C in the terminal does not reach it: its owner ends it, in order.
    """

    def __init__(
        self, command: list[str], environment: dict[str, str], log: Path, *, grace_s: float = _GRACE_S
    ) -> None:
        with log.open("ab") as output:
            self._supervisor = subprocess.Popen(
                supervised(command, grace_s),
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def status(self) -> int | None:
        """The server's exit status, 128 + N after signal N; None while it runs."""
        return self._supervisor.poll()

    async def stop(self) -> None:
        """End the server and wait until it and its children are gone.

        If the wait is cancelled, the supervisor still finishes the job.
        """
        if self.status() is None:
            self._supervisor.terminate()
        while self.status() is None:  # noqa: ASYNC110  # another process's end: no event tells
            await asyncio.sleep(_POLL_S)
