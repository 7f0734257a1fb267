"""Characters and words that no text should hold: lost and control characters, mojibake, markup, errors."""

from collections.abc import Callable, Iterator
from typing import Final

import regex

from app.formats import ANSWER_TAG, STEP_TAG, THINKING_TAG
from training.corpus.auditing.findings import Finding, Level, Tally, around
from training.corpus.auditing.read import Source

# UTF-8 read as Windows-1252 or Latin-1: only characters that its bytes become, in runs.
_HIGH: Final = regex.compile(
    r"[\u0080-\u00ff\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u2013-\u2122]{2,}"
)
# A letter before quotation marks, dashes or dots is ordinary text: "Å”".
_NO_PUNCTUATION: Final = regex.compile(r"[^“”‘’…–—]")
# What a message of a failed call, or a model that refuses, leaves in the data.
_ERROR: Final = regex.compile(
    r"(?-i:\[ERROR\b|<FAIL>)|\bTraceback \(most recent call|\brate limit (?:exceeded|reached)|"
    r"\bHTTP(?:/[\d.]+)? [45]\d\d\b|"
    r"\bas an AI (?:language )?model\b|\bI(?:'|’)?m sorry, but I can|\bAPI(?: |_)?(?:key|error)\b",
    regex.IGNORECASE,
)
# One of these stands in whatever the pattern finds, and is looked up in no time.
_ERROR_CUES: Final = ("[error", "<fail", "traceback", "rate limit", "http", "as an ai", "m sorry, but", "api")
_PLACEHOLDER: Final = regex.compile(r"\s*(?:nan|null|none|n/?a|todo|tbd|undefined|\?+|-+|\.+)\s*", regex.IGNORECASE)
_MARKUP: Final = regex.compile(
    r"</?(?:br|p|div|span|b|i|u|em|strong|sup|sub|table|tr|td|th|li|ul|ol|img|font|a|h[1-6])(?:\s[^<>]*)?/?>|"
    r"&(?:nbsp|amp|lt|gt|quot|apos|#\d+|#x[0-9a-f]+);",
    regex.IGNORECASE,
)
_TAG: Final = regex.compile(rf"<(/?)({THINKING_TAG}|{ANSWER_TAG}|{STEP_TAG}\d+)>")
# Behind a letter, another mark, a joiner, or the dotted circle that stands for a letter, a mark is in its place.
_ORPHAN: Final = regex.compile(
    r"(?<![\p{L}\p{M}\u200c\u200d\u25cc\u00a0)])[\p{M}&&[\p{Devanagari}\p{Bengali}\p{Thai}]]", regex.V1
)

# All that the first four patterns find is in here, and most texts hold none of it: one look for the four.
_ODD: Final = regex.compile(r"[\ufffd[\p{C}--[\t\n\r\u200c\u200d]]]", regex.V1)
_ODD_NAMES: Final = frozenset({"replacement", "control", "unassigned", "invisible"})

# Name, level, title, what is looked for, and how it is counted.
_Pattern = tuple[str, Level, str, "regex.Pattern[str]", str]
_PATTERNS: Final[tuple[_Pattern, ...]] = (
    ("replacement", "fault", "U+FFFD: characters lost on the way", regex.compile("\ufffd"), "texts that hold U+FFFD"),
    (
        "control",
        "fault",
        "Control characters",
        regex.compile(r"[\p{Cc}--[\t\n\r]]", regex.V1),
        "all but tab and new lines",
    ),
    (
        "unassigned",
        "warning",
        "Private or unassigned characters, halves of surrogate pairs",
        regex.compile(r"[\p{Co}\p{Cn}\p{Cs}]"),
        "by Unicode's categories",
    ),
    (
        "invisible",
        "figure",
        "Invisible characters",
        regex.compile(r"[\u200b\u2060\ufeff\u00ad\u200e\u200f\u202a-\u202e\u2066-\u2069]"),
        "zero-width blanks, soft hyphens, marks of direction; joiners that Indic scripts need are none",
    ),
    (
        "orphan-mark",
        "fault",
        "Vowel signs and other marks behind no letter",
        _ORPHAN,
        "marks of Devanagari, Bengali or Thai at the start or behind a blank, digit or bracket; behind a gloss not",
    ),
    ("markup", "warning", "HTML left in the text", _MARKUP, "tags and entities of HTML"),
    ("error-text", "fault", "Error messages and refusals inside the data", _ERROR, "a list of known wordings"),
)


def audit_characters(source: Source, limit: int) -> list[Finding]:
    """Texts that hold what no text should."""
    tallies = {name: Tally(limit) for name, *_ in _PATTERNS}
    mojibake, placeholder, tags = Tally(limit), Tally(limit), Tally(limit)
    rows = [row for row in source.rows if row.texts]
    for row in rows:
        hit: set[str] = set()
        for field, text in row.texts.items():
            for name, _, _, pattern, _ in _worth_looking(text):
                if name not in hit and (match := pattern.search(text)):
                    hit.add(name)
                    tallies[name].add(row.number, field, around(text, match.start(), match.end()))
            _once(hit, "mojibake", lambda found: found, find_mojibake(text), mojibake, row.number, field)
            if field != "options" and _PLACEHOLDER.fullmatch(text):
                _once(hit, "placeholder", repr, text, placeholder, row.number, field)
            _once(hit, "tags", lambda found: found, unpaired_tag(text), tags, row.number, field)
    findings: list[Finding] = []
    for name, level, title, _, counted in _PATTERNS:
        findings += tallies[name].finding(f"text-{name}", "text", level, title, len(rows), "rows", counted)
    findings += mojibake.finding(
        "text-mojibake",
        "text",
        "fault",
        "Mojibake: UTF-8 read as Windows-1252",
        len(rows),
        "rows",
        "a run of characters whose Windows-1252 or Latin-1 bytes are valid UTF-8",
    )
    findings += placeholder.finding(
        "text-placeholder",
        "text",
        "fault",
        "Texts that are a placeholder",
        len(rows),
        "rows",
        "the whole text is “nan”, “null”, “none”, “n/a”, dashes, dots, …",
    )
    return findings + tags.finding(
        "tags-unpaired",
        "text",
        "fault",
        "Unpaired tags of CURE-Med's format",
        len(rows),
        "rows",
        "<thinking>, <answer> or <stepN> opened and not closed, closed and not opened, or crossed",
    )


def _worth_looking(text: str) -> Iterator[_Pattern]:
    """The patterns that may be in a text, by what is found faster."""
    odd = _ODD.search(text) is not None
    markup = "<" in text or "&" in text
    low = text.lower()
    for pattern in _PATTERNS:
        name = pattern[0]
        if name == "error-text":
            worth = any(cue in low for cue in _ERROR_CUES)
        else:
            worth = markup if name == "markup" else odd or name not in _ODD_NAMES
        if worth:
            yield pattern


def _once(
    hit: set[str], name: str, show: Callable[[str], str], found: str | None, tally: Tally, row: int, field: str
) -> None:
    if found and name not in hit:
        hit.add(name)
        tally.add(row, field, show(found))


def find_mojibake(text: str) -> str | None:
    """The first run of characters that is UTF-8 read as Windows-1252 or Latin-1, with what it was; None without."""
    for run in _HIGH.finditer(text):
        if not _NO_PUNCTUATION.search(run[0], 1):
            continue
        for encoding in ("cp1252", "latin-1"):
            try:
                was = run[0].encode(encoding).decode("utf-8")
            except UnicodeError:
                continue
            return f"{around(text, run.start(), run.end(), 15)} (was {was})"
    return None


def unpaired_tag(text: str) -> str | None:
    """The first tag of CURE-Med's format that has no partner; None where all are in pairs, one inside the other."""
    opened: list[str] = []
    for tag in _TAG.finditer(text):
        closes, name = tag[1], tag[2]
        if not closes:
            opened.append(name)
        elif not opened or opened.pop() != name:
            return f"</{name}> at character {tag.start():,} closes nothing"
    return f"<{opened[0]}> is never closed" if opened else None
