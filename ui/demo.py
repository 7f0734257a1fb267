"""`himed-demo`: a tiny model trained, served, evaluated and asked; every step by its own command."""

import os
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import orjson
import typer

from app.checkpoint import checkpoint_revision
from app.command import LOOK
from app.engine.process import run_supervised
from app.errors import InputError
from app.files import write_whole
from evaluation.command import run_command
from ui.demo_gateway import free_port, running_gateway, write_config

HELP = """Train a tiny model through HiMed's four stages, serve it with vLLM behind the gateway, evaluate it beside the
model that it began as, compare the two, and open the page.

Every step says which command does it by hand. It can be stopped at any moment, and the same command goes on; what is
done is not done again. The facts that are trained are those of the sample benchmark's Hindi questions, so the figures
show that every part works, and nothing about medicine."""

EPILOG = """
Examples:

  himed-demo

  himed-demo --no-ui

  himed-demo --folder /tmp/himed-demo --limit 20 --no-ui

Exit codes: 0 done, or the page was stopped by Ctrl-C; 2 bad input; 130 after Ctrl-C before the page; else that of the
command that failed.
"""

BASE: Final = "himed-demo-base"
TRAINED: Final = "himed-demo"
_LAST_STAGE: Final = "dsr-rl"
# Greedy, and without the prompts' room for 1,280 tokens: no answer that was trained is half as long as this.
_SAMPLING: Final = ("--format", "himed", "--temperature", "0", "--max-tokens", "96")
_SHOWN: Final = ("accuracy", "unparsed", "well_formed", "language_consistency", "cut_off")

app = typer.Typer(**LOOK)


@app.command(help=HELP, epilog=EPILOG)
def demo(
    folder: Annotated[Path, typer.Option(help="Where the demo keeps its models and its results.")] = Path(".demo"),
    ui: Annotated[
        bool | None, typer.Option("--ui/--no-ui", help="Open the page in the end.  [default: in a terminal]")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N items of each benchmark.")] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="STAGE:section.key=value, as of himed-train pipeline; repeatable.")
    ] = None,
) -> None:
    """Run what is left of the demo."""
    with_page = sys.stdout.isatty() if ui is None else ui
    try:
        Demo(folder, limit, tuple(overrides or ())).run(with_page=with_page)
    except KeyboardInterrupt:
        print("\nhimed-demo: stopped, with all that it started; the same command goes on", file=sys.stderr)
        raise


@dataclass
class Demo:
    """The demo in one folder."""

    folder: Path
    limit: int | None = None
    overrides: tuple[str, ...] = ()
    _started: float = field(default_factory=time.monotonic)

    @property
    def checkpoints(self) -> dict[str, Path]:
        """The two models' checkpoints by the names that they are served under."""
        return {BASE: self.folder / "base", TRAINED: self.folder / "training" / _LAST_STAGE / "final"}

    @property
    def results(self) -> Path:
        """The folder of the results database and the reports."""
        return self.folder / "results"

    @property
    def database(self) -> str:
        """The results database's URL."""
        return f"sqlite:///{self.results / 'himed.db'}"

    @property
    def benchmarks(self) -> dict[str, str]:
        """What each of the two benchmarks is called here, and by himed-eval."""
        return {"sample": "sample", "held-out": str(self.folder / "data" / "held_out_himed.jsonl")}

    def run(self, *, with_page: bool) -> None:
        """All steps, or what is left of them.

        Raises:
            InputError: something cannot be used.
            typer.Exit: a command failed; with its status.
        """
        _say(f"himed-demo in {self.folder}: under 12 minutes on 2 cores the first time; Ctrl-C stops all of it.")
        self._train()
        self._prepare_results()
        left = [
            (name, model) for name in self.benchmarks for model in (BASE, TRAINED) if not self._is_done(name, model)
        ]
        if not left and not with_page:
            _step(2, "Serving is not needed: both models were evaluated before")
            self._compare()
        else:
            if not left:  # the figures first: they are there, and the models take a while to start
                self._compare()
            config = write_config(self.folder / "serve.yaml", self.checkpoints)
            _step(2, "Serve both models: one vLLM each, behind one OpenAI-compatible address (about a minute)")
            _show("himed-serve", ["--config", str(config), "--db", self.database])
            with running_gateway(config, self.database, self.folder / "logs") as url:
                _say(f"   ready: {url}/v1")
                if left:
                    self._evaluate(url, left)
                    self._compare()
                if with_page:
                    self._open_page(url)
        _say(f"\nDone in {_minutes(time.monotonic() - self._started)}. What is in {self.folder} is kept; its runs:")
        _show("himed-results", ["list", "--db", self.database])

    def _train(self) -> None:
        _step(1, "Train a tiny Llama through HiMed's stages: LA, RC, R1, DSR-RL (about 5 minutes)")
        words = ["pipeline", "demo", "--until", _LAST_STAGE, "--out", str(self.folder)]
        _call("himed-train", "training.cli", words + [word for one in self.overrides for word in ("--set", one)])

    def _prepare_results(self) -> None:
        """Keep results of other weights or another limit apart: a served model's name does not tell its weights."""
        about = self.results / "about.json"
        models = {name: checkpoint_revision(folder) for name, folder in self.checkpoints.items()}
        state = {"limit": self.limit, "models": models}
        before = _read_json(about)
        if before is not None and before != state:
            earlier = next(
                place for number in range(1, 1_000_000) if not (place := self.folder / f"results-{number}").exists()
            )
            self.results.rename(earlier)
            _say(f"   the models or --limit are others than before: the earlier results are in {earlier}")
        self.results.mkdir(parents=True, exist_ok=True)
        write_whole(about, orjson.dumps(state, option=orjson.OPT_INDENT_2))

    def _is_done(self, benchmark: str, model: str) -> bool:
        # A report is written of a run with failed items too, which the same command goes on with.
        report = _read_json(self._report(benchmark, model))
        return report is not None and report["run"]["status"] == "finished"

    def _report(self, benchmark: str, model: str) -> Path:
        return self.results / f"{benchmark}-{model}.json"

    def _evaluate(self, url: str, left: Sequence[tuple[str, str]]) -> None:
        _step(3, "Ask both models both benchmarks: the sample, and its trained facts with other options (a minute)")
        for benchmark, model in left:
            words = ["--bench", self.benchmarks[benchmark], "--endpoint", url, "--served-model", model, *_SAMPLING]
            words += [] if self.limit is None else ["--limit", str(self.limit)]
            words += ["--db", self.database, "--json", str(self._report(benchmark, model))]
            _call("himed-eval", "evaluation.cli", words, output=self.folder / "logs" / f"{benchmark}-{model}.txt")

    def _compare(self) -> None:
        _step(4, "Compare them item by item: differences with 95 % intervals, and the paired test")
        for benchmark in self.benchmarks:
            runs = [str(_read_json(self._report(benchmark, model), {})["run"]["id"]) for model in (BASE, TRAINED)]
            metrics = [word for metric in _SHOWN for word in ("--metric", metric)]
            _call("himed-results", "evaluation.results.cli", ["compare", *runs, *metrics, "--db", self.database])

    def _open_page(self, url: str) -> None:
        _step(5, f"The page, with {TRAINED} and {BASE} to ask and to compare; Ctrl-C ends it and both models")
        words = ["--gateway", f"{url}/v1", "--db", self.database, "--checkpoints", str(self.folder / "training")]
        port = free_port(7860)
        try:
            _call("himed-ui", "ui.cli", [*words, "--port", str(port)])
        except KeyboardInterrupt:
            _say("\n   stopped")


def _call(name: str, module: str, arguments: Sequence[str], output: Path | None = None) -> None:
    """Run one of our commands, shown as it is called by hand; end as it ends when it fails."""
    _show(name, arguments)
    words = [sys.executable, "-m", module, *arguments]
    code = run_supervised(words, environment=_environment(), output=output)
    if code:
        raise typer.Exit(code)


def _environment() -> Mapping[str, str]:
    """This environment without a key of somewhere else: the demo's gateway asks for none."""
    return {name: value for name, value in os.environ.items() if name != "HIMED_API_KEY"}


def _read_json(file: Path, default: Any = None) -> Any:
    try:
        return orjson.loads(file.read_bytes())
    except FileNotFoundError:
        return default
    except (OSError, ValueError) as error:
        raise InputError(f"cannot be read ({error})", file=file, remedy="remove it: the demo makes it anew") from None


def _step(number: int, what: str) -> None:
    _say(f"\n{number} of 5  {what}")


def _show(name: str, arguments: Sequence[str]) -> None:
    _say(f"   $ {shlex.join([name, *arguments])}")


def _say(line: str) -> None:
    print(line, flush=True)


def _minutes(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def main() -> NoReturn:
    """Entry point of the console script."""
    run_command(app, "himed-demo")


if __name__ == "__main__":
    main()
