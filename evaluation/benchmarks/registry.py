"""The benchmarks that himed knows by name, and `load_benchmark` for these and for any file of the same formats."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from app.data_files import language_of_name, shard_of
from app.errors import InputError
from app.languages import LANGUAGES, get_language
from app.rows import InvalidRow, read_rows
from evaluation.benchmarks import hub
from evaluation.benchmarks.discovery import (
    files_of_folder,
    find_language_folder,
    find_release,
    fold_name,
)
from evaluation.benchmarks.item import Benchmark, Item
from evaluation.benchmarks.parse import mark_duplicates, parse_items

SAMPLE_FILE = Path(__file__).parent / "sample" / "himed-sample.jsonl"

_HIMED_REPO = "FreedomIntelligence/HiMed"
_CUREMED_REPO = "Aikyam-Lab/CUREMED-BENCH"
# CURE-Med's thirteen, in order of the file names: all languages with a resource tier.
_CUREMED_CODES = tuple(language.code for language in sorted(LANGUAGES, key=lambda x: x.english) if language.tier)


@dataclass(frozen=True, slots=True)
class KnownBenchmark:
    """A benchmark by name.

    ``keys`` are folded names of its file or of its folder, ``language`` the code of rows that name none, ``repo`` and
    ``patterns`` its files on the hub, and ``codes`` the languages where the release has a file for each.
    """

    name: str
    keys: frozenset[str]
    language: str | None = None
    repo: str | None = None
    patterns: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()


KNOWN: tuple[KnownBenchmark, ...] = (
    KnownBenchmark(
        "HiMed-Trad",
        frozenset({"himedtradbench"}),
        "hi",
        _HIMED_REPO,
        ("*HiMed-Trad_Bench*", "*himed_trad_bench*"),
    ),
    KnownBenchmark(
        "HiMed-West",
        frozenset({"himedwestbench"}),
        "hi",
        _HIMED_REPO,
        ("*HiMed-West_Bench*", "*himed_west_bench*"),
    ),
    KnownBenchmark(
        "HiMed-West-Exam",
        frozenset({"himedwestexam"}),
        "hi",
        _HIMED_REPO,
        ("*HiMed-West_Exam*", "*himed_west_exam*"),
    ),
    KnownBenchmark(
        "CUREMED-Bench",
        frozenset({"curemedbench"}),
        None,
        _CUREMED_REPO,
        ("*.jsonl", "*.json", "*.csv"),
        _CUREMED_CODES,
    ),
    KnownBenchmark("sample", frozenset({"himedsample"})),
)


def load_benchmark(
    name_or_path: str, *, data_dir: Path | None = None, language: str | None = None, allow_hub: bool = False
) -> Benchmark:
    """Load a known benchmark by name, or any file or folder of the formats of `read_rows` by path.

    A known one is found by file name anywhere under ``data_dir``, then on the hub if that is allowed. An item's
    language is ``language`` where given, else what its row says, else what its file's name says, else Hindi for
    HiMed's files. The version is the beginning of the SHA-256 of the files' bytes. Rows that cannot be used are in
    ``invalid``.

    Raises:
        InputError: the name is unknown, nothing or too much was found, a file cannot be used as a whole, or the
            language is unknown.
    """
    code = get_language(language).code if language else None
    known = find_known(name_or_path)
    if known is not None:
        return _load(known.name, _locate(known, data_dir, allow_hub), code, known.language)
    path = Path(name_or_path).expanduser()
    if path.is_dir():
        files = files_of_folder(path)
    elif path.exists():
        files = (path,)
    elif path.suffix or len(path.parts) > 1:
        raise InputError("no such benchmark file or folder", file=path, remedy="check the path")
    else:
        names = ", ".join(known.name for known in KNOWN)
        remedy = f"use one of {names}, or the path of a file or folder"
        raise InputError(f"unknown benchmark {name_or_path!r}", remedy=remedy)
    known = _release_of(files[0])
    name = known.name if known else path.resolve().name if path.is_dir() else shard_of(path)[0]
    default = known.language if known else "hi" if _is_himed_corpus(files[0]) else None
    return _load(name, files, code, default)


def find_known(name: str) -> KnownBenchmark | None:
    """The known benchmark of a name or a release's file stem, whatever its case, hyphens and underscores."""
    key = fold_name(name)
    return next((known for known in KNOWN if key == fold_name(known.name) or key in known.keys), None)


def _locate(known: KnownBenchmark, data_dir: Path | None, allow_hub: bool) -> tuple[Path, ...]:
    if known.name == "sample":
        return (SAMPLE_FILE,)
    looked = []
    if data_dir is not None:
        if not data_dir.is_dir():
            raise InputError("the data folder does not exist", file=data_dir, remedy="correct --data-dir")
        if files := _find(known, data_dir):
            return files
        looked.append(f"not under {data_dir}")
    if allow_hub and known.repo is not None:
        if files := _find(known, hub.download(known.repo, known.patterns)):
            return files
        looked.append(f"not in the hub data set {known.repo}")
    where = " and ".join(looked) or "no data folder was given"
    source = f"download the hub data set {known.repo} and name its folder" if known.repo else "name its folder"
    remedy = f"{source} with --data-dir or HIMED_DATA_DIR"
    if known.repo and not allow_hub:
        remedy += ", or allow the download with --allow-hub"
    raise InputError(f"{known.name} was not found: {where}", remedy=remedy)


def _find(known: KnownBenchmark, folder: Path) -> tuple[Path, ...]:
    if known.codes and (files := find_language_folder(folder, known.codes)):
        return files
    return find_release(folder, known.keys)


def _release_of(path: Path) -> KnownBenchmark | None:
    """The known benchmark whose release has a file of this name, or in a folder of this name."""
    names = (fold_name(shard_of(path)[0]), fold_name(path.resolve().parent.name))
    return next((known for known in KNOWN if not known.keys.isdisjoint(names)), None)


def _is_himed_corpus(path: Path) -> bool:
    return fold_name(path.stem).startswith(("himedtradcorpus", "himedwestcorpus"))


def _load(name: str, files: tuple[Path, ...], language: str | None, default: str | None) -> Benchmark:
    items: list[Item] = []
    invalid: list[InvalidRow] = []
    digest = hashlib.sha256()
    for path in files:
        file = read_rows(path)
        digest.update(file.sha256.encode())
        good, bad = parse_items(file, language=language, default_language=language_of_name(path) or default)
        items += good
        invalid += bad
    return Benchmark(name, digest.hexdigest()[:12], mark_duplicates(items), tuple(invalid), tuple(map(str, files)))
