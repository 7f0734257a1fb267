"""Multiple-choice questions: five options, their letters given out here, evenly over a book."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from app.options import EPITHETS, LETTERS, fold_space, read_options, split_inline, split_lines
from app.prompts import render_question
from app.questions import normalise_question
from app.rows import RowError
from training.corpus.calls import Unusable
from training.corpus.instances.shapes import DISTRACTORS, McqItem

_LETTERS: Final = LETTERS[: DISTRACTORS + 1]

# "A. x", "(b) x", "1) x", "क) x": a label of the writer's own, but no "E. coli".
_LABEL = re.compile(rf"\(?(?:[A-Ea-e]|[0-9]{{1,2}}|[०-९]{{1,2}}|[क-ङ])[.)](?:\s+(?!(?:{EPITHETS})\b)|\Z)")
_AND = r"(?:और|व|एवं|तथा|या|and|or|&|,|/)"
# Options about options hold only where the writer had put them.
_ABOUT_OPTIONS = re.compile(
    r"उपरोक्त|उपर्युक्त|इन ?में से|इनमे से|(?:सभी|सब|दोनों|कोई भी|अन्य) विकल्प|"
    r"\b(?:all|none|both|any|neither|some) of (?:the )?(?:above|these|those|options|following)\b|\bthe above\b|"
    r"\A(?:(?:ये|यह|वे) )?(?:सभी|सब|दोनों|कोई नहीं|कोई भी नहीं|कुछ नहीं)(?: (?:सही|गलत|ग़लत|सत्य|असत्य)(?: हैं?)?)?\W*\Z|"
    r"\A(?:all|none|both|neither)\W*\Z|"
    rf"\A(?:केवल |only )?\(?[A-E]\)?(?: ?{_AND} ?\(?[A-E]\)?)+(?: (?:दोनों|सभी|both))?\W*\Z",
    re.IGNORECASE,
)
_NAME = r"(?:विकल्प|उत्तर|ऑप्शन|option|answer|choice)"
_NO_EPITHET = rf"(?!\.?\s*(?:{EPITHETS})\b)"
_LETTER = (
    rf"(?:(?-i:\(?[A-E]\)?)(?![\w'’-]){_NO_EPITHET}(?!\.[A-Za-z])|"
    r"(?:ए|बी|सी|डी|ई)(?![\w\u0900-\u0963]))"
)
# "विकल्प B", "सही उत्तर (D)", "option C", "B विकल्प"; and a line that begins with a label.
_NAMES_OPTION = re.compile(
    rf"{_NAME}(?:\s+(?:है|हैं|होगा|is|no\.?|संख्या))?\s*[:：—–-]?\s*[\"“'‘]?{_LETTER}|"
    rf"(?<![\w\u0900-\u0963]){_LETTER}\s+(?:{_NAME}|सही है|गलत है|is (?:correct|right|wrong|incorrect))|"
    rf"^\s*(?-i:\([A-E]\)|[A-E][.):：])\s+{_NO_EPITHET}",
    re.IGNORECASE | re.MULTILINE,
)
# "पहला विकल्प", "the last option": but a stem may ask for the first option of a treatment.
_OPTION = re.compile("विकल्प|ऑप्शन|[Oo]ption")
_PLACE = re.compile(
    r"(?:पहल[ाेी]|दूसर[ाेी]|तीसर[ाेी]|चौथ[ाेी]|पाँचव(?:ाँ|ें|ीं)|पांचव(?:ां|ें|ीं)|प्रथम|द्वितीय|तृतीय|चतुर्थ|पंचम|"
    r"अंतिम|आखिरी)\s+(?:विकल्प|ऑप्शन)|\b(?:first|second|third|fourth|fifth|last)\s+option",
    re.IGNORECASE,
)


def check_mcq(item: McqItem) -> None:
    """Stem and options can be put under letters in any order, and the reasoning names none of them.

    Raises:
        Unusable: they cannot; with the reason.
    """
    options = [item.answer, *item.distractors]
    if len(options) != len(_LETTERS):
        raise Unusable("not five options", f"{len(options)} of them")
    for option in options:
        if len(option.splitlines()) != 1:
            raise Unusable("malformed option", "a line end")
        if _LABEL.match(option):
            raise Unusable("malformed option", f"a label: {option[:40]}")
        if found := _ABOUT_OPTIONS.search(option):
            raise Unusable("option about other options", found[0])
    if len({normalise_question(option) or fold_space(option) for option in options}) < len(options):
        raise Unusable("duplicate options")
    if split_lines(item.question)[1] is not None or split_inline(item.question)[1] is not None:
        raise Unusable("options inside the question")
    for text in (item.question, item.reasoning):
        if found := _NAMES_OPTION.search(text):
            raise Unusable("names an option by its letter", found[0])
    if _OPTION.search(item.reasoning) and (found := _PLACE.search(item.reasoning)) and found[0] not in item.question:
        raise Unusable("names an option by its place", found[0])


@dataclass(slots=True)
class Letters:
    """Gives out the right answers' letters over one book: each of them once in every five questions.

    The order within five is drawn by the id of the first of them, so that it is the same each time.
    """

    _left: list[str] = field(default_factory=list)

    def place(self, instance_id: str, item: McqItem) -> tuple[str, str]:
        """The question with its option lines, and the right letter; a question that is refused takes none.

        Raises:
            Unusable: ``does not read back``: the text would be read as other options than these.
        """
        if not self._left:
            self._left = _drawn(instance_id, _LETTERS)
        gold = self._left[-1]
        texts = _drawn(instance_id, item.distractors)
        texts.insert(_LETTERS.index(gold), item.answer)
        options = dict(zip(_LETTERS, texts, strict=True))
        question = render_question(item.question, options)
        try:
            read = read_options({"question": question, "answer": gold}, "mcq", question, "answer", gold)
        except RowError as error:
            raise Unusable("does not read back", str(error)) from None
        if read != (item.question, options, gold):
            raise Unusable("does not read back", "other options")
        self._left.pop()
        return question, gold


def _drawn(seed: str, values: Sequence[str]) -> list[str]:
    """The values in an order that the seed decides, on every machine and whatever order they come in."""
    return sorted(values, key=lambda value: hashlib.sha256(f"{seed}\n{value}".encode()).digest())
