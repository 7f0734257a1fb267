"""Parts instances into a corpus and a benchmark, passage by passage: no passage, and nothing like it, is on both sides.

Passages that share a question, exact or near, or whose own texts are the same or near, go to one side together. The
side is told by a hash of the seed and of the first passage id of such a group: a passage stays on its side when books
are added, unless it comes to share something with another.
"""

import hashlib
import json
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

import orjson

from app.errors import InputError
from training.corpus.decontamination.gather import Gathered, gather
from training.corpus.decontamination.normalise import MIN_WORDS
from training.corpus.decontamination.progress import Show
from training.corpus.decontamination.proof import PROOF, REMEDY, Proof, passage_of, prove_files
from training.corpus.decontamination.rows import as_line
from training.corpus.decontamination.rules import Rules
from training.corpus.decontamination.scan import NONE
from training.corpus.decontamination.sources import Sources, find_sources
from training.corpus.decontamination.whole_folder import whole_folder

Side = Literal["corpus", "bench"]

SIDES: Final[tuple[Side, Side]] = ("corpus", "bench")
REPORT: Final = "report.json"


@dataclass(frozen=True, slots=True)
class Split:
    """How instances were parted.

    Attributes:
        share: of the passages for the benchmark, as asked for; ``share_found`` is what it became.
        groups: passages that stay together count as one; ``largest`` is how many the largest holds.
        passages, rows: on each side.
    """

    share: float
    seed: int
    share_found: float
    groups: int
    largest: int
    passages: Mapping[Side, int]
    rows: Mapping[Side, int]


@dataclass(frozen=True, slots=True)
class _Parted:
    """The side of each row, and the whole's figures."""

    sides: list[Side]
    told: Split


def split(
    files: Sequence[Path],
    out: Path,
    *,
    share: float,
    seed: int = 0,
    rules: Rules | None = None,
    processes: int = 2,
    progress: bool = False,
) -> tuple[Split, Proof]:
    """Part files of instances; ``out`` holds in the end ``corpus/``, ``bench/``, ``proof.json`` and ``report.json``.

    Rows keep their bytes and their order. The same for any number of processes.

    Args:
        files: files of instances with ``passage_id``, or folders of them.
        out: a folder that is absent or empty.
        share: of the passages for the benchmark; what it becomes is near it where there are many groups.
        seed: another gives another split.
        rules: what counts as near.
        processes: how many work at once.
        progress: show bars on a terminal.

    Raises:
        InputError: a file or row cannot be read, a row names no passage, or a side stays empty.
    """
    sources, _ = find_sources(files)
    show = Show(progress)
    with ExitStack() as stack:
        part = stack.enter_context(whole_folder(out))
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="work.", dir=part)))
        parted = _part(sources, work, share, seed, rules or Rules(), processes, show)
        written = _write(part, sources, parted.sides, show)
        proof = prove_files(*(written[side] for side in SIDES))
        proof.write(part / PROOF)
        told = orjson.dumps(asdict(parted.told), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        (part / REPORT).write_bytes(told)
    return parted.told, proof


def split_passages(
    rows: Iterable[Mapping[str, Any]], share: float, seed: int, *, rules: Rules | None = None
) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """Rows in memory as a corpus and a benchmark, each in their order; as `split` does with files.

    Raises:
        InputError: a row names no passage, its question is no text, or a side stays empty.
    """
    kept = list(rows)
    for row in kept:
        passage_of(row)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "rows.jsonl")
        file.write_text("".join(json.dumps(dict(row)) + "\n" for row in kept))
        work = Path(folder, "work")
        work.mkdir()
        sources, _ = find_sources([file])
        parted = _part(sources, work, share, seed, rules or Rules(), 1, Show(False))
    corpus, bench = ([row for row, side in zip(kept, parted.sides, strict=True) if side == wanted] for wanted in SIDES)
    return corpus, bench


def _part(sources: Sources, work: Path, share: float, seed: int, rules: Rules, processes: int, show: Show) -> _Parted:
    if not 0 < share < 1:
        raise InputError(f"{share} is no share between 0 and 1", field="share", remedy="give the benchmark's, as 0.1")
    gathered = gather(sources, Sources([]), work, rules, processes, show, passages=True)
    names = _names(gathered, sources)
    groups = _groups(gathered, names)
    side_of = {name: _side(group, share, seed) for name, group in groups.items()}
    passages = Counter(side_of.values())
    if empty := [side for side in SIDES if not passages[side]]:
        problem = (
            f"the {empty[0]} would have none of the {len(side_of)} passages, in {len(set(groups.values()))} groups"
        )
        raise InputError(problem, field="share", remedy="give another share or seed, or more passages")
    sides = [side_of[name] for name in names]
    told = Split(
        share,
        seed,
        passages["bench"] / len(side_of),
        len(set(groups.values())),
        max(Counter(groups.values()).values()),
        {side: passages[side] for side in SIDES},
        dict(Counter(dict.fromkeys(SIDES, 0)) | Counter(sides)),
    )
    return _Parted(sides, told)


def _names(gathered: Gathered, sources: Sources) -> list[str]:
    """The passage of each row."""
    faults = gathered.rows.faults
    names = []
    for row, name in enumerate(gathered.rows.passages):
        if row in faults or name is None:
            source, number = sources.place(row)
            if row in faults:
                raise InputError(faults[row], file=source.path, row=number, remedy="correct the row, or take it out")
            problem = "the row names no passage"
            raise InputError(problem, file=source.path, row=number, field="passage_id", remedy=REMEDY)
        names.append(name)
    return names


def _groups(gathered: Gathered, names: Sequence[str]) -> dict[str, str]:
    """Of each passage the first, by name, of all that must be on its side."""
    rows, own = gathered.rows, gathered.own
    of_text: dict[int, set[str]] = defaultdict(set)
    optioned = rows.optioned
    for row, name in enumerate(names):
        whole, stem, context = int(rows.whole[row]), int(rows.stem[row]), int(rows.context[row])
        if whole != NONE and own[whole] > 0:
            of_text[whole].add(name)
        if optioned[row] and stem != NONE and own[stem] >= MIN_WORDS:
            of_text[stem].add(name)
        if context != NONE:
            of_text[context].add(name)
    first = {name: name for name in names}

    def root(name: str) -> str:
        while first[name] != name:
            first[name] = name = first[first[name]]
        return name

    for text, holders in of_text.items():
        others = [name for near in gathered.near.get(text, ()) for name in of_text.get(near.text, ())]
        roots = {root(name) for name in (*holders, *others)}
        least = min(roots)
        for one in roots:
            first[one] = least
    return {name: root(name) for name in first}


def _side(group: str, share: float, seed: int) -> Side:
    digest = hashlib.sha256(f"{seed}:{group}".encode("utf-8", "surrogatepass")).digest()
    return "bench" if int.from_bytes(digest[:8]) < share * 2**64 else "corpus"


def _write(part: Path, sources: Sources, sides: Sequence[Side], show: Show) -> dict[Side, list[Path]]:
    """Write the rows of both sides; the files of each, without such as would be empty."""
    written: dict[Side, list[Path]] = {side: [] for side in SIDES}
    with show.stage("writing", sources.rows) as advance:
        for source in sources.files:
            files = {side: part / side / source.name for side in SIDES}
            with ExitStack() as stack:
                streams = {}
                for side, file in files.items():
                    file.parent.mkdir(parents=True, exist_ok=True)
                    streams[side] = stack.enter_context(file.open("wb"))
                for row, raw in enumerate(sources.again(source), start=source.first):
                    streams[sides[row]].write(as_line(raw, source.lines))
                    advance(1)
            for side, file in files.items():
                if file.stat().st_size:
                    written[side].append(file)
                else:
                    file.unlink()
    return written
