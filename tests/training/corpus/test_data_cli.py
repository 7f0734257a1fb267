"""`himed-data`: what it prints, and how it ends."""

import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path

import orjson
import pytest
import yaml
from corpus_model import CorpusModel
from data_command import Command, himed_data
from sample_steps import run_here
from scripted_model import scripted_model

from training.corpus.config import load_config
from training.corpus.pages import SUFFIXES
from training.corpus.run.plan import steps_of
from training.corpus.unit import Manifest, find_units

__all__ = ["himed_data"]  # pytest finds the fixture here

TEXT = "ज्वर में शरीर का तापमान बढ़ जाता है। रोगी को विश्राम और पर्याप्त जल देना चाहिए।\n\n" * 3
NOWHERE = "http://127.0.0.1:1"


def corpus(folder: Path, url: str = NOWHERE, **more: object) -> Path:
    """A corpus of two books of text, and a copy of one."""
    (folder / "books").mkdir()
    for name, text in (("a.txt", TEXT), ("b.txt", f"{TEXT}कास।"), ("copy.txt", TEXT)):
        (folder / "books" / name).write_text(text, encoding="utf-8")
    writer = {"base_url": url, "model": "m", "family": "llama", "backoff_s": 0.001, "max_attempts": 1}
    file = folder / "corpus.yaml"
    file.write_text(yaml.safe_dump({"sources": "books", "folder": "made", "writer": writer} | more))
    return file


def run_steps(file: Path, number: int) -> None:
    """The first steps of a corpus, without an executor's processes."""
    config = load_config(file)
    config.folder.mkdir(exist_ok=True)
    run_here(steps_of(config)[:number], config.folder, find_units(config.sources, SUFFIXES)[0])


@contextmanager
def a_writer() -> Iterator[str]:
    model = CorpusModel()
    with scripted_model(lambda body: model.answer(orjson.dumps(body)).text) as backend:
        yield f"http://127.0.0.1:{backend.port}"


def test_init_writes_a_file_that_is_read_and_overwrites_none(tmp_path: Path, himed_data: Command) -> None:
    file = tmp_path / "mine.yaml"
    ended = himed_data("init", file)
    assert (ended.code, ended.err) == (0, "")
    assert f"himed-data run {file} --dry-run" in ended.out
    assert load_config(file).sources == tmp_path / "books"
    ended = himed_data("init", file)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == f"himed-data: error: {file}: exists already; name another file, or remove it\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "missing.yaml"], "missing.yaml: no such file"),
        (["init", "no/such/folder.yaml"], "cannot be written"),
        (["run", "corpus.yaml", "--executor", "cloud"], "use one of local, ray, slurm"),
        (["run", "corpus.yaml", "--sbatch", "partition=cpu"], "is read by slurm alone"),
        (["run", "corpus.yaml", "--dry-run", "--executor", "slurm"], "give --sbatch partition=NAME"),
        (["judge", "corpus.yaml"], "no model for the step judge"),
        (["calls", "corpus.yaml", "passages"], "no calls of this step are kept"),
        (["status", "empty.yaml"], "holds no book"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    words: list[str], said: str, tmp_path: Path, himed_data: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus(tmp_path)
    (tmp_path / "none").mkdir()
    (tmp_path / "empty.yaml").write_text("sources: none\nfolder: made\n")
    monkeypatch.chdir(tmp_path)
    ended = himed_data(*words)
    assert (ended.code, ended.out) == (2, "")
    assert re.fullmatch(r"himed-data: error: [^\n]+\n", ended.err.removeprefix(copy_told(tmp_path)))
    assert said in ended.err


def copy_told(folder: Path) -> str:
    """What is said of the corpus's copy."""
    return f"{folder}/books/copy.txt: a copy of a.txt, left out\n"


def test_a_dry_run_tells_what_every_step_would_cost_and_asks_nobody(tmp_path: Path, himed_data: Command) -> None:
    file = corpus(tmp_path)
    ended = himed_data("run", file, "--dry-run", "--executor", "slurm", "--sbatch", "partition=cpu", "--tasks", 3)
    assert (ended.code, ended.err) == (0, copy_told(tmp_path))
    assert [row[:2] for row in rows_of(ended.out)] == [["pages", "2"], ["passages", "2"], ["instances", "2"]]
    assert "#SBATCH --array=0-1%3\n" in ended.out
    assert not list((tmp_path / "made").rglob("*.db"))


def test_a_dry_run_of_one_step_counts_what_lies_ready_for_it(tmp_path: Path, himed_data: Command) -> None:
    file = corpus(tmp_path)
    (row,) = rows_of(himed_data("passages", file, "--dry-run").out)
    assert row[:4] == ["passages", "0", "0", "0 flag, 0 grade"]
    run_steps(file, 1)
    (row,) = rows_of(himed_data("passages", file, "--dry-run").out)
    assert row[:2] == ["passages", "2"]


def rows_of(table: str) -> list[list[str]]:
    """The cells of a printed table's rows."""
    body = table[table.index("───") :].splitlines()[1:]
    return [re.split(r"\s{2,}", line.strip()) for line in takewhile(str.strip, body)]


def test_status_and_calls_show_what_was_done(tmp_path: Path, himed_data: Command) -> None:
    with a_writer() as url:
        file = corpus(tmp_path, url)
        run_steps(file, 2)
    shown = himed_data("status", file)
    assert (shown.code, shown.err) == (0, "")
    assert "passages (2 of 2 books)" in shown.out
    assert "instances (0 of 2 books)" in shown.out
    pages, passages, instances = orjson.loads(himed_data("status", file, "--json").out)
    assert (pages["done"], passages["done"], instances["done"]) == (2, 2, 0)
    for flow in [*pages["flows"], *passages["flows"]]:
        assert flow["in"] == flow["out"] + sum(flow["left"].values())
    calls = [orjson.loads(line) for line in himed_data("calls", file, "passages").out.splitlines()]
    assert len(calls) == sum(spent["calls"] for spent in passages["spent"].values()) > 0
    assert {call["purpose"] for call in calls} == set(passages["spent"])
    assert all(call["request"]["messages"] and call["reply"] for call in calls)
    some = [orjson.loads(line) for line in himed_data("calls", file, "passages", "--book", "b-").out.splitlines()]
    assert some == [call for call in calls if call["book"].startswith("b-")]
    assert 0 < len(some) < len(calls)


def test_outputs_of_books_that_are_gone_are_told(tmp_path: Path, himed_data: Command) -> None:
    file = corpus(tmp_path)
    run_steps(file, 1)
    (tmp_path / "books" / "b.txt").rename(tmp_path / "books" / "renamed.txt")
    for words in (["status", file], ["run", file, "--dry-run"]):
        assert "made/pages: 1 files are of no book in" in himed_data(*words).err


def test_one_steps_command_ends_by_what_that_step_has_left(tmp_path: Path, himed_data: Command) -> None:
    file = corpus(tmp_path)
    run_steps(file, 2)  # two books with few questions each: their writer is away, but not known to be
    (manifest, _) = (Manifest.read(one) for one in sorted((tmp_path / "made/passages/manifests").iterdir()))
    assert manifest is not None
    assert manifest.again > 0
    ended = himed_data("pages", file)
    assert (ended.code, ended.err) == (0, copy_told(tmp_path))
    assert ended.out.endswith("made/pages/*.mmd\n")


def test_a_step_whose_books_wait_does_nothing(tmp_path: Path, himed_data: Command) -> None:
    ended = himed_data("passages", corpus(tmp_path))
    assert (ended.code, ended.err) == (0, f"{copy_told(tmp_path)}2 books wait for the step pages\n")


def test_what_the_endpoint_failed_for_is_exit_code_1(tmp_path: Path, himed_data: Command) -> None:
    ended = himed_data("run", corpus(tmp_path))
    assert ended.code == 1
    assert re.search(r"\n\d+ parts are left since an endpoint failed.*: the same command tries them again\n", ended.err)


def test_ctrl_c_is_exit_code_130_and_no_traceback(tmp_path: Path, himed_data: Command) -> None:
    asked = 0

    def interrupt(_body: object) -> str:
        nonlocal asked
        asked += 1
        if asked == 1:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        return "<FAIL>"

    with scripted_model(interrupt) as backend:
        ended = himed_data("run", corpus(tmp_path, f"http://127.0.0.1:{backend.port}"))
    assert ended == (130, "", copy_told(tmp_path))
