"""Options of a multiple-choice row: a dict, a list, or the last lines of the question; and the gold among them."""

import re
import unicodedata
from collections.abc import Mapping
from string import ascii_uppercase

from app.rows import RepeatedFields, RowError, check_storable, describe

LETTERS = ascii_uppercase

# Abbreviated names of organisms that open a line like an option label: "E. coli" is no option E.
EPITHETS = (
    "albicans|anthracis|aureus|baumannii|botulinum|burgdorferi|burnetii|canis|cereus|coli|difficile|diphtheriae|"
    "duodenale|elegans|faecalis|faecium|fragilis|fumigatus|granulosus|henselae|histolytica|jejuni|lumbricoides|"
    "melanogaster|neoformans|niger|perfringens|pertussis|subtilis|tetani|trachomatis|vermicularis"
)
# A dot that ends a label: with a Latin letter right behind it, it is an abbreviation's (A.S.O.).
_DOT = rf"\.(?![A-Za-z])(?![ \t]*(?:{EPITHETS})\b)"
_LABEL = rf"(?:\(([A-Z])\)|([A-Z])(?:\)|{_DOT}))"
_LINE = re.compile(rf"[ \t]*{_LABEL}[ \t]*(.*)")
_LINE_END = re.compile(r"\n|<br ?/?>")
_INLINE = re.compile(rf"(?<!\S){_LABEL}(?=\s)")
_GOLD = re.compile(rf"\(?([A-Za-z])(?:\)|:|{_DOT})\s*(.*)", re.DOTALL)


def read_options(
    fields: Mapping[str, object], stated: str | None, question: str, answer_field: str, answer: str
) -> tuple[str, dict[str, str] | None, str | None]:
    """The question without its options, the options and the right letter; None and None for an open question.

    Args:
        fields: the row; its field ``options`` goes before options inside the question.
        stated: the kind that the row states: ``mcq`` must have options, another kind keeps its lists; None is open.
        question: the question's text.
        answer_field: the name of the gold's field, for errors.
        answer: the gold's text.

    Raises:
        RowError: the options or the gold among them cannot be used.
    """
    try:
        options = own_options(fields["options"]) if fields.get("options") else None
    except ValueError as error:
        raise RowError("options", str(error)) from None
    if options is None and stated in (None, "mcq"):
        question, options = split_lines(question)
        if options is None:
            return _inline_options(stated, question, answer_field, answer)
    if options is None:
        return question, None, None
    if not question:
        raise RowError("question", "the question is empty but for its options")
    if len(options) < 2:
        raise RowError("options", f"the question has {len(options)} option, not 2 or more")
    if empty := [letter for letter, text in options.items() if not text]:
        raise RowError("options", f"option {empty[0]} is empty")
    try:
        return question, options, find_gold(answer, options)
    except ValueError as error:
        raise RowError(answer_field, str(error)) from None


def own_options(value: object) -> dict[str, str]:
    """The options field as letter -> text: an object by letters, or a list in order of the alphabet.

    Raises:
        ValueError: another kind of value, a key that is no letter, a letter twice, a text that is none.
    """
    if isinstance(value, RepeatedFields):
        raise ValueError(f"option {value.repeated} stands twice")
    if isinstance(value, list):
        return _from_list([_option_text(LETTERS[i % 26], text) for i, text in enumerate(value)])
    if not isinstance(value, dict):
        raise ValueError(f"the options are {describe(value)}, neither an object nor a list")
    options: dict[str, str] = {}
    for key, text in value.items():
        letter = key.strip().upper()
        if len(letter) != 1 or letter not in LETTERS:
            raise ValueError(f"the key {key!r} is no letter from A to Z")
        if letter in options:
            raise ValueError(f"option {letter} stands twice")
        options[letter] = _option_text(letter, text)
    return dict(sorted(options.items()))


def split_lines(question: str) -> tuple[str, dict[str, str] | None]:
    """The question and the options that its last lines hold: "A. x", "(A) x" or "A) x", from A without a gap.

    Lines without the next letter belong to the option before them. The last line that opens such a run counts, so a
    list inside the question stays in it. None when fewer than two options follow one another.
    """
    lines = _LINE_END.split(question)
    labels = [_LINE.match(line) for line in lines]
    starts = [i for i, label in enumerate(labels) if label and (label[1] or label[2]) == "A"]
    for start in reversed(starts):
        options = _run(lines[start:], labels[start:])
        if len(options) >= 2:
            return "\n".join(lines[:start]).strip(), options
    return question, None


def split_inline(question: str) -> tuple[str, dict[str, str] | None]:
    """Like `split_lines` for options in running text; None unless every label in the text belongs to one run."""
    labels = list(_INLINE.finditer(question))
    letters = "".join(label[1] or label[2] for label in labels)
    if len(letters) < 2 or not LETTERS.startswith(letters):
        return question, None
    ends = [label.start() for label in labels[1:]] + [len(question)]
    texts = [question[label.end() : end].strip() for label, end in zip(labels, ends, strict=True)]
    if not all(texts):
        return question, None
    return question[: labels[0].start()].strip(), dict(zip(letters, texts, strict=True))


def find_gold(answer: str, options: dict[str, str]) -> str:
    """The right option's letter, given as a letter, as "B. text", "(B)", or as an option's exact text.

    Raises:
        ValueError: it names no option, two of them, or one by letter and another by text.
    """
    if len(answer) == 1 and answer.upper() in options:
        return answer.upper()
    named = _letters_of(answer, options)
    if len(named) == 1:
        return named[0]
    if len(named) > 1:
        raise ValueError(f"the gold answer is the text of the options {' and '.join(named)}")
    label = _GOLD.fullmatch(answer)
    if label and label[1].upper() in options:
        letter = label[1].upper()
        named = _letters_of(label[2], options)
        if named and letter not in named:
            raise ValueError(f"the gold answer names option {letter} but gives the text of option {named[0]}")
        return letter
    shown = answer if len(answer) <= 40 else answer[:39] + "…"
    raise ValueError(f"the gold answer {shown!r} is not among the options {', '.join(options)}")


def fold_space(text: str) -> str:
    """NFC with runs of white space as one blank: what "the same text" means here."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def _inline_options(
    stated: str | None, question: str, answer_field: str, answer: str
) -> tuple[str, dict[str, str] | None, str | None]:
    # "A. x B. y" in running text may be a list of anything: it is taken for options only when the gold is one of
    # them, or when the row itself says that it is multiple choice.
    stem, options = split_inline(question)
    if options is not None and stem:
        try:
            return stem, options, find_gold(answer, options)
        except ValueError as error:
            if stated == "mcq":
                raise RowError(answer_field, str(error)) from None
    if stated == "mcq":
        raise RowError("options", "the question has no options, neither in the field nor as its last lines")
    return question, None, None


def _letters_of(text: str, options: dict[str, str]) -> list[str]:
    wanted = fold_space(text)
    return [letter for letter, option in options.items() if fold_space(option) == wanted]


def _run(lines: list[str], labels: list[re.Match[str] | None]) -> dict[str, str]:
    texts: list[list[str]] = []
    for line, label in zip(lines, labels, strict=True):
        expected = LETTERS[len(texts)] if len(texts) < len(LETTERS) else None
        if label and (label[1] or label[2]) == expected:
            texts.append([label[3]])
        else:
            texts[-1].append(line)
    return {LETTERS[i]: "\n".join(text).strip() for i, text in enumerate(texts)}


def _from_list(texts: list[str]) -> dict[str, str]:
    if len(texts) > len(LETTERS):
        raise ValueError(f"there are {len(texts)} options, more than letters")
    labels = [_LINE.match(text) for text in texts]
    # ["A. x", "B. y"]: the labels go, if every text has its own.
    if all(label and (label[1] or label[2]) == LETTERS[i] for i, label in enumerate(labels)):
        texts = [text[label.start(3) :].strip() for text, label in zip(texts, labels, strict=True) if label]
    return {LETTERS[i]: text for i, text in enumerate(texts)}


def _option_text(letter: str, value: object) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"option {letter} is {describe(value)}, not text")
    check_storable(value)
    return value.strip()
