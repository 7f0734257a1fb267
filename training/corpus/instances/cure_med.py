"""CURE-Med's instances: open questions in a target language, reasoning in steps that switches between languages."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from app.consistency import assess
from app.consistency.scripts import letters
from app.formats import ANSWER_CLOSE, ANSWER_OPEN, STEP_TAG, THINKING_CLOSE, THINKING_OPEN
from app.languages import Language, get_language
from app.questions import normalise_question
from training.corpus.calls import Budget, Caller, CallError, Unusable, in_order
from training.corpus.config import InstancesSection
from training.corpus.flow import Flow
from training.corpus.instances.checks import check_language, check_no_reference, check_no_tags, check_text
from training.corpus.instances.passage import Passage
from training.corpus.instances.prompts import questions_messages
from training.corpus.instances.shapes import OpenQuestion, questions_shape
from training.corpus.unit import Work

# Longer answers cannot be checked as one fact. Of the release's 13,435 seven are, and 99 in 100 have 217 at most.
MAX_ANSWER_CHARS: Final = 300
_PROMPTED_CHARS: Final = 200  # what the writer is told, so that it seldom goes over
MIN_STEPS: Final = 2


@dataclass(frozen=True, slots=True)
class Writer:
    """Asks for one passage in one language: at most ``attempts`` replies, and never more than ``max_calls``."""

    settings: InstancesSection
    caller: Caller

    async def write(self, asked: tuple[Passage, Language]) -> Sequence[OpenQuestion] | CallError:
        """The questions, or why there are none.

        Raises:
            EndpointAwayError: the endpoint is away.
        """
        passage, language = asked
        count = self.settings.questions
        messages = messages_of(passage.text, language, count)
        budget = Budget(min(self.settings.attempts, self.settings.max_calls))
        try:
            reply: Any = await self.caller.ask("write", messages, questions_shape(count), budget=budget)
        except CallError as error:
            return error
        questions: Sequence[OpenQuestion] = reply.questions
        return questions


def messages_of(text: str, language: Language, count: int) -> Any:
    """The prompt for a passage and a language."""
    return questions_messages(text, language, count, _PROMPTED_CHARS)


async def write_cure_med(passages: Iterable[Passage], total: int, work: Work, writer: Writer, window: int) -> None:
    """Ask for each of the passages, ``total`` of them, in each language, and write rows, rejects and counts.

    Raises:
        SourceError: the passages cannot be read.
        EndpointAwayError: the endpoint is away.
    """
    settings = writer.settings
    languages = [get_language(code) for code in settings.languages]
    write, offered = work.flow("write", "passages by language"), work.flow("items", "items")
    replies = in_order(_pairs(passages, languages), writer.write, window)
    async with aclosing(replies):  # what fails here leaves no question under way
        async for (passage, language), reply in replies:
            write.into += 1
            work.progress(write.into, total * len(languages))
            prefix = f"{passage.id}-{language.code}"
            if isinstance(reply, CallError):
                work.reject(write, prefix, reply)
            else:
                write.out += 1
                _keep_questions(passage, language, prefix, reply, offered, work, settings.questions)


def _keep_questions(
    passage: Passage,
    language: Language,
    prefix: str,
    reply: Sequence[OpenQuestion],
    flow: Flow,
    work: Work,
    wanted: int,
) -> None:
    asked: set[str] = set()
    for number in range(1, max(wanted, len(reply)) + 1):
        instance_id = f"{prefix}-q{number}"
        flow.into += 1
        if number > len(reply):
            work.reject(flow, instance_id, CallError("cannot"))
            continue
        item = reply[number - 1]
        try:
            if number > wanted:
                raise Unusable("more than asked for")
            texts = _take(item, language, asked)
        except Unusable as unusable:
            flow.left[unusable.reason] += 1
            work.note(flow, instance_id, unusable.reason, unusable.detail, item.model_dump(mode="json"))
            continue
        flow.out += 1
        work.keep(passage.origin(instance_id) | {"language": language.code} | texts)


def _pairs(passages: Iterable[Passage], languages: Sequence[Language]) -> Iterator[tuple[Passage, Language]]:
    return ((passage, language) for passage in passages for language in languages)


def _take(item: OpenQuestion, language: Language, asked: set[str]) -> dict[str, str]:
    """The fields ``question``, ``reasoning`` and ``answer``; ``asked`` are the passage's questions so far.

    Raises:
        Unusable: the item cannot be kept; with the reason.
    """
    question, answer = item.question.strip(), item.answer.strip()
    steps = [step.strip() for step in item.steps]
    check_text([question, answer, *steps])
    if len(steps) < MIN_STEPS:
        raise Unusable("too few steps", str(len(steps)))
    if len(answer) > MAX_ANSWER_CHARS or len(answer.splitlines()) > 1:
        raise Unusable("answer too long", f"{len(answer)} characters, {len(answer.splitlines())} lines")
    check_no_tags([question, answer, *steps])
    check_no_reference([question, answer, *steps], language.code)
    if (key := normalise_question(question)) in asked:
        raise Unusable("repeated question")
    check_language(question, language.code)
    check_language(answer, language.code, "answer")
    _check_switched(steps, language)
    asked.add(key)
    inner = "\n".join(f"<{STEP_TAG}{n}>\n{step}\n</{STEP_TAG}{n}>" for n, step in enumerate(steps, 1))
    return {
        "question": question,
        "reasoning": f"{THINKING_OPEN}{inner}{THINKING_CLOSE}",
        "answer": f"{ANSWER_OPEN}{answer}{ANSWER_CLOSE}",
    }


def _check_switched(steps: Sequence[str], language: Language) -> None:
    """The steps are in English for the most part, with words of the target where its script tells.

    Raises:
        Unusable: one of the two is missing.
    """
    text = "\n".join(steps)
    if assess(text, "en").verdict == "inconsistent":
        raise Unusable("reasoning without English")
    if language.script != "Latn" and not letters(language.script).search(text):
        raise Unusable(f"reasoning without {language.english}")
