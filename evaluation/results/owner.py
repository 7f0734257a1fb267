"""Which process works on a run: so that two never do, and a killed one never blocks the next."""

import os
import socket
from datetime import timedelta
from pathlib import Path

from app.tables import RunRow, utc_now

# A process of another host that has not said anything for so long is taken for dead.
STALE = timedelta(minutes=2)


def this_process() -> str:
    """``host:pid:start``; the start time tells a process from a later one with the same number."""
    return f"{socket.gethostname()}:{os.getpid()}:{_start_time(os.getpid())}"


def is_alive(owner: str) -> bool | None:
    """Does the process still run? None when it is of another host and cannot be seen from here."""
    host, pid, start = owner.rsplit(":", 2)
    if host != socket.gethostname():
        return None
    return _start_time(int(pid)) == start


def is_worked_on(run: RunRow) -> bool:
    """Does a process work on the run, as far as can be told from here?"""
    if run.status != "running" or run.owner is None:
        return False
    alive = is_alive(run.owner)
    return utc_now() - run.heartbeat < STALE if alive is None else alive


def _start_time(pid: int) -> str:
    # Field 22 of /proc/PID/stat; the name in field 2 may hold blanks and parentheses, so count from behind it.
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return "gone"
    else:
        return stat.rpartition(")")[2].split()[19]
    try:  # no /proc: macOS
        os.kill(pid, 0)
    except ProcessLookupError:
        return "gone"
    except PermissionError:
        pass
    return "running"
