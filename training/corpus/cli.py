"""`himed-data`: books to training instances, and what people want to know of a corpus or benchmark."""

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from app.command import LOOK, run_main
from app.errors import InputError
from training.corpus import cli_files
from training.corpus.cli_work import DryRun, Executor, RayAddress, Sbatch, Tasks, how_of, make_folder, work

if TYPE_CHECKING:
    from training.corpus.config import CorpusConfig
    from training.corpus.run.executors import How
    from training.corpus.step import Step
    from training.corpus.unit import Unit

NAME = "himed-data"

HELP = """Build training instances from books, translate and clean corpora, look benchmarks over.

A CORPUS is a YAML file that names the books, the models and the folder of all that is made (himed-data init writes
one). Every step can be killed at any moment; the same command goes on, and no reply is asked for twice."""

EPILOG = """
Examples:

  himed-data init corpus.yaml

  himed-data run corpus.yaml --dry-run

  himed-data run corpus.yaml --tasks 8

  himed-data run corpus.yaml --executor slurm --sbatch partition=cpu --tasks 64

  himed-data status corpus.yaml

  himed-data audit HiMed-West_Bench.json --html audit.html

  himed-data decontaminate corpus/ --benchmark HiMed-West_Bench.json -o clean/

  himed-data translate HiMed-West_Corpus_sample.json -o hindi/ --nllb nllb-200-1.3B --lexicon lexicon_en_hi.xlsx

Exit codes: 0 done; 1 parts are left that an endpoint failed for, or what a command was asked to find was found; 2 bad
input, or an endpoint that is away; 130 after Ctrl-C.
"""

app = typer.Typer(help=HELP, epilog=EPILOG, no_args_is_help=True, **LOOK)
app.add_typer(cli_files.app)

Corpus = Annotated[Path, typer.Argument(metavar="CORPUS", help="The corpus's YAML file.")]


@app.command("init")
def init(
    file: Annotated[Path, typer.Argument(help="The file to write.")] = Path("corpus.yaml"),
) -> None:
    """Write a corpus's YAML file with every key, to be changed by hand."""
    from app.files import write_whole

    if file.exists():
        raise InputError("exists already", file=file, remedy="name another file, or remove it")
    write_whole(file, Path(__file__).with_name("corpus.yaml").read_bytes())
    print(f"{file}: set sources, folder and the models; then: {NAME} run {file} --dry-run")


@app.command("run")
def run(
    corpus: Corpus,
    dry_run: DryRun = False,
    tasks: Tasks = 1,
    executor: Executor = "local",
    sbatch: Sbatch = None,
    ray_address: RayAddress = None,
) -> None:
    """Run every step that is left for every book, and go on where an earlier run was stopped."""
    _run(corpus, None, how_of(executor, tasks, sbatch, ray_address), dry_run=dry_run)


def _step_command(name: str, what: str) -> None:
    @app.command(name, help=what)
    def command(
        corpus: Corpus,
        dry_run: DryRun = False,
        tasks: Tasks = 1,
        executor: Executor = "local",
        sbatch: Sbatch = None,
        ray_address: RayAddress = None,
    ) -> None:
        _run(corpus, name, how_of(executor, tasks, sbatch, ray_address), dry_run=dry_run)


for _name, _what in (
    ("pages", "Only the first step: books to recognised text with exact page numbers."),
    ("passages", "Only this step: recognised text to passages; books that wait for an earlier step are left."),
    ("instances", "Only this step: passages to instances; books that wait for an earlier step are left."),
    ("judge", "Only the last step: scores of instances; books that wait for an earlier step are left."),
):
    _step_command(_name, _what)


@app.command("status")
def status(
    corpus: Corpus,
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Show what has become of the books: counts in and out of every stage, calls and tokens."""
    import orjson

    from training.corpus.config import load_config
    from training.corpus.run.plan import states_of, steps_of
    from training.corpus.run.status import print_status, status_of

    config = load_config(corpus)
    steps = steps_of(config)
    units, _copies = _books(config.sources, config.folder)
    _tell_strays(steps, config, units)
    statuses = status_of(steps, config.folder, states_of(steps, config.folder, units))
    if json:
        sys.stdout.buffer.write(orjson.dumps([one.as_json() for one in statuses], option=orjson.OPT_INDENT_2) + b"\n")
    else:
        print_status(statuses)


@app.command("calls")
def calls(
    corpus: Corpus,
    step: Annotated[str, typer.Argument(metavar="STEP", help="pages, passages, instances or judge.")],
    book: Annotated[str | None, typer.Option(help="Only books whose id begins so.")] = None,
) -> None:
    """Print requests and replies as they are kept, one JSON object a line."""
    import orjson

    from training.corpus.calls import CallStore
    from training.corpus.config import load_config

    folder = load_config(corpus).folder / step / "calls"
    stores = [file for file in sorted(folder.glob("*.db")) if file.name.startswith(book or "")]
    if not stores:
        raise InputError("no calls of this step are kept", file=folder, remedy=f"see {NAME} status {corpus}")
    for file in stores:
        # Nobody else can open the store meanwhile: a reader who takes his time must not stop a run.
        with CallStore(file) as store:
            kept = list(store.calls())
        for call in kept:
            sys.stdout.buffer.write(orjson.dumps({"book": file.stem} | call, option=orjson.OPT_APPEND_NEWLINE))


def _run(corpus: Path, name: str | None, how: "How", *, dry_run: bool) -> None:
    from training.corpus.config import load_config
    from training.corpus.run.plan import find_step, steps_of

    config = load_config(corpus)
    steps = steps_of(config)
    only = None if name is None else find_step(steps, name)
    units, copies = _books(config.sources, config.folder)
    for copy, original in copies:
        print(f"{copy}: a copy of {original.name}, left out", file=sys.stderr)
    _tell_strays(steps, config, units)
    work(steps, config.folder, units, how, only, dry_run=dry_run)


def _tell_strays(steps: "tuple[Step, ...]", config: "CorpusConfig", units: "list[Unit]") -> None:
    from training.corpus.run.plan import strays_of

    for name, files in strays_of(steps, config.folder, units).items():
        what = f"{len(files)} files are of no book in {config.sources}, such as {files[0].name}"
        print(f"{config.folder / name}: {what}; no count holds them: take them away", file=sys.stderr)


def _books(sources: Path, folder: Path) -> "tuple[list[Unit], list[tuple[Path, Path]]]":
    from training.corpus.pages import SUFFIXES
    from training.corpus.unit import find_units

    return find_units(sources, SUFFIXES, make_folder(folder) / "books.json")


def main() -> NoReturn:
    """Console script ``himed-data``."""
    run_main(partial(app, prog_name=NAME), NAME)


if __name__ == "__main__":
    main()
