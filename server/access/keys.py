"""The API keys in the database."""

from collections.abc import Collection, Sequence

from sqlalchemy import Engine, or_, select
from sqlalchemy.exc import IntegrityError

from app.database import open_session
from app.errors import InputError
from app.tables import ApiKeyRow, utc_now
from server.access.key_text import hash_key, looks_like_key, make_key
from server.access.principal import SCOPES

_LONGEST_NAME = 100
_HIGHEST_LIMIT = 1_000_000


class KeyStore:
    """Makes, lists, revokes and finds keys."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(
        self, name: str, scopes: Collection[str], per_minute: int | None = None, concurrency: int | None = None
    ) -> str:
        """Make a key.

        Args:
            name: for logs and lists; another than every key's that ever was.
            scopes: what the key may do, of `SCOPES`.
            per_minute: most requests a minute; None is no limit.
            concurrency: most open requests; None is no limit.

        Returns:
            The key. It is stored nowhere: what is lost is lost.

        Raises:
            InputError: the name is taken or cannot be one, there is no scope or an unknown one, or a limit is out of
                range.
        """
        _check_name(name)
        _check_scopes(scopes)
        _check_limit("per_minute", per_minute)
        _check_limit("concurrency", concurrency)
        id, key = make_key()
        row = ApiKeyRow(
            id=id,
            name=name,
            hash=hash_key(key.encode()),
            scopes=[scope for scope in SCOPES if scope in scopes],
            per_minute=per_minute,
            concurrency=concurrency,
        )
        try:
            with open_session(self._engine) as session:
                session.add(row)
        except IntegrityError:
            raise self._name_taken(name) from None
        return key

    def _name_taken(self, name: str) -> InputError:
        with open_session(self._engine) as session:
            row = session.scalars(select(ApiKeyRow).where(ApiKeyRow.name == name)).one()
        if row.revoked is None:
            return InputError(f"there is a key named {name!r} already", remedy="take another name, or revoke that key")
        remedy = "take another: in the logs a name stands for one key for ever"
        return InputError(f"the name {name!r} belongs to a revoked key", remedy=remedy)

    def list(self) -> Sequence[ApiKeyRow]:
        """All keys, revoked ones too, oldest first."""
        with open_session(self._engine) as session:
            return session.scalars(select(ApiKeyRow).order_by(ApiKeyRow.created, ApiKeyRow.id)).all()

    def revoke(self, name: str) -> ApiKeyRow:
        """Take a key's rights away for ever. One that was revoked before keeps its date.

        Args:
            name: the key's name, or its id where no key has such a name.

        Raises:
            InputError: there is no such key.
        """
        # What was given is not repeated: it may be a key.
        unknown = InputError("there is no key of this name or id", remedy="see himed-serve keys list")
        if not name.isprintable():  # undecodable bytes, which no database takes
            raise unknown
        with open_session(self._engine) as session:
            wanted = select(ApiKeyRow).where(or_(ApiKeyRow.name == name, ApiKeyRow.id == name))
            row = session.scalars(wanted.order_by((ApiKeyRow.name == name).desc())).first()
            if row is None:
                raise unknown
            row.revoked = row.revoked or utc_now()
        return row

    def find(self, id: str) -> ApiKeyRow | None:
        """The key of an id, revoked or not."""
        with open_session(self._engine) as session:
            return session.get(ApiKeyRow, id)


def _check_name(name: str) -> None:
    if not 1 <= len(name) <= _LONGEST_NAME or not name.isprintable() or name != name.strip():
        raise InputError(
            f"a name has 1 to {_LONGEST_NAME} printable characters, none of them a blank at an end",
            field="name",
            remedy="take another name",
        )
    if looks_like_key(name):
        raise InputError(
            "the name holds a key, and names go to the logs",
            field="name",
            remedy="take another name, and revoke that key",
        )


def _check_scopes(scopes: Collection[str]) -> None:
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        problem = f"unknown scope {unknown[0]!r}" if unknown else "a key needs a scope"
        raise InputError(problem, field="scopes", remedy=f"use {', '.join(SCOPES)}")


def _check_limit(field: str, limit: int | None) -> None:
    if limit is not None and not 1 <= limit <= _HIGHEST_LIMIT:
        raise InputError(
            f"{limit} is out of range", field=field, remedy=f"use 1 to {_HIGHEST_LIMIT:,}, or none for no limit"
        )
