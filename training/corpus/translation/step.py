"""The step ``translate``: English rows in HiMed-West's layout to Hindi ones, a file a unit."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, ClassVar, Final

from app.data_files import SUFFIXES
from app.errors import InputError
from app.lexicon import Lexicon
from app.rows import Row, RowFile, read_rows
from training.checkpoints.lineage import settings_hash
from training.corpus.calls import CallError
from training.corpus.models import identity, open_caller, window
from training.corpus.step import TOKENS_PER_CHARACTER, Expected, Size, Step
from training.corpus.translation.checks import Refused
from training.corpus.translation.config import TranslateSection
from training.corpus.translation.engines import Engine, Failed, RemoteEngine, model_identity, open_nllb
from training.corpus.translation.engines.remote import AGAIN, INSTRUCTION
from training.corpus.translation.rows import FIELDS, MissingSegment, Source, read_source, translate_source
from training.corpus.translation.table import Table, translate_segments
from training.corpus.translation.terms import Glosser
from training.corpus.unit import SourceError, Unit, Work, find_units, hash_file, unit_of

_RULES: Final = 1  # raise it when sentences, checks or glosses change
_CHARS_PER_SEGMENT: Final = 80
_ID: Final = "id"


class TranslateStep(Step):
    """Prompts, reasoning and golds in Hindi.

    A row of output has the row's own fields with the three of HiMed-West's layout in Hindi, the English ones under
    ``source_text``, and ``gold_option``: the option that the gold names, null for an open question or a gold in words
    of its own. A row with a missing segment, or whose gold is unlike its option, is a reject.
    """

    name: ClassVar[str] = "translate"
    suffix: ClassVar[str] = ".hi.jsonl"

    def __init__(self, config: TranslateSection) -> None:
        self.config = config

    def settings(self) -> Mapping[str, Any]:
        """As of `Step.settings`."""
        config = self.config
        return {
            "rules": _RULES,
            "engine": self._identity(),
            "lexicon": hash_file(config.lexicon) if config.lexicon else None,
            "skip_terms": sorted(config.skip_terms),
            "attempts": config.attempts,
            "least_target": config.least_target,
        }

    def size(self, source: Path) -> Size:
        """Rows and the characters of their three fields."""
        try:
            rows = read_rows(source).rows
        except InputError:
            return Size(0)
        texts = (row.fields.get(name) for row in rows for name in FIELDS)
        return Size(len(rows), sum(len(text) for text in texts if isinstance(text, str)))

    def expect(self, size: Size) -> Expected:
        """Calls of an endpoint; a model in a folder costs none."""
        if self.config.model is None:
            return Expected(size)
        calls = size.chars / _CHARS_PER_SEGMENT / self.config.segments_per_call
        tokens = size.chars * TOKENS_PER_CHARACTER
        return Expected(size, {"translate": calls}, calls * len(INSTRUCTION) * TOKENS_PER_CHARACTER + tokens, tokens)

    async def run(self, source: Path, work: Work) -> None:
        """As of `Step.run`."""
        file = _read(source)
        glosser = self._open_glosser()
        segments = self._read_rows(file, work)
        async with AsyncExitStack() as stack:
            table = await translate_segments(
                segments,
                await self._opener(stack, work, glosser),
                work.store,
                self._identity(),
                attempts=self.config.attempts,
                least_target=self.config.least_target,
                progress=work.progress,
            )
        _count(table, work)
        _write_rows(file, _gloss(table, glosser, work) if glosser else table, table, work)

    def _identity(self) -> dict[str, Any]:
        if self.config.nllb is not None:
            return model_identity(self.config.nllb)
        asked = {"instruction": settings_hash({"text": INSTRUCTION + AGAIN})}
        return asked | {"model": identity(self.config.model), "segments_per_call": self.config.segments_per_call}

    def _open_glosser(self) -> Glosser | None:
        if self.config.lexicon is None:
            return None
        skip = frozenset(term.casefold() for term in self.config.skip_terms)
        return Glosser(Lexicon.load(self.config.lexicon), skip)

    async def _opener(self, stack: AsyncExitStack, work: Work, glosser: Glosser | None) -> Callable[[], Engine]:
        config = self.config
        if config.model is None:
            assert config.nllb is not None  # the section's own rule
            nllb = config.nllb
            return lambda: open_nllb(nllb)
        caller = await stack.enter_async_context(open_caller(config.model, "writer", work))
        remote = RemoteEngine(caller, glosser, config.segments_per_call, window([config.model]))
        return lambda: remote

    def _read_rows(self, file: RowFile, work: Work) -> list[str]:
        """The distinct segments of the rows that can be used."""
        flow = work.flow("read", "rows")
        segments: dict[str, None] = {}
        for invalid in file.invalid:
            flow.into += 1
            work.reject(flow, _row_id(work.unit, invalid.row), CallError("no row", invalid.reason))
        for row in file.rows:
            flow.into += 1
            try:
                found = read_source(row.fields)
            except Refused as refused:
                work.reject(flow, _row_id(work.unit, row.number), CallError(refused.reason, refused.detail))
                continue
            flow.out += 1
            segments.update(dict.fromkeys(found.segments()))
        return list(segments)


def find_sources(sources: Iterable[Path]) -> tuple[list[Unit], list[tuple[Path, Path]]]:
    """The units of files and of folders' data files, and the files that are copies of an earlier one.

    Raises:
        InputError: a path is missing or holds no data file, or a file is of another kind.
    """
    units: dict[str, Unit] = {}
    copies: list[tuple[Path, Path]] = []
    for path in sources:
        found, doubled = ([_unit_of(path)], []) if path.is_file() else find_units(path, SUFFIXES)
        copies += doubled
        for unit in found:
            first = units.setdefault(unit.sha256, unit)
            if first.source.resolve() != unit.source.resolve():
                copies.append((unit.source, first.source))
    return list(units.values()), copies


def _unit_of(file: Path) -> Unit:
    suffix = file.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"unknown kind of file {suffix!r}", file=file, remedy=f"use {', '.join(SUFFIXES)}")
    try:
        return unit_of(file)
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", file=file, remedy="check the path") from None


def _read(source: Path) -> RowFile:
    try:
        return read_rows(source)
    except InputError as error:
        raise SourceError(error.problem, file=source, row=error.row, field=error.field, remedy=error.remedy) from None


def _row_id(unit: Unit, number: int) -> str:
    return f"{unit.id}-r{number:06}"


def _count(table: Table, work: Work) -> None:
    flow = work.flow("translate", "segments")
    for said in table.values():
        flow.into += 1
        if isinstance(said, Failed):
            flow.left[said.reason] += 1
        else:
            flow.out += 1


def _gloss(table: Table, glosser: Glosser, work: Work) -> Table:
    """The table with the English of its terms. Of a segment, so that an option and the gold have the same glosses."""
    flow = work.flow("gloss", "terms")
    glossed: Table = {}
    for segment, said in table.items():
        if isinstance(said, Failed):
            glossed[segment] = said
            continue
        found = glosser.gloss(segment, said)
        flow.into += len(found.glossed) + len(found.unglossed)
        flow.out += len(found.glossed)
        flow.left["no sense in the translation"] += len(found.unglossed)
        glossed[segment] = found.text
    return glossed


def _write_rows(file: RowFile, table: Table, plain: Table, work: Work) -> None:
    flow = work.flow("write", "rows")
    for row, source in _usable(file.rows):
        flow.into += 1
        row_id = _row_id(work.unit, row.number)
        try:
            hindi = translate_source(source, table, plain)
        except MissingSegment as missing:
            work.reject(flow, row_id, CallError(missing.reason, missing.detail, again=missing.again))
            continue
        except Refused as refused:
            work.reject(flow, row_id, CallError(refused.reason, refused.detail))
            continue
        flow.out += 1
        own = {name: value for name, value in row.fields.items() if name not in (*FIELDS, _ID)}
        work.keep(
            {_ID: row_id, **hindi, **own}
            | ({"source_id": row.fields[_ID]} if _ID in row.fields else {})
            | {
                "gold_option": source.choice.letter if source.choice else None,
                "source_text": {name: row.fields.get(name) for name in FIELDS},
            }
        )


def _usable(rows: Iterable[Row]) -> Iterable[tuple[Row, Source]]:
    """The rows again that were counted as usable; reading them twice costs less than all their texts in memory."""
    for row in rows:
        try:
            yield row, read_source(row.fields)
        except Refused:
            continue
