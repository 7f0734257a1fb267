"""The trainer's loop: resume, and an orderly stop on Ctrl-C or a scheduler's signal."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from training.processes import SIGNALS
from training.stage.folder import RunFolder


class StopRequested(KeyboardInterrupt):
    """The run was asked to stop, has saved a checkpoint, and goes on from there when it is started again."""


class StopCallback(TrainerCallback):  # type: ignore[misc]
    """Ends the training after the step in which it was asked to, with a checkpoint.

    Asked by a signal where there is one process, else by the stop file of the process that started them all. They must
    agree, or some would wait for ever in a step that others do not take: they ask one another after every step.
    """

    def __init__(self, stop_file: Path) -> None:
        self._stop_file = stop_file
        self.requested = False

    def request(self, number: int, _frame: object) -> None:
        """The signals' handler; a second Ctrl-C ends at once."""
        if self.requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.requested = True

    def on_step_end(self, args: Any, state: Any, control: Any, **_kwargs: Any) -> None:
        """Save and stop when any process was asked to."""
        if _any_process(self.requested or self._stop_file.exists(), args):
            self.requested = True
            control.should_save = True
            control.should_training_stop = True


def under_launcher() -> bool:
    """Whether this process is one of those that a launcher started."""
    return "LOCAL_RANK" in os.environ


def run_trainer(trainer: Any, folder: RunFolder) -> None:
    """Train to the end, from the newest whole checkpoint where there is one.

    Raises:
        StopRequested: it was asked to stop; what it had done is saved.
    """
    callback = StopCallback(folder.stop_file)
    trainer.add_callback(callback)
    resume = folder.newest_checkpoint()
    if resume is not None and trainer.is_world_process_zero():
        print(f"goes on from {resume}", flush=True)
    with _handled(callback):
        trainer.train(resume_from_checkpoint=None if resume is None else str(resume))
    if callback.requested and trainer.state.global_step < trainer.state.max_steps:
        raise StopRequested


@contextmanager
def _handled(callback: StopCallback) -> Iterator[None]:
    """The signals go to the callback; under a launcher they keep what they do there, and the stop file counts."""
    if under_launcher():
        yield
        return
    before = {number: signal.signal(number, callback.request) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _any_process(flag: bool, args: Any) -> bool:
    import torch

    if args.world_size == 1:
        return flag
    flags = torch.tensor([int(flag)], device=args.device)
    torch.distributed.all_reduce(flags, op=torch.distributed.ReduceOp.MAX)
    return bool(flags.item())
