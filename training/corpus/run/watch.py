"""How far a run is: a bar for the books and one for each that is being worked on, or a line now and then."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from training.corpus.run.task import RunFolder
from training.corpus.step import Step
from training.corpus.unit import Unit

_LINE_S: Final = 15.0
_MOST_BARS: Final = 8


class Watch:
    """Reads the signs that a run's processes leave, and shows them on stderr."""

    def __init__(self, run: RunFolder, units: Sequence[Unit], steps: Sequence[Step], folder: Path) -> None:
        self._run, self._units = run, {unit.id: unit for unit in units}
        self._steps, self._folder = steps, folder
        self._console = Console(stderr=True)
        self._bars: dict[str, TaskID] = {}
        self._said = time.monotonic()
        self._progress: Progress | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=self._console,
            )
            self._all = self._progress.add_task("books", total=len(self._units))
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def look(self) -> None:
        """Read the signs and show them."""
        ended = self._run.count("ended")
        running = [found for unit, _pid in self._run.words("running") if (found := self._of(unit))]
        if self._progress is not None:
            self._draw(self._progress, ended, running)
        elif time.monotonic() - self._said >= _LINE_S:
            self._said = time.monotonic()
            now = ", ".join(f"{title} {done}/{total}" for title, done, total in running[:_MOST_BARS])
            print(f"{ended} of {len(self._units)} books{': ' + now if now else ''}", file=sys.stderr, flush=True)

    def _of(self, unit: str) -> tuple[str, int, int] | None:
        """What a book's running step has written of itself."""
        for step in self._steps:
            file = step.place(self._folder, self._units[unit]).progress
            try:
                done, total = map(int, file.read_text().split())
            except (FileNotFoundError, ValueError):
                continue
            return f"{step.name} of {self._units[unit].source.name}", done, total
        return None

    def _draw(self, progress: Progress, ended: int, running: list[tuple[str, int, int]]) -> None:
        progress.update(self._all, completed=ended)
        shown = {title: (done, total) for title, done, total in running[:_MOST_BARS]}
        for title in self._bars.keys() - shown.keys():
            progress.remove_task(self._bars.pop(title))
        for title, (done, total) in shown.items():
            if title not in self._bars:
                self._bars[title] = progress.add_task(title, total=total)
            progress.update(self._bars[title], completed=done, total=total)
