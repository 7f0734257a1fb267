"""A PDF to judged instances through models that fail, stall, talk nonsense and decline; killed five times."""

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest
from book_models import BOOK, book_models
from corpus_model import CorpusModel, Rates

from app.options import split_lines

RATES = Rates(fails=0.08, stalls=0.03, nonsense=0.04, declines=0.04, cut_off=0.03)
KILLS = 5
CONCURRENCY = 4
CONFIG = """
sources: books
folder: {folder}
writer: {{base_url: '{url}', model: w, family: llama, concurrency: {concurrency}, backoff_s: 0.01, max_attempts: 2}}
pages: {{model: {{base_url: '{url}', model: ocr, concurrency: 2}}, dpi: 72}}
passages: {{keep: [good, middle, bad, unknown]}}
instances: {{system: Naturopathy}}
judge:
  model: {{base_url: '{url}', model: j, family: qwen, concurrency: {concurrency}, backoff_s: 0.01, max_attempts: 2}}
"""


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "training.corpus.cli", *words]


def run_on(config: Path) -> None:
    """Run until no part is left that the endpoint failed for."""
    for _ in range(20):
        ended = subprocess.run(command("run", str(config)), capture_output=True, text=True)
        assert ended.returncode in (0, 1), ended.stderr
        if ended.returncode == 0:
            return
        assert "parts are left since an endpoint failed" in ended.stderr
    pytest.fail("it does not come to an end")


def kill_after(config: Path, model: CorpusModel, replies: int) -> bool:
    """Start a run and kill it once the models have answered so often in all; False where it ended before."""
    process = subprocess.Popen(command("run", str(config)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while model.replies.total() < replies:
        try:
            process.wait(0.005)
        except subprocess.TimeoutExpired:
            continue
        if process.returncode == 0:
            return False
        process = subprocess.Popen(command("run", str(config)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    process.kill()
    process.wait()
    return True


def write_config(folder: Path, made: str, port: int) -> Path:
    file = folder / f"{made}.yaml"
    file.write_text(CONFIG.format(folder=made, url=f"http://127.0.0.1:{port}", concurrency=CONCURRENCY))
    return file


def status_of(config: Path) -> list[dict[str, Any]]:
    shown = subprocess.run(command("status", str(config), "--json"), capture_output=True, check=True)
    return list(orjson.loads(shown.stdout))


def rows_of(folder: Path, step: str) -> list[dict[str, Any]]:
    return [orjson.loads(line) for file in sorted((folder / step).glob("*.jsonl")) for line in file.open("rb")]


@pytest.mark.slow
def test_a_book_becomes_judged_instances_however_often_it_is_killed(tmp_path: Path) -> None:
    (tmp_path / "books").mkdir()
    (tmp_path / "books" / "swasthya.pdf").write_bytes(BOOK.read_bytes())
    (tmp_path / "books" / "torn.pdf").write_bytes(BOOK.read_bytes()[:3000])

    calm, rough = CorpusModel(RATES, stall_s=0.5), CorpusModel(RATES, stall_s=0.5)
    with book_models(calm, 72, 4096) as (backend, _reader):
        calm_config = write_config(tmp_path, "calm", backend.port)
        run_on(calm_config)
    whole = calm.replies.total()
    with book_models(rough, 72, 4096) as (backend, reader):
        config = write_config(tmp_path, "rough", backend.port)
        killed = sum(kill_after(config, rough, whole * part // (KILLS + 1)) for part in range(1, KILLS + 1))
        run_on(config)
        pages_asked = Counter(reader.asked)
    assert killed == KILLS

    # The same data as without a kill, and only what was under way was asked for again.
    for step in ("pages", "passages", "instances", "judge"):
        files = sorted(path.name for path in (tmp_path / "calm" / step).iterdir() if path.is_file())
        assert files
        for name in files:
            assert (tmp_path / "calm" / step / name).read_bytes() == (tmp_path / "rough" / step / name).read_bytes()
    assert sum(count - 1 for count in rough.replies.values()) <= KILLS * 2 * CONCURRENCY

    check_pages(tmp_path / "rough", pages_asked)
    check_counts(config, tmp_path / "rough")
    check_rows(tmp_path / "rough")


def check_pages(folder: Path, asked: Counter[int]) -> None:
    (file,) = (folder / "pages").glob("swasthya*.mmd")
    pages = file.read_text(encoding="utf-8").split("<--- Page Split --->")
    assert len(pages) == 6  # five, and nothing behind the last mark
    assert not pages[2].strip()
    assert 3 not in asked  # an empty page costs no call
    assert "<table>" in pages[3]
    assert "1. पैरों" in pages[1]


def check_counts(config: Path, folder: Path) -> None:
    steps = {step["step"]: step for step in status_of(config)}
    flows = {f"{name}/{flow['stage']}": flow for name, step in steps.items() for flow in step["flows"]}
    for name, flow in flows.items():
        assert flow["in"] == flow["out"] + sum(flow["left"].values()), name
    assert all(step["again"] == 0 for step in steps.values())
    assert next(iter(steps["pages"]["faults"])).startswith("torn-")
    passages, instances, judged = (len(rows_of(folder, step)) for step in ("passages", "instances", "judge"))
    assert flows["instances/suit"]["in"] == passages
    assert flows["instances/items"]["out"] == flows["judge/judge"]["in"] == instances
    assert flows["judge/judge"]["out"] == judged
    assert passages > 5
    assert judged > 20
    print(orjson.dumps(list(flows.values()), option=orjson.OPT_INDENT_2).decode())


def check_rows(folder: Path) -> None:
    rows = rows_of(folder, "judge")
    ids = [row["id"] for row in rows]
    assert len(ids) == len(set(ids))
    passages = {row["id"]: row for row in rows_of(folder, "passages")}
    golds: Counter[str] = Counter()
    for row in rows:
        assert row["passage_id"] in row["id"]
        assert row["context"] == passages[row["passage_id"]]["text"]
        assert 3 not in row["pages"]
        words = orjson.dumps(row).decode()
        assert not any(sign in words for sign in ("FAIL", "ERROR", "503", "overloaded", "क्या पता"))
        if row["type"] == "MCQ":
            _question, options = split_lines(row["question"])
            assert options is not None
            assert len(options) == 5
            golds[row["answer"]] += 1
    assert max(golds.values()) - min(golds.values()) <= 4
