"""`himed-train`: recipes and what each will do, training data, adapters."""

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

from app.command import LOOK, run_main
from app.errors import InputError

if TYPE_CHECKING:
    from training.recipe.plan import Size

NAME = "himed-train"

HELP = """Train a medical language model, stage by stage, from recipes.

A RECIPE is the name of a shipped one (himed-8b/la) or a YAML file."""

EPILOG = """
Examples:

  himed-train recipes

  himed-train plan himed-8b/la

  himed-train run himed-8b/la --set data.folder=/data

  himed-train launch cure-med-32b/sft --slurm --nodes 4 --time 1-00:00 --partition gpu

  himed-train pipeline cure-med-7b --set data.folder=/data --out /checkpoints/cure-med-7b

  himed-train plan cure-med-7b/sft --gpus 4 --rows 13435

  himed-train plan my-recipe.yaml --set trainer.learning_rate=1e-5 --set trainer.num_train_epochs=2

  himed-train check-data data/sft --benchmark data/bench --json check.json

  himed-train curriculum data/sft --out data/curriculum

  himed-train merge out/dsr-rl/adapter --to out/dsr-rl/merged

Exit codes: 0 done; 1 data that must not be trained on (check-data); 2 bad input; 130 after Ctrl-C.
"""

app = typer.Typer(help=HELP, epilog=EPILOG, no_args_is_help=True, **LOOK)

RecipeName = Annotated[str, typer.Argument(metavar="RECIPE", help="Name of a shipped recipe, or a YAML file.")]
Overrides = Annotated[list[str] | None, typer.Option("--set", help="section.key=value over the recipe; repeatable.")]


@app.command("recipes")
def list_recipes() -> None:
    """List the shipped recipes: name, stage, base model, parent and completion format."""
    from training.recipe import load_recipe, recipe_names

    rows = [("NAME", "STAGE", "BASE", "PARENT", "FORMAT")]
    for name in recipe_names():
        recipe = load_recipe(name)
        rows.append((name, recipe.stage, recipe.model.base, recipe.model.parent or "-", recipe.format))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@app.command("run")
def run(
    recipe: RecipeName,
    overrides: Overrides = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="Delete what an earlier run left, and begin anew.")
    ] = False,
    allow_overlap: Annotated[
        bool, typer.Option("--allow-overlap", help="Train on questions that stand in a benchmark.")
    ] = False,
    allow_hub: Annotated[bool, typer.Option("--allow-hub", help="Allow downloads from the hub.")] = False,
) -> None:
    """Run a stage to its finished checkpoint, and go on where it was stopped.

    Ctrl-C saves a checkpoint after the step and stops; the same command goes on from there.
    """
    from training.run import run_recipe

    run_recipe(recipe, overrides or [], restart=restart, allow_overlap=allow_overlap, allow_hub=allow_hub)


@app.command("launch")
def launch(
    recipe: RecipeName,
    overrides: Overrides = None,
    slurm: Annotated[bool, typer.Option("--slurm", help="By Slurm, the batch system that there is.")] = False,
    nodes: Annotated[
        int | None, typer.Option(min=1, help="Machines; the effective batch is kept.  [default: the recipe's]")
    ] = None,
    gpus: Annotated[int | None, typer.Option(min=1, help="GPUs per machine.  [default: the recipe's]")] = None,
    cpus: Annotated[int | None, typer.Option(min=1, help="CPU cores per machine.  [default: 4 per GPU]")] = None,
    time: Annotated[str | None, typer.Option(help="Time limit of one start, 1-12:00 or 08:00:00.")] = None,
    partition: Annotated[str | None, typer.Option(help="Slurm's partition.")] = None,
    account: Annotated[str | None, typer.Option(help="Slurm's account.")] = None,
    sbatch: Annotated[list[str] | None, typer.Option(help="Another option of sbatch, --x=y; repeatable.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write the batch file, but do not submit it.")] = False,
    allow_overlap: Annotated[
        bool, typer.Option("--allow-overlap", help="Train on questions that stand in a benchmark.")
    ] = False,
    allow_hub: Annotated[bool, typer.Option("--allow-hub", help="Allow downloads from the hub.")] = False,
) -> None:
    """Run a stage as a batch job on several machines; its folders must be on a file system that all of them share.

    Ten minutes before its time limit the job saves a checkpoint and goes back into the queue, until it is finished.
    """
    from training.launch import Slurm, submit, write_job

    if not slurm:
        remedy = "add --slurm, or use himed-train run on this machine"
        raise InputError("launch gives a stage to a batch system", field="--slurm", remedy=remedy)
    wanted = Slurm(
        nodes=nodes,
        gpus=gpus,
        cpus=cpus,
        partition=partition,
        account=account,
        time_limit=time,
        extra=tuple(sbatch or ()),
    )
    given = (("--allow-overlap", allow_overlap), ("--allow-hub", allow_hub))
    job = write_job(recipe, overrides or [], wanted, [name for name, value in given if value])
    print(f"wrote {job}")
    if not dry_run:
        number = submit(job)
        print(f"submitted job {number}, log in {job.with_name(f'{number}.out')}")


@app.command("plan")
def show_plan(
    recipe: RecipeName,
    overrides: Overrides = None,
    gpus: Annotated[int | None, typer.Option(min=1, help="GPUs per machine; the effective batch is kept.")] = None,
    rows: Annotated[int | None, typer.Option(min=1, help="Training rows; default: counted in the data.")] = None,
) -> None:
    """Print what a recipe will do, as YAML: settings, rows, tokens, steps, memory per GPU and the command.

    No weights are loaded. Rows and tokens are counted where the data and the base's tokenizer are on this machine.
    Memory is an estimate by the formulas of ZeRO (arXiv:1910.02054) and Korthikanti et al. (arXiv:2205.05198).
    """
    import yaml

    from training.recipe.plan import Size, make_plan

    size = Size(rows) if rows is not None else _measure(recipe, overrides or [])
    plan = make_plan(recipe, overrides or [], gpus=gpus, size=size)
    print(yaml.safe_dump(plan.as_dict(), sort_keys=False, allow_unicode=True, width=1000), end="")


def _measure(recipe: str, overrides: list[str]) -> "Size | None":
    """The size of the recipe's data; None, with a note, where it cannot be told."""
    from training.recipe import load_recipe
    from training.size import measure_data

    loaded = load_recipe(recipe, overrides)
    try:
        return measure_data(loaded)
    except InputError as error:
        print(f"{NAME}: rows, tokens and steps are unknown: {error}", file=sys.stderr)
        return None


@app.command("pipeline")
def pipeline(
    name: Annotated[str, typer.Argument(help="himed-8b, cure-med-7b (or another size), or demo.")],
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", help="section.key=value for all stages, STAGE:section.key=value for one; repeatable."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of all checkpoints; default: the recipes' own.")] = None,
    until: Annotated[str | None, typer.Option(help="Stop after this stage.")] = None,
    restart: Annotated[bool, typer.Option("--restart", help="Delete earlier runs there, and begin anew.")] = False,
    allow_overlap: Annotated[
        bool, typer.Option("--allow-overlap", help="Train on questions that stand in a benchmark.")
    ] = False,
    allow_hub: Annotated[bool, typer.Option("--allow-hub", help="Allow downloads from the hub.")] = False,
) -> None:
    """Run all stages of a system, each from the last; finished ones are skipped, a stopped one goes on.

    The demo builds its data and its base model first, and is evaluated by himed-eval in the end (not with --until).
    """
    from training.pipeline import plan_pipeline, run_pipeline

    options = {"restart": restart, "allow_overlap": allow_overlap, "allow_hub": allow_hub}
    if name == "demo":
        from training.demo import run_demo

        run_demo(out or Path(".demo"), overrides or [], until=until, **options)
    else:
        run_pipeline(plan_pipeline(name, overrides or [], out, until), **options)


@app.command("check-data")
def check_data(
    files: Annotated[list[Path], typer.Argument(metavar="FILES...", help="Training files, or folders of them.")],
    benchmark: Annotated[
        list[Path] | None,
        typer.Option(help="Benchmark whose questions must not be trained on; repeatable."),
    ] = None,
    allow_overlap: Annotated[bool, typer.Option("--allow-overlap", help="Count overlap, but do not fail.")] = False,
    tokenizer: Annotated[Path | None, typer.Option(help="Checkpoint folder whose tokenizer measures lengths.")] = None,
    max_length: Annotated[int | None, typer.Option(min=1, help="Longest row in tokens, with --tokenizer.")] = None,
    stage: Annotated[
        Literal["la", "rc", "sft", "reward-model", "rl"] | None,
        typer.Option(help="Read the rows as this stage does.  [default: as the files' layout says]"),
    ] = None,
    language: Annotated[str | None, typer.Option(help="Language of files that do not name theirs.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write the whole report to this file.")] = None,
) -> None:
    """Say which rows of training files would be kept, and why not the others.

    Ends with 1 when a question stands in a benchmark, or when a file cannot be used at all.
    """
    from training.data.check import check_data_command

    if max_length is not None and tokenizer is None:
        raise InputError("--max-length counts tokens", remedy="name a checkpoint with --tokenizer")
    code = check_data_command(
        files,
        benchmarks=benchmark or [],
        allow_overlap=allow_overlap,
        tokenizer=tokenizer,
        max_length=max_length,
        stage=stage,
        language=language,
        json=json,
    )
    raise typer.Exit(code)


@app.command("curriculum")
def make_curriculum(
    folder: Annotated[Path, typer.Argument(help="Folder with one file per language, Hindi.jsonl or hi.json.")],
    out: Annotated[Path, typer.Option(help="Folder of the three sets and their manifest.")],
    seed: Annotated[int, typer.Option(help="Seed of the choice and the order of rows.")] = 0,
    replay: Annotated[float, typer.Option(help="Share of each earlier language that a later stage repeats.")] = 0.85,
) -> None:
    """Build CURE-Med's three staged sets, high to low resource, with replay; the same rows on every machine."""
    from training.curriculum import build_curriculum

    made = build_curriculum(folder, out, seed=seed, replay=replay)
    for stage in made.stages:
        print(f"{stage.tier:7} {stage.rows:7,} rows  {out / stage.file}")


@app.command("merge")
def merge(
    adapter: Annotated[Path, typer.Argument(help="Finished LoRA checkpoint; it is kept.")],
    to: Annotated[Path, typer.Option(help="Folder of the merged checkpoint; absent or empty.")],
) -> None:
    """Merge a LoRA adapter into the model that it was trained on."""
    from training.merge import merge_adapter

    merge_adapter(adapter, to)
    print(f"merged into {to}")


def main() -> NoReturn:
    """Entry point of the console script."""
    run_main(partial(app, prog_name=NAME), NAME)


if __name__ == "__main__":
    main()
