"""In which language and script the texts are, field by field."""

from collections import Counter, defaultdict
from typing import Final

import regex

from app.consistency import assess
from app.consistency.assessment import Verdict
from app.languages import get_language
from training.corpus.auditing.findings import Cell, Figures, Finding, Level, Tally, encodable, evenly, wilson
from training.corpus.auditing.read import AuditRow, Source

# Long texts are slow to assess, and a share is known well enough from so many.
MOST_TEXTS: Final = 1_000
MOST_LONG: Final = 100
_LONG: Final = 500  # characters of a text, on average

_VERDICTS: Final[tuple[Verdict, ...]] = ("consistent", "mixed", "inconsistent", "undetermined")
_SCRIPTS: Final = {
    "Devanagari": r"\p{Devanagari}",
    "Bengali": r"\p{Bengali}",
    "Ethiopic": r"\p{Ethiopic}",
    "Thai": r"\p{Thai}",
    "Hangul": r"\p{Hangul}",
    "Kana": r"\p{Hiragana}\p{Katakana}",
    "Han": r"\p{Han}",
    "Latin": r"\p{Latin}",
    "Greek": r"\p{Greek}",
    "Cyrillic": r"\p{Cyrillic}",
    "Arabic": r"\p{Arabic}",
}
_SCRIPT_OF: Final = {name: regex.compile(f"[{letters}]") for name, letters in _SCRIPTS.items()}
_LETTER: Final = regex.compile(r"[\p{L}\p{M}]")
_ALWAYS_SHOWN: Final = ("Devanagari", "Latin")


def audit_language(source: Source, limit: int) -> tuple[list[Finding], list[Figures]]:
    """Verdicts per field over the rows whose language is known, and the rows where it is not."""
    unknown = Tally(limit)
    fields: dict[str, list[AuditRow]] = defaultdict(list)
    for row in source.rows:
        if row.language is None and row.texts:
            unknown.add(row.number, "language", str(row.row.fields.get("language", "names none")))
        for name in row.texts:
            if row.language is not None:
                fields[name].append(row)
    findings = unknown.finding(
        "language-unknown",
        "language",
        "warning",
        "Rows whose language is unknown",
        len(source.rows),
        "rows",
        "the row names none of the fourteen, and neither does the file's name or option --language",
    )
    table: list[tuple[Cell, ...]] = []
    for name, rows in fields.items():
        counts, looked_at, found = _assess(source, name, rows, limit)
        findings += found
        determined = looked_at - counts["undetermined"]
        share = counts["consistent"] / determined if determined else None
        bounds = _bounds(counts["consistent"], determined)
        table.append((name, len(rows), looked_at, *(counts[verdict] for verdict in _VERDICTS), share, bounds))
    if not table:
        return findings, []
    heads = (
        "Field",
        "Texts",
        "Looked at",
        *(word.capitalize() for word in _VERDICTS),
        "Consistent of determined",
        "95 %",
    )
    note = (
        "Is the text in its row's language? Too short to tell is undetermined, and in no share. Reasoning of "
        "CURE-Med's "
        "layout switches between English and the language on purpose."
    )
    return findings, [Figures("language", "language", "Language by field", heads, tuple(table), note)]


def _assess(source: Source, name: str, rows: list[AuditRow], limit: int) -> tuple[Counter[Verdict], int, list[Finding]]:
    mean = sum(len(row.texts[name]) for row in rows) / len(rows)
    most = MOST_LONG if mean > _LONG else MOST_TEXTS
    counts: Counter[Verdict] = Counter()
    other, mixed = Tally(limit), Tally(limit)
    chosen = evenly(len(rows), most)
    for i in chosen:
        row = rows[i]
        assert row.language is not None
        found = assess(encodable(row.texts[name]), row.language)
        counts[found.verdict] += 1
        if found.verdict == "inconsistent":
            other.add(row.number, name, row.texts[name])
        elif found.verdict == "mixed":
            spans = " … ".join(f"{span.text} ({span.language or 'unknown'})" for span in found.foreign[:2])
            mixed.add(row.number, name, spans)
    # Options are phrases, formulas and sequences; CURE-Med's reasoning switches between languages on purpose.
    meant = name == "options" or (source.layout == "cure-med" and name == "reasoning")
    level: Level = "figure" if meant else "warning"
    determined = len(chosen) - counts["undetermined"]
    counted = "by app.consistency, sentence by sentence; of the texts long enough to tell"
    note = f"{len(chosen):,} of {len(rows):,} texts looked at, evenly spread" if len(chosen) < len(rows) else None
    findings = other.finding(
        f"language-other-{name}",
        "language",
        level,
        f"Texts in another language: field '{name}'",
        determined,
        "determined texts",
        counted,
        note,
        estimate=True,
    )
    findings += mixed.finding(
        f"language-mixed-{name}",
        "language",
        level,
        f"Texts with sentences in another language: field '{name}'",
        determined,
        "determined texts",
        counted,
        note,
        estimate=True,
    )
    return counts, len(chosen), findings


def _bounds(count: int, of: int) -> str | None:
    if not of:
        return None
    low, high = wilson(count, of)
    return f"{100 * low:.1f} to {100 * high:.1f} %"


def audit_script(source: Source, limit: int) -> tuple[list[Finding], list[Figures]]:
    """The scripts of the letters of each field; texts without one letter of their language's script."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    lacking: dict[str, Tally] = defaultdict(lambda: Tally(limit))
    texts: Counter[str] = Counter()
    for row in source.rows:
        script = get_language(row.language).script if row.language else "Latn"
        for name, text in row.texts.items():
            counts[name].update(text)
            texts[name] += 1
            if script != "Latn" and name != "options" and not _OWN[script].search(text) and _WORDS.search(text):
                lacking[name].add(row.number, name, text)
    names = [name for name in counts if counts[name]]
    letters = {name: _by_script(counts[name]) for name in names}
    shown = [
        script
        for script in (*_SCRIPT_OF, "other")
        if script in _ALWAYS_SHOWN or any(letters[name][script] for name in names)
    ]
    table: list[tuple[Cell, ...]] = []
    for name in names:
        total = letters[name].total()
        table.append((name, total, *(letters[name][script] / total if total else None for script in shown)))
    findings = []
    for name in names:
        meant = source.layout == "cure-med" and name == "reasoning"
        findings += lacking[name].finding(
            f"script-lacking-{name}",
            "script",
            "figure" if meant else "warning",
            f"Texts without a letter of their language's script: field '{name}'",
            texts[name],
            "texts",
            "texts with four words or more of Latin letters",
        )
    note = "Shares of letters and combining marks. Digits, blanks and punctuation are of no script."
    figures = Figures("script", "script", "Scripts by field", ("Field", "Letters", *shown), tuple(table), note)
    return findings, [figures] if table else []


_OWN: Final = {
    "Deva": _SCRIPT_OF["Devanagari"],
    "Beng": _SCRIPT_OF["Bengali"],
    "Ethi": _SCRIPT_OF["Ethiopic"],
    "Thai": _SCRIPT_OF["Thai"],
    "Kore": _SCRIPT_OF["Hangul"],
    "Jpan": regex.compile(r"[\p{Hiragana}\p{Katakana}\p{Han}]"),
}
_WORDS: Final = regex.compile(r"(?:\b\p{Latin}{2,}\b.*?){4}", regex.DOTALL)


def _by_script(characters: Counter[str]) -> Counter[str]:
    """Letters by script, from the counts of single characters: each of some thousand is looked at once."""
    found: Counter[str] = Counter()
    for character, n in characters.items():
        if _LETTER.match(character):
            script = next((name for name, pattern in _SCRIPT_OF.items() if pattern.match(character)), "other")
            found[script] += n
    return found
