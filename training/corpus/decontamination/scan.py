"""The first look at rows: what is compared of them as hashes, and the word runs that they share with benchmarks."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.rows import RowError
from training.corpus.decontamination.hashing import Numbers
from training.corpus.decontamination.minhash import Bands, Bytes, signatures
from training.corpus.decontamination.ngrams import GramFinder, boilerplate_runs
from training.corpus.decontamination.normalise import Texts, compared_form, read_texts
from training.corpus.decontamination.rows import RawRow, parse_row

_ROWS_AT_ONCE: Final = 2000
_BYTES_AT_ONCE: Final = 1 << 21
NONE: Final = -1


@dataclass(frozen=True, slots=True)
class Scanned:
    """What some rows give.

    ``whole``, ``stem`` and ``context`` are places among the chunk's different texts, -1 for none; the stem of an open
    question is its whole. ``hit_rows`` and ``hit_runs`` are the benchmark runs that stand in each row.

    Attributes:
        faults: what is wrong with a row that cannot be read, by its place.
        exact: hashes of whole, stem and answer, numbers and all: (rows, 3).
        keys: hashes of the different texts in their compared form; ``texts`` are these.
    """

    rows: int
    faults: dict[int, str]
    whole: Numbers
    stem: Numbers
    context: Numbers
    exact: NDArray[np.uint64]
    passages: list[str | None]
    keys: list[int]
    texts: list[bytes]
    bands: Bands
    kept: Bytes
    runs: NDArray[np.uint32]
    run_offsets: Numbers
    hit_rows: Numbers
    hit_runs: Numbers


@dataclass(slots=True)
class _State:
    finder: GramFinder | None = None
    with_context: bool = False


_STATE: Final = _State()


def start_scan(grams: Path | None, size: int, with_context: bool) -> None:
    """Make a process ready for `scan`: the benchmarks' runs from their file."""
    _STATE.finder = GramFinder(np.load(grams, mmap_mode="r"), size) if grams is not None else None
    _STATE.with_context = with_context


def chunks(rows: Iterable[RawRow]) -> Iterator[list[RawRow]]:
    """Rows in lots of a bounded size."""
    some: list[RawRow] = []
    size = 0
    for row in rows:
        some.append(row)
        size += len(row.data)
        if len(some) >= _ROWS_AT_ONCE or size >= _BYTES_AT_ONCE:
            yield some
            some, size = [], 0
    if some:
        yield some


def scan(rows: Sequence[RawRow]) -> Scanned:
    """Read and hash some rows."""
    read: list[Texts] = []
    faults = {}
    for place, row in enumerate(rows):
        try:
            read.append(read_texts(parse_row(row)))
        except RowError as error:
            faults[place] = str(error)
            read.append(Texts(""))
    return scan_texts(read, faults, _STATE.finder, _STATE.with_context)


@dataclass(slots=True)
class _Different:
    """Texts, each once."""

    places: dict[str, int] = field(default_factory=dict)

    def place(self, text: str) -> int:
        return self.places.setdefault(compared_form(text), len(self.places)) if text else NONE


def scan_texts(
    read: Sequence[Texts], faults: dict[int, str], finder: GramFinder | None = None, with_context: bool = False
) -> Scanned:
    """Hash what is compared of some rows."""
    texts = _Different()
    whole = np.array([texts.place(row.whole if row.stem else "") for row in read], np.int64)
    stem = np.array([texts.place(row.stem) for row in read], np.int64)
    context = np.array([texts.place((row.context or "") if with_context else "") for row in read], np.int64)
    exact = np.array([(_key(row.whole), _key(row.stem), _key(row.answer)) for row in read], np.uint64).reshape(-1, 3)
    different = list(texts.places)
    runs, run_offsets = boilerplate_runs(different)
    bands, kept = signatures(different)
    long = [(text, place) for place, row in enumerate(read) for text in row.all]
    hit_rows = hit_runs = np.zeros(0, np.int64)
    if finder is not None:
        hit_rows, hit_runs = finder.find([text for text, _ in long], [place for _, place in long])
    return Scanned(
        rows=len(read),
        faults=faults,
        whole=whole,
        stem=stem,
        context=context,
        exact=exact,
        passages=[row.passage for row in read] if with_context else [],
        keys=[_key(text) for text in different],
        texts=[text.encode("utf-8", "surrogatepass") for text in different],
        bands=bands,
        kept=kept,
        runs=runs,
        run_offsets=run_offsets,
        hit_rows=hit_rows,
        hit_runs=hit_runs,
    )


def _key(text: str) -> int:
    """64 bits: among a million texts two share them with a probability of 3 in 100 million."""
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little")
