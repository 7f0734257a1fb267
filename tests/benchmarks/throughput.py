"""The whole `himed-eval` process beside lm-eval: same questions, same endpoint, 64 connections, one run.

    python3.11 -m venv .venv-lm-eval && .venv-lm-eval/bin/pip install "lm-eval[api]==0.4.13" "datasets==5.2.0"
    python tests/benchmarks/throughput.py --data-dir DATA --lm-eval .venv-lm-eval/bin/lm-eval

The endpoint answers "D" at once in a process of its own. himed-eval commits prompts, generations and all its scores to
SQLite; lm-eval scores one exact match and keeps nothing. Wall times are of the whole processes, start included.
"""

import argparse
import json
import os
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TASK = """task: himed_west
dataset_path: json
dataset_kwargs:
  data_files: {items}
test_split: train
output_type: generate_until
doc_to_text: "{{{{prompt}}}}"
doc_to_target: "{{{{answer}}}}"
generation_kwargs:
  until: []
  max_gen_toks: 1024
  temperature: 0.0
filter_list:
  - name: letter
    filter:
      - function: regex
        regex_pattern: "([A-J])"
      - function: take_first
metric_list:
  - metric: exact_match
    aggregation: mean
    higher_is_better: true
"""


def main() -> None:
    """Run both, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True, help="folder that holds HiMed-West_Bench.json")
    parser.add_argument("--lm-eval", type=Path, help="lm-eval's command; without it only himed-eval is timed")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen([sys.executable, str(Path(__file__).with_name("instant_endpoint.py")), str(port)])
    try:
        _wait_for(port)
        with tempfile.TemporaryDirectory() as folder:
            task = _write_task(Path(folder), options.data_dir)
            ours, theirs = [], []
            for turn in range(options.rounds + 1):  # in turns, so that both meet the same machine; the first warms up
                ours.append(_himed(Path(folder) / str(turn), port, options.data_dir))
                if options.lm_eval:
                    theirs.append(_lm_eval(options.lm_eval, Path(folder), task, port))
            ours, theirs = ours[1:], theirs[1:]
    finally:
        server.terminate()
        server.wait()
    print(f"{'':12} {'wall s (median of ' + str(options.rounds) + ')':>24} {'accuracy':>10}   ratio")
    reference = statistics.median(wall for wall, _ in theirs) if theirs else None
    for name, runs in (("lm-eval", theirs), ("himed-eval", ours)):
        if runs:
            wall = statistics.median(wall for wall, _ in runs)
            ratio = f"{wall / reference:.2f}" if reference else "-"
            print(f"{name:12} {wall:24.2f} {100 * runs[0][1]:9.2f}%   {ratio}")


def _wait_for(port: int) -> None:
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit("the endpoint did not start")


def _timed(command: list[str], environment: dict[str, str]) -> float:
    started = time.perf_counter()
    # Both are timed as they are used: with their byte code cached, as pip leaves it and the first call completes it.
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(command, env=inherited | environment, capture_output=True, text=True, check=False)
    wall = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(f"{command[0]} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return wall


def _himed(folder: Path, port: int, data_dir: Path) -> tuple[float, float]:
    folder.mkdir()
    command = [sys.executable, "-m", "evaluation.cli", "--bench", "HiMed-West", "--data-dir", str(data_dir)]
    command += ["--endpoint", f"http://127.0.0.1:{port}", "--served-model", "instant", "--concurrency", "64"]
    command += ["--db", f"sqlite:///{folder}/himed.db", "--json", f"{folder}/report.json"]
    wall = _timed(command, {})
    with sqlite3.connect(folder / "himed.db") as database:
        (stored,) = database.execute("SELECT count(*) FROM generation WHERE text IS NOT NULL").fetchone()
    assert stored == 1784, f"{stored} generations are stored"
    return wall, json.loads((folder / "report.json").read_text())["metrics"]["accuracy"]["value"]


def _write_task(folder: Path, data_dir: Path) -> Path:
    source = next(data_dir.rglob("HiMed-West_Bench.json"))
    rows = []
    for question in json.loads(source.read_text(encoding="utf-8"))["questions"]:
        options = "\n".join(f"{letter}. {text}" for letter, text in question["options"].items())
        rows.append({"prompt": f"{question['question']}\n{options}", "answer": question["answer"]})
    items = folder / "items.json"
    items.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    task = folder / "task"
    task.mkdir()
    (task / "himed_west.yaml").write_text(TASK.format(items=items), encoding="utf-8")
    return task


def _lm_eval(command: Path, folder: Path, task: Path, port: int) -> tuple[float, float]:
    output = Path(tempfile.mkdtemp(dir=folder))
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    arguments = [str(command), "--model", "local-chat-completions", "--apply_chat_template"]
    arguments += [
        "--model_args",
        f"model=instant,base_url={url},num_concurrent=64,max_retries=1,tokenized_requests=False",
    ]
    arguments += ["--tasks", "himed_west", "--include_path", str(task), "--output_path", str(output)]
    wall = _timed(arguments, {"HF_HUB_OFFLINE": "1", "OPENAI_API_KEY": "none"})
    results = json.loads(next(output.rglob("results*.json")).read_text())
    return wall, results["results"]["himed_west"]["exact_match,letter"]


if __name__ == "__main__":
    main()
