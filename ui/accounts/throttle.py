"""Slows down whoever tries passwords."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from typing import Final

from ui.accounts.store import normalise

WINDOW_S: Final = 300.0
TRIES: Final = 5  # of one name from one network in that time
TRIES_OF_ADDRESS: Final = 20  # of one address: a clinic's people share it
TRIES_OF_NAME: Final = 100  # of one name from anywhere: else strangers could keep its owner out
_MOST_REMEMBERED = 30_000
_Key = tuple[str, ...]


class Throttle:
    """Counts tries by name and network, by address, and by name. A try counts from its beginning, so that many at once
    are many."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tries: OrderedDict[_Key, deque[float]] = OrderedDict()

    def begin(self, name: str, address: str) -> float:
        """Begin a try: 0 when it may be made, else the seconds to wait, and it does not count."""
        keys = _keys(name, address)
        if (wait := max(self._wait(key, most) for key, most in keys.items())) > 0:
            return wait
        for key in keys:
            self._tries.setdefault(key, deque()).append(self._clock())
            self._tries.move_to_end(key)
        while len(self._tries) > _MOST_REMEMBERED:
            self._tries.popitem(last=False)
        return 0.0

    def succeeded(self, name: str, address: str) -> None:
        """The try that was begun was right: the name's count in this network starts anew, and the other two were not to
        blame for it."""
        here, *others = _keys(name, address)
        self._tries.pop(here, None)
        for key in others:
            if tries := self._tries.get(key):
                tries.pop()

    def _wait(self, key: _Key, most: int) -> float:
        if (tries := self._tries.get(key)) is None:
            return 0.0
        begin = self._clock() - WINDOW_S
        while tries and tries[0] <= begin:
            tries.popleft()
        return tries[-most] - begin if len(tries) >= most else 0.0


def _keys(name: str, address: str) -> dict[_Key, int]:
    """What a try counts for, and how many of each may fail: first the name in its network."""
    said = normalise(name).casefold()
    place, network = _places(address)
    return {
        ("name in network", said, network): TRIES,
        ("address", place): TRIES_OF_ADDRESS,
        ("name", said): TRIES_OF_NAME,
    }


def _places(address: str) -> tuple[str, str]:
    """The address and its network, /24 or /64. Of an IPv6 address the second half is left out of both: everybody
    chooses it as they like."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address, address
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is None:
            return parsed.exploded[:19], parsed.exploded[:19]
        parsed = parsed.ipv4_mapped
    return str(parsed), str(parsed).rpartition(".")[0]
