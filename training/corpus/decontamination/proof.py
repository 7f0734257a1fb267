"""The proof that no passage stands on both sides of a split, and its check against the files again."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from app.errors import InputError
from app.files import write_whole
from app.rows import RowError
from training.corpus.decontamination.normalise import read_texts
from training.corpus.decontamination.rows import parse_row, raw_rows

PROOF: Final = "proof.json"
REMEDY: Final = "instances made by himed-data have it"
_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class SideProof:
    """One side. The SHA-256 of a set is that of its members' SHA-256, sorted, one a line.

    Attributes:
        rows: its instances.
        passages: different passage ids.
        texts: different passage texts after normalisation; ``without_text`` rows have none.
        questions: different questions after normalisation, options in order of their texts.
    """

    rows: int
    passages: int
    passages_sha256: str
    texts: int
    texts_sha256: str
    without_text: int
    questions: int
    questions_sha256: str


@dataclass(frozen=True, slots=True)
class Proof:
    """Both sides, and what they share: no passage id and no passage text.

    Attributes:
        questions_shared: questions on both sides after normalisation; what is all boilerplate may be.
    """

    corpus: SideProof
    bench: SideProof
    passages_shared: int
    texts_shared: int
    questions_shared: int
    version: int = _VERSION

    def write(self, file: Path) -> None:
        """Write it as JSON, whole.

        Raises:
            InputError: the file cannot be written.
        """
        write_whole(file, orjson.dumps(asdict(self), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))

    @classmethod
    def read(cls, file: Path) -> "Proof":
        """Read one back.

        Raises:
            InputError: the file cannot be read or is no proof.
        """
        try:
            values = orjson.loads(file.read_bytes())
            corpus, bench = SideProof(**values.pop("corpus")), SideProof(**values.pop("bench"))
            return cls(corpus, bench, **values)
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror}", file=file, remedy="check the path") from None
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"is no proof of a split ({error})", file=file, remedy="split again") from None


def prove_split(corpus: Iterable[Mapping[str, Any]], bench: Iterable[Mapping[str, Any]]) -> Proof:
    """Prove that no passage stands on both sides, by id and by text.

    Raises:
        InputError: one does, or a row names no passage; says which.
    """
    one, other = _Side(), _Side()
    for side, rows in ((one, corpus), (other, bench)):
        for row in rows:
            side.add(row)
    for name, what in (("passages", "passage"), ("texts", "text of the passage")):
        mine, theirs = getattr(one, name), getattr(other, name)
        if shared := mine.keys() & theirs.keys():
            first = min(theirs[key] for key in shared)
            problem = f"the {what} {first!r} stands on both sides, like {len(shared) - 1} more"
            raise InputError(problem, field="passage_id", remedy="split again by passages")
    questions = len(one.questions & other.questions)
    return Proof(one.told(), other.told(), 0, 0, questions)


def prove_files(corpus: Sequence[Path], bench: Sequence[Path]) -> Proof:
    """`prove_split` of files.

    Raises:
        InputError: as there, or a file or row cannot be read.
    """
    return prove_split(_rows(corpus), _rows(bench))


def check_proof(file: Path, corpus: Sequence[Path], bench: Sequence[Path]) -> Proof:
    """Prove a split again, and compare with a proof that was written.

    Raises:
        InputError: a passage stands on both sides, or the files are not those of the proof.
    """
    written, found = Proof.read(file), prove_files(corpus, bench)
    if written != found:
        different = [
            f"{side}'s {name}"
            for side in ("corpus", "bench")
            for name, value in asdict(getattr(found, side)).items()
            if asdict(getattr(written, side))[name] != value
        ]
        problem = f"the proof is of other files: {', '.join(different) or 'its figures'} differ"
        raise InputError(problem, file=file, remedy="name the files that it was written for")
    return found


def passage_of(row: Mapping[str, Any]) -> str:
    """The row's passage.

    Raises:
        InputError: it names none.
    """
    passage = row.get("passage_id")
    if not isinstance(passage, str) or not passage.strip():
        raise InputError("the row names no passage", field="passage_id", remedy=REMEDY)
    return passage


@dataclass(slots=True)
class _Side:
    """Sets of one side by SHA-256; passages and texts with the passage that is named when they are shared."""

    rows: int = 0
    without_text: int = 0
    passages: dict[bytes, str] = field(default_factory=dict)
    texts: dict[bytes, str] = field(default_factory=dict)
    questions: set[bytes] = field(default_factory=set)

    def add(self, row: Mapping[str, Any]) -> None:
        passage = passage_of(row)
        try:
            texts = read_texts(row)
        except RowError as error:
            raise InputError(error.reason, field=error.field, remedy="correct the row") from None
        self.rows += 1
        self.passages[_hash(passage)] = passage
        if texts.context is None:
            self.without_text += 1
        else:
            self.texts.setdefault(_hash(texts.context), passage)
        if texts.stem:
            self.questions.add(_hash(texts.whole))

    def told(self) -> SideProof:
        return SideProof(
            self.rows,
            len(self.passages),
            _digest(self.passages),
            len(self.texts),
            _digest(self.texts),
            self.without_text,
            len(self.questions),
            _digest(self.questions),
        )


def _rows(files: Sequence[Path]) -> Iterable[Mapping[str, Any]]:
    for file in files:
        for raw in raw_rows(file):
            try:
                row = parse_row(raw)
                passage_of(row)
            except RowError as error:
                raise InputError(error.reason, file=file, row=raw.number, remedy="correct the row") from None
            except InputError as error:
                raise InputError(
                    error.problem, file=file, row=raw.number, field=error.field, remedy=error.remedy
                ) from None
            yield row


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _digest(hashes: Iterable[bytes]) -> str:
    return hashlib.sha256("".join(f"{one.hex()}\n" for one in sorted(hashes)).encode()).hexdigest()
