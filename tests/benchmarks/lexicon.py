"""Lexicon masking beside the published way, one regular expression of all the terms, on the same texts in one run.

    python tests/benchmarks/lexicon.py [--data FOLDER] [--completions 2000] [--reference 100]

The texts are HiMed completions made of the real corpus samples. The regular expression is slow, so it runs on an evenly
spaced part of them, and the ratio compares both on that part.
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

from app.formats import himed_completion
from app.lexicon import Lexicon

DEFAULT_DATA = os.environ.get("HIMED_DATA_DIR") or Path(__file__).resolve().parents[3] / "shared" / "data"


class PublishedWay:
    """One pattern of all terms, longest first, and every match grown by hand."""

    def __init__(self, terms: list[str]) -> None:
        longest_first = sorted(terms, key=len, reverse=True)
        self.pattern = re.compile("|".join(rf"\b{re.escape(term)}\b" for term in longest_first), re.IGNORECASE)

    def mask(self, text: str) -> str:
        """The masked text by the design's words."""
        covered = [False] * len(text)
        for match in self.pattern.finditer(text):
            start = len(text[: match.start()].rstrip())
            end = len(text) - len(text[match.end() :].lstrip())
            start -= text[:start].endswith("(")
            end += text[end:].startswith(")")
            covered[start:end] = [True] * (end - start)
        spans = [match.span() for match in re.finditer("1+", "".join("01"[flag] for flag in covered))]
        for start, end in reversed(spans):
            text = text[:start].rstrip() + text[end:].lstrip()
        return re.sub(r"\s+", " ", text).strip()


def completions(data: Path, count: int) -> list[str]:
    """HiMed completions from both corpus samples, repeated with another answer behind each until there are enough."""
    west = json.loads((data / "himed" / "HiMed-West_Corpus_sample.json").read_text(encoding="utf-8"))["questions"]
    trad = json.loads((data / "himed" / "HiMed-Trad_Corpus_sample.json").read_text(encoding="utf-8"))
    reasoning = [row["Complex_CoT"] or "" for row in west] + [row["cot"] or "" for row in trad]
    answers = [row["ground_truth"] or "" for row in west] + [row["answer"] or "" for row in trad]
    rounds = range(-(-count // len(answers)))
    texts = [himed_completion(r, answers[i - turn]) for turn in rounds for i, r in enumerate(reasoning)]
    return texts[:count]


def timed(work: Callable[[], object]) -> tuple[float, object]:
    """Seconds of wall time and the result."""
    begin = time.perf_counter()
    result = work()
    return time.perf_counter() - begin, result


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA)
    parser.add_argument("--completions", type=int, default=2000)
    parser.add_argument("--reference", type=int, default=100)
    options = parser.parse_args()

    texts = completions(options.data, options.completions)
    part = texts[:: max(1, len(texts) // options.reference)][: options.reference]
    begin = time.perf_counter()
    lexicon = Lexicon.load(options.data / "himed" / "lexicon_en_hi.xlsx")
    start_ours = time.perf_counter() - begin
    begin = time.perf_counter()
    published = PublishedWay(list(lexicon.entries))
    start_published = time.perf_counter() - begin

    seconds_all, _ = timed(lambda: [lexicon.mask(text) for text in texts])
    seconds_ours, ours = timed(lambda: [lexicon.mask(text) for text in part])
    seconds_published, theirs = timed(lambda: [published.mask(text) for text in part])

    table = Table(title=f"{len(lexicon):,} terms; completions of {sum(map(len, texts)) / len(texts):,.0f} characters")
    for heading in ("", "himed", "one regular expression", "ratio"):
        table.add_column(heading, justify="left" if not heading else "right")
    table.add_row(
        "start, s", f"{start_ours:.2f} (reads the file)", f"{start_published:.2f} (terms given)",
        f"{start_published / start_ours:.0f}",
    )  # fmt: skip
    table.add_row(f"ms per completion, {len(texts)} of them", f"{1e3 * seconds_all / len(texts):.3f}", "", "")
    table.add_row(
        f"ms per completion, the same {len(part)}", f"{1e3 * seconds_ours / len(part):.3f}",
        f"{1e3 * seconds_published / len(part):.1f}", f"{seconds_published / seconds_ours:,.0f}",
    )  # fmt: skip
    Console(width=120).print(table)
    print("masked texts equal:", "yes" if ours == theirs else "NO")
    raise SystemExit(0 if ours == theirs else 1)


if __name__ == "__main__":
    main()
