"""Language consistency on real answers: how often right, per language, and how fast.

Run: ``python tests/benchmarks/consistency.py --data-dir DIR``. DIR holds CUREMED-Bench (``curemed/bench/*.jsonl``).
The sentences in ``tests/app/data_*.txt`` were written for this project; none of them was copied from a benchmark.
"""

import argparse
import json
import random
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from app.consistency import assess
from app.languages import LANGUAGES, get_language

SENTENCES = Path(__file__).resolve().parents[1] / "app"
FLAGGED = ("mixed", "inconsistent")


@dataclass
class Share:
    """A share with its denominator."""

    hits: int = 0
    n: int = 0

    def add(self, hit: bool) -> None:
        self.hits += hit
        self.n += 1

    def __str__(self) -> str:
        return f"{100 * self.hits / self.n:6.2f} % of {self.n}" if self.n else "-"

    @property
    def value(self) -> float:
        return self.hits / self.n


@dataclass
class Figures:
    """One language, or all of them together."""

    verdicts: Counter[str] = field(default_factory=Counter)
    wrong: Share = field(default_factory=Share)
    replaced: Share = field(default_factory=Share)
    control: Share = field(default_factory=Share)

    def add(self, other: "Figures") -> None:
        self.verdicts += other.verdicts
        for name in ("wrong", "replaced", "control"):
            mine, theirs = getattr(self, name), getattr(other, name)
            mine.hits, mine.n = mine.hits + theirs.hits, mine.n + theirs.n

    @property
    def consistent(self) -> float:
        """Share of the determined."""
        return self.verdicts["consistent"] / (self.verdicts.total() - self.verdicts["undetermined"])

    @property
    def undetermined(self) -> float:
        return self.verdicts["undetermined"] / self.verdicts.total()


def sentences(name: str) -> list[str]:
    """The sentences of ``tests/app/data_NAME.txt``, one a line."""
    return (SENTENCES / f"data_{name}.txt").read_text(encoding="utf-8").splitlines()


def reference_answers(data: Path) -> dict[str, list[str]]:
    """CUREMED-Bench's reference answers by ISO 639-1 code."""
    answers = {}
    for file in sorted((data / "curemed" / "bench").glob("*.jsonl")):
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
        answers[get_language(file.stem).code] = [row["answer"] for row in rows]
    return answers


def measure(language: str, answers: list[str], english: list[str], seed: int = 0) -> Figures:
    """Judge a language's answers as they are, as each wrong language, and joined.

    Each answer stands in one group of three; each group is judged as it is (the control) and with each of its answers
    replaced by an English one.
    """
    draw = random.Random(seed)
    figures = Figures()
    for answer in answers:
        figures.verdicts[assess(answer, language).verdict] += 1
        for other in LANGUAGES:
            if other.code != language:
                figures.wrong.add(assess(answer, other.code).verdict != "consistent")
    shuffled = draw.sample(answers, len(answers))
    for three in zip(shuffled[::3], shuffled[1::3], shuffled[2::3], strict=False):
        figures.control.add(assess(draw.choice(" \n").join(three), language).verdict in FLAGGED)
        for place in range(3):
            replaced = [*three[:place], draw.choice(english), *three[place + 1 :]]
            figures.replaced.add(assess(draw.choice(" \n").join(replaced), language).verdict in FLAGGED)
    return figures


def measure_all(data: Path) -> dict[str, Figures]:
    """The figures of each language of CUREMED-Bench, by ISO 639-1 code."""
    english = sentences("english_answers")
    return {code: measure(code, answers, english) for code, answers in reference_answers(data).items()}


def together(figures: Iterable[Figures]) -> Figures:
    """All languages as one."""
    total = Figures()
    for each in figures:
        total.add(each)
    return total


def flagged(name: str, language: str) -> Share:
    """How many of our sentences are flagged when judged as ``language``."""
    share = Share()
    for sentence in sentences(name):
        share.add(assess(sentence, language).verdict in FLAGGED)
    return share


def texts_per_second(answers: dict[str, list[str]], rounds: int = 5) -> float:
    """Texts per second of processor time on one core, the best of some rounds, with the detector loaded."""
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        for code, texts in answers.items():
            for text in texts:
                assess(text, code)
        best = min(best, time.process_time() - start)
    return sum(map(len, answers.values())) / best


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True, help="folder of the releases' files")
    data: Path = parser.parse_args().data_dir
    figures = measure_all(data)
    print(f"{'':10}{'consistent':>12}{'undeterm.':>11}  {'wrong, not cons.':>19}  {'one English':>17}  {'control':>17}")
    for code, each in [*figures.items(), ("all", together(figures.values()))]:
        name = get_language(code).english if code != "all" else "all"
        print(
            f"{name:10}{100 * each.consistent:10.2f} %{100 * each.undetermined:9.2f} %  {each.wrong!s:>19}  "
            f"{each.replaced!s:>17}  {each.control!s:>17}"
        )
    print("\nOur sentences, flagged (mixed or inconsistent):")
    for name, language, what in (
        ("hindi_english_terms", "hi", "Hindi with English drugs, abbreviations and units, as Hindi"),
        ("hinglish", "hi", "romanised Hindi as Hindi"),
        ("marathi", "hi", "Marathi as Hindi"),
        ("nepali", "hi", "Nepali as Hindi"),
        ("tigrinya", "am", "Tigrinya as Amharic"),
        ("chinese", "ja", "Chinese as Japanese"),
    ):
        print(f"  {what:62}{flagged(name, language)!s:>17}")
    answers = reference_answers(data)
    texts = sum(map(len, answers.values()))
    print(f"\n{texts_per_second(answers):,.0f} texts/s of processor time on one core, {texts} texts")


if __name__ == "__main__":
    main()
