"""The best of a run's checkpoints by a metric of himed-eval, which serves and asks each of them as users will."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import orjson

from app.errors import InputError
from training.checkpoints import Lineage, Metric, begin_checkpoint, finish_checkpoint, why_not_whole
from training.recipe.stages import EvalMetric
from training.stage.folder import RunFolder
from training.stage.job import Job

# The trainer's own state and DeepSpeed's, which are no part of a model.
_STATE: Final = (
    "optimizer.*",
    "scheduler.*",
    "scaler.*",
    "rng_state*",
    "trainer_state.json",
    "training_args.*",
    "latest",
    "global_step*",
)


def select_checkpoint(job: Job[Any]) -> None:
    """Evaluate the run's checkpoints and finish the best one as the stage's result.

    Figures are kept in ``evaluation/`` beside the checkpoints: after a stop only the missing ones are made.

    Raises:
        InputError: himed-eval fails, or its report has no such metric.
    """
    best = job.recipe.best
    assert isinstance(best, EvalMetric)
    candidates = _checkpoints(job.folder)
    figures = {checkpoint: _measure(job.folder, checkpoint, best) for checkpoint in candidates}
    known = {checkpoint: metric for checkpoint, metric in figures.items() if metric.value is not None}
    if not known:
        raise InputError(f"{best.metric} is unknown for every checkpoint", field="best.metric", remedy="name another")
    sign = 1 if best.higher_is_better else -1
    chosen = max(known, key=lambda checkpoint: (sign * (known[checkpoint].value or 0.0), _step(checkpoint)))
    for checkpoint, metric in figures.items():
        mark = "  <- the best" if checkpoint == chosen else ""
        print(f"{checkpoint.name}: {best.metric} {metric.value} (n {metric.n}){mark}", flush=True)
    _finish(job.folder, chosen, best.metric, figures[chosen])


def _checkpoints(folder: RunFolder) -> list[Path]:
    found = [path for path in folder.path.glob("checkpoint-*") if why_not_whole(path) is None]
    if not found:
        raise InputError("holds no whole checkpoint", file=folder.path, remedy="begin the run anew with --restart")
    return sorted(found, key=_step)


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])


def _measure(folder: RunFolder, checkpoint: Path, best: EvalMetric) -> Metric:
    """The metric of one checkpoint, from its report or by himed-eval."""
    reports = folder.path / "evaluation"
    reports.mkdir(exist_ok=True)
    report = reports / f"{checkpoint.name}.json"
    if not report.exists():
        format = Lineage.model_validate_json(folder.draft.read_bytes()).format
        words = [sys.executable, "-m", "evaluation.cli", "--bench", best.bench, "--model", str(checkpoint)]
        words += ["--format", format, "--db", f"sqlite:///{reports / 'himed.db'}", "--json", str(report)]
        if code := subprocess.run(words, check=False).returncode:
            report.unlink(missing_ok=True)  # one with failed items
            problem = f"himed-eval ended with status {code}"
            raise InputError(problem, file=checkpoint, remedy="see its message above; the same command goes on")
    return _read_metric(report, best.metric)


def _read_metric(report: Path, name: str) -> Metric:
    metrics = orjson.loads(report.read_bytes())["metrics"]
    if name not in metrics:
        remedy = f"name one of {', '.join(sorted(metrics))}"
        raise InputError(f"there is no metric {name!r}", file=report, field="best.metric", remedy=remedy)
    return Metric(**{field: metrics[name][field] for field in Metric.model_fields})


def _finish(folder: RunFolder, chosen: Path, name: str, metric: Metric) -> None:
    final = folder.final
    draft = Lineage.model_validate_json(folder.draft.read_bytes())
    shutil.rmtree(final, ignore_errors=True)
    begin_checkpoint(final)
    ignored = shutil.ignore_patterns(*_STATE)
    shutil.copytree(chosen, final, ignore=ignored, dirs_exist_ok=True)
    update = {"metrics": draft.metrics | {name: metric}, "steps": _step(chosen)}
    finish_checkpoint(final, draft.model_copy(update=update))
