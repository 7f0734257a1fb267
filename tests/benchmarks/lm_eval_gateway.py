"""lm-eval against the gateway beside himed-eval: the sample benchmark, one model on real vLLM, the same accuracy.

    python3.11 -m venv .venv-lm-eval && .venv-lm-eval/bin/pip install "lm-eval[api]==0.4.13" "datasets==5.2.0"
    python tests/benchmarks/lm_eval_gateway.py --lm-eval .venv-lm-eval/bin/lm-eval

A tiny model learns the benchmark's questions by heart, every third with a wrong letter, in HiMed's format. vLLM serves
it with our reasoning parser, so that lm-eval, which knows nothing of the format, finds the answer alone in ``content``.
lm-eval gets the prompts that himed-eval sends, as rows of a task, and reads the letter at the answer's beginning with a
pattern of its own; himed-eval reads it with `app.answers.extract_choice`. Both ask greedily. Exits with 1 where the two
accuracies differ.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "server"))

from running import Loop, RunningGateway
from speaking_model import build_speaking_checkpoint

from app.engine import Engine, EngineSettings
from app.formats import himed_completion
from app.prompts import build_messages
from evaluation.benchmarks.item import Item
from evaluation.benchmarks.registry import load_benchmark
from server.backends import Address
from server.reasoning import server_options

MODEL = "himed-tiny"
MAX_TOKENS = 64
TASK = """task: himed_sample
dataset_path: json
dataset_kwargs:
  data_files: {items}
test_split: train
output_type: generate_until
doc_to_text: "{{{{prompt}}}}"
doc_to_target: "{{{{answer}}}}"
generation_kwargs:
  until: []
  max_gen_toks: {max_tokens}
  temperature: 0.0
filter_list:
  - name: letter
    filter:
      - function: regex
        regex_pattern: "^\\\\s*([A-J])\\\\b"
      - function: take_first
metric_list:
  - metric: exact_match
    aggregation: mean
    higher_is_better: true
"""


def main() -> int:
    """Run both, print both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lm-eval", type=Path, required=True, help="lm-eval's command")
    options = parser.parse_args()
    items = [item for item in load_benchmark("sample").items if item.options]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        learned = {_prompt(item): _completion(item, place) for place, item in enumerate(items)}
        checkpoint = build_speaking_checkpoint(folder / MODEL, learned)
        with _gateway(checkpoint, folder) as url:
            theirs = _lm_eval(options.lm_eval, folder, items, url)
            ours, count = _himed_eval(folder, url)
    assert count == len(items), f"himed-eval scored {count} of {len(items)} items"
    print(f"{'lm-eval':12} {100 * theirs:7.3f} %   ({round(theirs * len(items))} of {len(items)})")
    print(f"{'himed-eval':12} {100 * ours:7.3f} %   ({round(ours * count)} of {count})")
    same = abs(theirs - ours) < 1e-9
    print("the same" if same else "DIFFERENT")
    return 0 if same else 1


def _prompt(item: Item) -> str:
    (message,) = build_messages(item.question, format="himed", language=item.language, options=item.options)
    return message["content"]


def _completion(item: Item, place: int) -> str:
    assert item.options is not None
    letters = list(item.options)
    assert item.gold is not None
    letter = letters[(letters.index(item.gold) + (place % 3 == 0)) % len(letters)]
    return himed_completion("The options were weighed.", f"{letter}.")


@contextmanager
def _gateway(checkpoint: Path, folder: Path) -> Iterator[str]:
    settings = EngineSettings(checkpoint, max_model_len=2048, log_dir=folder, extra_args=server_options("himed"))
    loop, engine = Loop(), Engine(settings)
    loop.call(engine.__aenter__(), 600)
    try:
        address = Address(f"{MODEL}/0", engine.base_url, engine.api_key, ((MODEL, MODEL),))
        with RunningGateway({MODEL: (address,)}) as gateway:
            yield gateway.url
    finally:
        loop.call(engine.__aexit__(None, None, None), 60)
        loop.close()


def _lm_eval(command: Path, folder: Path, items: Sequence[Item], url: str) -> float:
    rows = [{"prompt": _prompt(item), "answer": item.gold} for item in items]
    (folder / "items.json").write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    task = folder / "task"
    task.mkdir()
    text = TASK.format(items=folder / "items.json", max_tokens=MAX_TOKENS)
    (task / "himed_sample.yaml").write_text(text, encoding="utf-8")
    model = f"model={MODEL},base_url={url}/v1/chat/completions,num_concurrent=8,max_retries=1,tokenized_requests=False"
    arguments = [str(command), "--model", "local-chat-completions", "--apply_chat_template", "--model_args", model]
    arguments += ["--tasks", "himed_sample", "--include_path", str(task), "--output_path", str(folder / "lm-eval")]
    _run(arguments, {"HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "hf"), "OPENAI_API_KEY": "none"})
    results = json.loads(next((folder / "lm-eval").rglob("results*.json")).read_text())["results"]
    return float(results["himed_sample"]["exact_match,letter"])


def _himed_eval(folder: Path, url: str) -> tuple[float, int]:
    report = folder / "report.json"
    command = [sys.executable, "-m", "evaluation.cli", "--bench", "sample", "--endpoint", url, "--served-model", MODEL]
    command += ["--format", "himed", "--max-tokens", str(MAX_TOKENS), "--temperature", "0", "--concurrency", "8"]
    _run([*command, "--db", f"sqlite:///{folder}/himed.db", "--json", str(report)], {})
    accuracy: dict[str, Any] = json.loads(report.read_text())["metrics"]["accuracy"]
    return float(accuracy["value"]), int(accuracy["n"])


def _run(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{command[0]} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")


if __name__ == "__main__":
    sys.exit(main())
