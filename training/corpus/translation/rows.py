"""Rows of an English corpus in HiMed-West's layout, their segments, and the same rows in Hindi."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from app.options import fold_space
from app.rows import RowError, read_text
from training.corpus.translation.checks import Refused
from training.corpus.translation.engines.base import Failed
from training.corpus.translation.gold import Choice, Gold, GoldError, choose, parse_gold
from training.corpus.translation.prompt import Prompt, parse_prompt
from training.corpus.translation.sentences import split_text

PROMPT: Final = "prompt"
REASONING: Final = "Complex_CoT"
GOLD: Final = "ground_truth"
FIELDS: Final = (PROMPT, REASONING, GOLD)

_END: Final = (".", "।")


@dataclass(frozen=True, slots=True)
class Source:
    """An English row.

    Attributes:
        prompt: question, options and layout.
        gold: letter and text.
        choice: the option that it names; None for an open question, or a gold in words of its own.
        reasoning: None without any.
    """

    prompt: Prompt
    gold: Gold
    choice: Choice | None
    reasoning: str | None

    def texts(self) -> Iterator[str]:
        """What is translated, part by part; what the gold says of its option is not said again."""
        yield self.prompt.question
        yield from (self.prompt.options or {}).values()
        yield self.prompt.tail
        yield self.reasoning or ""
        yield self.choice.rest if self.choice else self.gold.text

    def segments(self) -> Iterator[str]:
        """The segments that a table must have."""
        for text in self.texts():
            yield from (piece.text for piece in split_text(text) if piece.translate)


def read_source(fields: Mapping[str, object]) -> Source:
    """Read an English row.

    Raises:
        Refused: a field is missing, empty or no text, or the gold is unlike its option.
    """
    for name in (PROMPT, GOLD):
        if name not in fields or not _text(fields, name).strip():
            raise Refused("a field is missing", f"{name} is missing or empty")
    prompt = parse_prompt(_text(fields, PROMPT))
    if prompt.options is not None and not prompt.question:
        raise Refused("a field is missing", "the prompt is empty but for its options")
    if empty := [letter for letter, text in (prompt.options or {}).items() if not text.strip()]:
        raise Refused("an option is empty", f"option {empty[0]}")
    written = _text(fields, GOLD)
    gold = parse_gold(written)
    if prompt.options is None:
        if gold.letter and not gold.text:
            raise Refused("gold unlike its option", f"the gold is {gold.letter}, the prompt has no options")
        gold = Gold(None, written)
    try:
        choice = choose(gold, prompt.options) if prompt.options else None
    except GoldError as error:
        raise Refused("gold unlike its option", str(error)) from None
    return Source(prompt, gold, choice, _text(fields, REASONING) if fields.get(REASONING) else None)


def translate_source(
    source: Source, table: Mapping[str, str | Failed], plain: Mapping[str, str | Failed]
) -> dict[str, str | None]:
    """The row's three fields in Hindi. The gold is its option's text from the same table, letters stay as they are.

    Args:
        source: the row.
        table: the translations.
        plain: the same without glosses, which would tell options apart that have become one.

    Raises:
        Refused: a segment has no translation, or options and gold cannot be read back as they are meant.
    """
    prompt = source.prompt
    options = None
    if prompt.options is not None:
        options = {letter: _translate(text, table) for letter, text in prompt.options.items()}
        _check_alike(prompt.options, {letter: _translate(text, plain) for letter, text in prompt.options.items()})
    hindi = replace(
        prompt,
        question=_translate(prompt.question, table),
        options=options,
        lead=_lead(prompt.lead),
        tail=_translate(prompt.tail, table),
    )
    if source.choice is None or options is None:
        gold = source.gold.label + _translate(source.gold.text, table)
    elif source.choice.how == "letter" and not source.gold.text.strip():
        gold = source.gold.render()
    else:
        said, rest = options[source.choice.letter], source.choice.rest
        if said.endswith(_END) and rest.startswith(_END):
            rest = rest[1:]
        gold = source.gold.label + said + _translate(rest, table)
    _check(source, hindi, gold)
    reasoning = None if source.reasoning is None else _translate(source.reasoning, table)
    return {PROMPT: hindi.render(), REASONING: reasoning, GOLD: gold}


def _translate(text: str, table: Mapping[str, str | Failed]) -> str:
    said = []
    for piece in split_text(text):
        found = table.get(piece.text) if piece.translate else piece.text
        if not isinstance(found, str):
            why = f"{found.reason}: " if found else ""
            raise MissingSegment(f"{why}{piece.text}", again=found is not None and found.again)
        said.append(found)
    return "".join(said)


class MissingSegment(Refused):
    """A row with a segment that has no translation. ``again``: another run may do better."""

    def __init__(self, detail: str, *, again: bool) -> None:
        super().__init__("a segment is missing", detail)
        self.again = again


def _lead(lead: str) -> str:
    """The line that opens the options, in fixed words."""
    if not lead or not lead.isascii():
        return lead
    return "उत्तर विकल्प:" if "answer" in lead.casefold() else "विकल्प:"


def _check(source: Source, hindi: Prompt, gold: str) -> None:
    read = parse_prompt(hindi.render())
    if (read.options is None) != (hindi.options is None):
        raise Refused("options not read back", "the Hindi prompt is read with other options than it has")
    if hindi.options is None or read.options is None:
        return
    if _folded(read.options) != _folded(hindi.options):
        raise Refused("options not read back", "the Hindi prompt is read with other options than it has")
    if source.choice is not None:
        try:
            named = choose(parse_gold(gold), read.options)
        except GoldError as error:
            raise Refused("gold not read back", str(error)) from None
        if named is None or named.letter != source.choice.letter:
            raise Refused("gold not read back", f"names {named.letter if named else 'no option'}")


def _check_alike(english: Mapping[str, str], hindi: Mapping[str, str]) -> None:
    said = _folded(hindi)
    if len(set(_folded(english).values())) > len(set(said.values())):
        raise Refused("options became alike", "; ".join(said.values())[:200])


def _folded(options: Mapping[str, str]) -> dict[str, str]:
    return {letter: fold_space(text) for letter, text in options.items()}


def _text(fields: Mapping[str, object], name: str) -> str:
    try:
        read_text(fields, name)
    except RowError as error:
        raise Refused("a field is no text", str(error)) from None
    value = fields[name]
    return value if isinstance(value, str) else ""
