"""What is done and what is left, read from the manifests alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.errors import InputError
from training.corpus.config import CorpusConfig
from training.corpus.step import Step, find_done
from training.corpus.unit import Manifest, Unit


@dataclass(frozen=True, slots=True)
class BookState:
    """How far one book is.

    Attributes:
        done: manifests of the steps that need not run again, in order.
        fault: why the book cannot be read; nothing is left to do for it.
    """

    unit: Unit
    done: tuple[Manifest, ...]
    fault: str | None

    def is_left(self, steps: Sequence[Step], only: int | None) -> bool:
        """Whether a run of all the steps, or of the one at ``only``, has something to do for it."""
        if self.fault is not None:
            return False
        return len(self.done) < len(steps) if only is None else len(self.done) == only


def steps_of(config: CorpusConfig) -> tuple[Step, ...]:
    """The steps that a configuration asks for, in order: as far as it names the models that they need."""
    from training.corpus.instances import InstancesStep
    from training.corpus.judging import JudgeStep
    from training.corpus.pages import PagesStep
    from training.corpus.passages import PassagesStep

    steps: list[Step] = [PagesStep(config)]
    if config.writer is not None:
        steps += [PassagesStep(config), InstancesStep(config)]
        if config.judge.model is not None:
            steps.append(JudgeStep(config))
    return tuple(steps)


def find_step(steps: Sequence[Step], name: str) -> int:
    """The place of a step.

    Raises:
        InputError: the configuration does not name its model.
    """
    for place, step in enumerate(steps):
        if step.name == name:
            return place
    key = "judge.model" if name == "judge" else "writer"
    raise InputError(f"no model for the step {name}", field=key, remedy="name it in the corpus's YAML file")


def states_of(steps: Sequence[Step], folder: Path, units: Sequence[Unit]) -> list[BookState]:
    """How far each book is, in order.

    Raises:
        InputError: a manifest cannot be read.
    """
    return [_state_of(steps, folder, unit) for unit in units]


def strays_of(steps: Sequence[Step], folder: Path, units: Sequence[Unit]) -> dict[str, list[Path]]:
    """Outputs of books that are not there any more, changed or renamed, by step: status counts none of them."""
    known = {unit.id for unit in units}
    found = {}
    for step in steps:
        files = sorted(step.place(folder, units[0]).output.parent.glob(f"*{step.suffix}"))
        if strays := [file for file in files if file.name.removesuffix(step.suffix) not in known]:
            found[step.name] = strays
    return found


def _state_of(steps: Sequence[Step], folder: Path, unit: Unit) -> BookState:
    read, done = unit.sha256, []
    for step in steps:
        manifest = find_done(step, folder, unit, read)
        if manifest is None:
            break
        done.append(manifest)
        if manifest.fault is not None:
            return BookState(unit, tuple(done), manifest.fault)
        read = manifest.output
    return BookState(unit, tuple(done), None)
