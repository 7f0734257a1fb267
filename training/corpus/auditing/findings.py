"""What an audit finds, as plain values: findings with their denominators, figures as small tables, examples by row."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import sqrt
from statistics import NormalDist
from typing import Final, Literal

Level = Literal["fault", "warning", "figure"]
Section = Literal[
    "rows", "golds", "letters", "options", "duplicates", "overlap", "language", "script", "glosses", "text", "lengths"
]

LEVELS: Final[tuple[Level, ...]] = ("fault", "warning", "figure")
SECTIONS: Final[dict[Section, str]] = {
    "rows": "Rows",
    "golds": "Gold answers",
    "letters": "Letters of the golds",
    "options": "Options",
    "duplicates": "Duplicates",
    "overlap": "Overlap with other files",
    "language": "Language",
    "script": "Script",
    "glosses": "Glosses",
    "text": "Characters and text",
    "lengths": "Lengths",
}
EXAMPLE_CHARACTERS: Final = 160

# Controls, which open a terminal's escape sequences, and halves of surrogate pairs, which are no UTF-8.
_UNPRINTABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_Z95: Final = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, slots=True)
class Example:
    """A row that shows a finding: its number, the field, and what stands there."""

    row: int
    field: str
    text: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found in a file: ``count`` of ``of`` rows, texts or glosses (``unit``).

    ``level`` is a fault (wrong as it stands), a warning (to be looked at) or a figure. ``ci95`` is the 95 % interval of
    the share, where the share is an estimate of something; ``p`` the p-value of a test that ``counted`` names;
    ``expected`` the share without a bias. ``counted`` says how it is counted.
    """

    name: str
    section: Section
    level: Level
    title: str
    count: int
    of: int
    unit: str
    counted: str
    ci95: tuple[float, float] | None = None
    expected: float | None = None
    p: float | None = None
    note: str | None = None
    examples: tuple[Example, ...] = ()

    @property
    def share(self) -> float | None:
        """``count / of``; None where nothing was looked at."""
        return self.count / self.of if self.of else None


Cell = str | int | float | None


@dataclass(frozen=True, slots=True)
class Figures:
    """A small table. A float is a share from 0 to 1, None a value that is unknown."""

    name: str
    section: Section
    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str


@dataclass(frozen=True, slots=True)
class FileAudit:
    """One file. ``rows`` counts all, ``invalid`` those of them that are no rows at all. ``language`` is the code that
    rows without one were held against, and ``language_from`` where it came from."""

    file: str
    sha256: str
    layout: str
    rows: int
    invalid: int
    language: str | None
    language_from: str
    findings: tuple[Finding, ...]
    figures: tuple[Figures, ...]

    def of_level(self, level: Level) -> list[Finding]:
        """The findings of one level."""
        return [finding for finding in self.findings if finding.level == level]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file that could not be read as a whole, and why."""

    file: str
    reason: str


@dataclass(frozen=True, slots=True)
class Audit:
    """The audit of all files; ``against`` are the files that their questions were compared with."""

    files: tuple[FileAudit, ...]
    unreadable: tuple[Unreadable, ...]
    against: tuple[str, ...]

    @property
    def faults(self) -> int:
        """Findings that are faults, and files that cannot be read."""
        return len(self.unreadable) + sum(len(file.of_level("fault")) for file in self.files)


@dataclass(slots=True)
class Tally:
    """Collects the rows of one finding: counts all, keeps the first ``limit`` as examples."""

    limit: int
    count: int = 0
    examples: list[Example] = field(default_factory=list)

    def add(self, row: int, field: str, text: str) -> None:
        """Count one, with what stands there."""
        self.count += 1
        if len(self.examples) < self.limit:
            self.examples.append(Example(row, excerpt(field), excerpt(text)))

    def finding(
        self,
        name: str,
        section: Section,
        level: Level,
        title: str,
        of: int,
        unit: str,
        counted: str,
        note: str | None = None,
        *,
        always: bool = False,
        estimate: bool = False,
    ) -> list[Finding]:
        """The finding as a list, empty where nothing was found; with ``always`` it is then said as a figure."""
        if not self.count and not always:
            return []
        return [
            Finding(
                name=name,
                section=section,
                level=level if self.count else "figure",
                title=title,
                count=self.count,
                of=of,
                unit=unit,
                counted=counted,
                ci95=wilson(self.count, of) if estimate and of else None,
                note=note if self.count else None,
                examples=tuple(self.examples),
            )
        ]


def printable(text: str) -> str:
    """The text with an escape for each character that a terminal would obey or a file cannot hold."""
    return _UNPRINTABLE.sub(lambda found: ascii(found[0])[1:-1], text)


def encodable(text: str) -> str:
    """The text with U+FFFD for each half of a surrogate pair, for what takes texts as UTF-8."""
    return _SURROGATE.sub("\ufffd", text)


def excerpt(text: str, characters: int = EXAMPLE_CHARACTERS) -> str:
    """The text in one line, cut behind so many characters, and printable."""
    line = printable(" ".join(text.split()))
    return line if len(line) <= characters else line[: characters - 1].rstrip() + "…"


def around(text: str, start: int, end: int, margin: int = 30) -> str:
    """A place in a text with what stands around it, cut at blanks where there are some."""
    before, after = text[max(0, start - margin) : start], text[end : end + margin]
    if start > margin:
        before = "…" + (before.split(" ", 1)[1] if " " in before else before)
    if end + margin < len(text):
        after = (after.rsplit(" ", 1)[0] if " " in after else after) + "…"
    return f"{before}{text[start:end]}{after}"


def wilson(successes: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share of ``n`` independent items (JASA 22(158), 1927), without continuity correction.

    Raises:
        ValueError: ``n`` is not positive, or ``successes`` lies outside 0..n.
    """
    if n <= 0 or not 0 <= successes <= n:
        raise ValueError(f"no share: {successes} of {n}")
    share, z2 = successes / n, _Z95 * _Z95
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z95 / (1 + z2 / n) * sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    return low, 1.0 if successes == n else min(1.0, centre + half)


def evenly(count: int, most: int) -> Sequence[int]:
    """At most ``most`` of the numbers below ``count``, evenly spread: the same sample every time."""
    if count <= most:
        return range(count)
    return [i * count // most for i in range(most)]
