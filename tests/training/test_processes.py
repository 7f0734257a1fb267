import os
import signal
import sys
from pathlib import Path

import pytest

from training.processes import run_processes

# Signals this process's owner's owner, its owner (the supervisor) and itself, as Slurm does with a job step.
SIGNALLED = """
import os, signal, sys, time
stop_file = sys.argv[1]
for process in (os.getpid(), os.getppid(), int(sys.argv[2])):
    os.kill(process, signal.SIGUSR1)
while not os.path.exists(stop_file):
    time.sleep(0.02)
sys.exit(7)
"""

# As a launcher: one process per argument, all ended as soon as one fails.
LAUNCHER = """
import os, subprocess, sys, time
processes = [
    subprocess.Popen([sys.executable, "-c", work], env=os.environ | {"LOCAL_RANK": str(rank)})
    for rank, work in enumerate(sys.argv[1:])
]
while not any(process.poll() for process in processes):
    time.sleep(0.5)
for process in processes:
    process.terminate()
sys.exit(max(process.wait() for process in processes))
"""
WORK = """
import time
from app.command import run_main
from app.errors import InputError
from training.processes import said_once

held = []  # until this process ends

def work():
    with said_once():
        {}

run_main(work, "himed-train")
"""
MISSING = "raise InputError('there is no such file', file='rows.jsonl')"
LINE = "himed-train: error: rows.jsonl: there is no such file\n"
WAITS = "time.sleep(60)"
GONE = "held.append(open({fifo!r}, 'w')); " + MISSING
LOSES = "open({fifo!r}).read(); raise ConnectionError('the other process is gone')"


def test_a_warning_to_every_process_asks_for_a_stop_and_ends_none(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGUSR1)
    command = [sys.executable, "-c", SIGNALLED, str(tmp_path / "stop"), str(os.getpid())]
    assert run_processes(command, tmp_path / "stop") == 7
    assert signal.getsignal(signal.SIGUSR1) == before


def launched(works: tuple[str, ...], folder: Path) -> int:
    """The status of processes that do these works; ``fifo`` tells one of them when another has ended."""
    os.mkfifo(folder / "fifo")
    scripts = [WORK.format(work.format(fifo=str(folder / "fifo"))) for work in works]
    return run_processes([sys.executable, "-c", LAUNCHER, *scripts], folder / "stop")


@pytest.mark.parametrize(
    ("works", "said"),
    [
        pytest.param((MISSING, MISSING), LINE, id="all"),
        pytest.param((MISSING, WAITS), LINE, id="the first"),
        # A line of its own, since the first one's progress bar may stand in this one.
        pytest.param((WAITS, MISSING), "\n" + LINE, id="another"),
        pytest.param((WAITS, MISSING, MISSING), "\n" + LINE, id="some others"),
        pytest.param((LOSES, GONE), "\n" + LINE, id="another, which the first one loses"),
    ],
)
def test_what_is_wrong_is_said_once_whichever_process_meets_it(
    works: tuple[str, ...], said: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert launched(works, tmp_path) == 2
    assert capfd.readouterr().err == said


def test_a_fault_of_ours_keeps_its_traceback_in_every_process(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert launched(("1 / 0", "1 / 0"), tmp_path) == 1
    said = capfd.readouterr().err
    assert said.count("Traceback (most recent call last)") == said.count("ZeroDivisionError: ") == 2
