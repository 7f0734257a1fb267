"""One book at one step: what it reads, writes and counts, all of it whole or not there."""

import contextlib
import hashlib
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

import orjson
import regex

from app.errors import InputError
from app.files import write_whole
from training.corpus.calls import CallError, CallStore, Spent
from training.corpus.flow import Flow

_PROGRESS_S: Final = 0.5  # between two signs of life


class SourceError(InputError):
    """A book that cannot be read as a whole: one reject, not the end.

    Attributes:
        again: whether it may be readable later: the disk failed, not the book.
    """

    def __init__(self, problem: str, *, again: bool = False, **place: Any) -> None:
        super().__init__(problem, **place)
        self.again = again


@dataclass(frozen=True, slots=True)
class Unit:
    """A book.

    Attributes:
        id: unique over all books, of the file's name and contents; passages and instances begin with it.
        source: its file.
        sha256: of the file.
    """

    id: str
    source: Path
    sha256: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where one step keeps what it makes of one unit."""

    folder: Path
    step: str
    unit: str
    suffix: str = ".jsonl"

    @property
    def output(self) -> Path:
        """What the next step reads."""
        return self.folder / self.step / f"{self.unit}{self.suffix}"

    @property
    def rejects(self) -> Path:
        """What did not go on, one JSON object a line: stage, id, reason, detail."""
        return self.folder / self.step / "rejects" / f"{self.unit}.jsonl"

    @property
    def manifest(self) -> Path:
        """The counts; written last, so that it stands for a step that is done."""
        return self.folder / self.step / "manifests" / f"{self.unit}.json"

    @property
    def calls(self) -> Path:
        """Requests and replies."""
        return self.folder / self.step / "calls" / f"{self.unit}.db"

    @property
    def progress(self) -> Path:
        """How far a running step is: ``done total``."""
        return self.folder / self.step / "progress" / self.unit


@dataclass(frozen=True, slots=True)
class Manifest:
    """What one step has made of one unit.

    Attributes:
        settings: SHA-256 of the settings that the output depends on.
        input: SHA-256 of what was read.
        output: SHA-256 of what was written.
        flows: counts in and out of each stage.
        spent: calls and tokens by purpose.
        again: rejects that another run may do better with, since an endpoint or a disk failed.
        fault: why the unit as a whole could not be read; None for one that could.
    """

    step: str
    unit: str
    source: str
    settings: str
    input: str
    output: str
    flows: tuple[Flow, ...]
    spent: Mapping[str, Spent]
    again: int
    fault: str | None
    seconds: float
    himed: str

    def write(self, file: Path) -> None:
        """Write it, whole.

        Raises:
            InputError: the file cannot be written.
        """
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        values["flows"] = [flow.as_json() for flow in self.flows]
        write_whole(file, orjson.dumps(values, option=orjson.OPT_INDENT_2))

    @classmethod
    def read(cls, file: Path) -> "Manifest | None":
        """The manifest in a file; None where there is none.

        Raises:
            InputError: the file is no manifest.
        """
        try:
            values = orjson.loads(file.read_bytes())
            values["flows"] = tuple(Flow.from_json(flow) for flow in values["flows"])
            values["spent"] = {purpose: Spent(**spent) for purpose, spent in values["spent"].items()}
            return cls(**values)
        except FileNotFoundError:
            return None
        except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError) as error:
            raise InputError(
                f"is no manifest ({error!r})", file=file, remedy="remove it; the step runs again"
            ) from None


@dataclass(slots=True)
class Work:
    """What a step is given for one unit: where to put rows, rejects and counts, and where its calls are kept."""

    unit: Unit
    store: CallStore
    output: IO[bytes]
    rejects: IO[bytes]
    progress_file: Path
    flows: list[Flow] = field(default_factory=list)
    again: int = 0
    _shown: float = 0.0

    def flow(self, stage: str, unit: str) -> Flow:
        """A new stage's counts; stages are told in the order in which they were asked for."""
        self.flows.append(Flow(stage, unit))
        return self.flows[-1]

    def keep(self, row: Mapping[str, Any]) -> None:
        """Write one row of output."""
        self.output.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))

    def keep_text(self, text: str) -> None:
        """Write output that is no rows."""
        self.output.write(text.encode())

    def reject(self, flow: Flow, row_id: str, error: CallError, row: Mapping[str, Any] | None = None) -> None:
        """Set something aside with its reason, and count it."""
        flow.left[error.reason] += 1
        self.again += error.again
        self.note(flow, row_id, error.reason, error.detail, row)

    def note(
        self, flow: Flow, row_id: str, reason: str, detail: str = "", row: Mapping[str, Any] | None = None
    ) -> None:
        """Write down why something was set aside; the caller counts it."""
        reject = {"stage": flow.stage, "id": row_id, "reason": reason, "detail": detail}
        self.rejects.write(orjson.dumps(reject | ({"row": row} if row else {}), option=orjson.OPT_APPEND_NEWLINE))

    def progress(self, done: int, total: int) -> None:
        """Say how far the step is; it reaches the disk twice a second at most."""
        now = time.monotonic()
        if now - self._shown >= _PROGRESS_S or done == total:
            self._shown = now
            write_whole(self.progress_file, f"{done} {total}")


def find_units(
    sources: Path, suffixes: Iterable[str], known: Path | None = None
) -> tuple[list[Unit], list[tuple[Path, Path]]]:
    """The books under a folder in a fixed order, and the files that are copies of an earlier one.

    Args:
        sources: the folder.
        suffixes: of books, in lower case.
        known: a file that keeps the books' hashes, so that only those that are new or changed are read again.

    Raises:
        InputError: the folder is missing or holds no book, or a file cannot be read.
    """
    suffixes = tuple(suffixes)
    hashes = _Hashes(known)
    if not sources.is_dir():
        raise InputError("no such folder", file=sources, remedy="name the folder of the books")
    units: dict[str, Unit] = {}
    copies = []
    for file in sorted(path for path in sources.rglob("*") if path.suffix.lower() in suffixes and path.is_file()):
        if any(part.startswith(".") for part in file.relative_to(sources).parts):
            continue
        sha256 = hashes.of(file)
        if sha256 in units:
            copies.append((file, units[sha256].source))
        else:
            units[sha256] = Unit(f"{_slug(file.stem)}-{sha256[:10]}", file, sha256)
    if not units:
        raise InputError("holds no book", file=sources, remedy=f"put {', '.join(suffixes)} files there")
    hashes.write()
    return list(units.values()), copies


class _Hashes:
    """Files' hashes by path, size and time of the last change."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._known: dict[str, list[Any]] = {}
        self._found: dict[str, list[Any]] = {}
        if file is not None and file.is_file():
            with contextlib.suppress(orjson.JSONDecodeError):  # then all are read again
                known = orjson.loads(file.read_bytes())
                self._known = known if isinstance(known, dict) else {}

    def of(self, file: Path) -> str:
        try:
            stat = file.stat()
            signs = [stat.st_size, stat.st_mtime_ns]
            known = self._known.get(str(file))
            sha256: str = known[2] if known and known[:2] == signs else hash_file(file)
        except OSError as error:
            raise InputError(f"cannot be read ({error.strerror})", file=file, remedy="check its rights") from None
        self._found[str(file)] = [*signs, sha256]
        return sha256

    def write(self) -> None:
        if self._file is not None and self._found != self._known:
            write_whole(self._file, orjson.dumps(self._found))


def unit_of(file: Path) -> Unit:
    """One file as a unit, whatever lies beside it.

    Raises:
        OSError: it cannot be read.
    """
    sha256 = hash_file(file)
    return Unit(f"{_slug(file.stem)}-{sha256[:10]}", file, sha256)


def hash_file(file: Path) -> str:
    """SHA-256 of a file's bytes."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _slug(stem: str) -> str:
    """Letters, digits, vowel signs, ``-`` and ``_`` of a name; what is between them becomes ``-``."""
    return regex.sub(r"[^\p{L}\p{M}\p{N}_]+", "-", stem).strip("-")[:60] or "book"
