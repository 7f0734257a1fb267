"""The scaffold reward with the real lexicon beside a plain regular-expression reference, in one run.

    python tests/benchmarks/scaffold_reward.py [--data FOLDER] [--completions 2000] [--reference 200]

The reference masks with one expression of all the terms, longest first, and counts characters one by one. It is slow:
it runs on an evenly spaced part of the completions, and the ratio compares both on that part. Ends with 1 when a reward
differs or a target is missed: at most 0.3 ms per completion, at most 0.5 s to start.
"""

import argparse
import time
from pathlib import Path

from lexicon import DEFAULT_DATA, PublishedWay, completions, timed
from rich.console import Console
from rich.table import Table

from training.rewards.scaffold import ScaffoldReward

MAX_MS, MAX_START_S = 0.3, 0.5


def reference_share(text: str, published: PublishedWay) -> float:
    """The scaffold reward by the design's words."""
    characters = [character for character in published.mask(text) if not character.isspace()]
    devanagari = [character for character in characters if "\u0900" <= character <= "\u097f"]
    return len(devanagari) / len(characters) if devanagari else 0.0


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA)
    parser.add_argument("--completions", type=int, default=2000)
    parser.add_argument("--reference", type=int, default=200)
    options = parser.parse_args()

    texts = completions(options.data, options.completions)
    part = texts[:: max(1, len(texts) // options.reference)][: options.reference]
    begin = time.perf_counter()
    reward = ScaffoldReward.load(options.data / "himed" / "lexicon_en_hi.xlsx")
    start_ours = time.perf_counter() - begin
    begin = time.perf_counter()
    published = PublishedWay(list(reward.lexicon.entries))
    start_published = time.perf_counter() - begin

    seconds_all, _ = timed(lambda: reward(completions=texts))
    seconds_ours, ours = timed(lambda: reward(completions=part))
    seconds_published, theirs = timed(lambda: [reference_share(text, published) for text in part])
    ms_all = 1e3 * seconds_all / len(texts)

    characters = sum(map(len, texts)) / len(texts)
    table = Table(title=f"{len(reward.lexicon):,} terms; completions of {characters:,.0f} characters")
    for heading in ("", "himed", "regular expression", "ratio", "target"):
        table.add_column(heading, justify="left" if not heading else "right")
    table.add_row(
        "start, s", f"{start_ours:.2f} (reads the file)", f"{start_published:.2f} (terms given)",
        f"{start_published / start_ours:.0f}", f"≤ {MAX_START_S}",
    )  # fmt: skip
    table.add_row(f"ms per completion, {len(texts)} of them", f"{ms_all:.3f}", "", "", f"≤ {MAX_MS}")
    table.add_row(
        f"ms per completion, the same {len(part)}", f"{1e3 * seconds_ours / len(part):.3f}",
        f"{1e3 * seconds_published / len(part):.1f}", f"{seconds_published / seconds_ours:,.0f}", "",
    )  # fmt: skip
    Console(width=120).print(table)
    print(f"rewards equal on these {len(part)}:", "yes" if ours == theirs else "NO")
    met = ms_all <= MAX_MS and start_ours <= MAX_START_S
    print("targets met:", "yes" if met else "NO")
    raise SystemExit(0 if ours == theirs and met else 1)


if __name__ == "__main__":
    main()
