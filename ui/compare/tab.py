"""The tab "Compare": its components and what they do."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import gradio as gr
import openai
from sqlalchemy.exc import SQLAlchemyError

from ui.answers import language_choices
from ui.compare.duel import ANY, Duel, PairError, Vote, choose_pair, start, stop, store_vote, watch
from ui.compare.pictures import draw_answer, draw_verdict, draw_wins
from ui.compare.wins import count_models, count_pairs, models_csv, pairs_csv, read_tallies
from ui.gateway import LONGEST_QUESTION
from ui.markup import action_of, problem_note, render, view
from ui.page import LIVE, QUIET, Page
from ui.problems import problem_of
from ui.texts import Texts, texts

logger = logging.getLogger(__name__)

_FOUND = ""  # the language choice "as the question shows it"
# The buttons that had the focus are gone: it moves to what came in their place.
_FOCUS_VOTED = "() => { setTimeout(() => document.getElementById('compare-voted')?.focus(), 100); }"


class CompareTab:
    """One comparison at a time in a session, and all votes so far."""

    def __init__(self, page: Page) -> None:
        self._page = page
        interface = page.interface
        self.duel = gr.State(None)
        with gr.Column(elem_id="compare"):
            self.head = view("compare-head")
            self.question = interface.make(
                gr.Textbox,
                words={"label": "compare.question", "placeholder": "compare.placeholder"},
                lines=2,
                max_lines=10,
                elem_id="compare-question",
            )
            with gr.Row(elem_id="compare-row", elem_classes="controls"):
                self.language = interface.make(
                    gr.Dropdown,
                    words={"label": "compare.language", "choices": _language_choices},
                    value=_FOUND,
                    filterable=False,
                    interactive=True,
                    elem_id="compare-language",
                )
                self.first, self.second = (self._picker(place) for place in ("first", "second"))
                self.ask = interface.make(
                    gr.Button, words={"value": "compare.ask"}, variant="primary", elem_id="compare-ask"
                )
                self.stop = interface.make(
                    gr.Button, words={"value": "compare.stop"}, variant="stop", elem_id="compare-stop", visible=False
                )
            self.problem = view("compare-problem")
            with gr.Row(elem_id="duel"):
                self.answers = [view(f"compare-answer-{place}") for place in (1, 2)]
            self.verdict = view("compare-verdict")
            self.wins = view("compare-wins")
            self.file = gr.JSON(visible=False)
        self._connect()

    def _picker(self, place: str) -> gr.Dropdown:
        return self._page.interface.make(
            gr.Dropdown,
            words={"label": f"compare.{place}"},
            choices=_model_choices(texts("en"), []),
            value=ANY,
            filterable=False,
            interactive=True,
            elem_id=f"compare-{place}",
        )

    def _connect(self) -> None:
        interface = self._page.interface
        language, pickers = interface.language, [self.first, self.second]
        contest = [*self.answers, self.verdict]
        # In three steps, as in the tab Ask: the stream has no output that it does not change.
        gr.on(
            [self.ask.click, self.question.submit],
            self._ask,
            [self.question, self.language, *pickers, self.duel, language],
            [self.duel, self.problem, self.ask, self.stop, *contest],
            **QUIET,
        ).then(self._watch, [self.duel, language], contest, postprocess=False, **LIVE).then(
            self._end, [self.duel, language], [self.ask, self.stop, *contest], **QUIET
        )
        self.stop.click(self._stop, **QUIET)
        self.verdict.click(self._vote, [self.duel, language], [self.verdict, self.wins, self.problem], **QUIET).then(
            js=_FOCUS_VOTED
        )
        self.wins.click(self._download, outputs=self.file, **QUIET).then(
            js="(file) => { himedDownload(file); }", inputs=self.file
        )
        interface.redraw(self._load_models, pickers, pickers)
        interface.redraw(self._redraw, [self.duel], [self.head, *contest])
        interface.redraw(self._redraw_wins, [], [self.wins])

    async def _ask(
        self,
        question: str,
        asked_in: str,
        first: str,
        second: str,
        earlier: Duel | None,
        code: str,
        request: gr.Request,
    ) -> dict[Any, Any]:
        if earlier is not None and earlier.growing:  # the question's box asks by Shift+Enter at any time
            return gr.skip()
        say = texts(code)
        try:
            if not question.strip():
                raise PairError("compare.empty")
            if len(question) > LONGEST_QUESTION:
                raise PairError("problem.too_long")
            served = await self._page.gateway.models() if ANY in (first, second) else []
            models = choose_pair(first, second, served)
        except (PairError, openai.OpenAIError) as error:
            key = str(error) if isinstance(error, PairError) else problem_of(error)
            return {self.problem: problem_note(say(key))}
        duel = Duel(question.strip(), models, number=earlier.number + 1 if earlier else 1)
        start(self._page.readers, request.session_hash, self._page.gateway, duel, asked_in or None)
        return {
            self.duel: duel,
            self.problem: "",
            self.ask: gr.update(visible=False),
            self.stop: gr.update(visible=True),
            **self._draw(duel, say),
        }

    async def _watch(self, duel: Duel | None, code: str, request: gr.Request) -> AsyncIterator[tuple[str, ...]]:
        async for _ in watch(self._page.readers, request.session_hash):
            yield tuple(self._draw(duel, texts(code)).values())

    def _end(self, duel: Duel | None, code: str) -> tuple[Any, ...]:
        """Drawn once more: the page's language may be another by now."""
        return gr.update(visible=True), gr.update(visible=False), *self._draw(duel, texts(code)).values()

    def _draw(self, duel: Duel | None, say: Texts) -> dict[Any, str]:
        first, second = self.answers
        return {
            first: draw_answer(duel, 1, say),
            second: draw_answer(duel, 2, say),
            self.verdict: draw_verdict(duel, say),
        }

    async def _stop(self, request: gr.Request) -> None:
        stop(self._page.readers, request.session_hash)

    async def _vote(self, duel: Duel | None, code: str, event: gr.EventData, request: gr.Request) -> dict[Any, Any]:
        """A press on one of the vote buttons; one of an older picture, or a second one, changes nothing."""
        pressed, say = action_of(event), texts(code)
        chosen = pressed.get("vote")
        if duel is None or not duel.ready or duel.vote is not None or pressed.get("number") != str(duel.number):
            return gr.skip()
        if chosen not in list(Vote):
            return gr.skip()
        duel.vote = Vote(chosen)  # before anything is awaited: a second press meets it
        try:
            await asyncio.to_thread(store_vote, self._page.engine, duel, duel.vote, request.username or "")
        except SQLAlchemyError as error:
            logger.warning("a vote was not stored: %s", type(error).__name__)
            duel.vote = None
            return {self.problem: problem_note(say("problem.database_away"))}
        return {
            self.verdict: draw_verdict(duel, say),
            self.wins: await asyncio.to_thread(draw_wins, self._page.engine, say),
        }

    def _download(self, event: gr.EventData) -> dict[str, str] | None:
        try:
            pairs = count_pairs(read_tallies(self._page.engine))
        except SQLAlchemyError as error:
            logger.warning("the votes were not read: %s", type(error).__name__)
            return None
        if action_of(event).get("table") == "models":
            return {"name": "himed-wins-models.csv", "text": models_csv(count_models(pairs))}
        return {"name": "himed-wins-pairs.csv", "text": pairs_csv(pairs)}

    async def _load_models(self, first: str, second: str, code: str) -> tuple[Any, Any]:
        names = await self._page.list_models()
        choices = _model_choices(texts(code), names)
        first, second = (chosen if chosen in names else ANY for chosen in (first, second))
        return gr.update(choices=choices, value=first), gr.update(choices=choices, value=second)

    def _redraw(self, duel: Duel | None, code: str) -> tuple[str, ...]:
        say = texts(code)
        return render("compare_head.html", say=say), *self._draw(duel, say).values()

    def _redraw_wins(self, code: str) -> str:
        return draw_wins(self._page.engine, texts(code))


def _model_choices(say: Texts, names: list[str]) -> list[tuple[str, str]]:
    return [(say("compare.any"), ANY), *((name, name) for name in names)]


def _language_choices(say: Texts) -> list[tuple[str, str]]:
    return [(say("compare.find"), _FOUND), *language_choices(say)]


def build(page: Page) -> None:
    """Build the tab."""
    CompareTab(page)
