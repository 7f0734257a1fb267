"""`himed-eval`: a benchmark, a model, and figures in the results database."""

import re
import shlex
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from app.command import LOOK
from evaluation.command import run_command

if TYPE_CHECKING:
    from app.settings import Settings
    from evaluation.plan import Plan
    from evaluation.runner import Runner

EPILOG = """
Examples:

  himed-eval --bench sample --model ./checkpoint

  himed-eval --bench HiMed-Trad --data-dir data --model ./himed-8b --format himed

  himed-eval --bench HiMed-West --endpoint http://127.0.0.1:8000 --served-model himed-8b --limit 100

  himed-eval --bench CUREMED-Bench --predictions answers.jsonl --judge-endpoint http://host:8001 --judge-model judge

The same command goes on where it was stopped. Keys: HIMED_API_KEY and HIMED_JUDGE_API_KEY in the environment.

Exit codes: 0 done; 2 bad input; 3 some items failed for good (the same command tries only them); 130 after Ctrl-C.
"""

_LISTED = 50  # failures and rows that are named one by one

app = typer.Typer(**LOOK)


@app.command(epilog=EPILOG, no_args_is_help=True)
def evaluate(
    bench: Annotated[
        str | None,
        typer.Option(help="HiMed-Trad, HiMed-West, HiMed-West-Exam, CUREMED-Bench, sample, or a benchmark file."),
    ] = None,
    model: Annotated[Path | None, typer.Option(help="Checkpoint folder; vLLM is started for the run.")] = None,
    endpoint: Annotated[str | None, typer.Option(help="URL of an OpenAI-compatible endpoint.")] = None,
    served_model: Annotated[str | None, typer.Option(help="The model's name at the endpoint.")] = None,
    predictions: Annotated[Path | None, typer.Option(help="JSONL or CSV of answers that exist already.")] = None,
    model_name: Annotated[str | None, typer.Option(help="Name of the model in the results.")] = None,
    format: Annotated[
        str | None, typer.Option(help="plain, himed or cure-med; default: the checkpoint's own, else plain.")
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of benchmark files [HIMED_DATA_DIR].")] = None,
    allow_hub: Annotated[bool | None, typer.Option("--allow-hub", help="Allow a download from the hub.")] = None,
    language: Annotated[str | None, typer.Option(help="Language of the items of a benchmark file.")] = None,
    languages: Annotated[str | None, typer.Option(help="Only these languages, separated by commas.")] = None,
    group: Annotated[list[str] | None, typer.Option(help="Only this group, e.g. system=Ayurveda; repeatable.")] = None,
    limit: Annotated[int | None, typer.Option(help="Only the first N items of the selection.")] = None,
    samples: Annotated[int | None, typer.Option(help="Completions per item (majority vote, pass@k) [1].")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of sampling and of few-shot examples [0].")] = None,
    shuffle_options: Annotated[int | None, typer.Option(help="Shuffle options by this seed; golds follow.")] = None,
    few_shot: Annotated[int | None, typer.Option(help="Number of worked examples in the prompt [0].")] = None,
    temperature: Annotated[float | None, typer.Option(help="Default: the format's recipe; 0 is greedy.")] = None,
    top_p: Annotated[float | None, typer.Option(help="Nucleus sampling.")] = None,
    top_k: Annotated[int | None, typer.Option(help="Top-k sampling (vLLM).")] = None,
    repetition_penalty: Annotated[float | None, typer.Option(help="Repetition penalty (vLLM).")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Longest completion in tokens.")] = None,
    max_model_len: Annotated[int | None, typer.Option(help="vLLM's context length, with --model.")] = None,
    chat_template: Annotated[Path | None, typer.Option(help="Chat template file, with --model.")] = None,
    concurrency: Annotated[int | None, typer.Option(help="Most requests in flight [64].")] = None,
    timeout: Annotated[float | None, typer.Option(help="Seconds for one request [600].")] = None,
    judge_endpoint: Annotated[str | None, typer.Option(help="Endpoint of the judge of open answers.")] = None,
    judge_model: Annotated[str | None, typer.Option(help="The judge's name at its endpoint.")] = None,
    judge_language: Annotated[
        bool | None, typer.Option("--judge-language", help="Ask the judge about the language as well.")
    ] = None,
    db: Annotated[str | None, typer.Option(help="Database URL [HIMED_DB, sqlite:///himed.db].")] = None,
    json: Annotated[Path | None, typer.Option(help="Write the report as JSON to this file.")] = None,
    new: Annotated[bool | None, typer.Option("--new", help="Start a new run even if this one exists.")] = None,
    dry_run: Annotated[bool | None, typer.Option("--dry-run", help="Print the plan and two prompts; no run.")] = None,
    config: Annotated[Path | None, typer.Option(help="YAML file of the same options; options go before it.")] = None,
) -> None:
    """Evaluate a model, an endpoint or existing predictions on a benchmark, into the results database."""
    options = {name: value for name, value in locals().items() if value is not None and name != "config"}
    if languages is not None:
        options["languages"] = [part.strip() for part in languages.split(",") if part.strip()]

    from app.settings import load_settings
    from evaluation.config import read_config
    from evaluation.plan import make_plan

    settings = load_settings()
    plan = make_plan(read_config(options, config), options.get("data_dir") or settings.data_dir)
    if plan.config.dry_run:
        _print_plan(plan)
    else:
        raise typer.Exit(_run(plan, settings))


def _run(plan: "Plan", settings: "Settings") -> int:
    from sqlalchemy.exc import OperationalError

    from app.engine.errors import EngineError
    from app.errors import InputError
    from app.schema import open_database
    from evaluation.command import describe
    from evaluation.runner import Runner, RunStoppedError

    _tell(f"{plan.benchmark.name}: {len(plan.items)} of {len(plan.benchmark.items)} items, {_left_out(plan)}")
    _tell_set_aside(plan)
    runner = Runner(plan, settings, open_database(plan.config.db or settings.db))
    _tell(f"run {runner.run.id}: {runner.done} of {plan.generations} generations done")
    try:
        runner.execute()
    except KeyboardInterrupt:
        _tell(f"interrupted: {runner.done} of {plan.generations} are stored; this goes on: {_command()}")
        raise
    except EngineError as error:  # vLLM is missing, out of memory, …: one sentence, as for any bad input
        raise InputError(str(error)) from None
    except (RunStoppedError, OperationalError) as error:
        said = describe(error) if isinstance(error, OperationalError) else str(error)
        stored = f"{runner.done} of {plan.generations} are stored"
        raise InputError(f"{said}; stopped, {stored}", remedy=f"this goes on: {_command()}") from None
    _report(plan, runner)
    return 0 if runner.run.status == "finished" else _tell_failures(plan, runner)


def _tell_failures(plan: "Plan", runner: "Runner") -> int:
    """List what failed for good, in short, and say what to do. Returns the exit code."""
    failed = runner.failed
    for item, generation in failed[:_LISTED]:
        _tell(f"failed: item {item.id} (row {item.row}, sample {generation.sample}): {generation.error}")
    if (more := len(failed) - _LISTED) > 0:
        _tell(f"failed: {more} more; himed-results show {runner.run.id} --format json lists them all")
    if unjudged := len(runner.unjudged):
        _tell(f"failed: {unjudged} answers could not be judged")
    if plan.source == "predictions" and not unjudged:
        _tell("complete the file of predictions, or narrow the items by --languages, --group or --limit")
    else:
        _tell(f"the same command tries only the failed ones: {_command()}")
    return 3


def _report(plan: "Plan", runner: "Runner") -> None:
    from rich.console import Console

    from evaluation.metrics import report_records
    from evaluation.reports.tables import to_json
    from evaluation.reports.terminal import render_report

    report = report_records(runner.run, runner.records)
    render_report(report, Console())
    if (file := plan.config.json_file) is not None:
        from app.files import write_whole

        write_whole(file, to_json(report))


def _print_plan(plan: "Plan") -> None:
    print(f"benchmark   {plan.benchmark.name} ({plan.benchmark.sha256[:12]}), {', '.join(plan.benchmark.files)}")
    print(f"items       {len(plan.items)} of {len(plan.benchmark.items)}; {_left_out(plan)}")
    for invalid in plan.benchmark.invalid[:10]:
        print(f"            {invalid.file}, row {invalid.row}, field '{invalid.field}': {invalid.reason}")
    print(f"model       {plan.model_name} {plan.revision} ({plan.source})")
    print(f"format      {plan.format}, prompts {plan.prompt_hash[:12]}")
    if plan.source == "predictions":
        return
    print(f"sampling    {plan.sampling.model_dump_json(exclude_defaults=True)}")
    print(f"generations {plan.generations} ({plan.config.samples} per item), seed {plan.config.seed}")
    for item in plan.items[:2]:
        print(f"\n--- prompt of item {item.id} (row {item.row}, gold {item.gold or 'open'}) ---")
        for message in plan.messages(item):
            print(f"[{message['role']}]\n{message['content']}")


def _left_out(plan: "Plan") -> str:
    return f"{len(plan.benchmark.invalid)} rows left out, {plan.benchmark.duplicates} exact duplicates"


def _tell_set_aside(plan: "Plan") -> None:
    """Name the rows of the predictions that are not used as they stand."""
    if plan.predictions is None:
        return
    rows = [*plan.predictions.invalid, *plan.predictions.unread]
    for row in rows[:_LISTED]:
        _tell(f"set aside: {row.file}, row {row.row}, field '{row.field}': {row.reason}")
    if (more := len(rows) - _LISTED) > 0:
        _tell(f"set aside: {more} rows more; the run's settings list them all")


def _command() -> str:
    words = [Path(sys.argv[0]).name, *(word for word in sys.argv[1:] if word != "--new")]
    # A database URL may hold a password, and what is printed ends up in logs.
    return re.sub(r"(://[^:/@\s]+):[^@/\s]+@", r"\1:***@", shlex.join(words))


def _tell(line: str) -> None:
    print(line, file=sys.stderr)


def _interrupt(_signal: int, _frame: object) -> None:
    # A batch system's SIGTERM ends a run as Ctrl-C does: everything committed, and the run marked as interrupted.
    raise KeyboardInterrupt


def main() -> NoReturn:
    """Entry point of the console script."""
    signal.signal(signal.SIGTERM, _interrupt)
    run_command(app, "himed-eval")


if __name__ == "__main__":
    main()
