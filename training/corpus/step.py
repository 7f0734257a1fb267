"""A step of the pipeline, and its way over one unit: done once, or whole again from the calls that were kept."""

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Final

from app.errors import InputError
from app.version import code_version
from training.checkpoints.lineage import settings_hash
from training.corpus.calls import CallStore
from training.corpus.unit import Manifest, Place, SourceError, Unit, Work, hash_file

TOKENS_PER_CHARACTER: Final = 0.6  # of Hindi with English terms, about; a model's own count replaces it once it has one


@dataclass(frozen=True, slots=True)
class Size:
    """How much a step has before it: pages, blocks, passages or instances, and the characters of their text."""

    items: float
    chars: float = 0.0

    def __add__(self, other: "Size") -> "Size":
        return Size(self.items + other.items, self.chars + other.chars)


@dataclass(frozen=True, slots=True)
class Expected:
    """What a step may cost, before anything was asked.

    Attributes:
        calls: calls by purpose.
        prompt_tokens, completion_tokens: of all of them.
        out: what the next step will have before it.
    """

    out: Size
    calls: Mapping[str, float] = field(default_factory=dict)
    prompt_tokens: float = 0.0
    completion_tokens: float = 0.0


class Step(ABC):
    """What is done to one unit after another.

    Attributes:
        name: of the step's folder and command.
        suffix: of its output.
    """

    name: ClassVar[str]
    suffix: ClassVar[str] = ".jsonl"

    @abstractmethod
    def settings(self) -> Mapping[str, Any]:
        """All that the output depends on beside the input: prompts, models, thresholds; no address, no speed."""

    @abstractmethod
    async def run(self, source: Path, work: Work) -> None:
        """Read ``source`` and write rows, rejects and counts to ``work``.

        Raises:
            SourceError: the source cannot be read as a whole: the unit is one reject.
            EndpointAwayError: nothing more can be done now.
        """

    @abstractmethod
    def size(self, source: Path) -> Size:
        """How much is in a source; nothing in one that cannot be read."""

    @abstractmethod
    def expect(self, size: Size) -> Expected:
        """What so much will cost and become."""

    def place(self, folder: Path, unit: Unit) -> Place:
        """Where the step keeps what it makes of a unit."""
        return Place(folder, self.name, unit.id, self.suffix)

    def settings_hash(self) -> str:
        """SHA-256 of the settings."""
        return settings_hash(self.settings())


def find_done(step: Step, folder: Path, unit: Unit, read: str) -> Manifest | None:
    """The manifest of a step that need not run again for a unit.

    None where it never ended, its settings or its input (``read``, a SHA-256) are others now, its output is gone, an
    endpoint failed for a part of it, or its source could not be read at that time.

    Raises:
        InputError: the manifest cannot be read.
    """
    place = step.place(folder, unit)
    manifest = Manifest.read(place.manifest)
    if manifest is None or manifest.again or not place.output.is_file():
        return None
    return manifest if (manifest.settings, manifest.input) == (step.settings_hash(), read) else None


async def run_step(step: Step, folder: Path, unit: Unit, source: Path, read: str) -> Manifest:
    """Run a step on a unit: its output and rejects appear when it has ended, and its manifest last of all.

    A source that cannot be read becomes an empty output with its fault in the manifest.

    Raises:
        EndpointAwayError: as of `Step.run`; what was answered so far is kept.
        InputError: something cannot be written, or another process works on the unit.
        ValueError: the counts do not add up.
    """
    place = step.place(folder, unit)
    try:
        for file in (place.output, place.rejects, place.manifest, place.progress):
            file.parent.mkdir(parents=True, exist_ok=True)
        # Open until the manifest is there: nobody else works on the unit while its files change.
        with CallStore(place.calls) as store:
            return await _run_alone(step, place, store, unit, source, read)
    except OSError as error:
        file = Path(error.filename) if error.filename else place.output
        raise InputError(f"cannot be read or written ({error.strerror})", file=file, remedy="check the disk") from None


async def _run_alone(step: Step, place: Place, store: CallStore, unit: Unit, source: Path, read: str) -> Manifest:
    started = time.monotonic()
    output, rejects = (file.with_name(f".{file.name}.part") for file in (place.output, place.rejects))
    fault = None
    try:
        with output.open("wb") as out, rejects.open("wb") as aside:
            work = Work(unit, store, out, aside, place.progress)
            try:
                await step.run(source, work)
            except SourceError as error:
                fault = str(error)
                for stream in (out, aside):
                    stream.seek(0)
                    stream.truncate()
                work = Work(unit, store, out, aside, place.progress, again=int(error.again))
            for flow in work.flows:
                flow.check()
        written = hash_file(output)
        # An earlier manifest would stand for the new output, were this process killed before the next one is there.
        place.manifest.unlink(missing_ok=True)
        os.replace(output, place.output)
        os.replace(rejects, place.rejects)
    finally:
        for part in (output, rejects, place.progress):
            part.unlink(missing_ok=True)
    manifest = Manifest(
        step=step.name,
        unit=unit.id,
        source=str(unit.source),
        settings=step.settings_hash(),
        input=read,
        output=written,
        flows=tuple(work.flows),
        spent=store.spent(),
        again=work.again,
        fault=fault,
        seconds=round(time.monotonic() - started, 3),
        himed=code_version(),
    )
    manifest.write(place.manifest)
    return manifest
