"""How well instances can be written from a passage."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Literal

from training.corpus.calls import Caller, CallError, Shape
from training.corpus.passages.ask import OUTPUT_RULES, ask_about
from training.corpus.passages.passage import Passage

PURPOSE: Final = "grade"

PROMPT: Final = f"""\
You grade passages that were recognised from scanned medical books. Exam questions are to be written from each of \
them, by somebody who sees that passage alone and may use nothing else. Grade each passage:

- good: it is clean, complete text with several medical facts that a question can ask for and the passage answers.
- middle: it holds at least one such fact, but little more, or some words are misread without hiding the sense.
- bad: no question can be answered from it alone; or it is broken, garbled, cut off, or contradicts itself.

{OUTPUT_RULES} Each has the one field grade: "good", "middle" or "bad"."""


class Graded(Shape):
    """What a model says of one passage."""

    grade: Literal["good", "middle", "bad"]


async def grade(caller: Caller, passages: Sequence[Passage]) -> list[tuple[Passage, CallError | None]]:
    """A group of passages with their grades, and the fault where the grade is unknown.

    Args:
        caller: asks the writer.
        passages: at most as many as `in_groups` gives.

    Raises:
        EndpointAwayError: the endpoint is away.
    """
    answers = await ask_about(caller, PURPOSE, PROMPT, passages, Graded)
    return [
        (replace(passage, grade="unknown", trouble=str(answer)), answer)
        if isinstance(answer, CallError)
        else (replace(passage, grade=answer.grade), None)
        for passage, answer in zip(passages, answers, strict=True)
    ]
