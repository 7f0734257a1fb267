"""`himed-serve`: one OpenAI-compatible address for every model and language."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer
from typer.core import TyperCommand

from app.command import LOOK, run_main
from server.access.cli import app as keys_app
from server.source import Source

if TYPE_CHECKING:
    from app.settings import Settings

HELP = (
    """One OpenAI-compatible address for every model and language: vLLM for checkpoints here, and servers elsewhere."""
)

EPILOG = """
Examples:

  himed-serve --model ./himed-8b --open

  himed-serve --config serve.yaml

  himed-serve --config serve.yaml --host 0.0.0.0 --workers 4 --db postgresql://himed@db.example.org/himed

  himed-serve config --config serve.yaml

  himed-serve keys add "Dr. Sharma"

SIGHUP reads the configuration again without dropping a stream. SIGTERM and Ctrl-C let open streams end within drain_s;
given twice, they do not.

Exit codes: 0 stopped by a signal; 2 bad input, or a model's server that cannot start.
"""

CONFIG_EPILOG = """
Example:

  himed-serve config --config serve.yaml > resolved.yaml
"""

app = typer.Typer(help=HELP, epilog=EPILOG, no_args_is_help=True, invoke_without_command=True, **LOOK)
app.add_typer(keys_app, name="keys")

Config = Annotated[Path | None, typer.Option("--config", help="Configuration file; see himed-serve config --help.")]
Model = Annotated[str | None, typer.Option("--model", help="Checkpoint folder to serve without a configuration.")]
Name = Annotated[str | None, typer.Option("--name", help="The model's name, with --model [the folder's].")]
Host = Annotated[str | None, typer.Option("--host", help="Interface to listen on [127.0.0.1].")]
Port = Annotated[int | None, typer.Option("--port", help="Port to listen on; 0 takes a free one [8000].")]
Open = Annotated[bool | None, typer.Option("--open", help="Ask for no keys; on the loopback interface only.")]
Workers = Annotated[int | None, typer.Option("--workers", help="Gateway processes that share the port [1].")]
Db = Annotated[str | None, typer.Option("--db", help="Database URL [HIMED_DB, sqlite:///himed.db].")]


class _ConfigCommand(TyperCommand):
    """Shows the configuration's fields in its help, made only when somebody asks."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """The fields, then the example."""
        from server.config_help import field_rows

        for title, rows in field_rows():
            with formatter.section(title):
                formatter.write_dl(rows)
        super().format_epilog(ctx, formatter)


@app.callback()
def serve(
    context: typer.Context,
    config: Config = None,
    model: Model = None,
    name: Name = None,
    host: Host = None,
    port: Port = None,
    open: Open = None,
    workers: Workers = None,
    db: Db = None,
) -> None:
    """Serve, unless a command follows."""
    options = _overrides(host=host, port=port, open=open, workers=workers)
    if context.invoked_subcommand is not None:
        if options or config or model or name or db:
            from app.errors import InputError

            command = context.invoked_subcommand
            raise InputError(f"options before {command}", remedy=f"write them after: himed-serve {command} …")
        return

    source = Source(config, model, name, options)
    settings = _settings()

    from server.serve import run

    run(source.read, db or settings.db, settings.log_dir, reloads=config is not None)


@app.command("config", cls=_ConfigCommand, epilog=CONFIG_EPILOG)
def config_command(
    config: Config = None,
    model: Model = None,
    name: Name = None,
    host: Host = None,
    port: Port = None,
    open: Open = None,
    workers: Workers = None,
    device: Annotated[
        Literal["cpu", "gpu"] | None, typer.Option(help="What vLLM would run on [what this machine's does].")
    ] = None,
) -> None:
    """Check a configuration and its checkpoints; print it whole, with the vLLM command lines. Starts nothing."""
    source = Source(config, model, name, _overrides(host=host, port=port, open=open, workers=workers))
    settings = _settings()

    from server.dry_run import describe

    print(describe(source.read(), settings.log_dir, device), end="")


def _overrides(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _settings() -> "Settings":
    from app.settings import load_settings

    return load_settings()


def main() -> NoReturn:
    """Entry point of the console script."""
    run_main(partial(app, prog_name="himed-serve"), "himed-serve")


if __name__ == "__main__":
    main()
