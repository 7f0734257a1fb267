"""Parts of a benchmark: the items that a run asks, and the examples that stand before a question."""

import random
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from app.errors import InputError
from app.languages import LANGUAGES, get_language
from evaluation.benchmarks.item import Benchmark, Item


def select(
    benchmark: Benchmark,
    *,
    limit: int | None = None,
    languages: Collection[str] = (),
    groups: Mapping[str, Collection[str]] | None = None,
) -> tuple[Item, ...]:
    """The first ``limit`` items, in file order, of the languages and with one of the values of every group.

    ``languages`` are codes or names; nothing means all. ``groups`` maps a group to its wanted values, case aside.

    Raises:
        InputError: a language, group or value that the benchmark does not have, a limit below 1, or nothing is left.
    """
    if limit is not None and limit < 1:
        raise InputError(f"the limit {limit} selects nothing", field="limit", remedy="use 1 or more")
    items = _of_languages(benchmark, benchmark.items, languages) if languages else benchmark.items
    for group, values in (groups or {}).items():
        items = _of_group(benchmark, items, group, values)
    if not items:
        raise InputError(f"no item of {benchmark.name} is left by the filters", remedy="take one of them away")
    return items[:limit]


class ExamplePool:
    """Worked examples for items of a benchmark. The draw depends on the seed and the item's id alone."""

    def __init__(self, benchmark: Benchmark, *, seed: int = 0) -> None:
        self.benchmark, self.seed = benchmark, seed
        self._by_kind: defaultdict[str, list[Item]] = defaultdict(list)
        self._by_language: defaultdict[tuple[str, str], list[Item]] = defaultdict(list)
        for item in benchmark.items:
            self._by_kind[item.kind].append(item)
            self._by_language[item.kind, item.language].append(item)

    def draw(self, n: int, item: Item) -> tuple[Item, ...]:
        """``n`` examples of the item's kind and language, filled up from other languages when these run out.

        Never the item itself, nor one with the same question, nor two with the same question.

        Raises:
            InputError: the benchmark has fewer such items.
        """
        # A string as seed is hashed the same way in every process (random.seed, version 2).
        draw = random.Random(f"{self.seed}:{item.id}")  # noqa: S311  # no secret
        chosen: dict[str, Item] = {}
        for pool in (self._by_language[item.kind, item.language], self._by_kind[item.kind]):
            # A permutation as far as it is needed: a handful of examples out of thousands.
            moved: dict[int, int] = {}
            for last in range(len(pool) - 1, -1, -1):
                if len(chosen) == n:
                    break
                place = draw.randint(0, last)
                example = pool[moved.get(place, place)]
                moved[place] = moved.get(last, last)
                if example.cluster != item.cluster:
                    chosen.setdefault(example.cluster, example)
        if len(chosen) < n:
            there = f"{self.benchmark.name} has {len(chosen)} examples of kind {item.kind}"
            problem = f"{there} beside item {item.id}, not {n}"
            raise InputError(problem, field="few-shot", remedy=f"use {len(chosen)} or fewer")
        return tuple(chosen.values())


def _of_languages(benchmark: Benchmark, items: Iterable[Item], languages: Collection[str]) -> tuple[Item, ...]:
    present = {item.language for item in benchmark.items}
    codes = {get_language(language).code for language in languages}
    for language in LANGUAGES:
        if language.code in codes - present:
            known = ", ".join(one.english for one in LANGUAGES if one.code in present)
            raise InputError(f"{benchmark.name} has no item in {language.english}", remedy=f"use one of {known}")
    return tuple(item for item in items if item.language in codes)


def _of_group(benchmark: Benchmark, items: Iterable[Item], group: str, values: Collection[str]) -> tuple[Item, ...]:
    known = {name for item in benchmark.items for name in item.groups}
    if group not in known:
        remedy = f"use one of {', '.join(sorted(known))}" if known else "leave --group away"
        raise InputError(f"{benchmark.name} has no group {group!r}", remedy=remedy)
    present = sorted({item.groups[group] for item in benchmark.items if group in item.groups})
    wanted = {value.casefold() for value in values}
    for value in values:
        if value.casefold() not in {one.casefold() for one in present}:
            problem = f"{benchmark.name} has no {group} {value!r}"
            raise InputError(problem, remedy=f"use one of {', '.join(present)}")
    return tuple(item for item in items if item.groups.get(group, "").casefold() in wanted)
