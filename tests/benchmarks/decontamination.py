"""Decontamination at the size of HiMed's corpus: minutes, memory, and what is found of duplicates at known places.

    python tests/benchmarks/decontamination.py --folder FOLDER [--lexicon lexicon_en_hi.xlsx] [--rows 286657]
        [--items 8264] [--west HiMed-West_Corpus_sample.json --west-bench HiMed-West_Bench.json]

FOLDER is made; it holds the synthetic corpus (JSON lines, 400 MB), the benchmark and the output. Texts are made from
sentence frames and terms (of the lexicon, else of made-up words), so that boilerplate and single-slot questions abound.
The search runs in a process of its own; memory is the proportional set size (PSS) of all its processes, looked at ten
times a second. Planted rows whose exact similarity is below the threshold are told apart: no search by it can find
them. Then a part of the rows is also searched by `training.data.overlap`, which compares stems without a signature; and
the West sample is searched in its benchmark, as it is and with much boilerplate in each row. Ends with 1 below the
targets, or with a hit in the West sample.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter, defaultdict
from itertools import islice
from pathlib import Path

from decontamination_data import CLOSING, OPENING, Planted, make
from rich.console import Console
from rich.table import Table

from training.corpus.decontamination import Rules, decontaminate
from training.data.overlap import QuestionIndex, read_benchmarks

# What a search must find whatever the text is; a changed word may be the one that tells two questions apart.
MUST = ("as it is", "changed punctuation", "reordered options", "other numbers", "other numbers, reordered")
RECALL, PRECISION = 0.995, 0.95


def memory(pid: int, ticks: dict[int, int]) -> int:
    """Bytes of a process and all below it, shared pages in proportion; ``ticks`` is their CPU time so far."""
    found, waiting = 0, [pid]
    while waiting:
        one = waiting.pop()
        try:
            for line in Path(f"/proc/{one}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    found += int(line.split()[1]) * 1024
            # The name in parentheses may hold blanks; behind it, 11 fields on, are user and system time.
            ticks[one] = sum(map(int, Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()[11:13]))
            waiting += map(int, Path(f"/proc/{one}/task/{one}/children").read_text().split())
        except (OSError, ProcessLookupError):
            continue
    return found


def searched(folder: Path, processes: int) -> tuple[float, int, float]:
    """Run the search in a process of its own: seconds, peak bytes, CPU seconds."""
    begin = time.perf_counter()
    ticks: dict[int, int] = {}
    child = subprocess.Popen(
        [sys.executable, __file__, "--only-search", "--folder", folder, "--processes", str(processes)]
    )
    peak = 0
    while child.poll() is None:
        peak = max(peak, memory(child.pid, ticks))
        time.sleep(0.1)
    if child.returncode:
        raise SystemExit(f"the search failed with {child.returncode}")
    return time.perf_counter() - begin, peak, sum(ticks.values()) / os.sysconf("SC_CLK_TCK")


def tell(folder: Path, planted: dict[str, dict[int, Planted]], console: Console) -> bool:
    """Print recall by kind, and precision; whether both reach the targets."""
    rejects = [json.loads(line) for line in (folder / "out" / "rejects.jsonl").read_text(encoding="utf-8").splitlines()]
    of_row = {reject["row"]: reject for reject in rejects}
    table = Table(title="Planted rows")
    wrong_kinds = Counter(
        (reject["against"], reject["kind"])
        for reject in rejects
        if reject["row"] not in planted["benchmark"] and reject["row"] not in planted["corpus"]
    )
    for heading in (
        "planted",
        "in",
        "rows",
        "found",
        "its own item",
        "recall",
        "below 0.70",
        "recall of the others",
        "kinds",
    ):
        table.add_column(heading, justify="left" if heading in ("planted", "in", "kinds") else "right")
    good = True
    for side, rows in planted.items():
        by_kind: dict[str, list[int]] = defaultdict(list)
        for row, one in rows.items():
            by_kind[one.kind].append(row)
        for kind, places in by_kind.items():
            found = [row for row in places if row in of_row and of_row[row]["against"] == side]
            own = sum(of_row[row]["other"]["row"] == rows[row].other for row in found)
            # By word runs it can be found whatever the similarity is.
            low = [row for row in places if rows[row].similarity < 0.7 and kind != "inside a reasoning"]
            others = len(places) - len(low)
            found_others = len(set(found) - set(low))
            kinds = Counter(of_row[row]["kind"] for row in found)
            table.add_row(
                kind, side, str(len(places)), str(len(found)), str(own), f"{len(found) / len(places):.4f}",
                str(len(low)),
                f"{found_others / others:.4f}" if others else "-", ", ".join(f"{k} {n}" for k, n in kinds.items()),
            )  # fmt: skip
            if kind in MUST:
                good &= found_others >= RECALL * others
    console.print(table)
    truth = planted["benchmark"].keys() | planted["corpus"].keys()
    wrong = [reject for reject in rejects if reject["row"] not in truth]
    right = len(rejects) - len(wrong)
    console.print(f"rejects {len(rejects):,}; planted {len(truth):,}; precision {right / max(1, len(rejects)):.5f}")
    for (side, kind), n in sorted(wrong_kinds.items()):
        console.print(f"  not planted, {side}, {kind}: {n:,}")
    for side, rows in planted.items():
        for kind in ("exact", "near", "8-gram"):
            named = [reject for reject in rejects if (reject["against"], reject["kind"]) == (side, kind)]
            if named:
                good_ones = sum(reject["row"] in rows and reject["other"]["row"] == rows[reject["row"]].other
                                for reject in named)  # fmt: skip
                console.print(f"  precision of {side}, {kind}: {good_ones / len(named):.4f} of {len(named):,}")
    for reject in wrong[:10]:
        console.print(f"  not planted: {reject['kind']} {reject['similarity']} {reject['content']['question'][:150]}")
        console.print(f"     repeats {reject['other']}")
    return good and right >= PRECISION * len(rejects)


def beside(folder: Path, planted: dict[str, dict[int, Planted]], rows: int, console: Console) -> None:
    """Compare with the exact search by prefix filtering, on rows of the middle; both against the benchmark only."""
    part = folder / "part.jsonl"
    with (folder / "corpus.jsonl").open("rb") as counted:
        first = max(0, (sum(1 for _ in counted) - rows) // 2)
    with (folder / "corpus.jsonl").open(encoding="utf-8") as file:
        lines = list(islice(file, first, first + rows))
    part.write_text("".join(lines), encoding="utf-8")
    begin = time.perf_counter()
    decontaminate([part], [folder / "bench.json"], folder / "part", rules=Rules(inside="keep"), processes=1)
    ours = time.perf_counter() - begin
    rejects = (folder / "part" / "rejects.jsonl").read_text(encoding="utf-8").splitlines()
    by_ours = {json.loads(line)["row"] + first for line in rejects}
    begin = time.perf_counter()
    index = QuestionIndex(read_benchmarks([folder / "bench.json"]))
    by_theirs = {
        n for n, line in enumerate(lines, start=first + 1) if index.find(json.loads(line)["question"]) is not None
    }
    theirs = time.perf_counter() - begin
    truth = {row for row in planted["benchmark"] if first < row <= first + rows}
    table = Table(title=f"{rows:,} rows of the middle, {len(truth):,} of them planted; one process")
    for heading in ("", "decontaminate", "QuestionIndex", "ratio"):
        table.add_column(heading, justify="right")
    table.add_row("seconds", f"{ours:.1f}", f"{theirs:.1f}", f"{theirs / ours:.2f}")
    for name, one, other in (
        ("planted found", len(by_ours & truth), len(by_theirs & truth)),
        ("others", len(by_ours - truth), len(by_theirs - truth)),
    ):
        table.add_row(name, str(one), str(other), "")
    console.print(table)


def west(corpus: Path, bench: Path, folder: Path, console: Console) -> bool:
    """List all hits of the West sample in its benchmark, as they are and with much boilerplate in each row."""
    found = 0
    for name, opening, closing in (("as they are", "", ""), ("with boilerplate planted in all", OPENING, CLOSING)):
        rows = json.loads(corpus.read_text(encoding="utf-8"))["questions"]
        items = json.loads(bench.read_text(encoding="utf-8"))["questions"]
        for row in rows:
            stem, mark, options = row["prompt"].partition("\nA. ")
            row["prompt"] = f"{opening}{stem}{closing}{mark}{options}"
        for item in items:
            item["question"] = f"{opening}{item['question']}{closing}"
        changed = [folder / f"west-{side}.json" for side in ("corpus", "bench")]
        for file, values in zip(changed, (rows, items), strict=True):
            file.write_text(json.dumps({"questions": values}, ensure_ascii=False), encoding="utf-8")
        out = folder / f"west-{'planted' if opening else 'plain'}"
        report = decontaminate(changed[:1], changed[1:], out, rules=Rules(inside="keep"), processes=1)
        index = QuestionIndex(read_benchmarks(changed[1:]))
        theirs = [match for row in rows if (match := index.find(row["prompt"]))]
        console.print(
            f"West sample {name}: {report.contaminated} hits of {len(rows)} rows in {len(items):,} items "
            f"(QuestionIndex: {len(theirs)}); rows by the largest share of an item's runs, in tenths: {report.shares}; "
            f"{report.boilerplate_only:,} pairs near by boilerplate alone"
        )
        for line in (out / "rejects.jsonl").read_text(encoding="utf-8").splitlines():
            reject = json.loads(line)
            console.print(f"  {reject['kind']} {reject['similarity']}: {reject['content']['prompt']}")
            console.print(f"     of {items[reject['other']['row'] - 1]['question']}")
        found += report.contaminated
    return not found


def main() -> None:
    """Make, search and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=286_657)
    parser.add_argument("--items", type=int, default=8_264)
    parser.add_argument("--lexicon", type=Path)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--beside", type=int, default=20_000, help="rows that QuestionIndex searches too; 0 for none")
    parser.add_argument("--west", type=Path)
    parser.add_argument("--west-bench", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only-search", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    folder: Path = given.folder
    if given.only_search:
        decontaminate([folder / "corpus.jsonl"], [folder / "bench.json"], folder / "out", processes=given.processes)
        return
    console = Console(width=150)
    folder.mkdir(parents=True)
    planted = make(folder, given.rows, given.items, given.lexicon, given.seed)
    size = (folder / "corpus.jsonl").stat().st_size
    seconds, peak, cpu = searched(folder, given.processes)
    report = json.loads((folder / "out" / "report.json").read_bytes())
    console.print(
        f"{given.rows:,} rows ({size / 1e6:,.0f} MB), {given.items:,} items, {given.processes} processes: "
        f"{seconds / 60:.2f} minutes, {cpu / 60:.2f} CPU minutes, peak {peak / 2**20:,.0f} MiB; "
        f"{report['compared']:,} pairs compared exactly, {report['boilerplate_only']:,} near by boilerplate alone"
    )
    good = tell(folder, planted, console)
    if given.beside:
        beside(folder, planted, min(given.beside, given.rows), console)
    if given.west and given.west_bench:
        good &= west(given.west, given.west_bench, folder, console)
    raise SystemExit(0 if good else 1)


if __name__ == "__main__":
    main()
