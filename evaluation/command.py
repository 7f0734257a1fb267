"""How the command lines of this package end."""

from functools import partial
from typing import NoReturn

import typer

from app.command import describe, run_main

__all__ = ["describe", "run_command"]


def run_command(app: typer.Typer, name: str) -> NoReturn:
    """Run a Typer application as the console script ``name`` and exit; see `run_main` for the exit codes."""
    run_main(partial(app, prog_name=name), name)
