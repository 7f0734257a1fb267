"""The files of a corpus and of benchmarks, and where each of their rows stands."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from app.data_files import data_files
from app.errors import InputError
from training.corpus.decontamination.hashing import Numbers
from training.corpus.decontamination.rows import RawRow, has_lines, hashing, raw_rows
from training.corpus.decontamination.scan import chunks
from training.data.load import expand_files


@dataclass(slots=True)
class Source:
    """One file of rows.

    Attributes:
        path: the file.
        name: its path under the folder that was named, else its own name; ``.jsonl`` whatever it was.
        sha256: of the bytes, once they were read.
        first: the place of its first row among those of all files; ``rows`` is how many it has.
        lines: its rows stand one a line.
    """

    path: Path
    name: Path
    sha256: str = ""
    first: int = 0
    rows: int = 0
    lines: bool = False


@dataclass(slots=True)
class Sources:
    """Files in order; their rows are numbered through all of them from 0."""

    files: list[Source]
    _numbers: list[Numbers] = field(default_factory=list)
    _starts: list[int] = field(default_factory=list)
    rows: int = 0

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(source.path.stat().st_size for source in self.files)

    def chunks(self, advance: Callable[[int], None]) -> Iterator[list[RawRow]]:
        """The rows of all files in lots.

        Raises:
            InputError: a file cannot be read as a whole.
        """
        for source in self.files:
            sha256, update = hashing()
            source.first, source.lines = self.rows, has_lines(source.path)
            for some in chunks(raw_rows(source.path, update)):
                self._starts.append(self.rows)
                self._numbers.append(np.fromiter((row.number for row in some), np.int64, len(some)))
                self.rows += len(some)
                advance(sum(len(row.data) for row in some))
                yield some
            source.sha256, source.rows = sha256.hexdigest(), self.rows - source.first

    def place(self, row: int) -> tuple[Source, int]:
        """The file of a row and its number there."""
        source = self.files[bisect_right(self.files, row, key=lambda source: source.first) - 1]
        lot = bisect_right(self._starts, row) - 1
        return source, int(self._numbers[lot][row - self._starts[lot]])

    def again(self, source: Source) -> Iterator[RawRow]:
        """A file's rows once more.

        Raises:
            InputError: they are not the same any more.
        """
        sha256, update = hashing()
        yield from raw_rows(source.path, update)
        if sha256.hexdigest() != source.sha256:
            raise InputError("the file changed while it was read", file=source.path, remedy="run it again")


def find_sources(
    paths: Sequence[Path], without: Sequence[Path] = (), *, names: bool = True
) -> tuple[Sources, list[Path]]:
    """The files of the paths, shards in order, and those left out since they are among ``without``.

    With ``names`` each must have a name of its own in an output.

    Raises:
        InputError: a path or a shard is missing, a folder is empty, or two files would have one name.
    """
    held = {file.resolve() for path in without for file in (data_files(path) if path.is_dir() else [path])}
    found: dict[Path, Source] = {}
    sources = []
    left_out = []
    for path in paths:
        for file in expand_files([path]):
            if file.resolve() in held:
                left_out.append(file)
                continue
            name = (file.relative_to(path) if path.is_dir() else Path(file.name)).with_suffix(".jsonl")
            if names and name in found:
                problem = f"{found[name].path} would have the same name in the output, {name}"
                raise InputError(problem, file=file, remedy="name a folder that holds both, or rename one")
            found[name] = Source(file, name)
            sources.append(found[name])
    return Sources(sources), left_out
