"""The bodies of the medical routes."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from app.consistency import Verdict
from app.options import own_options
from app.prompts import MAX_OPTIONS, MIN_OPTIONS
from server.config import AUTO
from server.fields import storable

MOST_SAMPLES = 32
LONGEST_QUESTION = 32_000  # characters, of which a patient's whole history takes a few thousand
LONGEST_OPTION = 4_000  # characters
_LONGEST_ANSWER = 64_000
_MOST_TURNS = 100
_LARGEST_SEED = 2**53 - 1  # what every JSON reader holds


def _by_letter(value: Any) -> Any:
    """Options as letter to text; lists get A, B, …, and lose labels of their own."""
    if value is None:
        return None
    try:
        options = own_options(value)
    except ValueError as error:
        raise PydanticCustomError("options", "{reason}", {"reason": str(error)}) from None
    if not MIN_OPTIONS <= len(options) <= MAX_OPTIONS:
        raise PydanticCustomError("options", f"a question has {MIN_OPTIONS} to {MAX_OPTIONS} options, or none")
    for letter, text in options.items():
        if not 0 < len(text) <= LONGEST_OPTION:
            problem = f"is longer than {LONGEST_OPTION:,} characters" if text else "is empty"
            raise PydanticCustomError("options", "option {letter} {problem}", {"letter": letter, "problem": problem})
    return options


_Option = Annotated[str, Field(min_length=1, max_length=LONGEST_OPTION)]
_Lettered = Annotated[
    dict[Annotated[str, Field(pattern=r"^[A-Za-z]$")], _Option], Field(min_length=MIN_OPTIONS, max_length=MAX_OPTIONS)
]
_Listed = Annotated[list[_Option], Field(min_length=MIN_OPTIONS, max_length=MAX_OPTIONS)]


class EarlierTurn(BaseModel):
    """A question that was asked before in the same conversation, and its answer."""

    model_config = ConfigDict(extra="forbid", strict=True)

    question: Annotated[str, Field(min_length=1, max_length=LONGEST_QUESTION, pattern=r"\S"), AfterValidator(storable)]
    answer: Annotated[str, Field(min_length=1, max_length=_LONGEST_ANSWER, pattern=r"\S"), AfterValidator(storable)]


class StreamedQuestion(BaseModel):
    """A medical question."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    question: Annotated[
        str,
        Field(min_length=1, max_length=LONGEST_QUESTION, pattern=r"\S", description="Without its options."),
        AfterValidator(storable),
    ]
    options: Annotated[
        _Lettered | _Listed | None,
        BeforeValidator(_by_letter),
        Field(description="By letter, or a list that gets the letters A, B, …; none for an open question."),
    ] = None
    language: Annotated[
        str | None,
        Field(min_length=1, max_length=64, description="Code or name; default: as the question and options show it."),
    ] = None
    model: Annotated[
        str, Field(min_length=1, max_length=200, description="One of /v1/models; auto goes by the language.")
    ] = AUTO
    history: Annotated[
        list[EarlierTurn],
        Field(max_length=_MOST_TURNS, description="What was asked and answered before, oldest first."),
    ] = []
    enforce_language: Annotated[
        bool,
        Field(
            description="Whether to try again, at most twice, when the answer is not wholly in the question's "
            "language: with a reminder in that language, and sampled at 0.7 where the first was greedy."
        ),
    ] = False
    seed: Annotated[
        int | None, Field(ge=0, le=_LARGEST_SEED, description="Further samples and tries count on from it.")
    ] = None
    max_tokens: Annotated[
        int | None, Field(ge=1, le=1_000_000, description="Longest completion, its reasoning included.")
    ] = None
    temperature: Annotated[float | None, Field(ge=0, le=2, description="Default: the model's.")] = None

    @property
    def lettered(self) -> dict[str, str] | None:
        """The options as letter to text; None for an open question."""
        assert isinstance(self.options, dict | None)  # lists were given letters as they were read
        return self.options


class SampledQuestion(StreamedQuestion):
    """A medical question that may be asked several times."""

    samples: Annotated[
        int,
        Field(
            ge=1,
            le=MOST_SAMPLES,
            description="Completions to vote on the options. More than 1 need options: open answers have no majority. "
            "They are sampled at 0.7 where the model is greedy, for copies of one completion say nothing.",
        ),
    ] = 1


class ForeignText(BaseModel):
    """A stretch of the answer in another language."""

    text: str
    start: Annotated[int, Field(description="In the answer, in Unicode characters from 0.")]
    end: int
    language: Annotated[str | None, Field(description="As far as it can be told.")]


class AnswerLanguage(BaseModel):
    """Whether the answer is in the question's language."""

    question: Annotated[str, Field(description="The question's language by its ISO 639-1 code.")]
    answer: Annotated[
        str | None, Field(description="The answer's language, hi-Latn for romanised Hindi; null where it is unknown.")
    ]
    verdict: Annotated[Verdict, Field(description="Of the answer; undetermined when it is absent or too short.")]
    foreign: list[ForeignText]
    enforced: Annotated[
        bool | None,
        Field(
            description="With enforce_language: whether the answer is in the language; null if unknown or not asked."
        ),
    ]


class TokenUsage(BaseModel):
    """Tokens of all completions together."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class MedicalAnswer(BaseModel):
    """An answer and what is known of it. Unknown is null."""

    id: Annotated[str, Field(description="The request's id, for feedback.")]
    answer: Annotated[str | None, Field(description="Null when the completion ended before it.")]
    reasoning: str | None
    choice: Annotated[
        str | None, Field(description="The option's letter; null where none can be read from the answer.")
    ]
    votes: Annotated[
        dict[str, int] | None, Field(description="With samples: how many name each letter; a tie goes to the earliest.")
    ]
    unread: Annotated[int | None, Field(description="With samples: how many name no letter that can be read.")]
    confidence: Annotated[
        float | None, Field(description="The choice's share of all samples, the unread ones included.")
    ]
    language: AnswerLanguage
    cut_off: Annotated[
        bool | None,
        Field(description="Whether the token limit or the server ended it, not the model; null where unknown."),
    ]
    attempts: Annotated[int, Field(description="Completions made in all: samples and further tries.")]
    model: str
    usage: Annotated[TokenUsage | None, Field(description="Null where a backend did not count.")]
    notice: Annotated[str, Field(description="That this is no medical advice, in the question's language.")]
