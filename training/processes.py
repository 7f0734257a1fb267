"""A stage's processes on this machine: started by accelerate, ended with us, stopped in order when we are asked to."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

from app.engine import supervisor

# Ctrl-C, a batch system's end, and the warning that Slurm sends before a time limit.
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
_GRACE_S = 20.0  # until processes that do not end by themselves are killed


def run_processes(command: Sequence[str], stop_file: Path) -> int:
    """Run the command that starts the processes, and wait for them.

    The first signal asks them, by the stop file, to save a checkpoint and end after their step; a second Ctrl-C ends
    them at once. They have a session of their own, or the terminal's Ctrl-C would reach them as well, and they end when
    this process is gone, even by SIGKILL.

    Returns:
        The command's exit status; 128 + N where signal N ended it.

    Raises:
        KeyboardInterrupt: they were ended by a second Ctrl-C.
    """
    process = _start([sys.executable, str(Path(supervisor.__file__)), str(os.getpid()), str(_GRACE_S), *command])
    at_once = False

    def stop(number: int, _frame: FrameType | None) -> None:
        nonlocal at_once
        if number == signal.SIGINT and stop_file.exists():
            at_once = True
            process.terminate()  # the supervisor ends the group
            return
        stop_file.touch()
        print("stopping after this step, with a checkpoint; Ctrl-C again stops at once", file=sys.stderr, flush=True)

    with _handled(stop):
        code = process.wait()
    if at_once:
        raise KeyboardInterrupt
    return code


def _start(words: Sequence[str]) -> "subprocess.Popen[bytes]":
    """Start a command that ignores SIGUSR1, as all that it starts do: Slurm sends it to every process of a job step,
    and those that know nothing of it would be ended by it."""
    before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # what is ignored stays so in a new program
    try:
        return subprocess.Popen(words, start_new_session=True, env=_environment())
    finally:
        signal.signal(signal.SIGUSR1, before)


def _environment() -> dict[str, str]:
    """This environment, with our interpreter's folder on the path: DeepSpeed compiles its operations with ninja."""
    folder = str(Path(sys.executable).parent)
    return os.environ | {"PATH": os.pathsep.join([folder, os.environ.get("PATH", os.defpath)])}


@contextmanager
def _handled(handler: "signal._HANDLER") -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in SIGNALS}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
