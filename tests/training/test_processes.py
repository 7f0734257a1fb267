import os
import signal
import sys
from pathlib import Path

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


def test_a_warning_to_every_process_asks_for_a_stop_and_ends_none(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGUSR1)
    command = [sys.executable, "-c", SIGNALLED, str(tmp_path / "stop"), str(os.getpid())]
    assert run_processes(command, tmp_path / "stop") == 7
    assert signal.getsignal(signal.SIGUSR1) == before
