"""One task of an executor: all that is left to do for one book, in a process of its own."""

import asyncio
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

from app.command import BAD_INPUT
from app.errors import InputError
from app.files import write_whole
from training.corpus.calls import EndpointAwayError
from training.corpus.step import Step, find_done, run_step
from training.corpus.unit import Unit


@dataclass(frozen=True, slots=True)
class RunFolder:
    """What one run's processes tell one another, in files: they may be on several machines."""

    path: Path

    @property
    def units(self) -> Path:
        """The books that are left, one JSON object a line; a task's rank is its line."""
        return self.path / "units.jsonl"

    @property
    def console(self) -> Path:
        """What the executor and its processes print."""
        return self.path / "console.log"

    def running(self, unit: str) -> Path:
        """There while a task works on a book; holds its process id."""
        return self.path / "running" / unit

    def ended(self, unit: str) -> Path:
        """There once a task has ended well."""
        return self.path / "ended" / unit

    def stopped(self, unit: str) -> Path:
        """There once a task could not go on: what is wrong, in one line."""
        return self.path / "stopped" / unit

    def failed(self, unit: str) -> Path:
        """There once a task has met a fault of ours: its traceback."""
        return self.path / "failed" / unit

    def create(self, units: list[Unit]) -> None:
        """Make the folder.

        Raises:
            InputError: it cannot be written.
        """
        try:
            for name in ("running", "ended", "stopped", "failed"):
                (self.path / name).mkdir(parents=True)
        except OSError as error:
            raise InputError(f"cannot be made ({error.strerror})", file=self.path, remedy="check the folder") from None
        rows = ({"id": unit.id, "source": str(unit.source), "sha256": unit.sha256} for unit in units)
        write_whole(self.units, b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows))

    def words(self, kind: str) -> list[tuple[str, str]]:
        """The books in a folder of signs (``running``, ``stopped``, ``failed``) with what stands there."""
        found = []
        for file in sorted((self.path / kind).iterdir()):
            with suppress(FileNotFoundError):  # a task has ended in between
                if not file.name.startswith("."):
                    found.append((file.name, file.read_text(encoding="utf-8")))
        return found

    def count(self, kind: str) -> int:
        """How many signs of a kind there are."""
        with os.scandir(self.path / kind) as entries:
            return sum(not entry.name.startswith(".") for entry in entries)


@dataclass(frozen=True)
class UnitTask:
    """What datatrove's executors call with a rank: the steps of the book at that line of the run's list.

    Attributes:
        steps: all of the pipeline.
        folder: of the corpus.
        run: of this run.
        only: the place of the one step to run; None for all.
    """

    steps: tuple[Step, ...]
    folder: Path
    run: RunFolder
    only: int | None = None

    def __call__(self, data: Any, rank: int, world_size: int) -> Iterator[Any]:
        """Work on a book. What stops the work is written down for whoever watches, and ends the tasks to come.

        Raises:
            SystemExit: under Slurm, where the job's status is all that people see.
        """
        unit = _read_units(self.run.units)[rank]
        if self.run.count("stopped") or self.run.count("failed"):
            return iter(())
        running = self.run.running(unit.id)
        write_whole(running, str(os.getpid()))
        try:
            asyncio.run(self._work(unit))
            self.run.ended(unit.id).touch()
        except (InputError, EndpointAwayError) as error:
            write_whole(self.run.stopped(unit.id), str(error))
            if os.environ.get("DATATROVE_EXECUTOR") == "SLURM":
                print(f"himed-data: error: {error}", file=sys.stderr)
                raise SystemExit(BAD_INPUT) from None
        except Exception:  # a fault of ours: who watches is in another process, and shows this traceback
            write_whole(self.run.failed(unit.id), traceback.format_exc())
            raise
        finally:
            running.unlink(missing_ok=True)
        return iter(())

    async def _work(self, unit: Unit) -> None:
        source, read = unit.source, unit.sha256
        for place, step in enumerate(self.steps):
            manifest = find_done(step, self.folder, unit, read)
            if manifest is None:
                if self.only not in (None, place):
                    return
                manifest = await run_step(step, self.folder, unit, source, read)
            if manifest.fault is not None:
                return
            source, read = step.place(self.folder, unit).output, manifest.output


@lru_cache(maxsize=1)
def _read_units(file: Path) -> list[Unit]:
    rows = (orjson.loads(line) for line in file.read_bytes().splitlines())
    return [Unit(row["id"], Path(row["source"]), row["sha256"]) for row in rows]
