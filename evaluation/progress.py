"""A run's progress: a bar on a terminal, a line now and then elsewhere."""

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_LINE_SECONDS = 15.0


class RunProgress:
    """Counts what is done: done, rate, errors, running accuracy and time left, on stderr."""

    def __init__(self, title: str, total: int, done: int = 0) -> None:
        self.title, self.total, self.done, self.errors = title, total, done, 0
        self.right = self.scored = 0
        self._resumed_at, self._started = done, time.monotonic()
        self._console = Console(stderr=True)
        self._bar: Progress | None = None
        self._last_line = self._started

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[figures]}"),
                TimeRemainingColumn(),
                console=self._console,
                refresh_per_second=4,
            )
            self._task = self._bar.add_task(self.title, total=self.total, completed=self.done, figures="")
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.update(self._task, completed=self.done, figures=self._figures())
            self._bar.stop()
        elif self.done > self._resumed_at or self.errors:
            self._print_line()

    def count_choice(self, value: float | None) -> None:
        """Count a choice for the running accuracy; None is no readable choice, which is not right."""
        self.scored += 1
        self.right += value == 1.0

    def advance(self, failed: bool = False) -> None:
        """One more is done, or has failed."""
        if failed:
            self.errors += 1
        else:
            self.done += 1
        now = time.monotonic()
        if self._bar is not None:
            if now - self._last_line > 0.2:  # formatting at every item would cost more than scoring it
                self._last_line = now
                self._bar.update(self._task, completed=self.done, figures=self._figures())
        elif now - self._last_line > _LINE_SECONDS:
            self._last_line = now
            self._print_line()

    def _figures(self) -> str:
        rate = (self.done - self._resumed_at) / max(time.monotonic() - self._started, 1e-9)
        parts = [f"{rate:.1f}/s", f"{self.errors} errors"]
        if self.scored:
            parts.append(f"accuracy {100 * self.right / self.scored:.2f} %")
        return " · ".join(parts)

    def _print_line(self) -> None:
        rate = (self.done - self._resumed_at) / max(time.monotonic() - self._started, 1e-9)
        left = f" · {(self.total - self.done) / rate:.0f} s left" if rate > 0 and self.done < self.total else ""
        print(f"{self.title}: {self.done}/{self.total} · {self._figures()}{left}", file=sys.stderr)
