"""Which of a run's machines this is, and where they meet: one rendezvous for all processes."""

import os
from dataclasses import dataclass
from typing import Final

from app.errors import InputError

# A batch job sets the place for all machines; Slurm numbers the machines by itself, others set NODE_RANK.
_ADDRESS: Final = "MASTER_ADDR"
_PORT: Final = "MASTER_PORT"
_RANKS: Final = ("NODE_RANK", "SLURM_NODEID")


@dataclass(frozen=True, slots=True)
class Machine:
    """One of the machines of a run: its number from 0, and ``words`` of `accelerate launch` that place it."""

    rank: int = 0
    words: tuple[str, ...] = ()

    @property
    def is_first(self) -> bool:
        """Whether it is the one that does what only one may do."""
        return self.rank == 0


def this_machine(nodes: int) -> Machine:
    """This machine among those that a recipe wants. The environment is read only where it wants several.

    Args:
        nodes: machines of the recipe, ``launch.nodes``.

    Raises:
        InputError: there are several, and the environment does not say which this is and where they meet.
    """
    if nodes == 1:
        return Machine()
    rank = next((name for name in _RANKS if name in os.environ), _RANKS[0])
    if missing := [name for name in (rank, _ADDRESS, _PORT) if name not in os.environ]:
        raise InputError(
            f"the recipe wants {nodes} machines, and {', '.join(missing)} is not set",
            field="launch.nodes",
            remedy=f"use himed-train launch --slurm, or set {_RANKS[0]}, {_ADDRESS} and {_PORT} on every machine",
        )
    number, port = _number(rank), _number(_PORT)
    if number >= nodes:
        raise InputError(f"there is no machine {number} of {nodes}, from 0 on", field=rank, remedy="start no more")
    place = ("--main_process_ip", os.environ[_ADDRESS], "--main_process_port", str(port))
    return Machine(number, ("--machine_rank", str(number), *place))


def _number(name: str) -> int:
    text = os.environ[name]
    if not text.isdecimal():
        raise InputError(f"{text!r} is no number", field=name, remedy="set it to a whole number")
    return int(text)
