"""The audit of files: every check over every file, with a bar on a terminal."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from app.data_files import data_files
from app.errors import InputError
from app.languages import get_language
from training.corpus.auditing import lexicon
from training.corpus.auditing.characters import audit_characters
from training.corpus.auditing.duplicates import Earlier, Others, audit_duplicates, audit_overlap, read_others, short
from training.corpus.auditing.findings import (
    LEVELS,
    SECTIONS,
    Audit,
    Figures,
    FileAudit,
    Finding,
    Unreadable,
    printable,
)
from training.corpus.auditing.glosses import audit_glosses
from training.corpus.auditing.golds import audit_golds
from training.corpus.auditing.language import audit_language, audit_script
from training.corpus.auditing.lengths import CountTokens, audit_lengths, token_counter
from training.corpus.auditing.letters import audit_options
from training.corpus.auditing.read import Source, read_source
from training.corpus.auditing.readable import audit_rows

EXAMPLES: Final = 5
_CHECKS: Final = 10


def audit(
    files: Sequence[Path],
    *,
    against: Sequence[Path] = (),
    tokenizer: Path | None = None,
    examples: int = EXAMPLES,
    language: str | None = None,
    console: Console | None = None,
) -> Audit:
    """Audit files, and all data files and lexicons of folders.

    Args:
        files: JSON, JSONL and CSV files of any layout, lexicons as .xlsx, or folders of them.
        against: files or folders whose questions should not stand in ``files``.
        tokenizer: a checkpoint's folder; lengths are then given in tokens too.
        examples: rows named per finding at most.
        language: code or name, of rows that name none in files whose name holds none.
        console: where a bar is drawn, if it is a terminal; none is drawn without.

    Raises:
        InputError: a path does not exist, a file to be held against cannot be read, the language is unknown, or the
            folder holds no tokenizer. A file to be audited that cannot be read is listed instead.
    """
    code = get_language(language).code if language else None
    paths = _expand(files)
    others = read_others(against)
    count = token_counter(tokenizer) if tokenizer is not None else None
    earlier = Earlier()
    audits: list[FileAudit] = []
    unreadable: list[Unreadable] = []
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=console,
        transient=True,
        disable=console is None or not console.is_terminal,
    )
    with progress:
        task = progress.add_task("", total=len(paths) * _CHECKS)
        for number, path in enumerate(paths):
            progress.update(task, description=short(str(path)), completed=number * _CHECKS)
            try:
                if path.suffix.lower() == lexicon.SUFFIX:
                    audits.append(lexicon.audit_lexicon(path, examples))
                    continue
                source = read_source(path, code)
            except InputError as error:
                unreadable.append(Unreadable(printable(str(path)), printable(_why(error))))
                continue
            audits.append(_audit_file(source, others, earlier, count, examples, lambda: progress.advance(task)))
    return Audit(tuple(audits), tuple(unreadable), tuple(printable(str(file)) for file in others.files))


def _why(error: InputError) -> str:
    """What an error says but for the file, which stands beside it."""
    place = [f"row {error.row}"] if error.row is not None else []
    place += [f"field '{error.field}'"] if error.field is not None else []
    problem = f"{', '.join(place)}: {error.problem}" if place else error.problem
    return f"{problem}; {error.remedy}" if error.remedy else problem


def _audit_file(
    source: Source, others: Others, earlier: Earlier, count: CountTokens | None, limit: int, advance: Callable[[], None]
) -> FileAudit:
    findings: list[Finding] = []
    figures: list[Figures] = []

    def take(result: list[Finding] | tuple[list[Finding], list[Figures]]) -> None:
        found, tables = result if isinstance(result, tuple) else (result, [])
        findings.extend(found)
        figures.extend(tables)
        advance()

    take(audit_rows(source, limit))
    take(audit_golds(source, limit))
    take(audit_options(source, limit))
    take(audit_duplicates(source, earlier, limit))
    take(audit_overlap(source, others, limit))
    take(audit_language(source, limit))
    take(audit_script(source, limit))
    take(audit_glosses(source, limit))
    take(audit_characters(source, limit))
    take(audit_lengths(source, count, limit))
    sections = list(SECTIONS)
    findings.sort(key=lambda finding: (LEVELS.index(finding.level), sections.index(finding.section)))
    figures.sort(key=lambda table: sections.index(table.section))
    return FileAudit(
        file=printable(str(source.file.path)),
        sha256=source.file.sha256,
        layout=source.layout,
        rows=len(source.file.rows) + len(source.file.invalid),
        invalid=len(source.file.invalid),
        language=source.language,
        language_from=source.language_from,
        findings=tuple(findings),
        figures=tuple(figures),
    )


def _expand(paths: Sequence[Path]) -> list[Path]:
    files: list[Path] = []
    for path in paths:
        if not path.exists():
            raise InputError("there is no such file", file=path, remedy="check the path")
        if not path.is_dir():
            files.append(path)
            continue
        found = [*data_files(path), *sorted(path.rglob(f"*{lexicon.SUFFIX}"))]
        if not found:
            raise InputError("the folder holds no data file", file=path, remedy="name a folder with data files")
        files += found
    # A file that is named twice, or stands in a named folder, is audited once: it is no copy of itself.
    return list({file.resolve(): file for file in reversed(files)}.values())[::-1]
