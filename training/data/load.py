"""Loads one stage's data for a trainer, and checks data of every stage for a person."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np

from app.data_files import data_files, order_shards, shard_of
from app.errors import InputError
from app.languages import get_language
from app.questions import cluster_of
from training.data.instances import STAGES, Example, Instance, RLPrompt, Stage, Triple
from training.data.model import DataReport, Lengths, Unreadable
from training.data.overlap import QuestionIndex, read_benchmarks
from training.data.sieve import CountTokens, Limits, Sieve

AnyInstance = TypeVar("AnyInstance", bound=Instance)

_PERCENTILES = (50, 95, 99, 100)
_PARTS = {"reward-model": ("response", "reference"), "rl": ("prompt", "reference")}
_EXAMPLE_PARTS = ("prompt", "completion")


def load_examples(
    files: Sequence[Path],
    stage: Literal["la", "rc", "sft"],
    *,
    benchmarks: Sequence[Path] = (),
    allow_overlap: bool = False,
    count_tokens: CountTokens | None = None,
    max_length: int | None = None,
    language: str | None = None,
) -> tuple[list[Example], DataReport]:
    """The prompts and completions of one stage in order of their files, and what was left out.

    Args:
        files: files, or folders of them whose shards must be complete.
        stage: LA completes with the answer alone, RC and SFT with reasoning and answer in their format.
        benchmarks: files or folders of benchmarks whose questions must not be trained on.
        allow_overlap: keep rows whose question stands in a benchmark; they are reported all the same.
        count_tokens: the tokens of a chat; without it no length is checked.
        max_length: longest prompt and completion in tokens.
        language: of rows and files that name none.

    Raises:
        InputError: a file cannot be used as a whole, no row of all can be, or one has a benchmark's question.
    """
    limits = _limits(benchmarks, allow_overlap, count_tokens, max_length)
    return _load(files, stage, limits, language, Example)


def load_rl_prompts(
    files: Sequence[Path],
    *,
    benchmarks: Sequence[Path] = (),
    allow_overlap: bool = False,
    count_tokens: CountTokens | None = None,
    max_length: int | None = None,
    language: str | None = None,
) -> tuple[list[RLPrompt], DataReport]:
    """Like `load_examples` for reinforcement learning; ``max_length`` is the longest prompt.

    Raises:
        InputError: as `load_examples`.
    """
    limits = _limits(benchmarks, allow_overlap, count_tokens, max_length)
    return _load(files, "rl", limits, language, RLPrompt)


def load_triples(
    files: Sequence[Path],
    *,
    benchmarks: Sequence[Path] = (),
    allow_overlap: bool = False,
    count_tokens: CountTokens | None = None,
    max_length: int | None = None,
) -> tuple[list[Triple], DataReport]:
    """Like `load_examples` for the reward model; ``max_length`` is the longest response and reference together.

    Raises:
        InputError: as `load_examples`.
    """
    limits = _limits(benchmarks, allow_overlap, count_tokens, max_length)
    return _load(files, "reward-model", limits, None, Triple)


def check_data(
    files: Sequence[Path],
    *,
    benchmarks: Sequence[Path] = (),
    allow_overlap: bool = False,
    count_tokens: CountTokens | None = None,
    max_length: int | None = None,
    stage: Stage | None = None,
    language: str | None = None,
) -> DataReport:
    """What training would keep of the files, and what not and why; nothing in a file raises an error.

    Each file is read for ``stage``, by default for the usual one of its layout. A file that is one of the benchmarks is
    listed as such and not read.

    Raises:
        InputError: a path or a benchmark does not exist, or the language is unknown.
    """
    sieve = Sieve(_limits(benchmarks, allow_overlap, count_tokens, max_length))
    code = get_language(language).code if language else None
    held_out = {file.resolve() for path in benchmarks for file in (data_files(path) if path.is_dir() else [path])}
    skipped, unreadable = [], []
    for path in expand_files(files):
        if path.resolve() in held_out:
            skipped.append(str(path))
            continue
        try:
            sieve.add(path, stage=stage, language=code)
        except InputError as error:
            unreadable.append(Unreadable(str(path), f"{error.problem}; {error.remedy}"))
    return _report(sieve, skipped, unreadable)


def _load(
    files: Sequence[Path], stage: Stage, limits: Limits, language: str | None, kind: type[AnyInstance]
) -> tuple[list[AnyInstance], DataReport]:
    sieve = Sieve(limits)
    code = get_language(language).code if language else None
    for path in expand_files(files):
        sieve.add(path, stage=stage, language=code)
    if sieve.overlap and not limits.allow_overlap:
        first = sieve.overlap[0]
        problem = (
            f"the question stands in a benchmark ({first.benchmark}, row {first.benchmark_row}), "
            f"like those of {len(sieve.overlap) - 1} more rows"
        )
        remedy = "take these rows out, or allow it with --allow-overlap"
        raise InputError(problem, file=first.file, row=first.row, field="question", remedy=remedy)
    instances = [instance for instance in sieve.instances if isinstance(instance, kind)]
    if not instances:
        if not sieve.set_aside:
            raise InputError("no rows to train on", remedy="name files with rows")
        bad = sieve.set_aside[0]
        problem = f"none of the {len(sieve.set_aside)} rows can be used: {bad.reason}"
        raise InputError(problem, file=bad.file, row=bad.row, field=bad.field, remedy="see `himed-train check-data`")
    return instances, _report(sieve, [], [])


def _limits(
    benchmarks: Sequence[Path], allow_overlap: bool, count_tokens: CountTokens | None, max_length: int | None
) -> Limits:
    if max_length is not None and count_tokens is None:
        raise InputError("a longest length without a tokenizer", remedy="name the tokenizer's folder")
    index = QuestionIndex(read_benchmarks(benchmarks)) if benchmarks else None
    return Limits(index, allow_overlap, count_tokens, max_length)


def expand_files(paths: Iterable[Path]) -> list[Path]:
    """The files in the given order; those of a folder by name, its shards by number."""
    files: list[Path] = []
    for path in paths:
        if not path.exists():
            raise InputError("there is no such file", file=path, remedy="check the path")
        if not path.is_dir():
            files.append(path)
            continue
        sets: dict[tuple[Path, str, bool], list[Path]] = defaultdict(list)
        for file in data_files(path):
            stem, number = shard_of(file)
            sets[file.parent, stem if number is not None else file.name, number is None].append(file)
        if not sets:
            raise InputError("the folder holds no data file", file=path, remedy="name a folder with data files")
        for shards in sets.values():
            files += order_shards(shards)
    return files


def _report(sieve: Sieve, held_out: Sequence[str], unreadable: Sequence[Unreadable]) -> DataReport:
    index = sieve.limits.index
    return DataReport(
        files=tuple(sieve.files),
        held_out=tuple(held_out),
        unreadable=tuple(unreadable),
        set_aside=tuple(sieve.set_aside),
        notes=tuple(sieve.notes),
        duplicates=tuple(sieve.duplicates),
        overlap=tuple(sieve.overlap),
        overlap_allowed=sieve.limits.allow_overlap,
        benchmark_questions=len(index) if index is not None else 0,
        not_compared=sieve.not_compared,
        groups=_group_counts(sieve.instances),
        across_stages=_across_stages(sieve.instances),
        lengths=_lengths(sieve),
    )


def _group_counts(instances: Iterable[Instance]) -> Mapping[str, Mapping[str, int]]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for instance in instances:
        if instance.language is not None:
            counts["language"][instance.language] += 1
        for name, value in instance.groups.items():
            counts[name][value] += 1
    return {name: dict(sorted(values.items())) for name, values in counts.items()}


def _across_stages(instances: Iterable[Instance]) -> tuple[tuple[Stage, Stage, int], ...]:
    questions: dict[Stage, set[str]] = defaultdict(set)
    for instance in instances:
        if instance.question is not None:
            questions[instance.stage].add(cluster_of(instance.question))
    pairs = combinations([stage for stage in STAGES if stage in questions], 2)
    return tuple((one, other, n) for one, other in pairs if (n := len(questions[one] & questions[other])))


def _lengths(sieve: Sieve) -> tuple[Lengths, ...]:
    lengths = []
    for stage in STAGES:
        of_stage = [i for i, instance in enumerate(sieve.instances) if instance.stage == stage]
        if not of_stage:
            continue
        parts = [sieve.instances[i].parts for i in of_stage]
        for side, name in enumerate(_PARTS.get(stage, _EXAMPLE_PARTS)):
            p50, p95, p99, most = _percentiles([len(part[side]) for part in parts])
            lengths.append(Lengths(stage, name, "characters", p50, p95, p99, most))
        if sieve.tokens:
            p50, p95, p99, most = _percentiles([sieve.tokens[i] for i in of_stage])
            lengths.append(Lengths(stage, "prompt" if stage == "rl" else "whole", "tokens", p50, p95, p99, most))
    return tuple(lengths)


def _percentiles(values: Sequence[int]) -> list[int]:
    return [int(value) for value in np.percentile(values, _PERCENTILES, method="higher")]
