"""What is known of a passage: its language, whether it is medical, whether it stands alone, whether it is a title."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from app.consistency import assess
from app.errors import InputError
from app.languages import get_language
from training.corpus.calls import Caller, CallError, Shape
from training.corpus.passages.ask import OUTPUT_RULES, ask_about
from training.corpus.passages.blocks import Block
from training.corpus.passages.passage import Flag, Flags, Passage

PURPOSE: Final = "flag"

_MOST_IN_LANGUAGE: Final = 0.5  # of the letters of a text with sentences in several languages
_LONGEST_TITLE: Final = 100  # characters
_SENTENCE_ENDS: Final = tuple("।॥.!?;,።。")


class Judged(Shape):
    """What a model says of one passage."""

    in_language: bool
    is_medical: bool
    has_ambiguity: bool
    is_title_or_heading: bool


@dataclass(frozen=True, slots=True)
class Languages:
    """The languages that passages are picked in.

    Attributes:
        codes: ISO 639-1; none for any language.
    """

    codes: tuple[str, ...]

    @classmethod
    def of(cls, keys: Iterable[str]) -> "Languages":
        """The languages of a corpus's configuration.

        Raises:
            InputError: one of them is none of the fourteen.
        """
        try:
            return cls(tuple(get_language(key).code for key in keys))
        except InputError as error:
            raise InputError(error.problem, field="languages", remedy=error.remedy) from None

    @property
    def names(self) -> str:
        """Such as ``Hindi`` or ``Hindi or Bengali``."""
        return " or ".join(get_language(code).english for code in self.codes) or "any language"

    def include(self, text: str) -> Flag:
        """Whether a text is in one of them; None where it is too short to tell.

        A text with sentences in several languages is in the one that has at least half of its letters.
        """
        if not self.codes:
            return True
        found: Flag = False
        for code in self.codes:
            share = assess(text, code).target_share
            if share is not None and share >= _MOST_IN_LANGUAGE:
                return True
            if share is None:
                found = None
        return found


def is_plain_title(block: Block) -> bool:
    """Whether a block needs nobody's word to be called a title: recognised as one, short, one line, no sentence."""
    text = block.text
    if block.kind != "heading" or len(text) > _LONGEST_TITLE:
        return False
    return "\n" not in text and not text.endswith(_SENTENCE_ENDS)


def flag_prompt(languages: Languages) -> str:
    """What a model is told before it is shown passages."""
    return f"""\
You sort passages that were recognised from scanned books, before questions are written from them. They are neighbours \
in one book and stand in its order. Say of each passage:

- in_language: true if its sentences are in {languages.names}. Terms, names and abbreviations in another language or \
script change nothing.
- is_medical: true if it states something of health or medicine, modern or traditional: diseases, symptoms, causes, \
diagnosis, treatment, medicines, anatomy, diet, prevention. Prefaces, publishers' notes, addresses, tables of contents \
and lists of references are not.
- has_ambiguity: true if a reader who sees this passage alone cannot tell what it is about: its subject is only "it", \
"this disease" or "as said above", it begins or ends within a sentence, or it is a list item or table whose subject is \
not named in it.
- is_title_or_heading: true if it is only a title, a heading, a caption, a page header or a page number, and states \
nothing by itself.

{OUTPUT_RULES} Each has in_language, is_medical, has_ambiguity and is_title_or_heading, all of them true or false."""


async def flag(
    caller: Caller, passages: Sequence[Passage], languages: Languages
) -> list[tuple[Passage, CallError | None]]:
    """A group of neighbours with their flags, and the fault where the model's word is missing.

    What the text itself tells goes before the model's word: its language, and a flag that is set already. A flag that
    nobody could tell stays None.

    Args:
        caller: asks the writer.
        passages: at most as many as `in_groups` gives.
        languages: of the corpus.

    Raises:
        EndpointAwayError: the endpoint is away.
    """
    flagged: list[tuple[Passage, CallError | None]] = []
    answers = await ask_about(caller, PURPOSE, flag_prompt(languages), passages, Judged)
    for passage, answer in zip(passages, answers, strict=True):
        told = languages.include(passage.text)
        if isinstance(answer, CallError):
            flags = replace(passage.flags, is_hindi=told)
            flagged.append((replace(passage, flags=flags, trouble=str(answer)), answer))
            continue
        title = passage.flags.is_title_or_heading
        flags = Flags(
            is_hindi=answer.in_language if told is None else told,
            is_medical=answer.is_medical,
            has_ambiguity=answer.has_ambiguity,
            is_title_or_heading=answer.is_title_or_heading if title is None else title,
        )
        flagged.append((replace(passage, flags=flags), None))
    return flagged
