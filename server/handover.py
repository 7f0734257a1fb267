"""What the parent process tells a gateway process, as one line of JSON over a socket that only the two have: it holds
keys, which neither a command line nor an environment may."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Literal, Self

import orjson
from pydantic import SecretStr

from server.backends import Address
from server.config import ServeConfig
from server.gateway import Setup

LONGEST_LINE = 64 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Handover:
    """A setup, and the database's URL.

    Attributes:
        number: counts the setups; a gateway process answers with it when it has nothing to do with older ones any more.
    """

    number: int
    setup: Setup
    database: str

    def dump(self) -> bytes:
        """The line, keys and all."""
        addresses = {
            model: [_dump_address(address) for address in found] for model, found in self.setup.addresses.items()
        }
        config = self.setup.config.model_dump(mode="json")
        parts = {"number": self.number, "database": self.database, "config": config, "addresses": addresses}
        return orjson.dumps(parts) + b"\n"

    @classmethod
    def load(cls, line: bytes) -> Self:
        """The handover of a line."""
        parts = orjson.loads(line)
        addresses = {
            model: tuple(_load_address(address) for address in found) for model, found in parts["addresses"].items()
        }
        setup = Setup(ServeConfig.model_validate(parts["config"]), addresses)
        return cls(parts["number"], setup, parts["database"])


@dataclass(frozen=True, slots=True)
class Report:
    """What a gateway process tells its parent: it listens, or requests with setups before ``number`` have ended."""

    event: Literal["listening", "drained"]
    number: int

    def dump(self) -> bytes:
        """The line."""
        return orjson.dumps({"event": self.event, "number": self.number}) + b"\n"

    @classmethod
    def load(cls, line: bytes) -> Self:
        """The report of a line."""
        return cls(**orjson.loads(line))


async def read_lines(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """The lines that the other process sends, until it is gone."""
    with contextlib.suppress(ConnectionError):  # it went without having read everything
        while line := await reader.readline():
            yield line


def _dump_address(address: Address) -> dict[str, Any]:
    return {
        "name": address.name,
        "base_url": address.base_url,
        "api_key": address.api_key.get_secret_value() if address.api_key else None,
        "names": address.names,
        "stream_usage": address.stream_usage,
        "warm": address.warm,
    }


def _load_address(parts: dict[str, Any]) -> Address:
    key = SecretStr(parts["api_key"]) if parts["api_key"] else None
    names = tuple((here, there) for here, there in parts["names"])
    return Address(parts["name"], parts["base_url"], key, names, parts["stream_usage"], parts["warm"])
