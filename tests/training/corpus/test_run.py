"""Executors over books: real processes, real kills, one endpoint that keeps count."""

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from sample_steps import AskStep, CountStep
from scripted_model import scripted_model
from slurm_node import missing as slurm_missing
from slurm_node import slurm_node

from app.errors import InputError
from training.corpus.config import Model
from training.corpus.run.estimate import estimate
from training.corpus.run.executors import How, batch_script, run_units
from training.corpus.run.plan import states_of
from training.corpus.run.status import status_of
from training.corpus.unit import Unit, find_units

LINES = 40
HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def _paths(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the executors' processes find the steps of the tests."""
    monkeypatch.setenv("PYTHONPATH", str(HERE))


@pytest.fixture
def asked() -> Iterator[tuple[Counter[str], Model]]:
    """How often each line was asked for, and the model that is asked."""
    counts: Counter[str] = Counter()

    def script(body: dict[str, Any]) -> str | int:
        text = body["messages"][0]["content"]
        counts[text] += 1
        time.sleep(0.002)
        return "<FAIL>" if text.endswith("7") else f"said {text}"

    with scripted_model(script) as backend:
        yield counts, Model(base_url=f"http://127.0.0.1:{backend.port}", model="m", backoff_s=0.001, max_attempts=2)


def books(folder: Path, number: int) -> list[Unit]:
    sources = folder / "books"
    sources.mkdir()
    for book in range(number):
        (sources / f"b{book}.txt").write_text("\n".join(f"b{book} line {line}" for line in range(LINES)))
    return find_units(sources, [".txt"])[0]


def steps(model: Model) -> tuple[AskStep, CountStep]:
    return AskStep(model), CountStep()


def outputs(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted((folder / "ask").glob("*.jsonl"))}


def test_two_tasks_do_what_one_does_and_nothing_twice(tmp_path: Path, asked: tuple[Counter[str], Model]) -> None:
    counts, model = asked
    units = books(tmp_path, 5)
    for tasks in (1, 2):
        run_units(steps(model), tmp_path / f"made{tasks}", units, How(tasks=tasks))
    assert outputs(tmp_path / "made1") == outputs(tmp_path / "made2")
    assert len(outputs(tmp_path / "made1")) == 5
    declined = {text for text in counts if text.endswith("7")}
    assert all(count == (4 if text in declined else 2) for text, count in counts.items())
    (ask, count) = status_of(steps(model), tmp_path / "made1", states_of(steps(model), tmp_path / "made1", units))
    (flow,) = ask.flows
    assert (flow.into, flow.out, dict(flow.left)) == (5 * LINES, 5 * (LINES - 4), {"declined": 20})
    assert (ask.done, count.done) == (5, 5)
    assert ask.spent["ask"].calls == 5 * (LINES + 4)
    assert not list((tmp_path / "made1" / "runs").iterdir())


def test_killed_at_any_moment_it_goes_on(tmp_path: Path, asked: tuple[Counter[str], Model]) -> None:
    counts, model = asked
    units = books(tmp_path, 4)
    folder = tmp_path / "made"
    program = (
        "import sys; from pathlib import Path; from sample_steps import AskStep, CountStep\n"
        "from training.corpus.config import Model; from training.corpus.unit import find_units\n"
        "from training.corpus.run.executors import How, run_units; from training.corpus.run.plan import states_of\n"
        f"model = Model(**{model.model_dump()!r}); steps = (AskStep(model), CountStep())\n"
        f"folder = Path({str(folder)!r}); units, _ = find_units(Path({str(tmp_path / 'books')!r}), ['.txt'])\n"
        "left = [s.unit for s in states_of(steps, folder, units) if s.is_left(steps, None)]\n"
        "run_units(steps, folder, left, How(tasks=2))\n"
    )
    for part in (30, 70, 110):
        process = subprocess.Popen([sys.executable, "-c", program])
        while counts.total() < part and process.poll() is None:
            time.sleep(0.005)
        process.kill()
        process.wait()
    assert not counts.total() >= 4 * LINES
    subprocess.run([sys.executable, "-c", program], check=True)
    found = outputs(folder)
    run_units(steps(model), tmp_path / "again", units, How())
    assert found == outputs(tmp_path / "again")
    rows = [orjson.loads(line)["line"] for text in found.values() for line in text.splitlines()]
    assert len(rows) == len(set(rows)) == 4 * (LINES - 4)


def test_no_process_outlives_a_kill(tmp_path: Path, asked: tuple[Counter[str], Model]) -> None:
    counts, model = asked
    units = books(tmp_path, 2)
    program = (
        "from pathlib import Path; from sample_steps import AskStep; from training.corpus.config import Model\n"
        "from training.corpus.unit import Unit; from training.corpus.run.executors import How, run_units\n"
        f"units = [Unit(i, Path(p), h) for i, p, h in {[(u.id, str(u.source), u.sha256) for u in units]!r}]\n"
        f"steps, folder = (AskStep(Model(**{model.model_dump()!r})),), Path({str(tmp_path / 'made')!r})\n"
        "run_units(steps, folder, units, How(tasks=2))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], start_new_session=True)
    while not counts.total():
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    sign = str(tmp_path / "made")
    for _ in range(100):
        left = [pid for pid in os.listdir("/proc") if pid.isdigit() and sign in _command_line(pid)]
        if not left:
            return
        time.sleep(0.1)
    pytest.fail(f"still there: {[_command_line(pid) for pid in left]}")


def _command_line(pid: str) -> str:
    try:
        return Path("/proc", pid, "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
    except OSError:
        return ""


def test_a_book_that_cannot_be_read_is_one_reject(tmp_path: Path, asked: tuple[Counter[str], Model]) -> None:
    _counts, model = asked
    units = books(tmp_path, 2)
    (units[0].source).write_text("?")
    units, _ = find_units(tmp_path / "books", [".txt"])
    run_units(steps(model), tmp_path / "made", units, How())
    states = states_of(steps(model), tmp_path / "made", units)
    assert [state.is_left(steps(model), None) for state in states] == [False, False]
    assert [state.fault and "is no book" in state.fault for state in states] == [True, None]
    ask, count = status_of(steps(model), tmp_path / "made", states)
    assert (ask.done, count.done, len(ask.faults)) == (2, 1, 1)


@pytest.mark.parametrize(
    ("text", "error", "words"), [("!", InputError, "mend it"), ("#", RuntimeError, "ZeroDivision")]
)
def test_what_stops_the_work_is_said_once(
    text: str, error: type[Exception], words: str, tmp_path: Path, asked: tuple[Counter[str], Model]
) -> None:
    _counts, model = asked
    books(tmp_path, 2)
    (tmp_path / "books" / "b0.txt").write_text(text)
    units, _ = find_units(tmp_path / "books", [".txt"])
    with pytest.raises(error, match=words):
        run_units(steps(model), tmp_path / "made", units, How())


def test_an_endpoint_that_is_away_stops_it_in_one_line(tmp_path: Path) -> None:
    units = books(tmp_path, 3)
    model = Model(base_url="http://127.0.0.1:1", model="m", backoff_s=0.001, max_attempts=1)
    with pytest.raises(InputError, match="requests failed one after the other"):
        run_units(steps(model), tmp_path / "made", units, How(tasks=2))


def test_a_killed_worker_is_told_and_not_waited_for(tmp_path: Path, asked: tuple[Counter[str], Model]) -> None:
    counts, model = asked
    units = books(tmp_path, 2)
    pids: list[int] = []

    def kill() -> None:
        while not counts.total():
            time.sleep(0.005)
        (file,) = (tmp_path / "made" / "runs").glob("*/running/b0*")
        pids.append(int(file.read_text()))
        os.kill(pids[0], signal.SIGKILL)

    import threading

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(InputError, match="was killed; if its memory was too little"):
        run_units(steps(model), tmp_path / "made", units, How(tasks=2))
    killer.join()
    assert pids


def test_an_estimate_takes_measured_tokens_where_there_are_any(
    tmp_path: Path, asked: tuple[Counter[str], Model]
) -> None:
    _counts, model = asked
    units = books(tmp_path, 3)
    folder = tmp_path / "made"
    ask, count = estimate(steps(model), folder, states_of(steps(model), folder, units))
    assert (ask.books, ask.size.items, ask.expected.prompt_tokens, ask.measured) == (3, 120, 1200, False)
    assert (count.books, count.size.items) == (3, 120)
    run_units(steps(model), folder, units[:1], How())
    ask, count = estimate(steps(model), folder, states_of(steps(model), folder, units))
    spent = status_of(steps(model), folder, states_of(steps(model), folder, units))[0].spent["ask"]
    assert (ask.books, ask.measured) == (2, True)
    assert ask.expected.prompt_tokens == pytest.approx(80 * spent.prompt_tokens / spent.calls)
    assert count.books == 2


def test_a_batch_file_asks_for_what_was_given(tmp_path: Path) -> None:
    how = How.of("slurm", 8, ["partition=cpu", "--time=08:00:00", "cpus-per-task=4", "account=a1"])
    text = batch_script(steps(Model(base_url="http://x", model="m")), tmp_path, 2500, how)
    for line in ("partition=cpu", "time=08:00:00", "cpus-per-task=4", "mem-per-cpu=4G", "account=a1"):
        assert f"#SBATCH --{line}\n" in text
    assert "#SBATCH --array=0-833%8\n" in text  # 2,500 books by 3
    assert re.search(r"srun -l -n 1 launch_pickled_pipeline \S+executor\.pik", text)
    assert f"source {sys.prefix}/bin/activate" in text


@pytest.mark.slow
def test_ray_does_what_this_machine_does(tmp_path: Path, asked: tuple[Counter[str], Model]) -> None:
    pytest.importorskip("ray")
    _counts, model = asked
    units = books(tmp_path, 3)
    run_units(steps(model), tmp_path / "here", units, How())
    run_units(steps(model), tmp_path / "ray", units, How("ray", tasks=2))
    assert outputs(tmp_path / "here") == outputs(tmp_path / "ray")


@pytest.mark.slow
@pytest.mark.skipif(bool(slurm_missing()), reason=slurm_missing() or "")
def test_slurm_does_what_this_machine_does(
    tmp_path: Path, asked: tuple[Counter[str], Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    _counts, model = asked
    units = books(tmp_path, 3)
    run_units(steps(model), tmp_path / "here", units, How())
    cluster = tmp_path / "cluster"
    cluster.mkdir()
    with slurm_node(cluster) as environment:
        for name in ("SLURM_CONF", "PATH"):
            monkeypatch.setenv(name, environment[name])
        how = How.of("slurm", 2, ["partition=all", "mem-per-cpu=1G"])
        job = run_units(steps(model), tmp_path / "slurm", units, how)
        assert job is not None
        assert job.isdigit()
        wait_for(job)
    assert outputs(tmp_path / "here") == outputs(tmp_path / "slurm")
    states = states_of(steps(model), tmp_path / "slurm", units)
    assert not [state for state in states if state.is_left(steps(model), None)]


def wait_for(job: str) -> None:
    for _ in range(300):
        waiting = subprocess.run(["squeue", "-h", "-j", job], check=True, capture_output=True, text=True).stdout
        if not waiting.strip():
            return
        time.sleep(0.3)
    pytest.fail(f"the job does not end: {waiting}")


@pytest.mark.parametrize(
    ("how", "words"),
    [
        (("cloud", 1), "use one of local, ray, slurm"),
        (("slurm", 1, ["partition"]), "write it like partition=cpu"),
    ],
)
def test_an_unknown_way_to_run_is_refused(how: tuple[Any, ...], words: str) -> None:
    with pytest.raises(InputError, match=words):
        How.of(*how)


def test_slurm_must_be_told_where(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="give --sbatch partition=NAME"):
        batch_script(steps(Model(base_url="http://x", model="m")), tmp_path, 1, How("slurm"))
