"""How every command line looks and ends: one line for bad input, one exit code for each way out."""

import os
import sys
from collections.abc import Callable
from typing import Final, NoReturn, TypedDict

from app.errors import InputError

BAD_INPUT = 2
INTERRUPTED = 130


class Look(TypedDict):
    """Arguments of `typer.Typer` that every command line has alike."""

    add_completion: bool
    pretty_exceptions_enable: bool
    rich_markup_mode: None


# Plain text for files and pipes, Python's own tracebacks, and no option that changes people's shells.
LOOK: Final[Look] = {"add_completion": False, "pretty_exceptions_enable": False, "rich_markup_mode": None}


def run_main(call: Callable[[], object], name: str) -> NoReturn:
    """Run a command line as the console script ``name`` and exit.

    Exit codes: the command's own (what ``call`` leaves with as `SystemExit`, else 0); 2 for bad input (`InputError`, a
    database that cannot be reached), said in one line on stderr; 130 after Ctrl-C; 1 when the reader of a pipe has
    gone. Any other exception is a fault of ours and leaves its traceback.
    """
    # Trainers would tell the hub that they start; nobody asked them to. Read when huggingface_hub is imported.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    code = 0
    try:
        try:
            call()
        finally:
            sys.stdout.flush()
    except InputError as error:
        _print_error(name, str(error))
        code = BAD_INPUT
    except BrokenPipeError:
        # `head` has seen enough. The interpreter flushes stdout once more at exit, which must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except KeyboardInterrupt:
        code = INTERRUPTED
    except _database_errors() as error:
        _print_error(name, f"{describe(error)}; check that it is there, has room and may be written")
        code = BAD_INPUT
    sys.exit(code)


def _print_error(name: str, message: str) -> None:
    print(f"{name}: error: {message}", file=sys.stderr)


def describe(error: Exception) -> str:
    """A database error in one line: only the driver's words, since SQLAlchemy's hold the statement with its values."""
    return f"the database failed: {' '.join(str(getattr(error, 'orig', error)).split())}"


def _database_errors() -> tuple[type[Exception], ...]:
    """SQLAlchemy's errors for a database that is away, locked or full, or refuses a value; nothing where it was never
    imported."""
    if "sqlalchemy" not in sys.modules:
        return ()
    from sqlalchemy.exc import DataError, OperationalError

    return (OperationalError, DataError)
