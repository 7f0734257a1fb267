"""`himed-ui`: the clinician's page and the results pages, in a browser."""

from functools import partial
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from app.command import LOOK, run_main
from ui.accounts.cli import app as users_app

HELP = """Ask the models, examine them, compare them, and look at results, in a browser."""

EPILOG = """
Examples:

  himed-ui

  himed-ui --gateway https://gateway.example.org/v1 --host 0.0.0.0

  himed-ui --db postgresql://himed@db.example.org/himed --checkpoints ./runs

  himed-ui users add "Dr. Sharma"

The gateway's key is read from HIMED_API_KEY. On any interface but loopback people sign in: make their accounts with
himed-ui users add, and put a web server with https before the page. SIGTERM and Ctrl-C let open answers end within 5 s;
given twice, they do not.

Exit codes: 0 stopped by a signal; 2 bad input.
"""

app = typer.Typer(help=HELP, epilog=EPILOG, invoke_without_command=True, **LOOK)
app.add_typer(users_app, name="users")


@app.callback()
def ui(
    context: typer.Context,
    gateway: Annotated[str, typer.Option(help="Address of himed-serve.")] = "http://127.0.0.1:8000/v1",
    host: Annotated[str, typer.Option(help="Interface to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port to listen on; 0 takes a free one.")] = 7860,
    db: Annotated[str | None, typer.Option(help="Database URL [HIMED_DB, sqlite:///himed.db].")] = None,
    sign_in: Annotated[bool, typer.Option("--sign-in", help="Ask people to sign in on loopback too.")] = False,
    checkpoints: Annotated[
        list[Path] | None, typer.Option(help="Folder of checkpoints whose training curves are shown; repeatable.")
    ] = None,
) -> None:
    """Show the page, unless a command follows."""
    if (command := context.invoked_subcommand) is not None:
        sources = map(context.get_parameter_source, context.params)
        if any(source is not None and source.name != "DEFAULT" for source in sources):
            from app.errors import InputError

            raise InputError(f"options before {command}", remedy=f"write them after: himed-ui {command} …")
        return

    from app.settings import load_settings
    from ui.config import UiConfig
    from ui.serve import serve

    settings = load_settings()
    serve(UiConfig(gateway, settings.api_key, db or settings.db, host, port, sign_in, tuple(checkpoints or ())))


def main() -> NoReturn:
    """Entry point of the console script."""
    run_main(partial(app, prog_name="himed-ui"), "himed-ui")


if __name__ == "__main__":
    main()
