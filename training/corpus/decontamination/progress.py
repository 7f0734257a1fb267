"""How far a search is: a bar on a terminal for each of its stages, on stderr."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn


class Show:
    """Shows stages one below the other; nothing where it is off, or stderr is no terminal."""

    def __init__(self, on: bool) -> None:
        self._on = on

    @contextmanager
    def stage(self, title: str, total: int) -> Iterator[Callable[[int], None]]:
        """A stage; what it gives is called with how much more is done."""
        console = Console(stderr=True)
        if not self._on or not console.is_terminal:
            yield lambda _: None
            return
        columns = (TextColumn("{task.description:10}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console) as progress:
            task = progress.add_task(title, total=max(1, total))
            yield lambda more: progress.advance(task, more)
            progress.update(task, completed=max(1, total))
