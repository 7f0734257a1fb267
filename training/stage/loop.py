"""The trainer's loop: resume, and an orderly stop on Ctrl-C or a scheduler's signal."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from app.errors import InputError
from training.processes import SIGNALS
from training.recipe.stages import Launch
from training.stage.folder import RunFolder


class StopRequested(KeyboardInterrupt):
    """The run was asked to stop, has saved a checkpoint, and goes on from there when it is started again."""


class EngineCallback(TrainerCallback):  # type: ignore[misc]
    """Says at the start what trains, and refuses another engine than the recipe's: accelerate would go on without."""

    def __init__(self, trainer: Any, launch: Launch) -> None:
        self._trainer, self._launch = trainer, launch

    def on_train_begin(self, args: Any, state: Any, control: Any, **_kwargs: Any) -> None:
        """Compare the engine and the number of processes with the recipe.

        Raises:
            InputError: they differ.
        """
        engine = self._trainer.model_wrapped
        stage = engine.zero_optimization_stage() if hasattr(engine, "zero_optimization_stage") else 0
        found = (stage, self._trainer.accelerator.num_processes)
        wanted = (self._launch.zero_stage, self._launch.world_size)
        if found != wanted:
            names = [f"ZeRO stage {zero} on {processes} processes" for zero, processes in (found, wanted)]
            raise InputError(f"this is {names[0]}, not {names[1]}", field="launch", remedy="use himed-train run")
        if state.is_world_process_zero:
            said = f"{type(engine).__name__}, ZeRO stage {stage}, {found[1]} processes"
            print(f"trains by {said}: steps {state.global_step} to {state.max_steps}", flush=True)


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


def run_trainer(trainer: Any, folder: RunFolder, launch: Launch) -> None:
    """Train to the end, from the newest whole checkpoint where there is one.

    Raises:
        InputError: accelerate started another engine than the recipe's.
        StopRequested: it was asked to stop; what it had done is saved.
    """
    callback = StopCallback(folder.stop_file)
    trainer.add_callback(callback)
    trainer.add_callback(EngineCallback(trainer, launch))
    resume = folder.newest_checkpoint()
    if resume is not None and trainer.is_world_process_zero():
        print(f"goes on from {resume}", flush=True)
    _end_at_last_step(trainer)
    with _handled(callback):
        trainer.train(resume_from_checkpoint=None if resume is None else str(resume))
    if callback.requested and trainer.state.global_step < trainer.state.max_steps:
        raise StopRequested


def _end_at_last_step(trainer: Any) -> None:
    """Have a run that was killed after its last step take none when it goes on: transformers looks at the number of
    steps after a step only, and would train one too many where they end within an epoch."""
    run_epoch = trainer._run_epoch

    def run_unfinished(*args: Any, **kwargs: Any) -> None:
        if trainer.state.global_step < trainer.state.max_steps:
            run_epoch(*args, **kwargs)

    trainer._run_epoch = run_unfinished


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
