"""A stage's data: files found, rows loaded, some held out, and what was left out written down."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import orjson

from app.errors import InputError
from app.files import write_whole
from app.questions import cluster_of
from app.settings import load_settings
from training.checkpoints import DataFile
from training.data import DataReport
from training.data.instances import Instance
from training.data.model import FileSummary
from training.recipe.stages import Data

AnyInstance = TypeVar("AnyInstance", bound=Instance)

# A loader of training.data with everything but the files settled.
Loader = Callable[[Sequence[Path]], tuple[list[AnyInstance], DataReport]]


@dataclass(frozen=True, slots=True)
class StageData(Generic[AnyInstance]):
    """The rows of a stage; ``reports`` of the training files and, where there are any, of the held-out files.

    Files are named from the data folder on: a record of them tells nobody's home.
    """

    folder: Path
    train: list[AnyInstance]
    held_out: list[AnyInstance]
    reports: tuple[DataReport, ...]

    @property
    def hashes(self) -> dict[str, str]:
        """SHA-256 of every file by its name."""
        return {self.name(summary.file): summary.sha256 for report in self.reports for summary in report.files}

    def name(self, file: str) -> str:
        """A file's name from the data folder on."""
        path = Path(file)
        return str(path.relative_to(self.folder)) if path.is_relative_to(self.folder) else path.name

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages of the training rows, by code."""
        return tuple(sorted({row.language for row in self.train if row.language is not None}))


def data_files(data: Data, names: Sequence[str]) -> list[Path]:
    """The files that a recipe's names stand for, in order of the names; those of one pattern by name.

    Raises:
        InputError: a name or pattern finds nothing.
    """
    folder = data_folder(data)
    found: list[Path] = []
    for name in names:
        files = sorted(folder.glob(name)) if "*" in name else [folder / name]
        if not files or not files[0].exists():
            remedy = "name the data folder by --set data.folder=… or HIMED_DATA_DIR"
            raise InputError("there is no such file", file=folder / name, remedy=remedy)
        found += files
    return found


def data_folder(data: Data) -> Path:
    """The folder of a recipe's data: its own, else HIMED_DATA_DIR, else the current one."""
    return data.folder or load_settings().data_dir or Path()


def load_stage_data(data: Data, loader: Loader[AnyInstance], seed: int) -> StageData[AnyInstance]:
    """Load a stage's rows and hold some out: those of the held-out files, or a share by question.

    Args:
        data: the recipe's section.
        loader: loads files; raises for those that cannot be used.
        seed: of the held-out share.

    Raises:
        InputError: a file is missing or of no use, or a held-out row is also trained on.
    """
    train, report = loader(data_files(data, data.train))
    if not data.held_out:
        train, held_out = split_by_question(train, data.held_out_share, seed)
        return StageData(data_folder(data), train, held_out, (report,))
    held_out, second = loader(data_files(data, data.held_out))
    known = {row.parts: row for row in train}
    if twice := next((row for row in held_out if row.parts in known), None):
        problem = f"the row is also trained on ({known[twice.parts].file}, row {known[twice.parts].row})"
        raise InputError(problem, file=twice.file, row=twice.row, remedy="take it out of one of the files")
    return StageData(data_folder(data), train, held_out, (report, second))


def split_by_question(
    rows: Sequence[AnyInstance], share: float, seed: int
) -> tuple[list[AnyInstance], list[AnyInstance]]:
    """Rows to train on and rows to hold out, both in their order. A question's rows stay on one side.

    Questions are drawn until the held-out rows are at least the share; rows without a question are drawn one by one.

    Raises:
        InputError: nothing would be left to train on.
    """
    if share == 0:
        return list(rows), []
    groups: dict[str, list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        groups[str(number) if row.question is None else cluster_of(row.question)].append(number)
    names = sorted(groups)
    wanted, drawn = share * len(rows), set[int]()
    for index in np.random.default_rng(seed).permutation(len(names)):
        if len(drawn) >= wanted:
            break
        drawn.update(groups[names[index]])
    if len(drawn) == len(rows):
        raise InputError(
            f"holding out {share:g} of {len(groups)} questions leaves none to train on",
            field="data.held_out_share",
            remedy="give more data, or held_out files",
        )
    return [row for n, row in enumerate(rows) if n not in drawn], [row for n, row in enumerate(rows) if n in drawn]


def file_records(data: StageData[AnyInstance]) -> tuple[DataFile, ...]:
    """The lineage's records of the files: a file of which a share was held out has one for each use."""
    train, *second = data.reports
    held_out = Counter(str(row.file) for row in data.held_out)
    records = []
    for summary, reasons in _with_reasons(train):
        if kept_out := held_out[summary.file]:
            used = {"trained on": summary.kept - kept_out} | reasons
            records.append(_record(data.name(summary.file), summary, used, held_out=True))
            reasons = {"held out": kept_out} | reasons
        records.append(_record(data.name(summary.file), summary, reasons, held_out=False))
    for report in second:
        for summary, reasons in _with_reasons(report):
            records.append(_record(data.name(summary.file), summary, reasons, held_out=True))
    return tuple(records)


def write_rejects(file: Path, reports: Sequence[DataReport]) -> int:
    """Write every row that was left out, with its reason, as JSON lines; returns their number."""
    lines = []
    for report in reports:
        for row in report.set_aside:
            lines.append({"file": row.file, "row": row.row, "field": row.field, "reason": row.reason})
        for copy in report.duplicates:
            reason = f"repeats {copy.first_file}, row {copy.first_row}"
            lines.append({"file": copy.file, "row": copy.row, "field": None, "reason": reason})
    write_whole(file, b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines))
    return len(lines)


def _with_reasons(report: DataReport) -> list[tuple[FileSummary, dict[str, int]]]:
    reasons: dict[str, Counter[str]] = defaultdict(Counter)
    for row in report.set_aside:
        reasons[row.file][f"{row.field}: {row.reason}" if row.field else row.reason] += 1
    pairs = []
    for summary in report.files:
        counts = dict(reasons[summary.file])
        if summary.duplicates:
            counts["duplicate"] = summary.duplicates
        if summary.overlap:
            counts["question stands in a benchmark"] = summary.overlap
        pairs.append((summary, counts))
    return pairs


def _record(name: str, summary: FileSummary, left_out: Mapping[str, int], *, held_out: bool) -> DataFile:
    return DataFile(
        name=name,
        sha256=summary.sha256,
        rows=summary.rows,
        used=summary.rows - sum(left_out.values()),
        set_aside=dict(left_out),
        held_out=held_out,
    )
