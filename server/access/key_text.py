"""What a key looks like: ``himed-ID-SECRET``. Only the id is kept as it is; of the whole key there is but a hash."""

import re
import secrets
import string
from base64 import b32encode
from hashlib import sha256
from typing import Final

ID_LENGTH: Final = 12
# Letters and digits alone: a double click takes a secret whole, and no shell or URL changes it.
_SECRET_CHARACTERS: Final = string.ascii_letters + string.digits
_SECRET_LENGTH: Final = 43  # of 62 characters: 256 bits
_KEY: Final = re.compile(rb"himed-([a-z2-7]{%d})-[0-9A-Za-z]{%d}" % (ID_LENGTH, _SECRET_LENGTH))


def make_key() -> tuple[str, str]:
    """A new key's id and the whole key."""
    id = b32encode(secrets.token_bytes(ID_LENGTH))[:ID_LENGTH].decode().lower()
    secret = "".join(secrets.choice(_SECRET_CHARACTERS) for _ in range(_SECRET_LENGTH))
    return id, f"himed-{id}-{secret}"


def read_id(key: bytes) -> str | None:
    """The id in a key; None where it does not look like one."""
    found = _KEY.fullmatch(key)
    return found[1].decode() if found else None


def looks_like_key(text: str) -> bool:
    """Whether there is a key in a text that should hold none."""
    return _KEY.search(text.encode()) is not None


def hash_key(key: bytes) -> str:
    """SHA-256 of the whole key, in hexadecimal digits.

    A slow, salted hash is for passwords, which can be guessed; nobody guesses 256 random bits, however fast the hash.
    """
    return sha256(key).hexdigest()
