"""An English-Hindi lexicon as a file to be audited: rows that name nothing, or hold what a term cannot be."""

import hashlib
from collections import Counter, defaultdict
from pathlib import Path
from typing import Final

from app.lexicon import Lexicon, normalise_term, read_lexicon_rows
from training.corpus.auditing.findings import Figures, FileAudit, Finding, Tally, printable
from training.corpus.lexicon_faults import KINDS, row_faults

SUFFIX: Final = ".xlsx"


def audit_lexicon(path: Path, limit: int) -> FileAudit:
    """Audit a workbook with the columns ``English`` and ``Hindi``; rows count from 1, the heading included.

    Raises:
        InputError: it cannot be read, or lacks a column.
    """
    rows = list(read_lexicon_rows(path))
    lexicon = Lexicon((english, hindi) for _number, english, hindi in rows)
    faults = {kind: Tally(limit) for kind in KINDS}
    short, repeated = Tally(limit), Tally(limit)
    seen: dict[tuple[str, str], int] = {}
    senses: dict[str, set[str]] = defaultdict(set)
    for number, english, hindi in rows:
        term = normalise_term(english)
        shown = f"{english} = {hindi}"
        for kind in row_faults(english, hindi):
            faults[kind].add(number, "English, Hindi", shown)
        if len(term) == 1:
            short.add(number, "English", shown)
        pair = (term, " ".join(hindi.split()))
        if term and pair in seen:
            repeated.add(number, "English", f"{shown}, as in row {seen[pair]}")
        seen.setdefault(pair, number)
        if term and pair[1]:
            senses[term].add(pair[1])
    findings: list[Finding] = []
    for kind, tally in faults.items():
        name = f"lexicon-{kind.lower().replace(' ', '-')}"
        title = f"Corrupt rows: {kind}"
        findings += tally.finding(name, "rows", "fault", title, len(rows), "rows", "see docs/data/audit.md")
    counted = "masking drops them: they would match everywhere"
    findings += short.finding("lexicon-short", "rows", "warning", "Terms of one character", len(rows), "rows", counted)
    counted = "same term after normalisation, same translation"
    title = "Rows that repeat an earlier row"
    findings += repeated.finding("lexicon-repeated", "rows", "warning", title, len(rows), "rows", counted)
    counts = Counter(map(len, senses.values()))
    several = sum(n for k, n in counts.items() if k > 1)
    findings.append(
        Finding(
            "lexicon-senses",
            "rows",
            "figure",
            "Terms with several translations",
            several,
            len(senses),
            "terms",
            "different after folding white space; of the terms with a translation",
        )
    )
    table = Figures(
        "lexicon-senses",
        "rows",
        "Translations per term",
        ("Translations", "Terms", "Share"),
        tuple((k, n, n / len(senses)) for k, n in sorted(counts.items())),
        f"{len(lexicon.entries):,} terms are used for masking",
    )
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return FileAudit(printable(str(path)), sha256, "lexicon", len(rows), 0, None, "none", tuple(findings), (table,))
