"""A server process that never outlives its owner."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from app.engine import supervisor

_GRACE_S = 10.0
_POLL_S = 0.05


class ServerProcess:
    """A command, run with its output in a log, under a supervisor that ends it with all its children.

    Ctrl-C in the terminal does not reach it: its owner ends it, in order.
    """

    def __init__(
        self, command: list[str], environment: dict[str, str], log: Path, *, grace_s: float = _GRACE_S
    ) -> None:
        with log.open("ab") as output:
            self._supervisor = subprocess.Popen(
                # -I -S: nothing but the standard library, whatever the environment says; it starts in 20 ms.
                [sys.executable, "-I", "-S", supervisor.__file__, str(os.getpid()), str(grace_s), *command],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The supervisor's process id."""
        return self._supervisor.pid

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
