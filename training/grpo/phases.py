"""Where the time of a GRPO step goes."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self

PHASES = ("generate", "judge", "reward", "probabilities", "loss", "other")


class PhaseClock:
    """Adds up the seconds of phases that may stand inside each other: an inner one stops the outer one's clock.

    - ``generate``: completions, tokens and text.
    - ``judge``: a reward model's or a judge's verdicts.
    - ``reward``: the rest of the reward, and the guards.
    - ``probabilities``: of the completions under the old policy and the reference, where the loss needs them.
    - ``loss``: forward and backward.
    - ``other``: the optimiser's step, the data loader, logging.
    """

    def __init__(self, synchronise: Callable[[], None] | None = None) -> None:
        """Start the clock.

        Args:
            synchronise: called where a phase begins and ends; a GPU works on after the call that gave it work, and the
                next phase would be charged with it.
        """
        self._synchronise = synchronise or (lambda: None)
        self._phase = PHASES[-1]
        self.restart()

    @classmethod
    def of_device(cls) -> Self:
        """A clock that waits for this process's GPU where there is one."""
        import torch

        return cls(torch.cuda.synchronize if torch.cuda.is_available() else None)

    def restart(self) -> None:
        """Forget what was counted; the phase goes on."""
        self._seconds = dict.fromkeys(PHASES, 0.0)
        self._since = time.perf_counter()
        self.steps = 0

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count the block for a phase."""
        outer = self._enter(name)
        try:
            yield
        finally:
            self._enter(outer)

    def figures(self) -> dict[str, float]:
        """Seconds per step of each phase since the restart as ``time/PHASE``, their sum as ``time/step``, and the
        reward's share of it as ``time/reward_share``. ``steps`` is counted by the caller."""
        self._enter(self._phase)
        steps = max(1, self.steps)
        whole = sum(self._seconds.values())
        figures = {f"time/{name}": seconds / steps for name, seconds in self._seconds.items()}
        return figures | {"time/step": whole / steps, "time/reward_share": self._seconds["reward"] / whole}

    def _enter(self, name: str) -> str:
        self._synchronise()
        now = time.perf_counter()
        self._seconds[self._phase] += now - self._since
        outer, self._phase, self._since = self._phase, name, now
        return outer
