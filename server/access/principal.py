"""Who makes a request."""

from dataclasses import dataclass
from typing import Final, Literal, get_args

Scope = Literal["chat", "feedback", "admin"]
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)


@dataclass(frozen=True, slots=True)
class Principal:
    """The holder of a key, or everybody on the loopback interface of an open server.

    Attributes:
        id: the key's public part.
        name: for logs.
        scopes: what it may do.
        per_minute: most requests a minute; None is no limit.
        concurrency: most open requests; None is no limit.
    """

    id: str
    name: str
    scopes: frozenset[Scope]
    per_minute: int | None = None
    concurrency: int | None = None


EVERYBODY: Final = Principal("", "open", frozenset(SCOPES))
