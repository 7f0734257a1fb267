"""How long the texts are, and whether they look cut off."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import regex

from app.errors import InputError
from training.corpus.auditing.findings import Cell, Figures, Finding, Tally, encodable
from training.corpus.auditing.read import AuditRow, Source

# The tokens of texts, one number each.
CountTokens = Callable[[Sequence[str]], list[int]]

_QUANTILES: Final = (5, 50, 95, 100)
_TRAILING: Final = regex.compile(r"(?:</[a-z]+\d*>|[\s*_`~#\p{Pe}\p{Pf}\p{Pi}\"'])+\Z")
_SENTENCE_END: Final = regex.compile(r"[\p{Sentence_Terminal}…|]\Z")
_BREAK: Final = regex.compile(r"(?:[,;({\[\p{Pi}،、፣፤&+/]|\p{L}[\-‐]|[\u094d\u09cd])\Z")
_TAIL: Final = 200  # characters that are looked at
_FEWEST_LETTERS: Final = 20
_LONG_ENOUGH: Final = regex.compile(rf"(?:[\p{{L}}\p{{M}}][^\p{{L}}\p{{M}}]*+){{{_FEWEST_LETTERS}}}")
# Thai marks the end of a sentence with a blank.
_NO_SENTENCE_MARK: Final = frozenset({"th"})
# Texts of one longest length, from so many characters on: cut at a limit.
_FEWEST_EQUAL: Final = 5
_CUT_FROM: Final = 200


def token_counter(folder: Path) -> CountTokens:
    """Count with the tokenizer of a checkpoint's folder, without special tokens; nothing is fetched.

    Raises:
        InputError: the folder holds no tokenizer.
    """
    remedy = "name a checkpoint's folder"
    if not folder.is_dir():
        raise InputError("the tokenizer's folder does not exist", file=folder, remedy=remedy)
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError) as error:
        problem = f"holds no tokenizer that can be loaded ({str(error).splitlines()[0]})"
        raise InputError(problem, file=folder, remedy=remedy) from None

    def count(texts: Sequence[str]) -> list[int]:
        return [len(ids) for ids in tokenizer(list(map(encodable, texts)), add_special_tokens=False)["input_ids"]]

    return count


def audit_lengths(source: Source, count_tokens: CountTokens | None, limit: int) -> tuple[list[Finding], list[Figures]]:
    """Quantiles of the lengths of each field in characters, and in tokens where they are counted; cut-off texts."""
    fields: dict[str, list[AuditRow]] = defaultdict(list)
    for row in source.rows:
        for name in row.texts:
            fields[name].append(row)
    table: list[tuple[Cell, ...]] = []
    findings: list[Finding] = []
    for name, rows in fields.items():
        texts = [row.texts[name] for row in rows]
        sizes = list(map(len, texts))
        table.append((name, "characters", len(texts), *_quantiles(sizes)))
        if count_tokens is not None:
            tokens = count_tokens(texts)
            table.append((name, "tokens", len(texts), *_quantiles(tokens)))
            table.append(
                (name, "tokens per 100 characters", len(texts), None, round(100 * sum(tokens) / sum(sizes)), None, None)
            )
        findings += _at_a_limit(name, rows, sizes, limit)
        if name == "options" or name == rows[0].question_field:
            continue  # a stem may end in a blank to be filled in, an option is a phrase
        findings += _cut_off(name, rows, limit)
    if not table:
        return findings, []
    heads = ("Field", "Unit", "n", "p5", "p50", "p95", "Longest")
    note = "Each quantile is the length of a real text; empty ones are left out."
    return findings, [Figures("lengths", "lengths", "Lengths by field", heads, tuple(table), note)]


def _quantiles(values: Sequence[int]) -> tuple[int, ...]:
    return tuple(int(value) for value in np.percentile(values, _QUANTILES, method="higher"))


def _at_a_limit(name: str, rows: Sequence[AuditRow], sizes: Sequence[int], limit: int) -> list[Finding]:
    longest = max(sizes)
    at = Counter(sizes)[longest]
    if at < _FEWEST_EQUAL or longest < _CUT_FROM:
        return []
    tally = Tally(limit)
    for row, size in zip(rows, sizes, strict=True):
        if size == longest:
            tally.add(row.number, name, "…" + row.texts[name][-80:])
    return tally.finding(
        f"lengths-at-limit-{name}",
        "lengths",
        "warning",
        f"Texts of one and the same longest length: field '{name}'",
        len(rows),
        "texts",
        f"all of {longest:,} characters: as if cut at a limit",
    )


def _cut_off(name: str, rows: Sequence[AuditRow], limit: int) -> list[Finding]:
    """Texts that break off, and texts without a sentence's end, each over the texts that can be judged."""
    broken, endless = Tally(limit), Tally(limit)
    judged = long = 0
    for row in rows:
        text = _TRAILING.sub("", row.texts[name][-_TAIL:])
        if not _LONG_ENOUGH.search(text):
            continue
        long += 1
        if _BREAK.search(text):
            broken.add(row.number, name, "…" + row.texts[name][-80:])
        if row.language in _NO_SENTENCE_MARK:
            continue
        judged += 1
        if not _SENTENCE_END.search(text):
            endless.add(row.number, name, "…" + row.texts[name][-80:])
    findings = broken.finding(
        f"text-breaks-off-{name}",
        "lengths",
        "warning",
        f"Texts that break off: field '{name}'",
        long,
        f"texts of {_FEWEST_LETTERS} and more letters",
        "the last character is a comma, semicolon, opening bracket, hyphen behind a letter, virama, …",
    )
    return findings + endless.finding(
        f"text-without-end-{name}",
        "lengths",
        "figure",
        f"Texts without a sentence's end: field '{name}'",
        judged,
        f"texts of {_FEWEST_LETTERS} and more letters, Thai ones left out",
        "no sentence-ending mark but for closing quotes, brackets, tags: truncated, where most others have one",
    )
