"""The best of a run's checkpoints by a metric of himed-eval, which serves and asks each of them as users will."""

import shutil
import sys
from pathlib import Path
from typing import Any, Final

import orjson

from app.engine.process import run_supervised
from app.errors import InputError
from training.checkpoints import Lineage, Metric, RecipeRecord, begin_checkpoint, finish_checkpoint, why_not_whole
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
    "zero_to_fp32.py",
)


def select_checkpoint(job: Job[Any]) -> None:
    """Evaluate the run's checkpoints and finish the best one as the stage's result; of equals it is the latest.

    Reports are kept in ``evaluation/`` beside the checkpoints: after a stop only the missing ones are made.

    Raises:
        InputError: no checkpoint is whole, himed-eval fails, the metric is in no report or unknown for every
            checkpoint, or the benchmark's file was changed between two reports.
    """
    best = job.recipe.best
    assert isinstance(best, EvalMetric)
    reports: dict[Path, dict[str, Any]] = {}
    figures: dict[Path, Metric] = {}
    for checkpoint in _checkpoints(job.folder):
        reports[checkpoint] = _report(job, checkpoint, best)
        figures[checkpoint] = _read_metric(reports[checkpoint], best.metric, checkpoint)
    if len({report["benchmark"]["sha256"] for report in reports.values()}) > 1:
        problem = f"the reports are not on the same content of {best.bench}"
        remedy = "delete the folder, and the same command evaluates every checkpoint on the file as it is now"
        raise InputError(problem, file=job.folder.evaluation, remedy=remedy)
    known = {checkpoint: metric.value for checkpoint, metric in figures.items() if metric.value is not None}
    if not known:
        problem = f"{best.metric} is unknown for every checkpoint"
        raise InputError(problem, file=job.folder.evaluation, field="best.metric", remedy=_other(reports))
    sign = 1 if best.higher_is_better else -1
    chosen = max(known, key=lambda checkpoint: (sign * known[checkpoint], _step(checkpoint)))
    for checkpoint, metric in figures.items():
        value = "unknown" if metric.value is None else f"{metric.value:.4f}"
        mark = "  <- the best" if checkpoint == chosen else ""
        print(f"{checkpoint.name}: {best.metric} {value} (n {metric.n}){mark}", flush=True)
    _finish(job, chosen, best.metric, figures[chosen])


def _checkpoints(folder: RunFolder) -> list[Path]:
    found = [path for path in folder.path.glob("checkpoint-*") if why_not_whole(path) is None]
    if not found:
        raise InputError("holds no whole checkpoint", file=folder.path, remedy="begin the run anew with --restart")
    return sorted(found, key=_step)


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])


def _report(job: Job[Any], checkpoint: Path, best: EvalMetric) -> dict[str, Any]:
    """himed-eval's report of one checkpoint: the kept one, or a new one."""
    folder = job.folder.evaluation
    file = folder / f"{checkpoint.name}.json"
    if file.exists() and _counts(report := _read(file), best):
        return report
    folder.mkdir(exist_ok=True)
    words = [sys.executable, "-m", "evaluation.cli", "--bench", best.bench, "--model", str(checkpoint)]
    words += ["--format", job.recipe.format, "--db", f"sqlite:///{folder / 'himed.db'}", "--json", str(file)]
    if code := run_supervised(words):
        problem = f"himed-eval ended with status {code}"
        raise InputError(problem, file=checkpoint, remedy="see its message above; the same command goes on")
    return _read(file)


def _counts(report: dict[str, Any], best: EvalMetric) -> bool:
    """Whether a kept report is whole, and on the benchmark that is asked for now."""
    run = report["run"]
    return bool(run["status"] == "finished" and run["settings"]["bench"] == best.bench)


def _read(report: Path) -> dict[str, Any]:
    content: dict[str, Any] = orjson.loads(report.read_bytes())
    return content


def _read_metric(report: dict[str, Any], name: str, checkpoint: Path) -> Metric:
    if name not in report["metrics"]:
        problem = f"himed-eval's report has no metric {name!r}"
        raise InputError(problem, file=checkpoint, field="best.metric", remedy=_other({checkpoint: report}))
    return Metric(**{field: report["metrics"][name][field] for field in Metric.model_fields})


def _other(reports: dict[Path, dict[str, Any]]) -> str:
    """The remedy where a metric cannot be used: those that can."""
    found = {name for report in reports.values() for name, metric in report["metrics"].items() if metric["n"]}
    return f"give one by --set best.metric=…, which trains nothing again: {', '.join(sorted(found)) or 'none is known'}"


def _finish(job: Job[Any], chosen: Path, name: str, metric: Metric) -> None:
    final = job.folder.final
    draft = Lineage.model_validate_json(job.folder.draft.read_bytes())
    step = _step(chosen)
    update = {
        "recipe": RecipeRecord(name=job.recipe.name, settings=job.recipe.model_dump(mode="json")),
        "command": job.command,
        "steps": step,
        "tokens": _tokens(chosen, draft),
        # The draft's own figures are of the weights after the last step.
        "metrics": (draft.metrics if step == draft.steps else {}) | {name: metric},
    }
    job.folder.keep_choice(job.recipe)
    shutil.rmtree(final, ignore_errors=True)
    begin_checkpoint(final)
    shutil.copytree(chosen, final, ignore=shutil.ignore_patterns(*_STATE), dirs_exist_ok=True)
    finish_checkpoint(final, draft.model_copy(update=update))


def _tokens(checkpoint: Path, draft: Lineage) -> int:
    """Tokens up to a checkpoint: as its trainer counted them (GRPO), else its share of the stage's by steps."""
    counted = orjson.loads((checkpoint / "trainer_state.json").read_bytes()).get("num_input_tokens_seen")
    return round(counted or draft.tokens * _step(checkpoint) / max(draft.steps, 1))
