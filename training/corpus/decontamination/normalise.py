"""What of a row is compared, in a form that case, punctuation, white space and the order of options do not change.

Vowel signs, the virama and the nukta are characters like all others: without them Hindi words would fall together.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import regex

from app.options import own_options, split_inline, split_lines
from app.questions import ANSWER_FIELDS, QUESTION_FIELDS
from app.rows import RowError, first_field, read_text

MIN_WORDS: Final = 8
"""A shorter text is told apart by its numbers (factor 8, factor 9); in a longer one another number is a paraphrase."""

_DIGIT = re.compile("[0-9]")
_NUMBER = re.compile(r"(?<!\S)[0-9]+(?: [0-9]+)*(?!\S)")
_LETTER = regex.compile(r"\p{L}")
# Scripts that set no blanks between words; each character with its marks is a word here.
_UNSPACED = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]\p{M}*")
# Far quicker to look for: the blocks from Thai to Khmer, and from Han's radicals on.
_MAYBE_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\uabff\uf900-\ufaff\U00020000-\U0003ffff]")
_ZERO_WIDTH_SPACE: Final = "\u200b"


class _Folding(dict[int, str | None]):
    """What becomes of a character, found out once for each."""

    def __missing__(self, code: int) -> str | None:
        character = chr(code)
        category = unicodedata.category(character)
        folded: str | None
        if category == "Nd":
            folded = str(unicodedata.decimal(character))
        elif category[0] in "LMN":
            folded = character
        elif category == "Cf" and character != _ZERO_WIDTH_SPACE:
            folded = None  # joiners stand inside words
        else:
            folded = " "
        self[code] = folded
        return folded


_FOLDING: Final = _Folding()


def normalise(text: str) -> str:
    """The text in NFC and lower case with every mark: what is the same to a reader who skips the punctuation.

    Digits of all scripts are ASCII, punctuation, danda and symbols are blanks, joiners go, white space is folded. A
    text without letters keeps its signs, since they are what it says.
    """
    text = unicodedata.normalize("NFC", text)
    if (lower := text.casefold()) != text:
        text = unicodedata.normalize("NFC", lower)
    folded = text.translate(_FOLDING)
    if not _LETTER.search(folded):
        folded = text
    elif len(folded) < len(text):  # what a joiner kept apart may compose now
        folded = unicodedata.normalize("NFC", folded)
    return " ".join(folded.split())


def fold_numbers(normalised: str) -> str:
    """The text with each number, decimals included, as 0; ``b12`` is a word and stays."""
    return _NUMBER.sub("0", normalised) if _DIGIT.search(normalised) else normalised


def part_words(normalised: str) -> str:
    """The text with blanks between all words, also in scripts that set none."""
    if not _MAYBE_UNSPACED.search(normalised):
        return normalised
    return " ".join(_UNSPACED.sub(r" \g<0> ", normalised).split())


@dataclass(frozen=True, slots=True)
class Texts:
    """What is compared of one row.

    Attributes:
        stem: the normalised question without its options.
        options: the normalised options in the order of their texts; empty for an open question.
        answer: the normalised answer.
        all: every text of the row, for its 8-grams: question, options, answer, reasoning, context.
        id: the row's own name, where it has one.
        passage, context: the passage that it was made from, by id and by normalised text.
    """

    stem: str
    options: tuple[str, ...] = ()
    answer: str = ""
    all: tuple[str, ...] = ()
    id: str | None = None
    passage: str | None = None
    context: str | None = None

    @property
    def whole(self) -> str:
        """The stem, and the options one a line."""
        return "\n".join((self.stem, *self.options))


def compared_form(text: str) -> str:
    """The lines with their numbers folded, where the other words are enough to be told by."""
    folded = "\n".join(fold_numbers(line) for line in text.split("\n"))
    if folded == text or sum(word != "0" for word in folded.split()) < MIN_WORDS:
        return text
    return folded


def read_texts(fields: Mapping[str, Any]) -> Texts:
    """What is compared of a row of any layout; the stem is empty where no question can be read.

    Raises:
        RowError: the question is no text.
    """
    name = first_field(fields, QUESTION_FIELDS)
    question = read_text(fields, name) if name is not None else ""
    stem, options = _parts(fields, question)
    passage, context = fields.get("passage_id"), fields.get("context")
    row_id = fields.get("id", fields.get("question_number"))
    asked = [normalise(text) for text in (stem, *options)]
    return Texts(
        asked[0],
        tuple(sorted(text for text in asked[1:] if text)),
        normalise(_answer(fields)),
        tuple(_long_texts(fields, name, asked)),
        str(row_id) if isinstance(row_id, str | int) else None,
        passage if isinstance(passage, str) and passage.strip() else None,
        (normalise(context) or None) if isinstance(context, str) else None,
    )


def _answer(fields: Mapping[str, Any]) -> str:
    name = first_field(fields, ANSWER_FIELDS)
    try:
        return read_text(fields, name, numbers=True) if name is not None else ""
    except RowError:
        return ""


def _parts(fields: Mapping[str, Any], question: str) -> tuple[str, tuple[str, ...]]:
    options: dict[str, str] | None = None
    if fields.get("options"):
        try:
            options = own_options(fields["options"])
        except ValueError:
            options = None  # nobody can be asked it so; its question is compared all the same
    stem = question
    if options is None:
        stem, options = split_lines(question)
    if options is None and str(fields.get("type", "")).casefold() == "mcq":
        stem, options = split_inline(question)
    if not stem or options is None:
        return question, ()
    return stem, tuple(options.values())


def _long_texts(fields: Mapping[str, Any], question: str | None, asked: Sequence[str]) -> list[str]:
    """The texts of at least eight words; fewer hold no run."""
    others = [
        normalise(value)
        for name, value in fields.items()
        if name != question and isinstance(value, str) and len(value) >= MIN_WORDS
    ]
    texts = (part_words(fold_numbers(text)) for text in (*asked, *others))
    return [text for text in texts if text.count(" ") >= MIN_WORDS - 1]


def question_texts(texts: Texts) -> list[str]:
    """A benchmark item's question and options for its 8-grams."""
    return [part_words(fold_numbers(text)) for text in (texts.stem, *texts.options)]
