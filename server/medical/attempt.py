"""One completion, read: its reasoning, its answer, the option that it names, and the language that it is in."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.answers import extract_choice, parse_completion
from app.consistency import Assessment, assess, detect_language
from app.endpoint.reply import Reply
from server.medical.question import Asked

# Better ones later. An answer that is too short to tell proves less than one that is mostly in the language.
_RANKS = ("inconsistent", "undetermined", "mixed", "consistent")
# Else the token limit did (length), vLLM's watch for repetitions, or what another server has.
_ENDED_BY_MODEL = frozenset(("stop", "tool_calls"))


@dataclass(frozen=True, slots=True)
class Attempt:
    """A completion.

    Attributes:
        reply: as the backend gave it.
        answer: None when the completion ended before it.
        choice: the option's letter; None for an open question, or where none can be read.
        assessment: of the answer's language.
        language: the answer's language by code, ``hi-Latn`` for romanised Hindi; None where it cannot be told.
    """

    reply: Reply
    reasoning: str | None
    answer: str | None
    choice: str | None
    assessment: Assessment
    language: str | None

    @property
    def cut_off(self) -> bool | None:
        """Whether something else than the model ended it; None where the backend did not say."""
        reason = self.reply.finish_reason
        return None if reason is None else reason not in _ENDED_BY_MODEL

    @property
    def left_language(self) -> bool:
        """Whether a part of the answer or all of it is in another language than the question."""
        return self.assessment.verdict in ("mixed", "inconsistent")


def read_attempt(asked: Asked, reply: Reply) -> Attempt:
    """Read a completion. Takes tens of milliseconds on long ones, the first time a second: not for the event loop."""
    if reply.reasoning is None:
        completion = parse_completion(reply.text, asked.model.format)
        reasoning, answer = completion.reasoning, completion.answer
    else:  # the backend has taken it apart: its text is the answer as it stands
        reasoning, answer = reply.reasoning.strip() or None, reply.text.strip() or None
    if answer is None:
        return Attempt(reply, reasoning, None, None, Assessment("undetermined", None, ()), None)
    choice = extract_choice(answer, asked.options).letter if asked.options else None
    assessment = assess(answer, asked.language, asked.question)
    return Attempt(reply, reasoning, answer, choice, assessment, _language(answer, assessment, asked.language))


def _language(answer: str, assessment: Assessment, asked: str) -> str | None:
    """The answer's language; never the one asked for where the verdict says that it is another."""
    if assessment.verdict in ("consistent", "mixed"):
        return asked
    detected = detect_language(answer)
    for span in assessment.foreign:  # which tell romanised Hindi from Hindi
        if span.language is not None and span.language.startswith(f"{detected}-"):
            return span.language
    return None if assessment.verdict == "inconsistent" and detected == asked else detected


def best_of(attempts: Sequence[Attempt]) -> Attempt:
    """The attempt that kept the language best; one without an answer is the worst, the first of equals is taken."""
    return max(attempts, key=lambda one: (one.answer is not None, _RANKS.index(one.assessment.verdict)))
