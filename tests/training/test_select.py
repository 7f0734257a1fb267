"""The best checkpoint by himed-eval: which it is, what its lineage says, and that nothing is evaluated twice."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from checkpoint_sample import sample_lineage, write_resumable, write_weights
from sft_run import run, sft_command, write_rows

from app.errors import InputError
from evaluation.reports.model import BenchmarkInfo, Report, RunInfo
from evaluation.reports.model import Metric as Figure
from evaluation.reports.tables import to_json
from training.checkpoints import Metric, read_lineage
from training.recipe import load_recipe
from training.select import select_checkpoint
from training.stage.folder import RunFolder
from training.stage.job import Job
from training.stage.weights import Start

BENCH = "absent/validation.jsonl"


def job_of(output: Path, *overrides: str) -> Job[Any]:
    best = f"best={{by: himed-eval, bench: {BENCH}, metric: accuracy}}"
    recipe = load_recipe("demo/la", [f"output={output}", best, *overrides])
    return Job(recipe, Start("base", None, False), RunFolder(output), False, f"himed-train run {' '.join(overrides)}")


def write_trained(output: Path, *steps: int) -> Path:
    """A run that is trained to the last of the steps, with a checkpoint at each; a weight is its step's byte."""
    for step in steps:
        write_resumable(output, step)
        write_weights(output / f"checkpoint-{step}", bytes([step]) * 8)
    job = job_of(output)
    job.folder.claim(job.recipe, {"rows.jsonl": "a" * 64})
    metrics = {"held_out_loss": Metric(value=0.5, n=50)}
    draft = sample_lineage(parent=None, steps=steps[-1], tokens=100 * steps[-1], metrics=metrics)
    job.folder.draft.write_text(draft.model_dump_json(), encoding="utf-8")
    return output


def write_report(
    output: Path,
    step: int,
    bench: str = BENCH,
    status: str = "finished",
    sha256: str = "b" * 64,
    **values: float | None,
) -> None:
    """What himed-eval writes for a checkpoint."""
    info = RunInfo(
        id="1", status=status, model=f"checkpoint-{step}", format="himed", source="model", samples=1, n=40, failed=0,
        started=datetime.now(UTC), finished=None, code_version="0", settings={"bench": bench}, packages={},
    )  # fmt: skip
    benchmark = BenchmarkInfo(
        name="validation", version="1", sha256=sha256, n=40, invalid=0, duplicates=0, invalid_rows=[]
    )
    metrics = {
        name: Figure(value=None, n=0, missing=40)
        if value is None
        else Figure(value=value, n=39, missing=1, ci95=(value - 0.1, value + 0.1), method="wilson")
        for name, value in values.items()
    }
    (output / "evaluation").mkdir(exist_ok=True)
    report = to_json(Report(run=info, benchmark=benchmark, metrics=metrics, groups={}))
    (output / "evaluation" / f"checkpoint-{step}.json").write_text(report, encoding="utf-8")


def chosen_step(output: Path) -> int:
    (step,) = {*(output / "final" / "model.safetensors").read_bytes()[-8:]}
    assert read_lineage(output / "final").steps == step
    return step


@pytest.mark.parametrize(
    ("values", "higher", "lower"),
    [((0.2, 0.8, 0.5), 6, 3), ((0.5, 0.1, 0.5), 9, 6), ((0.3, 0.3, 0.3), 9, 9), ((None, 0.4, 0.6), 9, 6)],
)
def test_the_best_is_the_metrics_and_of_equals_the_latest(
    values: tuple[float | None, ...], higher: int, lower: int, tmp_path: Path
) -> None:
    for name, expected in (("true", higher), ("false", lower)):
        output = write_trained(tmp_path / name, 3, 6, 9)
        for step, value in zip((3, 6, 9), values, strict=True):
            write_report(output, step, accuracy=value)
        select_checkpoint(job_of(output, f"best.higher_is_better={name}"))
        assert chosen_step(output) == expected


def test_steps_are_numbers_not_names(tmp_path: Path) -> None:
    output = write_trained(tmp_path, 9, 10)
    for step in (9, 10):
        write_report(output, step, accuracy=0.5)
    select_checkpoint(job_of(output))
    assert chosen_step(output) == 10


def test_the_result_has_its_figure_and_what_was_measured_on_its_own_weights(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = write_trained(tmp_path, 3, 6)
    (output / "checkpoint-3" / "zero_to_fp32.py").write_text("")
    write_report(output, 3, accuracy=0.75, cut_off=0.1)
    write_report(output, 6, accuracy=0.5, cut_off=None)
    select_checkpoint(job_of(output))
    said = capsys.readouterr().out
    assert "checkpoint-3: accuracy 0.7500 (n 39)  <- the best\ncheckpoint-6: accuracy 0.5000 (n 39)\n" in said
    lineage = read_lineage(output / "final")
    assert lineage.metrics == {"accuracy": Metric(value=0.75, n=39, missing=1, ci95=(0.65, 0.85))}
    assert (lineage.steps, lineage.tokens) == (3, 300)
    assert sorted(file.name for file in (output / "final").iterdir()) == [
        "README.md", "config.json", "lineage.json", "model.safetensors",
    ]  # fmt: skip


def test_the_last_checkpoint_keeps_the_trainings_own_figures(tmp_path: Path) -> None:
    output = write_trained(tmp_path, 3, 6)
    write_report(output, 3, accuracy=0.5)
    write_report(output, 6, accuracy=0.75)
    select_checkpoint(job_of(output))
    lineage = read_lineage(output / "final")
    assert {name: metric.value for name, metric in lineage.metrics.items()} == {"held_out_loss": 0.5, "accuracy": 0.75}
    assert (lineage.steps, lineage.tokens) == (6, 600)


def test_tokens_that_the_trainer_has_counted_go_before_a_share(tmp_path: Path) -> None:
    output = write_trained(tmp_path, 3, 6)
    state = output / "checkpoint-3" / "trainer_state.json"
    state.write_text(json.dumps(json.loads(state.read_text()) | {"num_input_tokens_seen": 123}))
    write_report(output, 3, accuracy=0.5)
    write_report(output, 6, accuracy=0.25)
    select_checkpoint(job_of(output))
    assert read_lineage(output / "final").tokens == 123


def test_a_metric_that_is_unknown_or_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    output = write_trained(tmp_path, 3, 6)
    for step in (3, 6):
        write_report(output, step, accuracy=None, cut_off=0.1, well_formed=0.9)
    with pytest.raises(InputError, match=r"'best\.metric': accuracy is unknown for every.*: cut_off, well_formed$"):
        select_checkpoint(job_of(output))
    with pytest.raises(InputError, match=r"has no metric 'acuracy'.*trains nothing again: cut_off, well_formed$"):
        select_checkpoint(job_of(output, "best.metric=acuracy"))
    assert not (output / "final").exists()


def test_a_run_without_a_whole_checkpoint_cannot_be_chosen_from(tmp_path: Path) -> None:
    output = write_trained(tmp_path, 3)
    write_report(output, 3, accuracy=0.5)
    (output / "checkpoint-3" / "trainer_state.json").unlink()
    with pytest.raises(InputError, match="holds no whole checkpoint; begin the run anew with --restart"):
        select_checkpoint(job_of(output))


@pytest.mark.parametrize("other", [{"bench": "other.jsonl"}, {"status": "incomplete"}])
def test_a_report_on_another_benchmark_or_with_failed_items_is_made_again(
    other: dict[str, str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    output = write_trained(tmp_path, 3, 6)
    write_report(output, 3, accuracy=0.5)
    write_report(output, 6, accuracy=0.75, **other)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"checkpoint-6: himed-eval ended with status 2; .* the same command goes on"):
        select_checkpoint(job_of(output))
    assert "no such benchmark file or folder" in capfd.readouterr().err
    assert not (output / "final").exists()


def test_reports_on_a_benchmark_that_was_changed_between_them_are_not_compared(tmp_path: Path) -> None:
    output = write_trained(tmp_path, 3, 6)
    write_report(output, 3, accuracy=0.5)
    write_report(output, 6, accuracy=0.75, sha256="c" * 64)
    with pytest.raises(InputError, match="evaluation: the reports are not on the same content of absent/validation"):
        select_checkpoint(job_of(output))


def test_how_it_is_chosen_may_be_changed_until_it_is_chosen(tmp_path: Path) -> None:
    output = write_trained(tmp_path, 3, 6)
    for step, value in ((3, 0.1), (6, 0.2)):
        write_report(output, step, accuracy=None, cut_off=value)
    other = job_of(output, "best.metric=cut_off", "best.higher_is_better=false")
    other.folder.check_settings(other.recipe)
    for override in ("trainer.learning_rate=1e-4", "best={by: held-out-loss}"):
        with pytest.raises(InputError, match="the run there has"):
            other.folder.check_settings(job_of(output, override).recipe)
    select_checkpoint(other)
    lineage = read_lineage(output / "final")
    assert (lineage.steps, lineage.command) == (3, other.command)
    assert lineage.recipe.settings == other.recipe.model_dump(mode="json")
    other.folder.check_settings(other.recipe)
    with pytest.raises(InputError, match=r"'best\.higher_is_better': the run there has False, not True"):
        other.folder.check_settings(job_of(output).recipe)
    assert json.loads((output / "run.json").read_text(encoding="utf-8"))["data"] == {"rows.jsonl": "a" * 64}


def test_an_adapter_is_no_model_that_himed_eval_could_compare() -> None:
    best = f"best={{by: himed-eval, bench: {BENCH}, metric: accuracy}}"
    with pytest.raises(InputError, match=r"himed-eval compares whole models: with lora use best\.by: last"):
        load_recipe("himed-8b/dsr-rl", [best])
    assert load_recipe("himed-8b/dsr-rl", [best, "lora=null"]).best.by == "himed-eval"


@pytest.mark.slow
@pytest.mark.vllm
def test_a_run_is_evaluated_by_real_vllm_and_the_best_by_the_reports_is_finished(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("trl", reason="TRL is not installed: run `make setup`")
    pytest.importorskip("vllm", reason="vLLM is not installed: run `make setup`")
    monkeypatch.setenv("HIMED_LOG_DIR", str(tmp_path / "logs"))
    bench, output = tmp_path / "validation.jsonl", tmp_path / "out"
    questions = [
        {"question": f"{word} क्या है?", "options": {"A": "रोग", "B": "औषधि"}, "answer": "A", "language": "Hindi"}
        for word in ("बुखार", "मधुमेह", "खांसी")
    ]
    bench.write_text("".join(json.dumps(each, ensure_ascii=False) + "\n" for each in questions), encoding="utf-8")
    best = f"best={{by: himed-eval, bench: {bench}, metric: devanagari}}"
    overrides = ("trainer.max_steps=6", "data.held_out_share=0.1", best)
    command = sft_command(tiny_checkpoint, write_rows(tmp_path / "rows.jsonl"), output, *overrides)

    done = run(command, 900)  # a metric that there is not: found out by the first report
    assert done.returncode == 2, done.stderr[-3000:]
    assert done.stderr.count("starting vLLM for") == 1
    assert "has no metric 'devanagari'" in done.stderr
    assert "devanagari_share" in done.stderr.splitlines()[-1]
    first = (output / "evaluation" / "checkpoint-3.json").read_bytes()

    command += ["--set", "best.metric=devanagari_share"]
    done = run(command, 900)  # nothing is trained again, and the first report is kept
    assert done.returncode == 0, done.stderr[-3000:]
    assert f"starting vLLM for {output / 'checkpoint-6'}" in done.stderr
    assert done.stderr.count("starting vLLM for") == 1
    assert "trains by" not in done.stdout
    assert (output / "evaluation" / "checkpoint-3.json").read_bytes() == first
    figures = {}
    for step in (3, 6):
        report = json.loads((output / "evaluation" / f"checkpoint-{step}.json").read_text(encoding="utf-8"))
        assert (report["run"]["format"], report["metrics"]["devanagari_share"]["n"]) == ("himed", 3)
        figures[step] = report["metrics"]["devanagari_share"]["value"]
    step = max(figures, key=lambda step: (figures[step], step))
    lineage = read_lineage(output / "final")
    assert lineage.steps == step
    assert lineage.metrics["devanagari_share"].value == figures[step]
    assert ("held_out_loss" in lineage.metrics) == (step == 6)
    names = {file.name for file in (output / "final").iterdir()}
    kept = {"config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
    assert names == kept | {"README.md", "chat_template.jinja", "lineage.json"}
    weights = (output / "final" / "model.safetensors").read_bytes()
    assert weights == (output / f"checkpoint-{step}" / "model.safetensors").read_bytes()

    (output / "final" / "lineage.json").unlink()  # killed before its last write
    done = run(command)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "starting vLLM" not in done.stderr
    assert read_lineage(output / "final").revision == lineage.revision
