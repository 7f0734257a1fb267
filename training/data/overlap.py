"""Questions of benchmarks among training data: exact after normalisation, and near by shared character runs.

Near means a Jaccard similarity of at least 0.7 between the sets of character 5-grams of two normalised questions. Vowel
signs are characters like all others. A word changed in a question of a line stays above the threshold; among the 14,435
real training rows and 3,215 real benchmark questions no two unrelated ones reach it.

The search is exact, by prefix filtering (Bayardo, Ma and Srikant, "Scaling up all pairs similarity search", WWW 2007,
https://doi.org/10.1145/1242572.1242591): with the grams in one order, the rarest first, two sets of similarity t share
one of the first |x| - ⌈t·|x|⌉ + 1 grams of each.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final, Literal

from app.data_files import data_files
from app.errors import InputError
from app.options import split_lines
from app.questions import QUESTION_FIELDS, normalise_question
from app.rows import RowError, first_field, read_rows, read_text

GRAM: Final = 5  # characters
THRESHOLD: Final = Fraction(7, 10)


@dataclass(frozen=True, slots=True)
class BenchmarkQuestion:
    """A benchmark's question without its options, and where it stands."""

    text: str
    file: Path
    row: int


@dataclass(frozen=True, slots=True)
class Match:
    """The benchmark's question that a training question repeats; similarity 1.0 where it is exact."""

    question: BenchmarkQuestion
    kind: Literal["exact", "near"]
    similarity: float


class QuestionIndex:
    """Finds the benchmark question that a text repeats."""

    def __init__(self, questions: Sequence[BenchmarkQuestion]) -> None:
        self._exact: dict[str, BenchmarkQuestion] = {}
        for question in questions:
            self._exact.setdefault(normalise_question(question.text), question)
        self._questions = list(self._exact.values())
        self._grams = [_grams(text) for text in self._exact]
        self._frequency = Counter(gram for grams in self._grams for gram in grams)
        self._vocabulary = frozenset(self._frequency)
        self._index: dict[str, list[int]] = defaultdict(list)
        for number, grams in enumerate(self._grams):
            for gram in self._prefix(grams, len(grams)):
                self._index[gram].append(number)

    def __len__(self) -> int:
        """The number of different questions."""
        return len(self._questions)

    def find(self, question: str) -> Match | None:
        """The exact match, else the nearest one, the first in order of the benchmarks among equals; None without."""
        stem, _ = split_lines(question)
        text = normalise_question(stem or question)
        if exact := self._exact.get(text):
            return Match(exact, "exact", 1.0)
        grams = _grams(text)
        # Most questions end here: too few of their grams stand in any benchmark.
        known = grams & self._vocabulary
        if len(known) < THRESHOLD * len(grams):
            return None
        candidates = {number for gram in self._prefix(known, len(grams)) for number in self._index.get(gram, ())}
        found = [(_similarity(grams, self._grams[number]), -number) for number in candidates]
        if not found or max(found)[0] < THRESHOLD:
            return None
        similarity, number = max(found)
        return Match(self._questions[-number], "near", float(similarity))

    def _prefix(self, grams: frozenset[str], size: int) -> list[str]:
        """The rarest grams of a set of ``size``, one of which every set similar enough shares."""
        ordered = sorted(grams, key=lambda gram: (self._frequency[gram], gram))
        return ordered[: len(grams) - math.ceil(THRESHOLD * size) + 1]


def read_benchmarks(paths: Iterable[Path]) -> list[BenchmarkQuestion]:
    """The questions of benchmark files and of all data files under folders.

    Raises:
        InputError: a path does not exist or cannot be read, or a file has no question.
    """
    questions: list[BenchmarkQuestion] = []
    for path in paths:
        files = list(data_files(path)) if path.is_dir() else [path]
        if not files:
            raise InputError("the folder holds no benchmark", file=path, remedy="name a folder with data files")
        for file in files:
            questions += _questions_of(file)
    return questions


def _questions_of(path: Path) -> list[BenchmarkQuestion]:
    found = []
    for row in read_rows(path).rows:
        field = first_field(row.fields, QUESTION_FIELDS)
        if field is None:
            continue
        try:
            text = read_text(row.fields, field)
        except RowError:
            continue  # the evaluator sets such a row aside: no item asks its question
        stem, _ = split_lines(text)
        if stem or text:
            found.append(BenchmarkQuestion(stem or text, path, row.number))
    if not found:
        remedy = f"a benchmark has one of {', '.join(QUESTION_FIELDS)}"
        raise InputError("no row has a question", file=path, remedy=remedy)
    return found


def _grams(text: str) -> frozenset[str]:
    return frozenset(text[i : i + GRAM] for i in range(max(1, len(text) - GRAM + 1)))


def _similarity(one: frozenset[str], other: frozenset[str]) -> Fraction:
    shared = len(one & other)
    return Fraction(shared, len(one) + len(other) - shared)
