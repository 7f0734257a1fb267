"""Glosses, English terms in parentheses behind words of another script, and those put inside a word."""

from collections import Counter
from typing import Final

import regex

from app.languages import get_language
from training.corpus.auditing.findings import Figures, Finding, Tally, around
from training.corpus.auditing.read import Source

_GLOSS: Final = regex.compile(r"\([^()\n]*\p{Latin}[^()\n]*\)")
_MARK: Final = regex.compile(r"[\p{Mn}\p{Mc}--[\uFE00-\uFE0F\u20E3]]", regex.V1)
_LETTERS: Final = regex.compile(r"[\p{L}\p{M}\u200c\u200d]+")
_LATIN: Final = regex.compile(r"\p{Latin}")
# Elsewhere particles and endings are written right behind a parenthesis.
_BLANK_BEHIND: Final = frozenset({"hi"})
_ALL: Final = "all fields"


def audit_glosses(source: Source, limit: int) -> tuple[list[Finding], list[Figures]]:
    """Glosses with a combining mark or a letter right behind them, over rows of languages not written in Latin."""
    marks, letters = Tally(limit), Tally(limit)
    total: Counter[str] = Counter()
    mark_fields: Counter[str] = Counter()
    letter_fields: Counter[str] = Counter()
    rows: set[int] = set()
    behind: Counter[str] = Counter()
    for row in source.rows:
        if row.language is None or get_language(row.language).script == "Latn":
            continue
        texts = dict(row.texts)
        if row.options and row.answer and len(row.answer) > 1:
            texts[row.answer_field] = row.answer
        for name, text in texts.items():
            for gloss in _GLOSS.finditer(text):
                total[name] += 1
                after = _LETTERS.match(text, gloss.end())
                if after is None or _LATIN.match(after[0]):
                    continue
                inside = bool(_MARK.match(after[0]))
                if not inside and row.language not in _BLANK_BEHIND:
                    continue
                behind[after[0]] += 1
                rows.add(row.number)
                (marks if inside else letters).add(row.number, name, around(text, gloss.start(), after.end()))
                (mark_fields if inside else letter_fields)[name] += 1
    if not total:
        return [], []
    n = total.total()
    where = f"glosses inside words in {len(rows):,} rows"
    if behind:
        where += "; most often before " + ", ".join(f"{word} ({count})" for word, count in behind.most_common(8))
    findings = marks.finding(
        "gloss-before-vowel-sign",
        "glosses",
        "fault",
        "Glosses followed by a vowel sign or another combining mark",
        n,
        "glosses",
        "a combining mark (also a virama) right behind the closing parenthesis: the gloss cuts a word in two",
        where,
        always=True,
    )
    findings += letters.finding(
        "gloss-before-letter",
        "glosses",
        "warning",
        "Glosses followed by a letter without a blank",
        n,
        "glosses",
        "a letter right behind the closing parenthesis: in Hindi, a word cut in two or a compound",
    )
    table = tuple((name, count, mark_fields[name], letter_fields[name]) for name, count in total.items())
    note = "A gloss: a parenthesis with a Latin letter in it, in a text of a language of another script"
    heads = ("Field", "Glosses", "Before a combining mark", "Before a letter")
    table += ((_ALL, n, marks.count, letters.count),)
    return findings, [Figures("glosses", "glosses", "Glosses by field", heads, table, note)]
