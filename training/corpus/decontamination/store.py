"""The different texts of all rows, on disk; in memory their hashes, and which rows and items have them."""

import mmap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.corpus.decontamination.hashing import Numbers
from training.corpus.decontamination.minhash import BANDS, KEPT, Bands, Bytes
from training.corpus.decontamination.ngrams import Boilerplate
from training.corpus.decontamination.scan import NONE, Scanned

_TEXTS: Final = "texts"
_OFFSETS: Final = "offsets.npy"
_TABLE: Final = "boilerplate.npy"


@dataclass(slots=True)
class Rows:
    """What is known of each row of one side, in order.

    Attributes:
        whole, stem, context: numbers of texts, -1 for none.
        exact: hashes of whole, stem and answer: (rows, 3).
    """

    whole: NDArray[np.int32]
    stem: NDArray[np.int32]
    context: NDArray[np.int32]
    exact: NDArray[np.uint64]
    passages: list[str | None]
    faults: dict[int, str]

    def __len__(self) -> int:
        return len(self.whole)

    @property
    def optioned(self) -> NDArray[np.bool_]:
        """Which rows have options."""
        return self.exact[:, 0] != self.exact[:, 1]


@dataclass(slots=True)
class RowsSoFar:
    """Rows as they come."""

    parts: list[tuple[NDArray[np.int32], NDArray[np.uint64]]] = field(default_factory=list)
    passages: list[str | None] = field(default_factory=list)
    faults: dict[int, str] = field(default_factory=dict)
    n: int = 0

    def add(self, scanned: Scanned, numbers: NDArray[np.int32]) -> None:
        """Take in a chunk, whose texts have these numbers."""
        columns = [
            np.where(places == NONE, NONE, numbers[places] if len(numbers) else NONE)
            for places in (scanned.whole, scanned.stem, scanned.context)
        ]
        self.parts.append((np.stack(columns).astype(np.int32), scanned.exact))
        self.passages += scanned.passages
        self.faults |= {self.n + place: fault for place, fault in scanned.faults.items()}
        self.n += scanned.rows

    def close(self) -> Rows:
        """All of them."""
        columns = np.concatenate([part for part, _ in self.parts] or [np.zeros((3, 0), np.int32)], axis=1)
        exact = np.concatenate([part for _, part in self.parts] or [np.zeros((0, 3), np.uint64)])
        return Rows(columns[0], columns[1], columns[2], exact, self.passages, self.faults)


class TextStore:
    """Numbers the different texts as they come, and keeps them and their signatures in files of a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.boilerplate = Boilerplate()
        self._numbers: dict[int, int] = {}
        self._lengths: list[int] = []
        self._files = [(folder / name).open("wb") for name in (_TEXTS, "bands", "kept")]

    def __len__(self) -> int:
        return len(self._numbers)

    def add(self, scanned: Scanned) -> NDArray[np.int32]:
        """The numbers of a chunk's texts; new ones are kept."""
        new = []
        numbers = np.empty(len(scanned.keys), np.int32)
        for place, key in enumerate(scanned.keys):
            number = self._numbers.setdefault(key, len(self._numbers))
            numbers[place] = number
            if number == len(self._lengths):
                self._lengths.append(len(scanned.texts[place]))
                new.append(place)
        texts, bands, kept = self._files
        texts.write(b"".join(scanned.texts[place] for place in new))
        bands.write(scanned.bands[new].tobytes())
        kept.write(scanned.kept[new].tobytes())
        is_new = np.zeros(len(scanned.keys), bool)
        is_new[new] = True
        self.boilerplate.add(scanned.runs[np.repeat(is_new, np.diff(scanned.run_offsets))], len(new))
        return numbers

    def close(self, limit: int) -> tuple[Bands, Bytes]:
        """All signatures; from now on the texts can be read. ``limit`` is the boilerplate's."""
        for file in self._files:
            file.close()
        np.save(self.folder / _OFFSETS, np.concatenate(([0], np.cumsum(self._lengths, dtype=np.int64))))
        np.save(self.folder / _TABLE, self.boilerplate.table(limit))
        self._numbers, self._lengths = {}, []
        bands = np.fromfile(self.folder / "bands", np.uint32).reshape(-1, BANDS)
        return bands, np.fromfile(self.folder / "kept", np.uint8).reshape(-1, KEPT)

    def abandon(self) -> None:
        """Let the files go; they may be removed."""
        for file in self._files:
            file.close()


class StoredTexts:
    """Reads the texts of a store that was closed."""

    def __init__(self, folder: Path) -> None:
        self._offsets: Numbers = np.load(folder / _OFFSETS)
        self.boilerplate: NDArray[np.bool_] = np.load(folder / _TABLE, mmap_mode="r")
        with (folder / _TEXTS).open("rb") as file:
            self._data: mmap.mmap | bytes = (
                mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if self._offsets[-1] else b""
            )

    def __getitem__(self, number: int) -> str:
        data = self._data[self._offsets[number] : self._offsets[number + 1]]
        return data.decode("utf-8", "surrogatepass")
