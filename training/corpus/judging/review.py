"""Instances given to people as a table to fill in, and their verdicts read back."""

import hashlib
import heapq
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import orjson

from app.errors import InputError
from training.corpus.flow import Flow
from training.corpus.judging.correction import correct
from training.corpus.judging.items import Item, read_items
from training.corpus.judging.reviewed import EDITABLE, READ_ONLY, Reviewed, read_reviews
from training.corpus.judging.scores import SCORES
from training.corpus.judging.sheet import write_sheet, write_stream

COLUMNS: Final = ("id", "language", "type", *READ_ONLY, *SCORES, *EDITABLE)


def export_review(files: Sequence[Path], out: Path, *, sample: int | None = None, seed: int = 0) -> Flow:
    """Write judged instances as a table that people fill in with a spreadsheet program.

    Texts and scores are for reading. To be filled in: ``verdict`` (`VERDICTS`; empty: not reviewed), corrections that
    go with ``ok`` and replace the texts, ``comment`` and ``reviewer``.

    Args:
        files: rows of the step ``judge``.
        out: a CSV file that does not exist yet.
        sample: how many instances; as evenly as possible from each language and type. None for all.
        seed: another one draws other instances.

    Returns:
        How many instances there are and how many of them are in the table.

    Raises:
        InputError: a file cannot be read, an id stands twice in them, the table stands there already or cannot be
            written, or nothing is sampled.
    """
    if out.suffix.lower() != ".csv":
        raise InputError(f"unknown kind of file {out.suffix!r}", file=out, remedy="name a .csv file")
    if out.exists():
        raise InputError("stands there already", file=out, remedy="name another file, or what people wrote is lost")
    if sample is not None and sample < 1:
        raise InputError(f"a sample of {sample}", remedy="take 1 or more")
    flow = Flow("sample", "items")
    chosen = None if sample is None else _draw((item for _file, item in _all(files)), sample, seed)

    def rows() -> Iterator[list[str | float | None]]:
        seen: set[str] = set()
        for file, item in _all(files):
            _check_new(item, seen, file)
            flow.into += 1
            if chosen is None or item.id in chosen:
                flow.out += 1
                yield _cells(item)
            else:
                flow.left["not sampled"] += 1

    write_sheet(out, COLUMNS, rows())
    return flow


def import_review(reviews: Sequence[Path], files: Sequence[Path], out: Path, *, require_review: bool = False) -> Flow:
    """Apply what people filled in. Either all of it can be read and is applied, or nothing is written.

    ``ok`` keeps an instance, with its corrections; ``wrong`` and ``unsure`` set it aside in ``out/rejects``. A row that
    was reviewed says so: ``review`` holds reviewer, verdict, comment and which fields were corrected. Corrected texts
    are ones that no model has judged or translated: their scores and back-translations become null.

    Args:
        reviews: the tables; each instance has a verdict in one of them at most.
        files: the rows that the tables were made from.
        out: folder that gets a file of the same name for each of them.
        require_review: leave out what nobody has reviewed, now or in an earlier import.

    Returns:
        How many instances were kept, and why the others were not.

    Raises:
        InputError: a table or file cannot be read; a row's id is unknown or stands twice, its verdict is unknown, a
            text that is only for reading was changed, or a correction is no instance any more.
    """
    _check_places(files, out)
    found = read_reviews(reviews)
    applied = _apply(found, files)
    flow = Flow("review", "items")
    try:
        (out / "rejects").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot be made ({error.strerror})", file=out, remedy="name another folder") from None
    for file in files:
        with write_stream(out / file.name) as kept, write_stream(out / "rejects" / file.name) as aside:
            for item in read_items(file):
                review, row = found.get(item.id), applied.get(item.id, item.row)
                reason = _reason(review, row, require_review)
                flow.into += 1
                if reason is None:
                    flow.out += 1
                    kept.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
                    continue
                flow.left[reason] += 1
                detail = review.comment if review else ""
                reject = {"stage": flow.stage, "id": item.id, "reason": reason, "detail": detail, "row": row}
                aside.write(orjson.dumps(reject, option=orjson.OPT_APPEND_NEWLINE))
    flow.check()
    return flow


def _all(files: Sequence[Path]) -> Iterator[tuple[Path, Item]]:
    for file in files:
        for item in read_items(file):
            yield file, item


def _check_new(item: Item, seen: set[str], file: Path) -> None:
    if item.id in seen:
        raise InputError(f"the id {item.id} stands twice", file=file, field="id", remedy="name each file once")
    seen.add(item.id)


def _draw(items: Iterator[Item], count: int, seed: int) -> frozenset[str]:
    """Ids: each language and type gives equally many while it has some; which, the hash of seed and id decides."""
    strata: dict[tuple[str, str], list[tuple[bytes, str]]] = defaultdict(list)
    for item in items:
        rank = hashlib.sha256(f"{seed}:{item.id}".encode()).digest()
        stratum = strata[item.language, item.kind]
        # Never more than all of the sample from one stratum: the rest need not be remembered.
        if len(stratum) < 2 * count:
            stratum.append((rank, item.id))
        else:
            stratum[:] = [*heapq.nsmallest(count, stratum), (rank, item.id)]
    drawn: set[str] = set()
    rest = sorted((sorted(members) for _key, members in sorted(strata.items())), key=len)
    for place, members in enumerate(rest):
        share = -(-(count - len(drawn)) // (len(rest) - place))
        drawn.update(item_id for _rank, item_id in members[:share])
    return frozenset(drawn)


def _cells(item: Item) -> list[str | float | None]:
    scores = item.row.get("scores") or {}
    texts = item_texts(item)
    return [
        item.id,
        item.language,
        item.kind,
        *(texts[column] for column in READ_ONLY),
        *(scores.get(name) for name in SCORES),
        *("" for _column in EDITABLE),
    ]


def item_texts(item: Item) -> dict[str, str]:
    """An instance's texts by the columns that are only for reading."""
    translation = item.row.get("back_translation") or {}
    return {
        "passage": item.passage,
        "question": item.question,
        "reasoning": item.reasoning,
        "answer": item.answer,
        "back_translated_question": translation.get("question", ""),
        "back_translated_answer": translation.get("answer", ""),
    }


def _check_places(files: Sequence[Path], out: Path) -> None:
    names = [file.name for file in files]
    for file in files:
        if names.count(file.name) > 1:
            raise InputError("two files have this name", file=file, remedy="import them into two folders")
        if (out / file.name).resolve() == file.resolve():
            raise InputError("would be overwritten", file=file, remedy="name another folder for the result")


def _apply(found: Mapping[str, Reviewed], files: Sequence[Path]) -> dict[str, dict[str, Any]]:
    """The rows of the instances that have a verdict, corrected and with its note; all is checked."""
    applied: dict[str, dict[str, Any]] = {}
    seen: set[str] = set()
    for file, item in _all(files):
        if (review := found.get(item.id)) is None:
            continue
        _check_new(item, seen, file)
        review.check_unchanged(item_texts(item))
        if review.verdict is not None:
            applied[item.id] = correct(item, review)
    for item_id, review in found.items():
        if item_id not in seen:
            raise review.fault(
                "id", f"no instance has the id {item_id!r}", "name the files that the table was made from"
            )
    return applied


def _reason(review: Reviewed | None, row: Mapping[str, Any], require_review: bool) -> str | None:
    """Why an instance is set aside; None for one that is kept."""
    if review is not None and review.verdict is not None:
        return None if review.verdict == "ok" else review.verdict
    return "not reviewed" if require_review and "review" not in row else None
