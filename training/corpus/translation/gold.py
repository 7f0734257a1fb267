"""Gold answers of multiple-choice prompts, and which option they name."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from app.options import EPITHETS, fold_space
from training.corpus.translation.prompt import HINDI_LETTERS

How = Literal["letter", "text", "start"]

_NAMES: Final = {name: letter for letter, name in HINDI_LETTERS.items()}
_BARE: Final = re.compile(r"\s*\(?([A-Ja-j])[).:]?\s*")
_LABEL: Final = re.compile(
    rf"\s*(?:\(([A-Ja-j])\)|([A-J])(?:\)|:|\.(?![A-Za-z])(?!\s*(?:{EPITHETS})\b))|({'|'.join(_NAMES)})[.।):](?=\s))\s*"
)
_END: Final = " \t\n.।;,:"
_AFTER: Final = re.compile(r"\s*(?:[.।:;\n]|\(?Explanation\b|\Z)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Gold:
    """A gold answer.

    Attributes:
        letter: the option's, in upper case; None where the text names none.
        text: what stands behind the letter, or all of it.
        label: the letter as it is written, with its point and blanks.
    """

    letter: str | None
    text: str
    label: str = ""

    def render(self) -> str:
        """The gold as it is written."""
        return self.label + self.text


@dataclass(frozen=True, slots=True)
class Choice:
    """The option that a gold names.

    Attributes:
        letter: of the option.
        how: by its ``letter`` (its text agrees, or there is none), by its ``text`` alone, or by text that the gold
            ``start``s with before it explains.
        rest: what the gold says behind the option's text, from its punctuation on.
    """

    letter: str
    how: How
    rest: str = ""


class GoldError(Exception):
    """A gold that names one option and says another's text, or something that no option says."""


def parse_gold(text: str) -> Gold:
    """Read a gold: ``D``, ``(D)``, ``B. text``, ``B) text``, ``B: text``, ``बी। text`` or text; ``E. coli`` is text."""
    if bare := _BARE.fullmatch(text):
        return Gold(bare[1].upper(), "", text)
    label = _LABEL.match(text)
    if label is None or not text[label.end() :]:
        return Gold(None, text)
    letter = label[1] or label[2] or _NAMES[label[3]]
    return Gold(letter.upper(), text[label.end() :], label[0])


def choose(gold: Gold, options: Mapping[str, str]) -> Choice | None:
    """The option that a gold names; None where it has no letter and no option's text.

    Texts are equal when they differ in case, blanks and a last point at most.

    Raises:
        GoldError: its letter is no option's, or its text is not that option's.
    """
    if gold.letter is not None:
        if gold.letter not in options:
            raise GoldError(f"the gold names option {gold.letter}, the prompt has {', '.join(options)}")
        if not gold.text.strip():
            return Choice(gold.letter, "letter")
        if (rest := _rest(gold.text, options[gold.letter])) is not None:
            return Choice(gold.letter, "letter", rest)
        said = [letter for letter, option in options.items() if _rest(gold.text, option) is not None]
        what = f"gives the text of option {said[0]}" if said else f"says {_short(gold.text)}"
        raise GoldError(f"the gold names option {gold.letter}, {_short(options[gold.letter])}, but {what}")
    same = [letter for letter, option in options.items() if _fold(option) == _fold(gold.text)]
    if len(same) == 1:
        return Choice(same[0], "text", _rest(gold.text, options[same[0]]) or "")
    # The longest first: "60 mg daily" begins with "60 mg" too.
    for letter, option in sorted(options.items(), key=lambda item: -len(item[1])):
        if not same and (rest := _rest(gold.text, option)) is not None:
            return Choice(letter, "start", rest)
    return None


def _rest(text: str, option: str) -> str | None:
    """What a gold says behind the option's text; None where it does not begin with it."""
    words = option.strip().rstrip(_END).split()
    if not words:
        return None
    found = re.match(r"\s*" + r"\s+".join(map(re.escape, words)), text, re.IGNORECASE)
    if found is None:
        return None
    rest = text[found.end() :]
    if not rest.strip(_END):
        return ""
    return rest if _AFTER.match(rest) else None


def _fold(text: str) -> str:
    return fold_space(text).casefold().rstrip(_END)


def _short(text: str) -> str:
    text = fold_space(text)
    return repr(text if len(text) <= 60 else text[:59] + "…")
