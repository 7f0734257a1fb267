"""Finding a benchmark's files by name anywhere under a folder: GitHub's layout, the hub's, or a user's own."""

import csv
import json
import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from app.data_files import SUFFIXES, data_files, language_of_name, order_shards, shard_of
from app.errors import InputError
from app.languages import LANGUAGES
from app.questions import ANSWER_FIELDS, QUESTION_FIELDS
from app.rows import first_field

# Fields that no benchmark has: training rows hold the reasoning, a model's answers stand beside the reference.
_OTHER_DATA = ("reasoning", "Test Response", "response")


def fold_name(name: str) -> str:
    """A name without case, blanks, hyphens and underscores: ``HiMed-West_Bench`` is ``himed_west bench``."""
    return re.sub(r"[\s_-]+", "", name).casefold()


def find_release(folder: Path, keys: frozenset[str]) -> tuple[Path, ...]:
    """The one file, or the shards of it, whose name is among ``keys`` (`fold_name`d), else whose folder's name is.

    Returns nothing where there is none.

    Raises:
        InputError: several files could be meant, or shards are missing.
    """
    files = list(data_files(folder))
    named = [path for path in files if fold_name(shard_of(path)[0]) in keys]
    # The hub keeps each configuration in a folder of its name, whatever the file in it is called.
    named = named or [path for path in files if fold_name(path.parent.name) in keys]
    sets = _shard_sets(named)
    if len(sets) > 1:
        raise _several("files", [shards[0] for shards in sets])
    return order_shards(sets[0]) if sets else ()


def find_language_folder(folder: Path, codes: Iterable[str]) -> tuple[Path, ...]:
    """The files of the one folder that holds the benchmark as a file a language, in order of ``codes``.

    ``curemed/bench`` is one; ``curemed/sft`` has the same file names but training rows. Returns nothing where there
    is no such folder.

    Raises:
        InputError: several folders could be meant, a language stands twice in it, or one is missing.
    """
    found: dict[Path, dict[str, Path]] = defaultdict(dict)
    for path in data_files(folder):
        code = language_of_name(path)
        if code is None or not _holds_benchmark(path):
            continue
        if code in found[path.parent]:
            raise _several("files of one language", [found[path.parent][code], path])
        found[path.parent][code] = path
    if len(found) > 1:
        raise _several("folders", list(found))
    for parent, files in found.items():
        missing = [language.english for language in LANGUAGES if language.code in codes and language.code not in files]
        if missing:
            problem = f"no file whose first row has a question and an answer for {', '.join(missing)}"
            remedy = "complete the folder, or give its path as --bench to take it as it is"
            raise InputError(problem, file=parent, remedy=remedy)
        return tuple(files[code] for code in codes)
    return ()


def files_of_folder(folder: Path) -> tuple[Path, ...]:
    """The files of a folder that was named as a benchmark: a file a language, shards, or one file.

    Raises:
        InputError: it holds no data file, or several that do not belong together.
    """
    files = [path for path in data_files(folder) if path.parent == folder]
    if not files:
        raise InputError(f"the folder holds no file {', '.join(SUFFIXES)}", file=folder, remedy="name one file")
    languages = [language_of_name(path) for path in files]
    if None not in languages and len(set(languages)) == len(files):
        return tuple(files)
    if len(_shard_sets(files)) > 1:
        raise _several("files", files)
    return order_shards(files)


def _holds_benchmark(path: Path) -> bool:
    """Whether the first row has a question, an answer and nothing of a training or prediction file."""
    names = _first_names(path)
    if names is None:
        return False
    return (
        first_field(names, QUESTION_FIELDS) is not None
        and first_field(names, ANSWER_FIELDS) is not None
        and first_field(names, _OTHER_DATA) is None
    )


def _first_names(path: Path) -> dict[str, object] | None:
    # Only a look at the head: a training file of gigabytes must not be read to be left aside.
    if path.suffix.lower() == ".json":
        return None
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            if path.suffix.lower() == ".csv":
                return dict.fromkeys(next(csv.reader(file), []))
            row = json.loads(next((line for line in file if line.strip()), "null"))
    except (OSError, ValueError, RecursionError, csv.Error):
        return None
    return row if isinstance(row, dict) else None


def _shard_sets(paths: Iterable[Path]) -> list[list[Path]]:
    """The files by what they are parts of; a file that is whole is alone."""
    sets: dict[tuple[Path, str, str, bool], list[Path]] = defaultdict(list)
    for path in paths:
        stem, number = shard_of(path)
        sets[path.parent, stem, path.suffix.lower(), number is None].append(path)
    return list(sets.values())


def _several(what: str, paths: list[Path]) -> InputError:
    listed = ", ".join(str(path) for path in paths)
    return InputError(f"several {what} could be meant: {listed}", remedy="give the path of one of them as --bench")
