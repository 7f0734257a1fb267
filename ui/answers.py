"""An answer as a person sees it grow: its parts so far, what is known of it, and the card that shows it."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final, Literal

import openai

from app.consistency import Verdict
from app.formats import STEP_TAG
from app.languages import LANGUAGES, find_language
from ui.gateway import Event, Gateway, MedicalAnswer, Question
from ui.markup import markdown, render
from ui.problems import problem_of
from ui.texts import Texts

Reader = tuple[str | None, str]  # a session of the page, and the place on it
State = Literal["waiting", "running", "done", "stopped", "failed"]
# Between two pictures of a growing answer: as smooth as reading needs, and cheap with many people at once.
_SHOW_S: Final = 0.12
_UNWATCHED_S: Final = 10.0
_STEP_TAGS = re.compile(rf"\s*</?{STEP_TAG}\d*>\s*", re.IGNORECASE)
_TONES: Final[dict[Verdict, str]] = {
    "consistent": "good",
    "mixed": "warn",
    "inconsistent": "bad",
    "undetermined": "plain",
}


@dataclass(slots=True)
class LiveAnswer:
    """An answer from its question to its end.

    ``problem`` is the key of what went wrong; ``result`` is there when it came whole.
    """

    state: State = "waiting"
    reasoning: str = ""
    answer: str = ""
    request_id: str | None = None
    model: str | None = None
    language: str | None = None
    notice: str | None = None
    problem: str | None = None
    result: MedicalAnswer | None = None

    def take(self, event: Event) -> None:
        """Go on by one event of the stream."""
        if event.name == "start":
            self.state = "running"
            self.request_id, self.model = event.data["id"], event.data["model"]
            self.language, self.notice = event.data["language"], event.data["notice"]
        elif event.name == "reasoning":
            self.reasoning += event.text
        elif event.name == "answer":
            self.answer += event.text
        else:
            self.finish(event.result)

    def finish(self, result: MedicalAnswer) -> None:
        """The whole answer is there: what came before as pieces is replaced by it."""
        self.state, self.result = "done", result
        self.reasoning, self.answer = result.reasoning or "", result.answer or ""
        self.request_id, self.model, self.notice = result.id, result.model, result.notice
        self.language = result.language.question

    def fail(self, error: Exception) -> None:
        """It will not come, or not whole."""
        self.state, self.problem = "failed", problem_of(error)

    @property
    def growing(self) -> bool:
        """Whether more is to come."""
        return self.state in ("waiting", "running")


class _Reading:
    """An answer that is being read in the background."""

    def __init__(self, gateway: Gateway, question: Question, live: LiveAnswer) -> None:
        self.changed, self.watched = asyncio.Event(), False
        self.task = asyncio.create_task(_read(gateway, question, live, self.changed))
        self.task.add_done_callback(self._done)
        self._live = live

    def _done(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():  # also before it came to its first step
            self._live.state = "stopped"
        self.changed.set()


class Readers:
    """The answers that are being read, by who reads them, so that they can be watched and stopped."""

    def __init__(self) -> None:
        self._readings: dict[Reader, _Reading] = {}

    def start(self, reader: Reader, gateway: Gateway, question: Question, live: LiveAnswer) -> None:
        """Ask, and read into ``live`` in the background; an earlier answer of the same reader is stopped.

        What nobody begins to watch within 10 s is stopped too.
        """
        self.stop(reader)
        reading = self._readings[reader] = _Reading(gateway, question, live)
        asyncio.get_running_loop().call_later(_UNWATCHED_S, self._give_up, reader, reading)

    async def watch(self, reader: Reader) -> AsyncIterator[None]:
        """Yields when there is more to show, at most every 120 ms, until the answer is whole, has failed or was
        stopped, which its `LiveAnswer` says. The watcher's leaving ends the generation."""
        if (reading := self._readings.get(reader)) is None:
            return
        reading.watched = True
        try:
            while not reading.task.done():
                await reading.changed.wait()
                reading.changed.clear()
                yield
                await asyncio.sleep(_SHOW_S)
            yield
        finally:
            reading.task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reading.task
            if self._readings.get(reader) is reading:
                del self._readings[reader]

    def stop(self, reader: Reader) -> bool:
        """Stop the answer that is being read; whether there was one."""
        return (reading := self._readings.get(reader)) is not None and reading.task.cancel()

    def _give_up(self, reader: Reader, reading: _Reading) -> None:
        if not reading.watched:
            reading.task.cancel()
            if self._readings.get(reader) is reading:
                del self._readings[reader]

    def leave(self, session: str | None) -> None:
        """Stop all that a session reads: its page was closed."""
        for reader in [reader for reader in self._readings if reader[0] == session]:
            self.stop(reader)


async def _read(gateway: Gateway, question: Question, live: LiveAnswer, changed: asyncio.Event) -> None:
    try:
        async with gateway.stream(question) as events:
            async for event in events:
                live.take(event)
                changed.set()
        if live.growing:
            live.state, live.problem = "failed", "problem.cut"
    except (openai.OpenAIError, ValueError, KeyError, TypeError) as error:  # the last three: it is no event of ours
        live.fail(error)


@dataclass(frozen=True, slots=True)
class Badge:
    """A short fact beside an answer: its words, its tone (good, warn, bad, plain) and what it means."""

    text: str
    tone: str
    title: str = ""


def badges(live: LiveAnswer, say: Texts) -> list[Badge]:
    """What a reader must know of an answer: its language, whether it is whole."""
    found = []
    if live.result is not None:
        found.append(_language_badge(live.result, say))
        if live.result.cut_off:
            found.append(Badge(say("answer.cut_off"), "warn", say("answer.cut_off_title")))
    if live.state == "stopped":
        found.append(Badge(say("answer.stopped"), "plain"))
    return found


def language_name(code: str | None, say: Texts) -> str:
    """A language in the page's own words."""
    language = find_language(code) if code else None
    return say(f"language.{language.code}") if language else say("language.other")


def language_choices(say: Texts) -> list[tuple[str, str]]:
    """The fourteen languages for a drop-down: by name in the page's language, with their codes."""
    return sorted((language_name(language.code, say), language.code) for language in LANGUAGES)


def render_card(live: LiveAnswer, say: Texts, *, fold: str, actions: str = "", name: str | None = None) -> str:
    """The card of an answer.

    Args:
        live: the answer.
        say: the page's words.
        fold: a name for its reasoning that no other card of the page has, so that it stays open or folded.
        actions: HTML of buttons below, from a template.
        name: who answers, in place of the model's name.
    """
    foreign = live.result.language.foreign if live.result is not None else []
    marks = [(span.start, span.end, language_name(span.language, say)) for span in foreign]
    return render(
        "answer.html",
        live=live,
        say=say,
        fold=fold,
        name=live.model if name is None else name,
        badges=badges(live, say),
        reasoning=markdown(_without_tags(live.reasoning)) if live.reasoning else None,
        answer=markdown(live.answer, marks) if live.answer else None,
        actions=actions,
    )


def _language_badge(result: MedicalAnswer, say: Texts) -> Badge:
    verdict = result.language.verdict
    asked = language_name(result.language.question, say)
    codes = dict.fromkeys(span.language for span in result.language.foreign)
    others = ", ".join(language_name(code, say) for code in codes) or language_name(result.language.answer, say)
    if result.answer is None:
        return Badge(say("answer.none"), "bad", say("answer.none_title"))
    text = say(f"answer.{verdict}", language=asked, others=others)
    return Badge(text, _TONES[verdict], say(f"answer.{verdict}_title", language=asked))


def _without_tags(reasoning: str) -> str:
    """CURE-Med's reasoning without the tags of its steps: each step is a paragraph."""
    return _STEP_TAGS.sub("\n\n", reasoning).strip()
