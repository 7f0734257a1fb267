"""`himed-serve keys`: make, list and revoke API keys."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from app.command import LOOK
from server.access.gate import CACHE_S
from server.access.principal import SCOPES

if TYPE_CHECKING:
    from datetime import datetime

    from app.tables import ApiKeyRow
    from server.access.keys import KeyStore

HELP = """Make, list and revoke the API keys of himed-serve.

The database holds a hash of each key, never the key. Scopes: chat asks models, feedback gives feedback, admin reads the
metrics and exports feedback."""

EPILOG = """
Examples:

  himed-serve keys add "Dr. Sharma" --per-minute 60 --concurrency 4

  (umask 077; himed-serve keys add prometheus --scope admin > prometheus.key)

  himed-serve keys list

  himed-serve keys revoke "Dr. Sharma"
"""

# Wide enough that nothing is folded in a file or a pipe.
_PLAIN_WIDTH = 200

app = typer.Typer(help=HELP, epilog=EPILOG, no_args_is_help=True, **LOOK)

Db = Annotated[str | None, typer.Option("--db", help="Database URL [HIMED_DB, sqlite:///himed.db].")]


@app.command(epilog='Example:\n\n  KEY=$(himed-serve keys add "Dr. Sharma" --per-minute 60)')
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="For logs and lists; never given twice.")],
    scope: Annotated[
        list[str] | None, typer.Option(help=f"One of {', '.join(SCOPES)}; repeatable [chat and feedback].")
    ] = None,
    per_minute: Annotated[
        int | None, typer.Option(metavar="N", help="Most requests a minute, which may come at once [no limit].")
    ] = None,
    concurrency: Annotated[int | None, typer.Option(metavar="N", help="Most open requests [no limit].")] = None,
    db: Db = None,
) -> None:
    """Make a key and print it, this once."""
    key = _store(db, must_exist=False).add(name, scope or ("chat", "feedback"), per_minute, concurrency)
    print(key)
    print(f"This is the key of {name}. It is shown only now: the database holds but its hash.", file=sys.stderr)


@app.command("list", epilog="Example:\n\n  himed-serve keys list --json")
def list_command(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    db: Db = None,
) -> None:
    """List the keys, oldest first.

    With their ids, names, scopes, limits and dates; never a key or its hash.
    """
    rows = _store(db).list()
    if as_json:
        import orjson

        print(orjson.dumps([_shown(row) for row in rows], option=orjson.OPT_INDENT_2).decode())
    elif rows:
        _print_table(rows)
    else:
        print("no keys")


@app.command(epilog='Example:\n\n  himed-serve keys revoke "Dr. Sharma"')
def revoke(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The key's name or id; never the key itself.")],
    db: Db = None,
) -> None:
    """Take a key's rights away for ever. Running servers refuse it within seconds."""
    row = _store(db).revoke(name)
    print(f"the key {row.id} of {row.name} is revoked; running servers refuse it within {CACHE_S:g} s")


def _store(db: str | None, *, must_exist: bool = True) -> "KeyStore":
    from app.schema import open_database
    from app.settings import load_settings
    from server.access.keys import KeyStore

    return KeyStore(open_database(db or load_settings().db, must_exist=must_exist))


def _shown(row: "ApiKeyRow") -> dict[str, object]:
    return {
        "id": row.id,
        "name": row.name,
        "scopes": row.scopes,
        "per_minute": row.per_minute,
        "concurrency": row.concurrency,
        "created": row.created,
        "revoked": row.revoked,
    }


def _print_table(rows: "Sequence[ApiKeyRow]") -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for head in ("Id", "Name", "Scopes", "Per minute", "Open", "Created", "Revoked"):
        table.add_column(head, overflow="fold", no_wrap=head == "Id")
    for row in rows:
        limits = [str(limit or "-") for limit in (row.per_minute, row.concurrency)]
        cells = [row.id, row.name, ", ".join(row.scopes), *limits, _moment(row.created), _moment(row.revoked)]
        table.add_row(*map(Text, cells))
    console = Console() if sys.stdout.isatty() else Console(width=_PLAIN_WIDTH)
    console.print(table)


def _moment(time: "datetime | None") -> str:
    return "-" if time is None else f"{time:%Y-%m-%d %H:%M} UTC"
