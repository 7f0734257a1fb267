"""The answer as the client gets it."""

from collections.abc import Sequence

from app.notices import notice
from server.medical.attempt import Attempt
from server.medical.question import Asked
from server.medical.schemas import AnswerLanguage, ForeignText, MedicalAnswer, TokenUsage
from server.medical.votes import Vote
from server.record import Record


def build_answer(asked: Asked, kept: Attempt, made: Sequence[Attempt], voted: Vote | None) -> MedicalAnswer:
    """What is told of the attempt that counts, out of all that were made."""
    return MedicalAnswer(
        id=asked.request_id,
        answer=kept.answer,
        reasoning=kept.reasoning,
        choice=kept.choice,
        votes=dict(voted.counts) if voted else None,
        unread=voted.unread if voted else None,
        confidence=voted.confidence if voted else None,
        language=_language(asked, kept),
        cut_off=kept.cut_off,
        attempts=len(made),
        model=asked.model.name,
        usage=_usage(made),
        notice=notice(asked.language),
    )


def note_result(record: Record, result: MedicalAnswer, *, keep: bool) -> None:
    """Put what the logs and metrics tell of an answer into its record, and the answer itself if asked."""
    record.verdict = result.language.verdict
    if keep:
        record.response = result.model_dump()


def _language(asked: Asked, kept: Attempt) -> AnswerLanguage:
    verdict = kept.assessment.verdict
    return AnswerLanguage(
        question=asked.language,
        answer=kept.language,
        verdict=verdict,
        foreign=[
            ForeignText(text=span.text, start=span.start, end=span.end, language=span.language)
            for span in kept.assessment.foreign
        ],
        enforced=verdict == "consistent" if asked.enforce and verdict != "undetermined" else None,
    )


def _usage(made: Sequence[Attempt]) -> TokenUsage | None:
    prompts = [one.reply.prompt_tokens for one in made]
    completions = [one.reply.completion_tokens for one in made]
    counted = [count for count in (*prompts, *completions) if count is not None]
    if len(counted) < 2 * len(made):
        return None
    prompt, completion = (sum(count or 0 for count in counts) for counts in (prompts, completions))
    return TokenUsage(prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion)
