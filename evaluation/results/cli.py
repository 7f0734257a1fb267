"""`himed-results`: what the results database holds: list, show, compare, score again, export, delete."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

from app.command import LOOK
from evaluation.command import run_command

if TYPE_CHECKING:
    from rich.console import Console
    from sqlalchemy import Engine
    from sqlalchemy.orm import Session

    from evaluation.results.listing import RunSummary
    from evaluation.results.pairing import Pairing

HELP = """What the results database holds: list, show, compare, score again, export, delete.

A RUN is a run's id, the start of it, or last (last~1 is the one before it)."""

EPILOG = """
Examples:

  himed-results list --bench HiMed-West

  himed-results show last

  himed-results compare last~1 last --metric accuracy

  himed-results gap 01KJME 01KJMA --markdown

  himed-results export last --to run.html

  himed-results list --db postgresql://himed@db.example.org/himed

Exit codes: 0 done; 2 bad input; 130 after Ctrl-C.
"""

# Wide enough that nothing is folded in a file or a pipe.
_PLAIN_WIDTH = 160
_LIST_WIDTH = 130  # from here on a run fits on one line

app = typer.Typer(help=HELP, epilog=EPILOG, no_args_is_help=True, **LOOK)

Db = Annotated[str | None, typer.Option("--db", help="Database URL [HIMED_DB, sqlite:///himed.db].")]
Run = Annotated[str, typer.Argument(metavar="RUN", help="A run's id, the start of it, last, or last~1 before it.")]
Metrics = Annotated[list[str] | None, typer.Option("--metric", help="Only this metric; repeatable.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
AsMarkdown = Annotated[bool, typer.Option("--markdown", help="Print Markdown.")]


@app.command("list", epilog="Example:\n\n  himed-results list --bench HiMed-West --status finished")
def list_command(
    bench: Annotated[str | None, typer.Option(help="Only runs on this benchmark.")] = None,
    model: Annotated[str | None, typer.Option(help="Only runs of models with this in their name.")] = None,
    status: Annotated[
        Literal["running", "interrupted", "finished", "incomplete"] | None,
        typer.Option(help="Only runs of this status."),
    ] = None,
    as_json: AsJson = False,
    db: Db = None,
) -> None:
    """List the runs, oldest first, with how far they got and their headline figure."""
    from dataclasses import asdict

    from evaluation.results.listing import list_runs

    with _session(db) as session:
        runs = list_runs(session, bench=bench, model=model, status=status)
    if as_json:
        _print_json([asdict(run) for run in runs])
    elif runs:
        _print_list(runs)
    else:
        print("no runs" if bench is None and model is None and status is None else "no such runs")


@app.command(epilog="Example:\n\n  himed-results show last --format markdown -o report.md")
def show(
    run: Run,
    format: Annotated[
        Literal["terminal", "markdown", "json", "csv", "html"], typer.Option(help="How the report is written.")
    ] = "terminal",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file.")] = None,
    db: Db = None,
) -> None:
    """Show a run's report: metrics with intervals, groups, baselines, what was left out and what failed."""
    from evaluation.metrics import report_records
    from evaluation.results.listing import shown_status
    from evaluation.results.records import load_records, load_run

    with _session(db) as session:
        row = load_run(session, run)
        records = load_records(session, row)
        report = report_records(row, records)
        report.run.status = shown_status(row)
    if format == "terminal":
        from evaluation.reports.terminal import render_report

        console = _console()
        with console.capture() as captured:
            render_report(report, console)
        text = captured.get()
    else:
        from evaluation.results.export import render

        text = render(report, records, ".md" if format == "markdown" else f".{format}")
    if output is None:
        sys.stdout.write(text)
    else:
        from app.files import write_whole

        write_whole(output, text)


@app.command(epilog="Example:\n\n  himed-results compare 01KJMA 01KJMB --metric accuracy --metric cut_off")
def compare(
    a: Annotated[str, typer.Argument(metavar="A", help="A run.")],
    b: Annotated[str, typer.Argument(metavar="B", help="A run on the same benchmark.")],
    metric: Metrics = None,
    markdown: AsMarkdown = False,
    as_json: AsJson = False,
    db: Db = None,
) -> None:
    """Compare two runs on the items that both have: differences with paired intervals and tests."""
    from evaluation.results.pairing import compare_runs
    from evaluation.results.records import load_run

    with _session(db) as session:
        pairing = compare_runs(session, load_run(session, a), load_run(session, b), metric or ())
    _print_pairing(pairing, markdown=markdown, as_json=as_json)


@app.command(epilog="Example:\n\n  himed-results gap 01KJME 01KJMA --metric accuracy")
def gap(
    english: Annotated[str, typer.Argument(metavar="RUN_EN", help="The run on the English questions.")],
    hindi: Annotated[str, typer.Argument(metavar="RUN_HI", help="The run on their parallel in Hindi, or another.")],
    metric: Metrics = None,
    markdown: AsMarkdown = False,
    as_json: AsJson = False,
    db: Db = None,
) -> None:
    """The gap English - Hindi over parallel benchmarks, items paired by their number or id."""
    from evaluation.results.pairing import gap_runs
    from evaluation.results.records import load_run

    with _session(db) as session:
        pairing = gap_runs(session, load_run(session, english), load_run(session, hindi), metric or ())
    _print_pairing(pairing, markdown=markdown, as_json=as_json)


@app.command(epilog="Example:\n\n  himed-results rescore last --scorer language")
def rescore(
    run: Run,
    scorer: Annotated[list[str] | None, typer.Option("--scorer", help="Only this scorer; repeatable.")] = None,
    db: Db = None,
) -> None:
    """Score a run again from its stored answers: nothing is generated, and no judge is asked."""
    from app.database import open_session
    from evaluation.results import rescore as scoring
    from evaluation.results.records import load_run

    scorers = scoring.choose_scorers(scorer or ())
    engine = _open(db)
    with open_session(engine) as session:
        row = load_run(session, run)
    counted = scoring.rescore(engine, row, scorers)
    print(f"run {row.id} is scored: " + (", ".join(f"{n:,} {name}" for name, n in counted.items()) or "no answers"))


@app.command(epilog="Example:\n\n  himed-results export last --to answers.parquet")
def export(
    run: Run,
    to: Annotated[Path, typer.Option("--to", help="The file; its suffix says what it is.", metavar="FILE")],
    db: Db = None,
) -> None:
    """Write a run to a file, whole or not at all.

    .csv and .parquet hold every generation with its item and scores, .jsonl the predictions that himed-eval reads
    again, .json, .md and .html the report.
    """
    from evaluation.metrics import report_records
    from evaluation.results.export import check_suffix, export_run
    from evaluation.results.listing import shown_status
    from evaluation.results.records import load_records, load_run

    check_suffix(to)
    with _session(db) as session:
        row = load_run(session, run)
        records = load_records(session, row)
        report = report_records(row, records)
        report.run.status = shown_status(row)
    export_run(report, records, to)
    print(f"run {report.run.id} is in {to}")


@app.command(epilog="Example:\n\n  himed-results delete 01KJMA --yes")
def delete(
    run: Run,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Even if a process seems to work on it.")] = False,
    db: Db = None,
) -> None:
    """Delete a run with its generations and scores. The judge's verdicts stay: another run may use them again."""
    from app.database import open_session
    from evaluation.results.listing import delete_run, summarise
    from evaluation.results.records import load_run

    engine = _open(db)
    with open_session(engine) as session:
        about = summarise(session, [load_run(session, run)])[0]
    if not yes:
        typer.confirm(
            f"Delete run {about.id} ({about.benchmark}, {about.model}, {about.done:,} generations)?", abort=True
        )
    with open_session(engine) as session:
        delete_run(session, load_run(session, about.id), force=force)
    print(f"run {about.id} is deleted: {about.done:,} generations with their scores; the judge's verdicts stay")


@contextmanager
def _session(db: str | None) -> "Iterator[Session]":
    from app.database import open_session

    with open_session(_open(db)) as session:
        yield session


def _open(db: str | None) -> "Engine":
    from app.schema import open_database
    from app.settings import load_settings

    return open_database(db or load_settings().db, must_exist=True)


def _console() -> "Console":
    from rich.console import Console

    return Console() if sys.stdout.isatty() else Console(width=_PLAIN_WIDTH)


def _print_json(value: object) -> None:
    import orjson

    print(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


def _print_list(runs: "list[RunSummary]") -> None:
    """One line per run where the window holds it, else two: no figure is ever cut."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    console = _console()
    wide = console.width >= _LIST_WIDTH
    heads = ["Run", "Started", "Benchmark", "Model", "Format", "Status", "Done", "Headline"]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for head in heads if wide else ["Run\nStarted", "Benchmark\nModel", "Status\nDone", "Format\nHeadline"]:
        # A model's name may be a long path; everything else keeps its width.
        table.add_column(head, overflow="fold", no_wrap=not head.endswith(("Model", "Benchmark")))
    for run in runs:
        id, started, benchmark, model, format, status, done, headline = _list_cells(run)
        cells = [id, started, benchmark, model, format, status, done, headline]
        if not wide:
            cells = [f"{id}\n{started}", f"{benchmark}\n{model}", f"{status}\n{done}", f"{format}\n{headline}"]
        table.add_row(*map(Text, cells))
    console.print(table)


def _list_cells(run: "RunSummary") -> tuple[str, ...]:
    from evaluation.reports.figures import moment, percent

    headline = ""
    if run.accuracy is not None:
        headline = f"accuracy {percent(run.accuracy)}"
    elif run.judge_correct is not None:
        headline = f"judge {percent(run.judge_correct)}"
    done = f"{run.done:,}/{run.expected:,}"
    return run.id, moment(run.started), run.benchmark, run.model, run.format, run.status, done, headline


def _print_pairing(pairing: "Pairing", *, markdown: bool, as_json: bool) -> None:
    if as_json:
        _print_json(pairing.to_dict())
    elif markdown:
        from evaluation.reports.markdown import comparison_to_markdown

        print(f"{pairing.describe()}\n\n{comparison_to_markdown(pairing.comparison)}", end="")
    else:
        from evaluation.reports.terminal import render_comparison

        console = _console()
        render_comparison(pairing.comparison, console)
        console.print(pairing.describe(), style="dim", markup=False, highlight=False)


def main() -> NoReturn:
    """Entry point of the console script."""
    run_command(app, "himed-results")


if __name__ == "__main__":
    main()
