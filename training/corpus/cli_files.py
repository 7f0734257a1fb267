"""The commands of `himed-data` that take files: reviews, audits, translation, overlap."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from app.command import LOOK
from app.errors import InputError
from training.corpus.cli_work import DryRun, Executor, RayAddress, Sbatch, Tasks, how_of, make_folder, work

app = typer.Typer(**LOOK)
review = typer.Typer(help="Let people review instances in a table, and read it back.", no_args_is_help=True, **LOOK)
app.add_typer(review, name="review")

Processes = Annotated[int, typer.Option(min=1, help="Processes that work at once.")]
NewFolder = Annotated[Path, typer.Option("--out", "-o", help="Folder for the results; absent or empty.")]
Files = Annotated[list[Path], typer.Argument(metavar="FILES", help="Files of instances, as a step wrote them.")]


@review.command("export")
def export_table(
    files: Files,
    out: Annotated[Path, typer.Option("--out", "-o", help="The table to write (.csv).")],
    sample: Annotated[
        int | None, typer.Option(min=1, help="Only so many, spread evenly over languages and types.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the sample.")] = 0,
) -> None:
    """Write instances as a table in which reviewers fill in verdicts and corrections."""
    from training.corpus.judging import export_review
    from training.corpus.run.status import print_flows

    print_flows([export_review(files, out, sample=sample, seed=seed)])


@review.command("import")
def import_table(
    tables: Annotated[list[Path], typer.Argument(metavar="TABLES", help="Tables that were filled in.")],
    files: Annotated[list[Path], typer.Option("--from", help="The files that were exported; repeatable.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the reviewed instances.")],
    require_review: Annotated[
        bool, typer.Option("--require-review", help="Leave out what nobody has reviewed.")
    ] = False,
) -> None:
    """Read verdicts and corrections back; all tables are checked before anything is written."""
    from training.corpus.judging import import_review
    from training.corpus.run.status import print_flows

    print_flows([import_review(tables, files, out, require_review=require_review)])


@app.command("audit")
def audit_files(
    files: Annotated[list[Path], typer.Argument(metavar="FILES", help="Benchmarks, corpora, lexicons, or folders.")],
    against: Annotated[
        list[Path] | None, typer.Option(help="Files whose questions should not stand in FILES; repeatable.")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Also write one page of HTML.")] = None,
    json: Annotated[Path | None, typer.Option(help="Also write the findings as JSON.")] = None,
    examples: Annotated[int, typer.Option(min=0, help="Rows that are named for each finding, at most.")] = 5,
    language: Annotated[str | None, typer.Option(help="Of rows that name none, such as hi.")] = None,
    tokenizer: Annotated[Path | None, typer.Option(help="A checkpoint's folder: lengths in its tokens too.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 where there is a fault.")] = False,
) -> None:
    """Tell what an honest reviewer wants to know of a benchmark or corpus."""
    from rich.console import Console

    from app.files import check_writable, write_whole
    from training.corpus.auditing import as_json, audit, print_audit, write_html

    for file in filter(None, (html, json)):
        check_writable(file)
    found = audit(
        files,
        against=against or (),
        tokenizer=tokenizer,
        examples=examples,
        language=language,
        console=Console(stderr=True),
    )
    print_audit(found, Console())
    if html is not None:
        write_html(found, html)
    if json is not None:
        write_whole(json, as_json(found))
    if strict and found.faults:
        raise typer.Exit(1)


@app.command("translate")
def translate(
    sources: Annotated[list[Path], typer.Argument(metavar="SOURCES", help="Files of English rows, or folders.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder; the translations come into its translate/.")],
    nllb: Annotated[Path | None, typer.Option(help="Folder of NLLB-200, for transformers or CTranslate2.")] = None,
    endpoint: Annotated[str | None, typer.Option(help="An endpoint instead, such as http://127.0.0.1:8000/v1.")] = None,
    model: Annotated[str | None, typer.Option(help="The model's name there.")] = None,
    lexicon: Annotated[Path | None, typer.Option(help="English-Hindi lexicon (.xlsx, .csv) for glosses.")] = None,
    settings: Annotated[
        Path | None, typer.Option(help="YAML with nllb or model, lexicon, attempts, …, in place of the options above.")
    ] = None,
    dry_run: DryRun = False,
    tasks: Tasks = 1,
    executor: Executor = "local",
    sbatch: Sbatch = None,
    ray_address: RayAddress = None,
) -> None:
    """Translate English prompts, reasoning and golds into Hindi; options and golds always agree.

    What cannot be translated soundly (a number lost, a text cut off) is left out with its reason.
    """
    from training.corpus.translation import TranslateStep, find_sources
    from training.corpus.translation.config import load_settings, settings_of

    if settings is not None and any(each is not None for each in (nllb, endpoint, model, lexicon)):
        raise InputError(
            "--settings takes the place of --nllb, --endpoint, --model and --lexicon", remedy="put them into the file"
        )
    section = load_settings(settings) if settings else settings_of(nllb, endpoint, model, lexicon)
    step = TranslateStep(section)
    units, copies = find_sources(sources)
    for copy, original in copies:
        print(f"{copy}: a copy of {original}, left out", file=sys.stderr)
    how = how_of(executor, tasks, sbatch, ray_address)
    work((step,), make_folder(out), units, how, dry_run=dry_run)


@app.command("decontaminate")
def decontaminate_files(
    files: Annotated[list[Path], typer.Argument(metavar="FILES", help="Files of a corpus, or folders.")],
    benchmark: Annotated[
        list[Path] | None, typer.Option(help="A benchmark's file or folder; repeatable. Without: doubles only.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for what stays; absent or empty. Without: only look.")
    ] = None,
    inside: Annotated[
        str, typer.Option(help="Doubles inside the corpus that go: near, exact, or keep for none.")
    ] = "near",
    threshold: Annotated[
        float, typer.Option(min=0.6, max=1, help="Least similarity (Jaccard, character 5-grams) of near questions.")
    ] = 0.7,
    processes: Processes = 2,
) -> None:
    """Take rows that stand in a benchmark, exactly or nearly, and doubles out of a corpus.

    Exit code 1 where a row stands in a benchmark, as himed-train check-data has it.
    """
    from rich.console import Console

    from training.corpus.decontamination import Rules, decontaminate, render_report

    if inside not in ("near", "exact", "keep"):
        raise InputError(f"unknown kind of doubles {inside!r}", field="--inside", remedy="use near, exact or keep")
    rules = Rules.model_validate({"inside": inside, "threshold": threshold})
    report = decontaminate(files, benchmark or [], out, rules=rules, processes=processes, progress=True)
    render_report(report, Console())
    if report.status:
        raise typer.Exit(report.status)


@app.command("split")
def split_files(
    files: Files,
    out: NewFolder,
    share: Annotated[float, typer.Option(help="Of the passages, for the benchmark.")] = 0.1,
    seed: Annotated[int, typer.Option(help="Another gives another split.")] = 0,
    processes: Processes = 2,
) -> None:
    """Part instances into a corpus and a benchmark by their passages, with a proof that none stands on both sides."""
    from training.corpus.decontamination import split

    parted, _proof = split(files, out, share=share, seed=seed, processes=processes, progress=True)
    print(f"{parted.groups:,} groups of passages that share a question; the largest holds {parted.largest:,}")
    for side in ("corpus", "bench"):
        print(f"{side}: {parted.passages[side]:,} passages, {parted.rows[side]:,} rows")
    print(f"{parted.share_found:.1%} of the passages are the benchmark's; the proof: {out}/proof.json")


@app.command("check-split")
def check_split(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="What himed-data split has written.")],
) -> None:
    """Prove a split again from its files, and compare with the proof that lies with them."""
    from training.corpus.decontamination import check_proof
    from training.data.load import expand_files

    check_proof(folder / "proof.json", expand_files([folder / "corpus"]), expand_files([folder / "bench"]))
    print("no passage stands on both sides")
