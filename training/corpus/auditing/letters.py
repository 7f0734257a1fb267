"""Options and the golds' place among them: missing and repeated options, bias of letter and of length."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from statistics import median
from typing import Final

from app.options import fold_space
from app.row_fields import GROUP_FIELDS
from training.corpus.auditing.chance import Spread, hits_p_value, letter_spread
from training.corpus.auditing.findings import Cell, Figures, Finding, Tally, excerpt, wilson
from training.corpus.auditing.golds import holds_label, read_gold
from training.corpus.auditing.read import AuditRow, Source

# A test is told from this p-value on, divided by the number of groups tested.
ALPHA: Final = 0.001
_FEWEST_IN_GROUP: Final = 10
_MOST_GROUPS: Final = 20
_SHOWN_GROUP: Final = 80  # characters of a source's or subject's name
_TELLING_RATIO: Final = 1.2  # of the gold being longest, to chance

Golds = list[tuple[AuditRow, str]]


def audit_options(source: Source, limit: int) -> tuple[list[Finding], list[Figures]]:
    """All findings on options and on the golds' letters and lengths."""
    rows = [row for row in source.rows if row.is_choice]
    if not rows:
        return [], []
    golds: Golds = []
    for row in rows:
        if (
            row.options
            and len(row.options) > 1
            and row.answer
            and (letter := read_gold(row.answer, row.options).letter)
        ):
            golds.append((row, letter))
    findings = _missing(rows, limit) + _faulty(rows, limit)
    figures = [_counts(rows)]
    letter_findings, letter_figures = _letters(golds, limit)
    length_findings, length_figures = _lengths(golds, limit)
    return findings + letter_findings + length_findings, figures + letter_figures + length_figures


def _missing(rows: Sequence[AuditRow], limit: int) -> list[Finding]:
    """Multiple-choice rows whose options stand nowhere, or not on lines of their own."""
    no_lines, none, no_stem, unread = Tally(limit), Tally(limit), Tally(limit), Tally(limit)
    placed: Counter[str] = Counter()
    for row in rows:
        if row.options_fault is not None:
            unread.add(row.number, "options", row.options_fault)
            continue
        placed[row.placed or "nowhere"] += 1
        if row.placed in (None, "breaks", "running text"):
            no_lines.add(row.number, row.question_field, (row.question or "")[-150:])
        if row.options is None:
            none.add(row.number, row.question_field, (row.question or "")[-150:])
        elif not row.stem:
            no_stem.add(row.number, row.question_field, row.question or "")
    findings = unread.finding(
        "options-unreadable",
        "options",
        "fault",
        "Options that cannot be read",
        len(rows),
        "multiple-choice rows",
        "the field 'options' is no list of texts or letters with texts",
    )
    words = {"running text": "in running text", "breaks": "behind <br>", "nowhere": "without any option"}
    findings += no_lines.finding(
        "options-without-lines",
        "options",
        "warning",
        "Multiple-choice rows without option lines",
        len(rows),
        "multiple-choice rows",
        "no run of lines “A. …”, “B. …” in the question, and no field 'options'",
        "; ".join(f"{placed[key]} {word}" for key, word in words.items() if placed[key]) or None,
    )
    findings += none.finding(
        "options-missing",
        "options",
        "fault",
        "Multiple-choice rows without any option",
        len(rows),
        "multiple-choice rows",
        "neither in a field, nor on lines, nor behind <br>, nor labelled in running text",
    )
    return findings + no_stem.finding(
        "question-only-options",
        "options",
        "fault",
        "Questions that are nothing but their options",
        len(rows),
        "multiple-choice rows",
        "nothing stands before option A",
    )


def _faulty(rows: Sequence[AuditRow], limit: int) -> list[Finding]:
    with_options = [row for row in rows if row.options]
    empty, twice, labels, one = Tally(limit), Tally(limit), Tally(limit), Tally(limit)
    for row in with_options:
        options = row.options or {}
        if letters := [letter for letter, text in options.items() if not text]:
            empty.add(row.number, "options", f"{', '.join(letters)} ← {row.stem}")
        texts = Counter(fold_space(text) for text in options.values() if text)
        if again := [text for text, n in texts.items() if n > 1]:
            twice.add(row.number, "options", f"{again[0][:60]} ← {row.stem}")
        if any(map(holds_label, options.values())):
            labels.add(row.number, "options", " · ".join(f"{letter}. {text}" for letter, text in options.items()))
        if len(options) < 2:
            one.add(row.number, "options", row.stem)
    unit, of = "rows with options", len(with_options)
    findings = empty.finding(
        "options-empty",
        "options",
        "fault",
        "Rows with an empty option",
        of,
        unit,
        "no text behind the letter",
    )
    findings += twice.finding(
        "options-repeated",
        "options",
        "fault",
        "Rows with one option twice",
        of,
        unit,
        "equal but for runs of white space: case tells genotypes apart",
    )
    findings += labels.finding(
        "options-labels-inside",
        "options",
        "fault",
        "Rows with an option's label inside an option",
        of,
        unit,
        "a line inside an option's text begins with “B.” or “(B)”: the lines were broken by another “B.”",
    )
    return findings + one.finding(
        "options-one",
        "options",
        "fault",
        "Rows with fewer than two options",
        of,
        unit,
        "letters with a text",
    )


def _counts(rows: Sequence[AuditRow]) -> Figures:
    counts = Counter(len(row.options) if row.options else 0 for row in rows)
    return Figures(
        "option-counts",
        "options",
        "Options per multiple-choice row",
        ("Options", "Rows", "Share"),
        tuple((k, n, n / len(rows)) for k, n in sorted(counts.items())),
        "0: without options that can be read",
    )


def _groups(golds: Golds) -> dict[tuple[str, str], Golds]:
    """All golds, and those of each value of each group that splits them."""
    groups: dict[tuple[str, str], Golds] = {("all", ""): golds}
    for name in GROUP_FIELDS:
        values: dict[str, Golds] = defaultdict(list)
        for row, letter in golds:
            if value := row.groups.get(name):
                values[value].append((row, letter))
        if 1 < len(values) <= _MOST_GROUPS:
            groups |= {(name, value): values[value] for value in sorted(values)}
    return groups


def _letters(golds: Golds, limit: int) -> tuple[list[Finding], list[Figures]]:
    if not golds:
        return [], []
    groups = {key: part for key, part in _groups(golds).items() if key[0] == "all" or len(part) >= _FEWEST_IN_GROUP}
    findings: list[Finding] = []
    heads = sorted({letter for row, _ in golds for letter in row.options or ()})
    rows: list[tuple[Cell, ...]] = []
    for (name, value), part in groups.items():
        spread = letter_spread([(letter, tuple(row.options or ())) for row, letter in part])
        rows.append((_label(name, value), len(part), *(spread.counts.get(head) for head in heads), _p(spread)))
        findings += _letter_finding(name, value, part, spread, ALPHA / len(groups), limit)
    note = (
        "Counts of golds by letter. p: chance of so uneven a spread, were golds drawn evenly from each row's own "
        f"options; groups of {_FEWEST_IN_GROUP} and more."
    )
    table = Figures("gold-letters", "letters", "Letters of the golds", ("Rows of", "n", *heads, "p"), tuple(rows), note)
    return findings, [table]


def _letter_finding(name: str, value: str, part: Golds, spread: Spread, alpha: float, limit: int) -> list[Finding]:
    top = max(spread.counts, key=lambda letter: spread.counts[letter])
    count, n = spread.counts[top], len(part)
    where = "" if name == "all" else f" of {_label(name, value)}"
    uneven = spread.p is not None and spread.p < alpha
    constant = count == n and uneven
    if name != "all" and not uneven:
        return []
    title = f"All golds{where} are {top}" if constant else f"The commonest gold{where or ' of all'} is {top}"
    tally = Tally(limit if constant else 0)
    for row, letter in part:
        if letter == top:
            tally.add(row.number, row.answer_field, f"{letter} ← {row.stem}")
    return [
        Finding(
            name="gold-constant" if constant else "gold-letter",
            section="letters",
            level="fault" if constant else "warning" if uneven else "figure",
            title=title,
            count=count,
            of=n,
            unit="golds",
            counted=f"the commonest letter; p by {spread.method} against an even spread over each row's own options, "
            f"told below {ALPHA} over the number of groups",
            ci95=wilson(count, n),
            expected=spread.expected[top] / n,
            p=spread.p,
            examples=tuple(tally.examples),
        )
    ]


def _lengths(golds: Golds, limit: int) -> tuple[list[Finding], list[Figures]]:
    """How often the gold is the one longest, and the one shortest, of its options."""
    if not golds:
        return [], []
    findings = []
    for name, word, pick in (("gold-longest", "longest", max), ("gold-shortest", "shortest", min)):
        hits, chances, tally = 0, [], Tally(limit)
        for row, letter in golds:
            sizes = {key: len(text) for key, text in (row.options or {}).items()}
            ends = [key for key, size in sizes.items() if size == pick(sizes.values())]
            if len(ends) > 1:
                continue
            chances.append(1 / len(sizes))
            if ends[0] == letter:
                hits += 1
                tally.add(row.number, "options", f"{letter} ← {' · '.join((row.options or {}).values())}")
        if not chances:
            continue
        expected, n = sum(chances) / len(chances), len(chances)
        p = hits_p_value(hits, chances)
        telling = p is not None and p < ALPHA and hits / n > _TELLING_RATIO * expected
        findings.append(
            Finding(
                name=name,
                section="letters",
                level="warning" if telling else "figure",
                title=f"The gold is the {word} option",
                count=hits,
                of=n,
                unit=f"golds in rows with one {word} option",
                counted="length in characters; p: two-sided, each row's chance is one over the number of its options",
                ci95=wilson(hits, n),
                expected=expected,
                p=p,
                examples=tuple(tally.examples) if telling else (),
            )
        )
    own = [len((row.options or {})[letter]) for row, letter in golds]
    others = [len(text) for row, gold in golds for letter, text in (row.options or {}).items() if letter != gold]
    rows = (("gold", len(own), round(median(own))), ("other options", len(others), round(median(others))))
    note = "Median length in characters"
    table = Figures("option-lengths", "letters", "Length of golds and other options", ("", "n", "Median"), rows, note)
    return findings, [table]


def _label(name: str, value: str) -> str:
    return "the file" if name == "all" else f"{name} {excerpt(value, _SHOWN_GROUP)}"


def _p(spread: Spread) -> str | None:
    return None if spread.p is None else format_p(spread.p)


def format_p(p: float) -> str:
    """A p-value to read."""
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}"
