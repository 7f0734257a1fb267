"""`himed-demo`: a tiny model, served by vLLM, evaluated on the sample benchmark; every step by its own command."""

import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from app.command import LOOK
from evaluation.command import run_command

EPILOG = """
Examples:

  himed-demo

  himed-demo --folder /tmp/himed-demo --limit 20
"""

app = typer.Typer(**LOOK)


@app.command(epilog=EPILOG)
def demo(
    folder: Annotated[Path, typer.Option(help="Where the demo keeps its model and its results.")] = Path(".demo"),
    limit: Annotated[int | None, typer.Option(help="Only the first N items of the sample benchmark.")] = None,
) -> None:
    """Build a tiny model, serve it with vLLM, evaluate it on the sample benchmark, and print the table.

    The model has random weights: its figures show that everything works, and nothing about medicine. A second call
    finds the model and the run and only prints the table again.
    """
    from evaluation.benchmarks.registry import load_benchmark
    from training.tiny import build_tiny_checkpoint

    started = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint, database = folder / "tiny-model", f"sqlite:///{folder / 'himed.db'}"

    _say("1. A tiny Llama with random weights and its own tokenizer (some seconds)")
    items = load_benchmark("sample").items
    build_tiny_checkpoint(checkpoint, (f"{item.question}\n{item.reference or ''}" for item in items))
    _say(f"   {checkpoint}")

    _say("2. vLLM serves it, himed-eval asks it the sample benchmark (about a minute; at once when done before)")
    evaluate = ["--bench", "sample", "--model", str(checkpoint), "--db", database, "--max-tokens", "64"]
    _call("himed-eval", "evaluation.cli", evaluate + ([] if limit is None else ["--limit", str(limit)]))

    _say("3. What the results database holds")
    _call("himed-results", "evaluation.results.cli", ["list", "--db", database])
    _say(f"Done in {time.monotonic() - started:.0f} s. The model is random, so its figures are near chance.")


def _call(name: str, module: str, arguments: Sequence[str]) -> None:
    """Run one of our commands, shown as it is called by hand; end as it ends when it fails."""
    _say(f"   $ {shlex.join([name, *arguments])}")
    if code := subprocess.run([sys.executable, "-m", module, *arguments], check=False).returncode:
        raise typer.Exit(code)


def _say(line: str) -> None:
    print(line, flush=True)


def main() -> NoReturn:
    """Entry point of the console script."""
    run_command(app, "himed-demo")
