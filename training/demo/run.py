"""`himed-train pipeline demo`: both systems on a tiny model, from random weights to figures of himed-eval."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import orjson

from app.engine.process import run_supervised
from app.errors import InputError
from training.checkpoints import read_lineage
from training.demo.data import BASE, DATA, build_demo
from training.pipeline import StageRun, plan_pipeline, run_pipeline
from training.recipe import load_recipe
from training.stage.folder import RunFolder, weights_folder

if TYPE_CHECKING:
    from rich.table import Table

TRAINING: Final = "training"
DATABASE: Final = "himed.db"

# Each system's last stage, its held-out benchmark and its longest answer in tokens. Greedy: the tiny model's own
# knowledge is asked for, and the published penalty on repeated tokens would keep it from writing an option twice.
_EVALUATIONS: Final = (
    ("himed", "dsr-rl", "held_out_himed.jsonl"),
    ("cure-med", "rl-low", "held_out_cure_med.jsonl"),
)
_SAMPLING: Final = ("--temperature", "0", "--top-p", "1", "--repetition-penalty", "1", "--max-tokens", "128")
_METRICS: Final = ("accuracy", "language_consistency")


def plan_demo(folder: Path, overrides: Sequence[str] = (), until: str | None = None) -> list[StageRun]:
    """The demo's stages, with everything under ``folder``; see `plan_pipeline`.

    Raises:
        InputError: an override or ``until`` is wrong.
    """
    places = [f"data.folder={folder / DATA}", f"model.base={folder / BASE}"]
    return plan_pipeline("demo", [*places, *overrides], folder / TRAINING, until)


def run_demo(
    folder: Path,
    overrides: Sequence[str] = (),
    *,
    until: str | None = None,
    restart: bool = False,
    allow_overlap: bool = False,
    allow_hub: bool = False,
) -> None:
    """Build the demo's data and base, train all stages, evaluate both systems, and print what they learnt.

    Args:
        folder: of everything; what is finished there is kept.
        overrides: ``section.key=value`` for all stages, ``STAGE:section.key=value`` for one.
        until: the last stage that is trained; nothing is evaluated then.
        restart: train all stages anew.
        allow_overlap: as for any pipeline.
        allow_hub: as for any pipeline.

    Raises:
        InputError: something cannot be used.
        StopRequested: it was asked to stop; the same command goes on.
    """
    print(f"== data and base model -> {folder}", flush=True)
    build_demo(folder)
    stages = plan_demo(folder, overrides, until)
    run_pipeline(stages, restart=restart, allow_overlap=allow_overlap, allow_hub=allow_hub)
    evaluations = _EVALUATIONS if until is None else ()
    reports = {system: _evaluate(folder, system, stage, bench) for system, stage, bench in evaluations}
    show_results(stages, reports)


def _evaluate(folder: Path, system: str, stage: str, bench: str) -> Path:
    """Have himed-eval serve a system's result and ask it the held-out questions; returns its report."""
    report = folder / f"{system}.json"
    words = ["--bench", str(folder / DATA / bench), "--model", str(folder / TRAINING / stage / "final")]
    words += ["--db", f"sqlite:///{folder / DATABASE}", "--json", str(report), *_SAMPLING]
    print(f"== himed-eval {shlex.join(words)}", flush=True)
    if code := run_supervised([sys.executable, "-m", "evaluation.cli", *words]):
        raise InputError(f"himed-eval ended with status {code}", remedy="see its message above")
    return report


def show_results(stages: Sequence[StageRun], reports: dict[str, Path]) -> None:
    """Print the stages' own figures and himed-eval's, each with its interval and its denominator."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title="what the demo's models learnt")
    for name in ("", "figure", "value", "95 % interval", "n"):
        table.add_column(name, justify="right" if name in ("value", "n") else "left")
    for stage in stages:
        recipe = load_recipe(stage.recipe, stage.overrides)
        for name, metric in read_lineage(weights_folder(recipe, RunFolder(stage.folder))).metrics.items():
            _add(table, stage.recipe, name, metric.value, metric.ci95, metric.n)
    for system, report in reports.items():
        metrics = orjson.loads(report.read_bytes())["metrics"]
        for name in _METRICS:
            found = metrics[name]
            _add(table, f"{system}, held-out questions", name, found["value"], found["ci95"], found["n"])
    Console().print(table)


def _add(
    table: "Table", place: str, name: str, value: float | None, interval: Sequence[float] | None, n: int | None
) -> None:
    ends = "-" if interval is None else f"{interval[0]:.3f} to {interval[1]:.3f}"
    table.add_row(place, name, "unknown" if value is None else f"{value:.3g}", ends, "-" if n is None else f"{n:,}")
