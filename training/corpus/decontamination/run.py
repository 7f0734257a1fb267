"""Takes out of a corpus what repeats a benchmark or an earlier row; what goes is kept with its reason."""

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson

from app.errors import InputError
from app.rows import RowError
from training.corpus.decontamination.decide import Found, decide
from training.corpus.decontamination.gather import Gathered, gather
from training.corpus.decontamination.normalise import read_texts
from training.corpus.decontamination.progress import Show
from training.corpus.decontamination.report import REASONS, UNREADABLE, FileFlow, Report
from training.corpus.decontamination.rows import RawRow, as_line, parse_row
from training.corpus.decontamination.rules import Rules
from training.corpus.decontamination.scan import NONE
from training.corpus.decontamination.sources import Source, Sources, find_sources
from training.corpus.decontamination.whole_folder import whole_folder
from training.corpus.flow import Flow, total

ROWS: Final = "rows"
REJECTS: Final = "rejects.jsonl"
REPORT: Final = "report.json"
_EXAMPLES: Final = 10


def decontaminate(
    files: Sequence[Path],
    benchmarks: Sequence[Path],
    out: Path | None,
    *,
    rules: Rules | None = None,
    processes: int = 2,
    progress: bool = False,
) -> Report:
    """Take out rows that stand in a benchmark, and all but the first of those that stand more than once.

    ``out`` holds, all at once when everything is done, ``rows/`` with a JSON lines file for each file of which a row
    stays (the row's own bytes where it was JSON lines), ``rejects.jsonl`` and ``report.json``. It is the same for any
    number of processes.

    Args:
        files: files of a corpus, or folders of them whose shards must be complete.
        benchmarks: files or folders of benchmarks; none looks for duplicates inside the corpus only.
        out: a folder that is absent or empty; None only looks.
        rules: what counts.
        processes: how many work at once.
        progress: show bars on a terminal.

    Raises:
        InputError: a file cannot be read as a whole, a benchmark has no question, or ``out`` cannot be written.
    """
    rules = rules or Rules()
    if processes < 1:
        raise InputError("must be 1 or more", field="processes", remedy="give the number of cores")
    corpus, held_out = find_sources(files, benchmarks)
    items, _ = find_sources(benchmarks, names=False)
    show = Show(progress)
    with ExitStack() as stack:
        part = stack.enter_context(whole_folder(out)) if out is not None else None
        # Beside the output: /tmp may be memory.
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="work.", dir=part)))
        gathered = gather(corpus, items, work, rules, processes, show)
        found = decide(gathered, rules)
        report = _report(corpus, items, held_out, gathered, found, rules)
        if part is not None:
            _write(part, corpus, items, gathered, found, show)
            (part / REPORT).write_bytes(report.as_json())
    return report


def _report(
    corpus: Sources,
    items: Sources,
    held_out: Sequence[Path],
    gathered: Gathered,
    found: dict[int, Found],
    rules: Rules,
) -> Report:
    flows = [Flow("decontaminate", "rows", into=source.rows) for source in corpus.files]
    starts = np.array([source.first for source in corpus.files])
    gone = [(row, REASONS[reason.against, reason.kind]) for row, reason in found.items()]
    gone += [(row, UNREADABLE) for row in gathered.rows.faults]
    for row, reason in gone:
        flows[int(np.searchsorted(starts, row, side="right")) - 1].left[reason] += 1
    for flow in flows:
        flow.out = flow.into - flow.left.total()
    (whole,) = total(flows) or [Flow("decontaminate", "rows")]
    for flow in (*flows, whole):
        flow.check()
    unasked = {int(row) for row in np.flatnonzero(gathered.rows.whole == NONE)}
    against = [reason for reason in found.values() if reason.against == "benchmark"]
    return Report(
        files=tuple(
            FileFlow(str(source.path), source.sha256, f"{ROWS}/{source.name}" if flow.out else None, flow)
            for source, flow in zip(corpus.files, flows, strict=True)
        ),
        flow=whole,
        benchmarks={str(source.path): source.sha256 for source in items.files},
        held_out=tuple(map(str, held_out)),
        rules=rules.model_dump(),
        not_compared=len(unasked - gathered.rows.faults.keys() - found.keys()),
        other_answers=sum(reason.same_answer is False for reason in found.values()),
        items=items.rows,
        items_met=len({reason.other for reason in against}),
        shares=_shares(gathered),
        questions=gathered.texts,
        boilerplate_limit=gathered.limit,
        compared=gathered.compared,
        boilerplate_only=gathered.boilerplate_only,
        examples=tuple(_line(corpus, items, row, found[row]) for row in list(found)[:_EXAMPLES]),
    )


def _shares(gathered: Gathered) -> tuple[int, ...]:
    hits = gathered.hits
    largest = np.zeros(len(gathered.rows))
    np.maximum.at(largest, hits.rows, hits.hits / np.maximum(hits.of, 1))
    counts, _ = np.histogram(largest[largest > 0], bins=np.linspace(0, 1, 11))
    return tuple(map(int, counts))


def _line(corpus: Sources, items: Sources, row: int, found: Found) -> str:
    source, number = corpus.place(row)
    other, other_number = (items if found.against == "benchmark" else corpus).place(found.other)
    how = f"{found.hits} of {found.of} runs" if found.kind == "8-gram" else f"{found.similarity:.2f}"
    return f"{source.path.name}, row {number}: {found.kind} ({how}) of {other.path.name}, row {other_number}"


def _write(
    part: Path, corpus: Sources, items: Sources, gathered: Gathered, found: dict[int, Found], show: Show
) -> None:
    faults = gathered.rows.faults
    with (part / REJECTS).open("wb") as rejects, show.stage("writing", corpus.rows) as advance:
        for source in corpus.files:
            file = part / ROWS / source.name
            file.parent.mkdir(parents=True, exist_ok=True)
            kept = 0
            with file.open("wb") as output:
                for row, raw in enumerate(corpus.again(source), start=source.first):
                    if row in faults or row in found:
                        reject = _reject(source, raw, found.get(row), faults.get(row, ""), corpus, items)
                        rejects.write(orjson.dumps(reject, option=orjson.OPT_APPEND_NEWLINE))
                    else:
                        output.write(as_line(raw, source.lines))
                        kept += 1
                    advance(1)
            if not kept:
                file.unlink()  # a file without rows is none


def _reject(
    source: Source, raw: RawRow, found: Found | None, fault: str, corpus: Sources, items: Sources
) -> dict[str, Any]:
    row_id = None
    try:
        fields = parse_row(raw)
        row_id = read_texts(fields).id
    except RowError:
        fields = None
    place = {"file": str(source.path), "row": raw.number, "id": row_id}
    if found is None:
        text = None if fields is not None else raw.data.decode("utf-8", "replace")
        return place | {"reason": UNREADABLE, "detail": fault, "content": fields if text is None else text}
    other, number = (items if found.against == "benchmark" else corpus).place(found.other)
    return place | {
        "reason": REASONS[found.against, found.kind],
        "against": found.against,
        "kind": found.kind,
        "part": found.part,
        "similarity": round(found.similarity, 4),
        "same_answer": found.same_answer,
        "hits": found.hits or None,
        "of": found.of or None,
        "other": {"file": str(other.path), "row": number},
        "content": fields,
    }
