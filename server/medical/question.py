"""From a request to what the model is asked."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from app.consistency import detect_language
from app.endpoint import Sampling
from app.errors import InputError
from app.languages import get_language
from app.prompts import INSTRUCTIONS, Example, Message, build_messages
from server.call import Call
from server.catalog import Catalog, ServedModel
from server.config import AUTO, LimitsConfig
from server.errors import ApiError
from server.medical.schemas import SampledQuestion, StreamedQuestion

MOST_ATTEMPTS = 3  # of one sample: the first, and two more when the answer left the language
# Of samples and further tries where the model is greedy: copies of one completion say nothing.
_SAMPLED_AT = 0.7


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as it is put to a model.

    Attributes:
        language: ISO 639-1 code.
        options: letter to text; None for an open question.
        fields: the sampling fields of the first completion.
        samples: completions to vote.
        enforce: whether an answer in another language is tried again.
    """

    request_id: str
    model: ServedModel
    language: str
    question: str
    options: Mapping[str, str] | None
    messages: Sequence[Message]
    fields: Mapping[str, Any]
    samples: int
    enforce: bool

    def call(self, sample: int, attempt: int, *, stream: bool = False) -> Call:
        """The request for one completion; samples and attempts count from 0.

        Each has an id of its own, which vLLM asks for, and a seed of its own where one is given.
        """
        fields, messages = dict(self.fields), list(self.messages)
        if "seed" in fields:
            fields["seed"] += sample + self.samples * attempt
        if attempt:
            fields |= {"temperature": _SAMPLED_AT} if fields.get("temperature") == 0 else {}
            messages[-1] = _reminded(messages[-1], self.language)
        body = {"model": self.model.name, "messages": messages, **fields} | ({"stream": True} if stream else {})
        identity = f"{self.request_id}-{sample}-{attempt}"
        return Call(self.model, "/chat/completions", identity, orjson.dumps(body), body, {})


async def read_question(body: StreamedQuestion, request_id: str, catalog: Catalog, limits: LimitsConfig) -> Asked:
    """Settle what a request leaves open: its language, its model, how to sample.

    Raises:
        ApiError: the language cannot be told or is none of the fourteen, there is no such model, or more samples or
            tokens than are allowed.
    """
    samples = body.samples if isinstance(body, SampledQuestion) else 1
    _check_samples(samples, body, limits)
    language = await _language(body)
    model = catalog.for_language(language) if body.model == AUTO else catalog.get(body.model)
    messages = build_messages(
        body.question,
        format=model.format,
        language=language,
        options=body.lettered,
        examples=await asyncio.to_thread(_earlier, body),
    )
    fields = _sampling_fields(model.sampling, body, limits)
    if samples > 1 and fields.get("temperature") == 0:
        fields["temperature"] = _SAMPLED_AT
    return Asked(
        request_id, model, language, body.question, body.lettered, messages, fields, samples, body.enforce_language
    )


def _check_samples(samples: int, body: StreamedQuestion, limits: LimitsConfig) -> None:
    if samples > limits.choices:
        raise ApiError(400, f"`samples` is {samples}, at most {limits.choices} are allowed", param="samples")
    if samples > 1 and body.lettered is None:
        raise ApiError(400, "`samples` needs `options`: open answers have no majority", param="samples")
    if samples > 1 and body.temperature == 0:
        message = "`temperature` 0 makes all samples the same: leave it out, or set it above 0"
        raise ApiError(400, message, param="temperature")


async def _language(body: StreamedQuestion) -> str:
    if body.language is not None:
        try:
            return get_language(body.language).code
        except InputError as error:
            raise ApiError(400, str(error), param="language", code="unknown_language") from None
    # In a thread: the first question in Latin letters loads the detector, which takes a second.
    if (code := await asyncio.to_thread(_detect, body)) is None:
        message = "the question's language cannot be told: name it in `language`"
        raise ApiError(400, message, param="language", code="unknown_language")
    return code


def _earlier(body: StreamedQuestion) -> list[Example]:
    """The turns before, each in its own language as far as it can be told."""
    turns = [(turn, detect_language(turn.question)) for turn in body.history]
    return [Example(turn.question, None, turn.answer, language=language) for turn, language in turns]


def _detect(body: StreamedQuestion) -> str | None:
    """By the question and its options together, for questions may be short; by itself where these are of two kinds."""
    with_options = "\n".join([body.question, *(body.lettered or {}).values()])
    return detect_language(with_options) or detect_language(body.question)


def _sampling_fields(sampling: Sampling, body: StreamedQuestion, limits: LimitsConfig) -> dict[str, Any]:
    fields = sampling.model_dump(exclude_none=True, exclude={"extra", "stop"}) | sampling.extra
    if sampling.stop:
        fields["stop"] = list(sampling.stop)
    given = {"seed": body.seed, "max_tokens": body.max_tokens, "temperature": body.temperature}
    fields |= {name: value for name, value in given.items() if value is not None}
    if (most := limits.max_tokens) is not None:
        if body.max_tokens is not None and body.max_tokens > most:
            raise ApiError(400, f"`max_tokens` is {body.max_tokens}, at most {most} are allowed", param="max_tokens")
        fields["max_tokens"] = min(fields.get("max_tokens", most), most)
    return fields


def _reminded(message: Message, language: str) -> Message:
    """The question with the line that asks for its language, in that language."""
    return {"role": message["role"], "content": f"{message['content']}\n\n{INSTRUCTIONS[language].open}"}
