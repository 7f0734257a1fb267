"""`himed-ui users`: make, list, change and remove the accounts of the page."""

import getpass
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from app.command import LOOK

if TYPE_CHECKING:
    from datetime import datetime

    from app.tables import AccountRow
    from ui.accounts.store import AccountStore

HELP = """Make, list, change and remove the accounts with which people sign in to the page.

The database holds a slow, salted hash (scrypt) of each password. A password is asked for at the terminal, or read from
a pipe with --password-stdin; it has at least 10 characters."""

EPILOG = """
Examples:

  himed-ui users add "Dr. Sharma"

  pass show himed/sharma | himed-ui users add "Dr. Sharma" --password-stdin

  himed-ui users list

  himed-ui users disable "Dr. Sharma"
"""

# Wide enough that nothing is folded in a file or a pipe.
_PLAIN_WIDTH = 200
_SOON = "running pages take notice within 5 s"

app = typer.Typer(help=HELP, epilog=EPILOG, no_args_is_help=True, **LOOK)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The account's name.")]
Stdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from stdin: its first line.")]
Db = Annotated[str | None, typer.Option("--db", help="Database URL [HIMED_DB, sqlite:///himed.db].")]


@app.command(epilog='Example:\n\n  himed-ui users add "Dr. Sharma"')
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="To sign in with, and beside votes and feedback.")],
    password_stdin: Stdin = False,
    db: Db = None,
) -> None:
    """Make an account; asks for its password."""
    store = _store(db, must_exist=False)
    store.check_new(name)
    store.add(name, _ask_password(name, from_stdin=password_stdin))
    print(f"{name} can sign in")


@app.command("list", epilog="Example:\n\n  himed-ui users list --json")
def list_command(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    db: Db = None,
) -> None:
    """List the accounts, oldest first, with their names and dates; never a password or its hash."""
    rows = _store(db).list()
    if as_json:
        import orjson

        shown = [{"name": row.name, "created": row.created, "disabled": row.disabled} for row in rows]
        print(orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode())
    elif rows:
        _print_table(rows)
    else:
        print("no accounts")


@app.command(epilog='Example:\n\n  himed-ui users password "Dr. Sharma"')
def password(name: Name, password_stdin: Stdin = False, db: Db = None) -> None:
    """Give an account another password, and sign its people out."""
    store = _store(db)
    store.get(name)
    store.set_password(name, _ask_password(name, from_stdin=password_stdin))
    print(f"{name} has another password, and must sign in anew; {_SOON}")


@app.command(epilog='Example:\n\n  himed-ui users disable "Dr. Sharma"')
def disable(name: Name, db: Db = None) -> None:
    """Let an account sign in no more, and sign its people out."""
    _store(db).disable(name)
    print(f"{name} can sign in no more; {_SOON}")


@app.command(epilog='Example:\n\n  himed-ui users enable "Dr. Sharma"')
def enable(name: Name, db: Db = None) -> None:
    """Let a disabled account sign in again, with its old password."""
    _store(db).enable(name)
    print(f"{name} can sign in again")


@app.command(epilog='Example:\n\n  himed-ui users remove "Dr. Sharma"')
def remove(name: Name, db: Db = None) -> None:
    """Delete an account, and sign its people out. Its votes and feedback stay, under its name."""
    _store(db).remove(name)
    print(f"{name} has no account any more; {_SOON}")


def _store(db: str | None, *, must_exist: bool = True) -> "AccountStore":
    from app.schema import open_database
    from app.settings import load_settings
    from ui.accounts.store import AccountStore

    return AccountStore(open_database(db or load_settings().db, must_exist=must_exist))


def _ask_password(name: str, *, from_stdin: bool) -> str:
    """A password for an account, good or not, from the first line of stdin or twice from the terminal.

    Raises:
        InputError: there is no terminal, it is no password, or the two differ.
    """
    from app.errors import InputError
    from ui.accounts.passwords import check_password

    if from_stdin:
        try:
            return sys.stdin.readline().rstrip("\r\n")
        except UnicodeDecodeError:
            raise InputError("the password on stdin is no UTF-8 text") from None
    if not sys.stdin.isatty():
        raise InputError("there is no terminal to ask for the password", remedy="pipe it in with --password-stdin")
    try:
        first = getpass.getpass(f"Password of {name}: ")
        check_password(first, name)
        if getpass.getpass("Once more: ") != first:
            raise InputError("the two passwords differ", remedy="try again")
    except EOFError:
        raise InputError("no password was given") from None
    return first


def _print_table(rows: "Sequence[AccountRow]") -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for head in ("Name", "Created", "Disabled"):
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, (row.name, _moment(row.created), _moment(row.disabled))))
    console = Console() if sys.stdout.isatty() else Console(width=_PLAIN_WIDTH)
    console.print(table)


def _moment(time: "datetime | None") -> str:
    return "-" if time is None else f"{time:%Y-%m-%d %H:%M} UTC"
