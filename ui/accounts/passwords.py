"""Passwords as the database holds them: scrypt, with its salt and parameters in the text."""

import hashlib
import secrets
import unicodedata
from base64 import b64decode, b64encode
from hmac import compare_digest
from typing import Final

from app.errors import InputError

SHORTEST: Final = 10  # characters
LONGEST: Final = 1000
# One of the settings of equal strength that OWASP's cheat sheet on password storage gives (2^15, 8, 3), of those the
# one with 32 MiB: several people may sign in at once on a small machine.
_N, _R, _P = 1 << 15, 8, 3
_SALT_BYTES = 16
_HASH_BYTES = 32
_SCHEME = "scrypt"


def hash_password(password: str) -> str:
    """``scrypt$N$r$p$SALT$HASH``, salt and hash in base64. Takes a good part of a second, as it must."""
    salt = secrets.token_bytes(_SALT_BYTES)
    return _write(salt, _scrypt(password, salt, _N, _R, _P, _HASH_BYTES))


def is_right(password: str, stored: str | None) -> bool:
    """Whether the password is the one that was stored.

    None, for a name that nobody has, is never right and takes as long.

    Raises:
        ValueError: what is stored is no hash of a password.
    """
    scheme, n, r, p, *rest = (stored or _write(bytes(_SALT_BYTES), bytes(_HASH_BYTES))).split("$")
    if scheme != _SCHEME:
        raise ValueError(f"passwords of the scheme {scheme!r} are not known")
    salt, wanted = map(b64decode, rest)
    found = _scrypt(password, salt, int(n), int(r), int(p), len(wanted))
    return compare_digest(found, wanted) and stored is not None


def check_password(password: str, name: str) -> None:
    """Refuse what is no password for the account of a name.

    Raises:
        InputError: it is too short or too long, or is the name itself; the message does not repeat it.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise InputError(
            f"a password has at least {SHORTEST} characters (and {LONGEST:,} at most)", remedy="take another"
        )
    if password.casefold() == name.casefold():
        raise InputError("the password is the name of the account", remedy="take another")


def _write(salt: bytes, hashed: bytes) -> str:
    fields = (_SCHEME, _N, _R, _P, b64encode(salt).decode(), b64encode(hashed).decode())
    return "$".join(map(str, fields))


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int, length: int) -> bytes:
    # Keyboards write the same Devanagari letter in several ways (क़ is one character or two).
    known = unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
    return hashlib.scrypt(known, salt=salt, n=n, r=r, p=p, maxmem=2 * 128 * n * r, dklen=length)
