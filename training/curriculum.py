"""The curriculum: from one file per language to the sets of three stages, high- to medium- to low-resource languages.

Each stage has all rows of its own tier's languages and, of each language of an earlier tier, ⌊share·n⌋ of its n rows
(0.85 in CURE-Med). Which rows, and in which order, follows from the seed and the rows' content alone: not from the
order of the files, of their rows or of their fields, nor from the machine.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final, get_args

import orjson

from app.data_files import MANIFEST, SUFFIXES, data_files
from app.errors import InputError
from app.files import write_whole
from app.languages import LANGUAGES, Language, Tier, find_language, get_language
from app.rows import InvalidRow, RowError, read_rows
from training.data.layouts import find_layout, read_record

TIERS: Final[tuple[Tier, ...]] = get_args(Tier)
REPLAY: Final = 0.85


@dataclass(frozen=True, slots=True)
class LanguageFile:
    """One language's file: its rows, those that can be used, and those that repeat another exactly."""

    language: str
    file: str
    sha256: str
    rows: int
    usable: int
    duplicates: int


@dataclass(frozen=True, slots=True)
class StageSet:
    """One stage's file, with its rows by language."""

    tier: Tier
    file: str
    sha256: str
    rows: int
    languages: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Curriculum:
    """What was built, as ``manifest.json`` says it. ``set_aside`` are rows that cannot be used."""

    seed: int
    replay: str
    sources: tuple[LanguageFile, ...]
    stages: tuple[StageSet, ...]
    set_aside: tuple[InvalidRow, ...]


def build_curriculum(
    folder: Path, out: Path, *, seed: int, replay: float = REPLAY, languages: Sequence[str] | None = None
) -> Curriculum:
    """Write ``high.jsonl``, ``medium.jsonl``, ``low.jsonl`` and, last of all, ``manifest.json``.

    A file belongs to the language that it is called after. Its rows keep their fields and values; rows that no stage of
    CURE-Med could use are set aside in the manifest, exact copies are taken once.

    Args:
        folder: one data file per language, ``Hindi.jsonl`` or ``hi.json``, and nothing else.
        out: the folder of the sets; it is made if need be, and another curriculum in it is replaced.
        seed: of the choice and the order of rows.
        replay: the share of an earlier language's rows that a later stage repeats, from 0 to 1.
        languages: codes or names of the ones to use, at least one of each tier; all thirteen by default.

    Raises:
        InputError: a language has no file or two, a file is of none of them, nothing in one can be used, or a file
            cannot be read or written.
    """
    share = Fraction(str(replay))
    if not 0 <= share <= 1:
        raise InputError(f"the share is {replay}", field="replay", remedy="give a number from 0 to 1")
    sources: list[LanguageFile] = []
    set_aside: list[InvalidRow] = []
    rows: dict[str, list[bytes]] = {}
    chosen = _chosen(languages)
    for language, path in zip(chosen, _files(folder, chosen, whole=languages is None), strict=True):
        source, rows[language.code], bad = _read(path, language)
        sources.append(source)
        set_aside += bad
    _make_folder(out)
    # A curriculum without its manifest is unfinished: the old one must not vouch for new files.
    (out / MANIFEST).unlink(missing_ok=True)
    stages = []
    for number, tier in enumerate(TIERS):
        parts = {
            language.code: _choose(rows[language.code], language, tier, seed, share)
            for language in chosen
            if language.tier in TIERS[: number + 1]
        }
        stages.append(_write(out, tier, parts, seed))
    curriculum = Curriculum(seed, str(replay), tuple(sources), tuple(stages), tuple(set_aside))
    manifest = orjson.dumps(asdict(curriculum), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    write_whole(out / MANIFEST, manifest)
    return curriculum


def _chosen(languages: Sequence[str] | None) -> list[Language]:
    if languages is None:
        return [language for language in LANGUAGES if language.tier]
    codes = {get_language(key).code for key in languages}
    chosen = [language for language in LANGUAGES if language.code in codes]
    if without := [language.english for language in chosen if language.tier is None]:
        raise InputError(f"{without[0]} has no tier", field="languages", remedy="leave it out")
    if missing := [tier for tier in TIERS if tier not in {language.tier for language in chosen}]:
        raise InputError(f"no language of the {missing[0]} tier", field="languages", remedy="name one of each tier")
    return chosen


def _files(folder: Path, chosen: Sequence[Language], *, whole: bool) -> list[Path]:
    """The file of each language, in their order."""
    if not folder.is_dir():
        raise InputError("there is no such folder", file=folder, remedy="name the folder with a file per language")
    found: dict[str, Path] = {}
    for path in data_files(folder):
        if path.parent != folder:
            continue
        language = find_language(path.stem)
        if language is None or language.tier is None:
            remedy = "call each file after its language, as Hindi.jsonl, and keep others elsewhere"
            raise InputError("the file is called after no language of the curriculum", file=path, remedy=remedy)
        if language.code in found:
            problem = f"a second file of {language.english} beside {found[language.code].name}"
            raise InputError(problem, file=path, remedy="keep one")
        found[language.code] = path
    if missing := [language.english for language in chosen if language.code not in found]:
        remedy = f"add a file ({', '.join(SUFFIXES)}) called after each"
        if whole:
            remedy += ", or name the languages to use"
        raise InputError(f"no file for {', '.join(missing)}", file=folder, remedy=remedy)
    return [found[language.code] for language in chosen]


def _read(path: Path, language: Language) -> tuple[LanguageFile, list[bytes], list[InvalidRow]]:
    """The usable rows as JSON, each once."""
    file = read_rows(path)
    layout = find_layout(file)
    if layout not in ("cure-med", "questions"):
        remedy = "a row needs question, answer, language and, for SFT, reasoning"
        raise InputError(f"the layout {layout} is no data for the curriculum", file=path, remedy=remedy)
    set_aside = list(file.invalid)
    rows: dict[bytes, None] = {}
    usable = 0
    for row in file.rows:
        try:
            code = read_record(row.fields, layout, language.code).language
            if code != language.code:
                raise RowError("language", f"the row is in another language than the file ({code})")
            # Fields in order of name, so that the sets are the same bytes however the fields stood.
            rows[_dump(row.fields | {"language": row.fields.get("language") or language.english})] = None
        except RowError as error:
            set_aside.append(InvalidRow(path.name, row.number, error.field, error.reason))
            continue
        usable += 1
    if not rows:
        raise InputError("no row can be used", file=path, remedy="see `himed-train check-data`")
    total = len(file.rows) + len(file.invalid)
    source = LanguageFile(language.code, path.name, file.sha256, total, usable, usable - len(rows))
    return source, list(rows), sorted(set_aside, key=lambda row: row.row)


def _dump(fields: Mapping[str, object]) -> bytes:
    # Not orjson: it refuses whole numbers of more than 64 bits, which a row's other fields may hold.
    try:
        return json.dumps(fields, ensure_ascii=False, sort_keys=True).encode()
    except UnicodeEncodeError:
        raise RowError("row", "a text holds half of a surrogate pair") from None


def _choose(rows: Sequence[bytes], language: Language, tier: Tier, seed: int, share: Fraction) -> list[bytes]:
    """All rows in the language's own stage, the share of them in a later one, in an order by hash."""
    ordered = sorted(rows, key=lambda row: _rank(row, f"{seed} choice {tier}"))
    return ordered if language.tier == tier else ordered[: math.floor(share * len(rows))]


def _rank(row: bytes, salt: str) -> bytes:
    # The row itself decides between equal hashes, which only equal rows have in practice.
    return hashlib.sha256(salt.encode() + b"\x00" + row).digest() + row


def _write(out: Path, tier: Tier, parts: Mapping[str, Sequence[bytes]], seed: int) -> StageSet:
    """The stage's rows, its languages mixed."""
    mixed = sorted((row for rows in parts.values() for row in rows), key=lambda row: _rank(row, f"{seed} order {tier}"))
    data = b"".join(row + b"\n" for row in mixed)
    file = out / f"{tier}.jsonl"
    write_whole(file, data)
    counts = {code: len(rows) for code, rows in parts.items()}
    return StageSet(tier, file.name, hashlib.sha256(data).hexdigest(), len(mixed), counts)


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot be made ({error.strerror})", file=out, remedy="name another folder") from None
