"""Executors over books: real processes, real kills, one endpoint that keeps count."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from sample_steps import AskStep, CountStep, run_here
from scripted_model import scripted_model
from slurm_node import missing as slurm_missing
from slurm_node import slurm_node

from app.errors import InputError
from training.corpus.config import Model
from training.corpus.run.estimate import estimate
from training.corpus.run.executors import How, batch_script, run_units
from training.corpus.run.plan import states_of, strays_of
from training.corpus.run.status import status_of
from training.corpus.run.task import RunFolder
from training.corpus.step import Expected, Size
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


@pytest.mark.slow
def test_two_tasks_do_what_one_does_and_nothing_twice(tmp_path: Path, asked: tuple[Counter[str], Model]) -> None:
    counts, model = asked
    units = books(tmp_path, 3)
    run_here(steps(model), tmp_path / "made1", units)
    run_units(steps(model), tmp_path / "made2", units, How(tasks=2))
    assert outputs(tmp_path / "made1") == outputs(tmp_path / "made2")
    assert len(outputs(tmp_path / "made1")) == 3
    declined = {text for text in counts if text.endswith("7")}
    assert all(count == (4 if text in declined else 2) for text, count in counts.items())
    (ask, count) = status_of(steps(model), tmp_path / "made1", states_of(steps(model), tmp_path / "made1", units))
    (flow,) = ask.flows
    assert (flow.into, flow.out, dict(flow.left)) == (3 * LINES, 3 * (LINES - 4), {"declined": 12})
    assert (ask.done, count.done) == (3, 3)
    assert ask.spent["ask"].calls == 3 * (LINES + 4)
    assert not list((tmp_path / "made2" / "runs").iterdir())


@pytest.mark.slow
def test_killed_at_any_moment_it_leaves_no_process_and_goes_on(
    tmp_path: Path, asked: tuple[Counter[str], Model]
) -> None:
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
    for part in (40, 110):
        process = subprocess.Popen([sys.executable, "-c", program])
        while counts.total() < part and process.poll() is None:
            time.sleep(0.005)
        process.kill()
        process.wait()
        wait_until_no_process_names(folder)
    assert not counts.total() >= 4 * LINES
    subprocess.run([sys.executable, "-c", program], check=True)
    found = outputs(folder)
    run_here(steps(model), tmp_path / "again", units)
    assert found == outputs(tmp_path / "again")
    rows = [orjson.loads(line)["line"] for text in found.values() for line in text.splitlines()]
    assert len(rows) == len(set(rows)) == 4 * (LINES - 4)


def wait_until_no_process_names(folder: Path) -> None:
    for _ in range(200):
        left = [pid for pid in os.listdir("/proc") if pid.isdigit() and str(folder) in _command_line(pid)]
        if not left:
            return
        time.sleep(0.05)
    pytest.fail(f"still there: {[_command_line(pid) for pid in left]}")


def _command_line(pid: str) -> str:
    try:
        return Path("/proc", pid, "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
    except OSError:
        return ""


def test_a_sign_that_is_gone_again_is_none(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    run.create([])
    run.running("done").symlink_to(tmp_path / "gone")  # there while the folder is listed, away when it is read
    run.running("busy").write_text("1")
    assert run.words("running") == [("busy", "1")]


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
        run_units(steps(model), tmp_path / "made", units, How())


@pytest.mark.parametrize("tasks", [1, 2])
def test_a_killed_worker_is_told_and_not_waited_for(
    tasks: int, tmp_path: Path, asked: tuple[Counter[str], Model]
) -> None:
    counts, model = asked
    units = books(tmp_path, 2)
    pids: list[int] = []

    def kill() -> None:
        while not counts.total():
            time.sleep(0.005)
        file = next((tmp_path / "made" / "runs").glob("*/running/b*"))
        pids.append(int(file.read_text()))
        os.kill(pids[0], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(InputError, match="was killed; if its memory was too little"):
        run_units(steps(model), tmp_path / "made", units, How(tasks=tasks))
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
    run_here(steps(model), folder, units[:1])
    ask, count = estimate(steps(model), folder, states_of(steps(model), folder, units))
    spent = status_of(steps(model), folder, states_of(steps(model), folder, units))[0].spent["ask"]
    assert (ask.books, ask.measured) == (2, True)
    assert ask.expected.prompt_tokens == pytest.approx(80 * spent.prompt_tokens / spent.calls)
    assert count.books == 2
    (count,) = estimate(steps(model), folder, states_of(steps(model), folder, units), 1)
    assert (count.books, count.size.items) == (0, 0)  # what waits for the first step is no work of the second alone


def test_each_purposes_tokens_are_measured_by_themselves(tmp_path: Path, asked: tuple[Counter[str], Model]) -> None:
    _counts, model = asked
    units = books(tmp_path, 2)

    class Twofold(AskStep):
        def expect(self, size: Size) -> Expected:
            return Expected(size, {"ask": size.items, "look": size.items}, size.items * 2000, size.items * 20)

    run_here((AskStep(model),), tmp_path / "made", units[:1])
    states = states_of((AskStep(model),), tmp_path / "made", units)
    spent = status_of((AskStep(model),), tmp_path / "made", states)[0].spent["ask"]
    (found,) = estimate((Twofold(model),), tmp_path / "made", states)
    assert found.measured == 0.5
    assert found.expected.prompt_tokens == pytest.approx(LINES * (spent.prompt_tokens / spent.calls + 1000))


def test_outputs_of_no_book_are_found(tmp_path: Path, asked: tuple[Counter[str], Model]) -> None:
    _counts, model = asked
    units = books(tmp_path, 2)
    run_here(steps(model), tmp_path / "made", units)
    assert strays_of(steps(model), tmp_path / "made", units) == {}
    units[1].source.rename(tmp_path / "books" / "renamed.txt")
    now, _ = find_units(tmp_path / "books", [".txt"])
    strays = strays_of(steps(model), tmp_path / "made", now)
    assert {name: [file.stem for file in files] for name, files in strays.items()} == {
        "ask": [units[1].id], "count": [units[1].id],
    }  # fmt: skip


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
    run_here(steps(model), tmp_path / "here", units)
    run_units(steps(model), tmp_path / "ray", units, How("ray", tasks=2))
    assert outputs(tmp_path / "here") == outputs(tmp_path / "ray")


@pytest.mark.slow
@pytest.mark.skipif(bool(slurm_missing()), reason=slurm_missing() or "")
def test_slurm_does_what_this_machine_does(
    tmp_path: Path, asked: tuple[Counter[str], Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    _counts, model = asked
    units = books(tmp_path, 3)
    run_here(steps(model), tmp_path / "here", units)
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
        (("local", 1, ["partition=cpu"]), "'--sbatch': is read by slurm alone"),
        (("slurm", 1), "give --sbatch partition=NAME"),
        (("slurm", 1, ["partition=cpu"], "head:6379"), "'--ray-address': is read by ray alone"),
    ],
)
def test_an_unknown_way_to_run_is_refused(how: tuple[Any, ...], words: str) -> None:
    with pytest.raises(InputError, match=words):
        How.of(*how)
