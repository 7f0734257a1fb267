"""No server outlives its owner, and none leaves children behind."""

import asyncio
import contextlib
import os
import signal
import sys
import textwrap
from pathlib import Path

from process_table import alive, needs_proc
from waiting import until

from app.engine.process import ServerProcess

ROOT = Path(__file__).resolve().parents[2]
pytestmark = needs_proc


# A server that starts a child as vLLM does its engine. With "stubborn" both ignore SIGTERM.
SERVER = """
import os, signal, subprocess, sys, time
stubborn = sys.argv[2] == "stubborn"
if stubborn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
code = "import signal, time; "
code += "signal.signal(signal.SIGTERM, signal.SIG_IGN); " if stubborn else ""
code += "print('up', flush=True); time.sleep(600)"
child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
child.stdout.readline()
with open(sys.argv[1] + ".new", "w") as file:
    file.write(f"{os.getpid()} {child.pid}")
os.rename(sys.argv[1] + ".new", sys.argv[1])
print("log line", flush=True)
if sys.argv[2] == "crash":
    sys.exit(7)
time.sleep(600)
"""


async def start_server(folder: Path, manner: str, grace_s: float = 5.0) -> tuple[ServerProcess, list[int]]:
    script = [sys.executable, "-c", SERVER, str(folder / "pids"), manner]
    process = ServerProcess(script, dict(os.environ), folder / "log", grace_s=grace_s)
    await until((folder / "pids").exists)
    return process, [int(pid) for pid in (folder / "pids").read_text().split()]


async def test_stopping_ends_the_server_and_its_children(tmp_path: Path) -> None:
    process, pids = await start_server(tmp_path, "plain")
    assert all(map(alive, pids))
    assert process.status() is None
    await process.stop()
    assert not any(map(alive, pids))
    assert process.status() == 128 + signal.SIGTERM
    assert (tmp_path / "log").read_text() == "log line\n"
    await process.stop()


async def test_a_server_that_ignores_sigterm_is_killed_after_the_grace(tmp_path: Path) -> None:
    process, pids = await start_server(tmp_path, "stubborn", grace_s=0.3)
    await process.stop()
    assert not any(map(alive, pids))
    assert process.status() == 128 + signal.SIGKILL


async def test_a_crashed_server_leaves_no_children_and_its_status(tmp_path: Path) -> None:
    process, pids = await start_server(tmp_path, "crash")
    await until(lambda: process.status() is not None)
    assert process.status() == 7
    assert not any(map(alive, pids))


async def test_a_cancelled_stop_is_finished_by_the_supervisor(tmp_path: Path) -> None:
    process, pids = await start_server(tmp_path, "stubborn", grace_s=0.5)
    stopping = asyncio.create_task(process.stop())
    await asyncio.sleep(0.1)
    stopping.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await stopping
    await until(lambda: process.status() is not None)
    assert not any(map(alive, pids))


async def test_the_server_ends_when_its_owner_is_killed(tmp_path: Path) -> None:
    owner = """
    import os, sys, time
    from pathlib import Path
    from app.engine.process import ServerProcess
    server, folder = sys.argv[1], Path(sys.argv[2])
    ServerProcess([sys.executable, "-c", server, str(folder / "pids"), "plain"], dict(os.environ), folder / "log")
    time.sleep(600)
    """
    arguments = ["-c", textwrap.dedent(owner), SERVER, str(tmp_path)]
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, cwd=ROOT)
    await until((tmp_path / "pids").exists)
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert all(map(alive, pids))
    process.kill()
    await process.wait()
    await until(lambda: not any(map(alive, pids)))
