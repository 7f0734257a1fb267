"""The question of an exam: read from what a person typed or pasted, with its answer when there is one."""

import re
from dataclasses import dataclass
from string import ascii_lowercase
from typing import Final

from app.options import own_options, split_inline, split_lines
from app.prompts import MAX_OPTIONS, MIN_OPTIONS
from app.rows import check_storable
from ui.answers import LiveAnswer
from ui.gateway import LONGEST_OPTION, LONGEST_QUESTION

_MOST_LINES: Final = 1_000  # of a pasted text; looking for options in many more would take long
# Labels of pasted options besides A, B, C, each in its order; Hindi papers count by consonants, by अ ब स द, or digits.
_ORDERS: Final[tuple[tuple[str, ...], ...]] = (
    tuple(ascii_lowercase),
    tuple(str(n) for n in range(1, MAX_OPTIONS + 1)),
    tuple("कखगघङ"),
    tuple("अबसद"),
    tuple("१२३४५६७८९"),
)
_LABELLED: Final = re.compile(r"(?:\(\s*(\w{1,2})\s*\)|(\w{1,2})(?:\)|\.(?=\s)))\s*(.+)")


class FieldError(Exception):
    """A field cannot be used as it stands.

    Attributes:
        field: ``question``, ``options`` or ``benchmark``.
        key: of the sentence that says why, and ``values`` of its placeholders.
    """

    def __init__(self, at: str, key: str, **values: object) -> None:
        super().__init__(key)
        self.field, self.key, self.values = at, key, values


@dataclass(slots=True)
class Paper:
    """One multiple-choice question.

    Attributes:
        options: letter to text, from A without a gap where a person wrote them.
        gold: the right letter; None when nobody knows it.
        language: its language where that is known.
        origin: the benchmark and item that it was drawn from.
        samples: how often the model was asked.
        answer: the model's; None until it is asked.
    """

    question: str
    options: dict[str, str]
    gold: str | None = None
    language: str | None = None
    origin: str = ""
    samples: int = 1
    answer: LiveAnswer | None = None


@dataclass(slots=True)
class Desk:
    """What a session has before it: the paper on show, and the one that was last drawn (``drawn_id`` of its item)."""

    paper: Paper | None = None
    drawn: Paper | None = None
    drawn_id: str | None = None

    @property
    def busy(self) -> bool:
        """Whether the paper on show is being answered."""
        return self.paper is not None and self.paper.answer is not None and self.paper.answer.growing


def read_options(text: str) -> dict[str, str]:
    """Options by letter from lines; labels that every line has ("A. x") go.

    Raises:
        FieldError: they are more than letters, one is too long, or they hold characters that no database stores.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > MAX_OPTIONS:
        raise FieldError("options", "exam.many_options", n=len(lines))
    try:
        options = own_options(lines)
    except ValueError:
        raise FieldError("options", "exam.unusable") from None
    if long := [letter for letter, option in options.items() if len(option) > LONGEST_OPTION]:
        raise FieldError("options", "exam.long_option", letter=long[0], most=f"{LONGEST_OPTION:,}")
    return options


def read_paper(question: str, options: str) -> Paper:
    """The paper that a person wrote.

    Raises:
        FieldError: the question is empty or too long, or its options cannot be used.
    """
    question = question.strip()
    if not question:
        raise FieldError("question", "exam.empty")
    if len(question) > LONGEST_QUESTION:
        raise FieldError("question", "problem.too_long")
    try:
        check_storable(question)
    except ValueError:
        raise FieldError("question", "exam.unusable") from None
    lettered = read_options(options)
    if len(lettered) < MIN_OPTIONS or not all(lettered.values()):
        raise FieldError("options", "exam.few_options")
    return Paper(question, lettered)


def take_apart(text: str) -> tuple[str, list[str]]:
    """The question and the options of a text that holds both; no options where none can be told.

    Options begin with A., B., C. as in benchmarks; or the last lines are options, each on its own line, that begin with
    a., 1., (क), (अ) or १. and what follows these.
    """
    text = text.strip()
    if text.count("\n") + text.count("<br") > _MOST_LINES:
        return text, []
    question, options = split_lines(text)
    if options is None:
        question, options = split_inline(text)
    if options is None:
        return _split_last_lines(text)
    # One option a line is how they are corrected.
    return question, [" ".join(option.split()) for option in options.values()]


def _split_last_lines(text: str) -> tuple[str, list[str]]:
    lines = text.splitlines()
    labels: list[str] = []
    options: list[str] = []
    for i in reversed(range(len(lines))):
        if not (line := lines[i].strip()):
            continue
        if (found := _LABELLED.fullmatch(line)) is None or len(labels) == MAX_OPTIONS:
            break
        labels.insert(0, found[1] or found[2])
        options.insert(0, " ".join(found[3].split()))
        if len(labels) > 1 and any(tuple(labels) == order[: len(labels)] for order in _ORDERS):
            question = "\n".join(lines[:i]).strip()
            return (question, options) if question else (text, [])
    return text, []
