"""What the writer is asked to write, as JSON. An item that the passage does not support is null."""

from functools import cache
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import BeforeValidator, Field, Strict, create_model

from training.corpus.calls import Shape
from training.corpus.config import Kind, Subject

Level = Literal["easy", "medium", "hard"]
LEVELS: Final[tuple[Level, ...]] = get_args(Level)
DISTRACTORS: Final = 4

_CANNOT = frozenset(("cannot", "null", "none", "n/a", ""))


def _null_for_words(value: object) -> object:
    # A model that no schema holds writes "cannot" where null is meant.
    return None if isinstance(value, str) and value.strip(" <>/.").casefold() in _CANNOT | {"fail"} else value


# How many are wanted stands in the schema alone: one too few spoils its item, not the whole reply. Not strict, since
# behind a validator of ours JSON's lists are no longer known as such.
_Distractors = Annotated[
    tuple[str, ...],
    Strict(False),
    Field(json_schema_extra={"minItems": DISTRACTORS, "maxItems": DISTRACTORS}),
]


class McqItem(Shape):
    """A multiple-choice question; which letters the options get is not the writer's affair."""

    question: str
    answer: str
    distractors: _Distractors
    reasoning: str


class QaItem(Shape):
    """An open question."""

    question: str
    answer: str
    reasoning: str


class Turn(Shape):
    """What one side of a dialogue says."""

    role: Literal["user", "assistant"]
    text: str


class DialogueItem(Shape):
    """A dialogue up to the user's last words; the answer is what the assistant says next."""

    turns: Annotated[tuple[Turn, ...], Strict(False), Field(json_schema_extra={"minItems": 3})]
    answer: str
    reasoning: str


Item = McqItem | QaItem | DialogueItem


class McqLevels(Shape):
    """One of each level."""

    easy: Annotated[McqItem | None, BeforeValidator(_null_for_words)]
    medium: Annotated[McqItem | None, BeforeValidator(_null_for_words)]
    hard: Annotated[McqItem | None, BeforeValidator(_null_for_words)]


class QaLevels(Shape):
    """One of each level."""

    easy: Annotated[QaItem | None, BeforeValidator(_null_for_words)]
    medium: Annotated[QaItem | None, BeforeValidator(_null_for_words)]
    hard: Annotated[QaItem | None, BeforeValidator(_null_for_words)]


class DialogueLevels(Shape):
    """One of each level."""

    easy: Annotated[DialogueItem | None, BeforeValidator(_null_for_words)]
    medium: Annotated[DialogueItem | None, BeforeValidator(_null_for_words)]
    hard: Annotated[DialogueItem | None, BeforeValidator(_null_for_words)]


_LEVELS_OF: Final[dict[Kind, type[Shape]]] = {"MCQ": McqLevels, "QA": QaLevels, "Dialogue": DialogueLevels}


class OpenQuestion(Shape):
    """A question of CURE-Med's, its reasoning in steps, and its answer."""

    question: str
    steps: Annotated[tuple[str, ...], Field(json_schema_extra={"minItems": 2})]
    answer: str


# Shapes are made once for each choice of subjects and kinds: a caller settles its request fields by the class.


@cache
def suit_shape(subjects: tuple[Subject, ...], kinds: tuple[Kind, ...]) -> type[Shape]:
    """For each subject (`key_of`) the kinds that suit a passage; an empty list says that none does."""
    chosen: Any = tuple[Literal[kinds], ...]  # type: ignore[valid-type]  # known when it runs
    fields: dict[str, Any] = {key_of(subject): (chosen, ...) for subject in subjects}
    return create_model("Suits", __base__=Shape, **fields)


@cache
def items_shape(kinds: tuple[Kind, ...]) -> type[Shape]:
    """For each kind (`key_of`) an item of every level."""
    fields: dict[str, Any] = {key_of(kind): (_LEVELS_OF[kind], ...) for kind in kinds}
    return create_model("Items", __base__=Shape, **fields)


@cache
def questions_shape(count: int) -> type[Shape]:
    """``questions``: up to so many of `OpenQuestion`."""
    listed = Annotated[tuple[OpenQuestion, ...], Field(json_schema_extra={"maxItems": count})]
    return create_model("Questions", __base__=Shape, questions=(listed, ...))


def key_of(name: Subject | Kind) -> str:
    """The JSON key of a subject or kind."""
    return name.casefold().replace(" ", "_")
