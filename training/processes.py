"""A stage's processes on this machine: started by accelerate, ended with us, stopped in order when we are asked to.

What is wrong is said by one of them.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Final

from app.command import BAD_INPUT
from app.engine.process import supervised
from app.errors import InputError

# Ctrl-C, a batch system's end, and the warning that Slurm sends before a time limit.
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
_GRACE_S = 20.0  # until processes that do not end by themselves are killed
_FIRST_S = 1.0  # the others leave the first process this time to speak before them: the progress bar is its own
# Names a file to the processes: it is there once one of them says what is wrong. It is no setting, so without HIMED_.
_SAID: Final = "TRAINING_SAID_FILE"


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
    at_once = False

    def stop(number: int, _frame: FrameType | None) -> None:
        nonlocal at_once
        if number == signal.SIGINT and stop_file.exists():
            at_once = True
            process.terminate()  # the supervisor ends the group
            return
        stop_file.touch()
        print("stopping after this step, with a checkpoint; Ctrl-C again stops at once", file=sys.stderr, flush=True)

    with TemporaryDirectory(prefix="himed-train-") as folder:
        process = _start(supervised(command, _GRACE_S), Path(folder) / "said")
        with _handled(stop):
            code = process.wait()
    if at_once:
        raise KeyboardInterrupt
    return code


@contextmanager
def said_once() -> Iterator[None]:
    """Let an `InputError` pass in one process of a machine alone: the first, where it meets one too.

    What the others meet after that is not said. It is mostly the same, or that they have lost this one.

    Raises:
        SystemExit: another process says what is wrong.
    """
    try:
        yield
    except Exception as error:
        if _SAID not in os.environ:  # started by hand
            raise
        said = Path(os.environ[_SAID])
        if _may_say(said) if isinstance(error, InputError) else not said.exists():
            raise
        time.sleep(_GRACE_S)  # the launcher ends this process when the one that says it has ended
        raise SystemExit(BAD_INPUT) from None


def _may_say(said: Path) -> bool:
    """Whether no other process says what is wrong; then none but this one may from here on."""
    is_first = os.environ["LOCAL_RANK"] == "0"
    if not is_first:
        time.sleep(_FIRST_S)
    try:
        said.touch(exist_ok=False)
    except FileExistsError:
        return False
    except OSError:
        pass  # rather twice than never
    if not is_first:
        print(file=sys.stderr)  # the first one's progress bar may stand in this line
    return True


def _start(words: Sequence[str], said: Path) -> "subprocess.Popen[bytes]":
    """Start a command that ignores SIGUSR1, as all that it starts do: Slurm sends it to every process of a job step,
    and those that know nothing of it would be ended by it."""
    before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # what is ignored stays so in a new program
    try:
        return subprocess.Popen(words, start_new_session=True, env=_environment() | {_SAID: str(said)})
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
