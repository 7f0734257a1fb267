"""The accounts in the database, and who is signed in."""

import hashlib
import secrets
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Engine, delete, exists, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.database import open_session
from app.errors import InputError
from app.tables import AccountRow, AccountSessionRow, utc_now
from ui.accounts.passwords import check_password, hash_password, is_right

LIFE: Final = timedelta(hours=12)
_LONGEST_NAME = 100
_TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody who is signed in: the account's name, and when it ends."""

    name: str
    expires: datetime


class AccountStore:
    """Makes, lists, changes and removes accounts; signs their people in and out.

    Args:
        engine: the results database.
        life: how long people stay signed in.
    """

    def __init__(self, engine: Engine, life: timedelta = LIFE) -> None:
        self._engine, self._life = engine, life

    def add(self, name: str, password: str) -> None:
        """Make an account.

        Raises:
            InputError: the name is taken or cannot be one, or the password is none; see `check_new`.
        """
        self.check_new(name)
        check_password(password, name)
        row = AccountRow(name=normalise(name), password=hash_password(password))
        try:
            with open_session(self._engine) as session:
                session.add(row)
        except IntegrityError:
            raise _taken(name) from None

    def check_new(self, name: str) -> None:
        """Refuse a name for a new account before somebody thinks of a password for it.

        Raises:
            InputError: it is taken, or has other than 1 to 100 printable characters.
        """
        if not 1 <= len(name) <= _LONGEST_NAME or not name.isprintable() or name != name.strip():
            raise InputError(
                f"a name has 1 to {_LONGEST_NAME} printable characters, none of them a blank at an end",
                field="name",
                remedy="take another name",
            )
        with open_session(self._engine) as session:
            if _read(session, name) is not None:
                raise _taken(name)

    def list(self) -> Sequence[AccountRow]:
        """All accounts, disabled ones too, oldest first."""
        with open_session(self._engine) as session:
            return session.scalars(select(AccountRow).order_by(AccountRow.created, AccountRow.id)).all()

    def get(self, name: str) -> AccountRow:
        """The account of a name.

        Raises:
            InputError: there is none.
        """
        with open_session(self._engine) as session:
            return _find(session, name)

    def anybody(self) -> bool:
        """Whether there is an account that may sign in."""
        with open_session(self._engine) as session:
            return bool(session.scalar(select(exists().where(AccountRow.disabled.is_(None)))))

    def set_password(self, name: str, password: str) -> None:
        """Give an account another password; whoever is signed in with it must do so again.

        Raises:
            InputError: there is no such account, or the password is none.
        """
        check_password(password, name)
        hashed = hash_password(password)
        with open_session(self._engine) as session:
            row = _find(session, name)
            row.password = hashed
            _end_sessions(session, row)

    def disable(self, name: str) -> None:
        """Sign an account out and in no more. One that was disabled before keeps its date.

        Raises:
            InputError: there is no such account.
        """
        with open_session(self._engine) as session:
            row = _find(session, name)
            row.disabled = row.disabled or utc_now()
            _end_sessions(session, row)

    def enable(self, name: str) -> None:
        """Let a disabled account sign in again.

        Raises:
            InputError: there is no such account.
        """
        with open_session(self._engine) as session:
            _find(session, name).disabled = None

    def remove(self, name: str) -> None:
        """Delete an account with its sessions. Its votes and feedback stay, under its name.

        Raises:
            InputError: there is no such account.
        """
        with open_session(self._engine) as session:
            row = _find(session, name)
            _end_sessions(session, row)
            session.flush()
            session.delete(row)

    def sign_in(self, name: str, password: str) -> str | None:
        """A token for the browser of a person; None for a wrong name or password, or a disabled account.

        All of these take the same time. The database holds but the token's hash.
        """
        with open_session(self._engine) as session:
            row = _read(session, name)
        right = is_right(password, None if row is None else row.password)
        if row is None or not right:
            return None
        token, now = secrets.token_urlsafe(_TOKEN_BYTES), utc_now()
        with open_session(self._engine) as session:
            session.execute(delete(AccountSessionRow).where(AccountSessionRow.expires <= now))
            # Read again, and locked where the database can: the account may have changed since, or be gone.
            still = _read(session, name, lock=True)
            if still is None or still.password != row.password or still.disabled is not None:
                return None
            session.add(AccountSessionRow(hash=hash_token(token), account_id=still.id, expires=now + self._life))
        return token

    def find(self, token: str) -> Visit | None:
        """Who a token belongs to; None for one that is unknown, over, or of a disabled account."""
        wanted = (
            select(AccountRow.name, AccountSessionRow.expires)
            .join(AccountSessionRow, AccountSessionRow.account_id == AccountRow.id)
            .where(
                AccountSessionRow.hash == hash_token(token),
                AccountSessionRow.expires > utc_now(),
                AccountRow.disabled.is_(None),
            )
        )
        with open_session(self._engine) as session:
            found = session.execute(wanted).one_or_none()
        return None if found is None else Visit(found.name, found.expires)

    def sign_out(self, token: str) -> None:
        """End what a token opens, if anything."""
        with open_session(self._engine) as session:
            session.execute(delete(AccountSessionRow).where(AccountSessionRow.hash == hash_token(token)))


def normalise(name: str) -> str:
    """A name as it is stored: keyboards write the same Devanagari letter in several ways."""
    return unicodedata.normalize("NFC", name)


def hash_token(token: str) -> str:
    """SHA-256 in hexadecimal digits: a token is random, so that a slow hash would guard nothing."""
    return hashlib.sha256(token.encode()).hexdigest()


def _read(session: Session, name: str, *, lock: bool = False) -> AccountRow | None:
    if not name.isprintable():  # NUL or half a character: no database takes them
        return None
    wanted = select(AccountRow).where(AccountRow.name == normalise(name))
    return session.scalar(wanted.with_for_update() if lock else wanted)


def _find(session: Session, name: str) -> AccountRow:
    if (row := _read(session, name)) is None:
        raise InputError(f"there is no account named {name!r}", remedy="see himed-ui users list")
    return row


def _end_sessions(session: Session, account: AccountRow) -> None:
    session.execute(delete(AccountSessionRow).where(AccountSessionRow.account_id == account.id))


def _taken(name: str) -> InputError:
    remedy = f"take another name, or change its password with himed-ui users password {name!r}"
    return InputError(f"there is an account named {name!r} already", remedy=remedy)
