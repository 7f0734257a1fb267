"""Finding the lexicon's terms in the West corpus's English, beside one regular expression of all the terms.

    python tests/benchmarks/lexicon_lookup.py [--lexicon FILE] [--rows FILE] [--count 500] [--whole 50]

The texts are the corpus sample's rows: of each, the English terms in parentheses; and of evenly spaced ones, since the
regular expression is slow, the whole row (prompt, reasoning and gold). Exits with 1 where the matches differ, or the
look-up of the terms is less than 100 times faster.
"""

import argparse
import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from app.lexicon import Lexicon

DATA = Path(os.environ.get("HIMED_DATA_DIR") or Path(__file__).resolve().parents[3] / "shared" / "data") / "himed"
GOAL = 100
ENGLISH = re.compile(r"\(([A-Za-z][^()\u0900-\u097f]*)\)")

Found = list[tuple[int, int]]


def one_pattern(terms: list[str]) -> re.Pattern[str]:
    """The published way: all terms as alternatives, longest first."""
    longest_first = sorted(terms, key=len, reverse=True)
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, longest_first))})\b", re.IGNORECASE)


def texts_of(rows: Path, count: int, whole_count: int) -> dict[str, list[str]]:
    """Of each row the English terms in parentheses, and all that some of them say."""
    with rows.open(encoding="utf-8") as file:
        read = json.load(file)
    fields = ("prompt", "Complex_CoT", "ground_truth")
    whole = ["\n".join(row[name] or "" for name in fields) for row in read["questions"][:count]]
    part = whole[:: max(1, len(whole) // whole_count)][:whole_count]
    return {"English terms": ["; ".join(ENGLISH.findall(text)) for text in whole], "whole rows": part}


def timed(find: Callable[[str], Found], texts: list[str]) -> tuple[float, list[Found]]:
    """Seconds of wall time, and what was found in each text."""
    begin = time.perf_counter()
    found = [find(text) for text in texts]
    return time.perf_counter() - begin, found


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lexicon", type=Path, default=DATA / "lexicon_en_hi.xlsx")
    parser.add_argument("--rows", type=Path, default=DATA / "HiMed-West_Corpus_sample.json")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--whole", type=int, default=50)
    options = parser.parse_args()

    lexicon = Lexicon.load(options.lexicon)
    begin = time.perf_counter()
    pattern = one_pattern(list(lexicon.entries))
    start = time.perf_counter() - begin

    def look_up(text: str) -> Found:
        return [(match.start, match.end) for match in lexicon.matches(text)]

    def scan(text: str) -> Found:
        return [match.span() for match in pattern.finditer(text)]

    table = Table(title=f"{len(lexicon):,} terms; the one regular expression takes {start:.1f} s to build")
    for heading in ("texts", "characters", "terms found", "look-up, ms", "one regex, ms", "ratio", "matches"):
        table.add_column(heading, justify="left" if heading == "texts" else "right")
    failed = False
    for name, texts in texts_of(options.rows, options.count, options.whole).items():
        ours, found = timed(look_up, texts)
        theirs, expected = timed(scan, texts)
        ratio = theirs / ours
        failed |= found != expected or (name == "English terms" and ratio < GOAL)
        table.add_row(
            f"{name}, {len(texts)}", f"{sum(map(len, texts)) / len(texts):,.0f}", f"{sum(map(len, found)):,}",
            f"{1e3 * ours / len(texts):.3f}", f"{1e3 * theirs / len(texts):.1f}", f"{ratio:,.0f}",
            "identical" if found == expected else "DIFFERENT",
        )  # fmt: skip
    Console(width=120).print(table)
    print(f"goal of {GOAL} times, identical matches:", "missed" if failed else "met")
    raise SystemExit(failed)


if __name__ == "__main__":
    main()
