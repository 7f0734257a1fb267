"""Runs a server and ends it, with all that it started, when it is told to or when its owner is gone.

    python supervisor.py OWNER_PID GRACE_SECONDS COMMAND …

A script of its own, on the standard library alone: it outlives its owner's SIGKILL, which nothing inside the owner
could. It exits with the server's status, 128 + N for signal N.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from types import FrameType

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h
_CHECK_S = 0.2
_KILL_WAIT_S = 10.0


class Supervisor:
    """Runs one command until it ends, its owner ends, or a signal comes."""

    def __init__(self, owner: int, grace_s: float) -> None:
        self.owner, self.grace_s = owner, grace_s
        self._stopping = False

    def run(self, command: list[str]) -> int:
        """The command's exit status, once its whole process group is gone."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._stop)
        if sys.platform == "linux":
            # The server's own children come to us when it dies, so that they can be waited for.
            ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
        # One thread runs here, so that a function between fork and exec is safe.
        server = subprocess.Popen(command, process_group=0, preexec_fn=_die_with_parent)
        while server.poll() is None and not self._stopping and os.getppid() == self.owner:
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(_CHECK_S)
        _end_group(server, self.grace_s)
        return server.returncode if server.returncode >= 0 else 128 - server.returncode

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _end_group(server: "subprocess.Popen[bytes]", grace_s: float) -> None:
    """SIGTERM to the server's process group, SIGKILL to what is left of it after the grace."""
    for number, wait_s in ((signal.SIGTERM, grace_s), (signal.SIGKILL, _KILL_WAIT_S)):
        try:
            os.killpg(server.pid, number)
        except ProcessLookupError:
            break
        end = time.monotonic() + wait_s
        while _group_lives(server) and time.monotonic() < end:
            time.sleep(0.05)
    server.wait()


def _group_lives(server: "subprocess.Popen[bytes]") -> bool:
    if server.poll() is not None:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-server.pid, os.WNOHANG)[0]:  # orphans that came to us
                pass
    try:
        os.killpg(server.pid, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(Supervisor(int(sys.argv[1]), float(sys.argv[2])).run(sys.argv[3:]))
