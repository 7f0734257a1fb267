"""Gold answers: empty, impossible, at odds with the option that they name, or given away by the question."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from app.answers.letters import LETTER_NAMES
from app.matching import normalise_answer
from app.options import EPITHETS, fold_space
from training.corpus.auditing.findings import Finding, Tally
from training.corpus.auditing.read import AuditRow, Source

# How a gold's text compares with the option that it names, from nothing wrong to another option's text.
Agreement = Literal["same", "form", "glosses", "words", "other option"]

_LABEL: Final = re.compile(rf"\(?([A-Za-z])(?:[):]|\.(?!\s*(?:{EPITHETS})\b))\s*(.*)", re.DOTALL)
_OTHER_LABEL: Final = re.compile(
    rf"\(?({'|'.join(sorted(LETTER_NAMES, key=len, reverse=True))})[).।:]\s*(.+)", re.DOTALL
)
_GLOSS: Final = re.compile(r"\s*\([^()]*\)")
_LABEL_INSIDE: Final = re.compile(rf"\n[ \t]*\(?[A-J](?:\)|\.(?![A-Za-z])(?![ \t]*(?:{EPITHETS})\b))")
_FEWEST_GIVEN_AWAY: Final = 4  # letters of an option
_FEWEST_OPEN: Final = 12  # characters of an open answer
_SHOWN_GOLD: Final = 60


@dataclass(frozen=True, slots=True)
class Gold:
    """A gold among options: its letter if it names one, its text behind the letter, and how the two agree.

    ``impossible`` says why it names no option. ``label`` is the script of its letter, None where it gives a text alone.
    """

    letter: str | None
    label: Literal["latin", "other script"] | None
    text: str
    agreement: Agreement | None
    impossible: str | None = None


def read_gold(answer: str, options: Mapping[str, str]) -> Gold:
    """Read a gold that is not empty."""
    if len(answer) == 1 and answer.isascii() and answer.isalpha():
        letter = answer.upper()
        return Gold(letter, "latin", "", "same") if letter in options else _no_option(answer)
    whole = _letters_of(answer, options)
    if len(whole) == 1:
        return Gold(whole[0], None, answer, "same" if fold_space(options[whole[0]]) == fold_space(answer) else "form")
    if len(whole) > 1:
        return Gold(None, None, answer, None, f"the text of the options {' and '.join(whole)}")
    label: Literal["latin", "other script"]
    if match := _LABEL.fullmatch(answer):
        letter, label = match[1].upper(), "latin"
    elif match := _OTHER_LABEL.fullmatch(answer):
        letter, label = LETTER_NAMES[match[1]], "other script"
    else:
        return _no_option(answer)
    if letter not in options:
        return _no_option(answer)
    return Gold(letter, label, match[2].strip(), _compare(match[2], letter, options))


def _no_option(answer: str) -> Gold:
    return Gold(None, None, answer, None, "it names none of the options")


def _compare(text: str, letter: str, options: Mapping[str, str]) -> Agreement:
    option = options[letter]
    if fold_space(option) == fold_space(text):
        return "same"
    if set(_letters_of(text, options)) - {letter}:
        return "other option"
    if normalise_answer(option) == normalise_answer(text):
        return "form"
    bare, other = normalise_answer(_GLOSS.sub("", option)), normalise_answer(_GLOSS.sub("", text))
    return "glosses" if bare and bare == other else "words"


def _letters_of(text: str, options: Mapping[str, str]) -> list[str]:
    """The options with this text: as it stands, else but for case and punctuation."""
    wanted = fold_space(text)
    if found := [letter for letter, option in options.items() if fold_space(option) == wanted]:
        return found
    folded = normalise_answer(text)
    return [letter for letter, option in options.items() if folded and normalise_answer(option) == folded]


def holds_label(option: str) -> bool:
    """Whether a later line of an option's text begins like another option: "B. x" or "B) x", but not "E. coli"."""
    return bool(_LABEL_INSIDE.search(option))


def audit_golds(source: Source, limit: int) -> list[Finding]:
    """Empty and impossible golds, golds and options that disagree, answers inside the question, empty reasoning."""
    rows = [row for row in source.rows if row.question is not None or row.answer is not None]
    findings: list[Finding] = []
    if not rows:
        return findings
    empty, missing = Tally(limit), Tally(limit)
    for row in rows:
        if row.answer is None:
            missing.add(row.number, row.answer_field, row.stem)
        elif not row.answer:
            empty.add(row.number, row.answer_field, row.stem)
    findings += missing.finding(
        "gold-missing",
        "golds",
        "fault",
        "Rows without a gold's field",
        len(rows),
        "rows",
        "no answer field of any name",
    )
    findings += empty.finding(
        "gold-empty",
        "golds",
        "fault",
        "Empty golds",
        len(rows),
        "rows",
        "null, or nothing but white space",
        always=True,
    )
    findings += _among_options([row for row in rows if row.is_choice], limit)
    findings += _without_options([row for row in rows if not row.is_choice], limit)
    findings += _given_away(rows, limit)
    return findings + _reasoning(rows, limit)


def _among_options(rows: list[AuditRow], limit: int) -> list[Finding]:
    impossible, several = Tally(limit), Tally(limit)
    apart: dict[Agreement, Tally] = {kind: Tally(limit) for kind in ("form", "glosses", "words", "other option")}
    disagreeing, foreign = Tally(limit), Tally(limit)
    broken = foreign_apart = 0
    labelled = read = 0
    for row in rows:
        if not row.options or not row.answer:
            continue
        read += 1
        gold = read_gold(row.answer, row.options)
        if gold.impossible:
            tally = several if "the text of" in gold.impossible else impossible
            shown = " · ".join(f"{letter}. {text}" for letter, text in row.options.items())
            tally.add(row.number, row.answer_field, f"{row.answer[:_SHOWN_GOLD]} ≠ {shown}")
        if gold.letter is None or gold.label is None or not gold.text:
            continue
        if gold.label == "other script":
            foreign.add(row.number, row.answer_field, f"{gold.letter}: {row.answer}")
            foreign_apart += gold.agreement != "same"
            continue
        labelled += 1
        if gold.agreement in ("same", None):
            continue
        shown = f"{gold.letter}: gold “{gold.text[:_SHOWN_GOLD]}”, option “{row.options[gold.letter][:_SHOWN_GOLD]}”"
        disagreeing.add(row.number, row.answer_field, shown)
        apart[gold.agreement].add(row.number, row.answer_field, shown)
        broken += any(map(holds_label, row.options.values()))
    findings = impossible.finding(
        "gold-impossible",
        "golds",
        "fault",
        "Golds that name no option",
        read,
        "multiple-choice rows with options",
        "the letter is none of the options', or the text is no option's (case and punctuation aside)",
        always=bool(read),
    )
    findings += several.finding(
        "gold-ambiguous",
        "golds",
        "fault",
        "Golds that are the text of two options",
        read,
        "multiple-choice rows with options",
        "equal but for case and punctuation",
    )
    kinds: tuple[tuple[Agreement, str], ...] = (
        ("form", "differ in case or punctuation only"),
        ("glosses", "in glosses in parentheses only"),
        ("words", "in words"),
        ("other option", "give another option's text"),
    )
    note = "; ".join(f"{apart[kind].count} {words}" for kind, words in kinds if apart[kind].count)
    if broken:
        note += f"; in {broken} of all an option's text holds the label of another option"
    findings += disagreeing.finding(
        "gold-disagrees",
        "golds",
        "fault",
        "Golds whose text is not the text of the option that they name",
        labelled,
        "golds with a Latin letter and a text",
        "letter and text are read apart and compared but for runs of white space",
        note or None,
        always=bool(labelled),
    )
    return findings + foreign.finding(
        "gold-letter-of-other-script",
        "golds",
        "warning",
        "Golds whose letter is written in another script",
        read,
        "multiple-choice rows with options",
        "the name of a letter from A on and a danda, dot, colon or bracket, such as “बी।”",
        f"the text of {foreign_apart} is not the text of that option",
    )


def _without_options(rows: list[AuditRow], limit: int) -> list[Finding]:
    letters = Tally(limit)
    for row in rows:
        if row.answer and row.kind in (None, "mcq") and re.match(r"\(?[A-J](?:[).:]\s|$)", row.answer):
            letters.add(row.number, row.answer_field, f"{row.answer} ← {row.stem[-80:]}")
    return letters.finding(
        "gold-letter-without-options",
        "golds",
        "fault",
        "Golds with a letter, though the question has no options",
        len(rows),
        "rows without options",
        "the gold is a letter, or begins with one and a bracket, dot or colon",
    )


def _given_away(rows: list[AuditRow], limit: int) -> list[Finding]:
    choice, open_ended = Tally(limit), Tally(limit)
    choices = opens = 0
    for row in rows:
        if not row.answer or not row.stem:
            continue
        stem = f" {normalise_answer(row.stem)} "
        if row.options:
            gold = read_gold(row.answer, row.options)
            if gold.letter is None:
                continue
            choices += 1
            texts = {letter: normalise_answer(text) for letter, text in row.options.items()}
            inside = [letter for letter, text in texts.items() if text and f" {text} " in stem]
            if inside == [gold.letter] and sum(map(str.isalpha, texts[gold.letter])) >= _FEWEST_GIVEN_AWAY:
                choice.add(row.number, row.question_field, f"{row.options[gold.letter][:40]} ← {row.stem}")
        elif not row.is_choice:
            opens += 1
            answer = normalise_answer(row.answer)
            if len(answer) >= _FEWEST_OPEN and f" {answer} " in stem:
                open_ended.add(row.number, row.question_field, f"{row.answer[:40]} ← {row.stem}")
    findings = choice.finding(
        "gold-in-question",
        "golds",
        "warning",
        "The gold's text stands in the question, and no other option's does",
        choices,
        "multiple-choice rows with a gold",
        f"whole words, case and punctuation aside; options of {_FEWEST_GIVEN_AWAY} and more letters",
    )
    return findings + open_ended.finding(
        "answer-in-question",
        "golds",
        "warning",
        "The whole answer stands in the question",
        opens,
        "open rows",
        f"whole words, case and punctuation aside; answers of {_FEWEST_OPEN} and more characters",
    )


def _reasoning(rows: list[AuditRow], limit: int) -> list[Finding]:
    with_field = [row for row in rows if row.reasoning is not None]
    empty, same = Tally(limit), Tally(limit)
    for row in with_field:
        if not row.reasoning:
            empty.add(row.number, row.reasoning_field, row.stem)
        elif row.answer and len(row.answer) > 1 and fold_space(row.reasoning) == fold_space(row.answer):
            same.add(row.number, row.reasoning_field, row.reasoning)
    findings = empty.finding(
        "reasoning-empty",
        "golds",
        "fault",
        "Empty reasoning",
        len(with_field),
        "rows with the field",
        "null, or nothing but white space",
        always=bool(with_field),
    )
    return findings + same.finding(
        "reasoning-is-answer",
        "golds",
        "warning",
        "The reasoning is the answer again",
        len(with_field),
        "rows with the field",
        "equal but for white space",
    )
