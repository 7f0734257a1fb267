"""The order of the rows, which a resumed run keeps.

Left to themselves the trainers draw an epoch's order from the state that the last one left, or on several processes
from an epoch's number that a resumed run does not pass on: they would go through an earlier epoch's order again, and
see some rows twice and some never. Here the seed and the epoch alone decide.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import Sampler


def epoch_seed(trainer: Any) -> int:
    """Of a trainer's current epoch, where it is asked for at its beginning or where it is resumed: data_seed on."""
    return int(trainer.args.data_seed) + int(trainer.state.epoch or 0)


class ShuffledRows(Sampler[int]):  # type: ignore[misc]
    """The rows in random order."""

    def __init__(self, rows: int, trainer: Any) -> None:
        """Order so many rows for a trainer."""
        self._rows, self._trainer = rows, trainer

    def __len__(self) -> int:
        return self._rows

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(epoch_seed(self._trainer))
        return iter(torch.randperm(self._rows, generator=generator).tolist())


class ShuffledPrompts(Sampler[int]):  # type: ignore[misc]
    """TRL's `RepeatSampler`, which repeats the prompts of a batch for their completions, in such an order."""

    def __init__(self, sampler: Any, trainer: Any) -> None:
        """Order the prompts of TRL's sampler for a trainer."""
        self._sampler, self._trainer = sampler, trainer

    def __len__(self) -> int:
        return len(self._sampler)

    def __iter__(self) -> Iterator[int]:
        if self._sampler.shuffle:
            self._sampler.generator.manual_seed(epoch_seed(self._trainer))
        return iter(self._sampler)
