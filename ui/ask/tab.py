"""The tab "Ask": its components and what they do."""

import secrets
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr
import yaml

from app.consistency import detect_language
from ui.answers import language_choices
from ui.ask.conversation import Conversation
from ui.ask.feedback import FeedbackPanel
from ui.ask.pictures import draw_found, draw_past, draw_present
from ui.gateway import AUTO, LONGEST_QUESTION
from ui.markup import action_of, problem_note, view
from ui.page import LIVE, QUIET, Page
from ui.texts import Texts, texts

_START = secrets.token_hex(8)  # of this process
_FOUND = ""  # the language choice "as the question shows it"
_COPY_LAST = "() => { himedCopyLast('#conversation', '#copy'); }"
# What was typed while the question was on its way stays in the box.
_NOTE_SENT = "(...values) => { window.himedSent = values[0]; return values; }"
_CLEAR_SENT = "(now, taken) => taken && now.startsWith(window.himedSent) ? now.slice(window.himedSent.length) : now"
_FOCUS = "() => { document.querySelector('#question textarea').focus(); }"


class AskTab:
    """One conversation a session, and the buttons around it."""

    def __init__(self, page: Page) -> None:
        self._page = page
        interface = page.interface
        self.conversation = gr.State(Conversation())
        # The page keeps the one with which it was opened: another tells of a server that was started again, and with it
        # of a conversation that only the page still shows.
        self.start = gr.Textbox(_START, visible=False, elem_id="page-start")
        self.taken = gr.Textbox(visible=False)  # whether the question was, and may be cleared from its box
        with gr.Column(elem_id="ask", elem_classes="narrow"):
            with gr.Column(elem_id="conversation"):
                self.past = view("past")
                self.present = view("present", value=draw_present(Conversation(), texts("en"), examples()))
            self.feedback = FeedbackPanel(page, self.conversation)
            with gr.Row(elem_id="after", visible=False) as self.after:
                self.retry = interface.make(gr.Button, words={"value": "ask.retry"}, size="sm", elem_id="retry")
                self.edit = interface.make(gr.Button, words={"value": "ask.edit"}, size="sm", elem_id="edit")
                self.copy = interface.make(gr.Button, words={"value": "ask.copy"}, size="sm", elem_id="copy")
                self.new = interface.make(gr.Button, words={"value": "ask.new"}, size="sm", elem_id="new")
            self.note = view("ask-note")
            with gr.Column(elem_id="composer"):
                self.question = interface.make(
                    gr.Textbox,
                    words={"label": "ask.question", "placeholder": "ask.placeholder"},
                    lines=2,
                    max_lines=10,
                    elem_id="question",
                )
                self.found = view("found")
                with gr.Row(elem_id="composer-row"):
                    self.language = interface.make(
                        gr.Dropdown,
                        words={"label": "ask.language", "choices": _language_choices},
                        value=_FOUND,
                        filterable=False,
                        elem_id="question-language",
                        interactive=True,
                    )
                    self.model = page.model_choice(automatic=True, elem_id="ask-model")
                    self.send = interface.make(
                        gr.Button, words={"value": "ask.send"}, variant="primary", elem_id="send"
                    )
                    self.stop = interface.make(
                        gr.Button, words={"value": "ask.stop"}, variant="stop", elem_id="stop", visible=False
                    )
        self._connect()

    def _connect(self) -> None:
        language = self._page.interface.language
        asked = [self.question, self.language, self.model, self.conversation, self.start, language]
        begun = [self.past, self.present, self.send, self.stop, self.after, self.note]
        # Three steps: every output of a handler costs Gradio milliseconds at each picture, so the stream has one alone.
        # The first step has asked before the browser comes for the second.
        sent = self.send.click(self._ask, asked, [self.taken, *begun], js=_NOTE_SENT, **QUIET)
        sent.then(js=_CLEAR_SENT, inputs=[self.question, self.taken], outputs=self.question)
        again = self.retry.click(self._retry, asked[1:], begun, **QUIET)
        for pressed in (sent, again):
            pressed.then(self._watch, [self.conversation, language], self.present, postprocess=False, **LIVE).then(
                self._end, [self.conversation, language], begun[1:5], **QUIET
            )
        self.stop.click(self._stop, **QUIET).then(js=_FOCUS)
        self.edit.click(
            self._edit,
            [self.conversation, language],
            [self.past, self.present, self.question, self.language, self.model, self.after, *self.feedback.components],
            **QUIET,
        ).then(js=_FOCUS)
        self.new.click(
            self._new,
            language,
            [self.conversation, self.past, self.present, self.question, self.after, *self.feedback.components],
            **QUIET,
        ).then(js=_FOCUS)
        self.copy.click(js=_COPY_LAST)
        self.question.change(
            self._find_language, [self.question, language], self.found, trigger_mode="always_last", **QUIET
        )
        self._page.interface.redraw(self._redraw, [self.conversation], [self.past, self.present])
        for place in (self.past, self.present):
            place.click(
                self._press,
                [self.conversation, language],
                [self.past, self.present, self.question, self.language, *self.feedback.components],
                **QUIET,
            )

    async def _ask(
        self,
        question: str,
        asked_in: str,
        model: str,
        conversation: Conversation,
        start: str,
        code: str,
        request: gr.Request,
    ) -> dict[Any, Any]:
        say = texts(code)
        problem = None
        if start != _START:
            problem = "problem.stale"
        elif not question.strip():
            problem = "ask.empty"
        elif len(question) > LONGEST_QUESTION:
            problem = "problem.too_long"
        if problem is not None:
            return {self.taken: "", self.note: problem_note(say(problem))}
        return {self.taken: "yes"} | self._begin(question.strip(), asked_in, model, conversation, code, request)

    async def _retry(
        self, asked_in: str, model: str, conversation: Conversation, start: str, code: str, request: gr.Request
    ) -> dict[Any, Any]:
        """Ask the last question again, in the language and of the model that are chosen now."""
        if start != _START:
            return {self.note: problem_note(texts(code)("problem.stale"))}
        if (last := conversation.take_last()) is None:
            return gr.skip()
        return self._begin(last.question, asked_in, model, conversation, code, request)

    def _begin(
        self, question: str, asked_in: str, model: str, conversation: Conversation, code: str, request: gr.Request
    ) -> dict[Any, Any]:
        asked = conversation.ask(question, asked_in or None, model or AUTO)
        self._page.readers.start(_reader(request), self._page.gateway, asked, conversation.exchanges[-1].live)
        return {
            self.past: draw_past(conversation, texts(code)),
            self.present: draw_present(conversation, texts(code)),
            self.send: gr.update(visible=False),
            self.stop: gr.update(visible=True),
            self.after: gr.update(visible=False),
            self.note: "",
        }

    async def _watch(self, conversation: Conversation, code: str, request: gr.Request) -> AsyncIterator[str]:
        async for _ in self._page.readers.watch(_reader(request)):
            yield draw_present(conversation, texts(code))

    def _end(self, conversation: Conversation, code: str) -> tuple[Any, ...]:
        """Drawn once more: the page's language may be another by now."""
        any_answer = bool(conversation.exchanges)
        picture = draw_present(conversation, texts(code), examples())
        return picture, gr.update(visible=True), gr.update(visible=False), gr.update(visible=any_answer)

    async def _stop(self, request: gr.Request) -> None:
        self._page.readers.stop(_reader(request))

    def _edit(self, conversation: Conversation, code: str) -> dict[Any, Any]:
        last, say = conversation.take_last(), texts(code)
        if last is None:
            return gr.skip()
        return {
            self.past: draw_past(conversation, say),
            self.present: draw_present(conversation, say, examples()),
            self.question: last.question,
            self.language: last.asked_in or _FOUND,
            self.model: last.model,
            self.after: gr.update(visible=bool(conversation.exchanges)),
            **self.feedback.closed(),
        }

    def _new(self, code: str) -> dict[Any, Any]:
        empty = Conversation()
        return {
            self.conversation: empty,
            self.past: "",
            self.present: draw_present(empty, texts(code), examples()),
            self.question: "",
            self.after: gr.update(visible=False),
            **self.feedback.closed(),
        }

    def _find_language(self, question: str, code: str) -> str:
        return draw_found(detect_language(question), texts(code))

    def _redraw(self, conversation: Conversation, code: str) -> tuple[str, str]:
        say = texts(code)
        return draw_past(conversation, say), draw_present(conversation, say, examples())

    async def _press(
        self, conversation: Conversation, code: str, event: gr.EventData, request: gr.Request
    ) -> dict[Any, Any]:
        """A button inside the conversation: an example, a thumb, or "correct"."""
        pressed, say = action_of(event), texts(code)
        if pressed.get("action") == "example":
            example = examples()[pressed["code"]]
            return {self.question: example, self.language: _FOUND}
        updates = await self.feedback.press(pressed, conversation, code, request)
        return updates | {self.past: draw_past(conversation, say), self.present: draw_present(conversation, say)}


def _reader(request: gr.Request) -> tuple[str | None, str]:
    return request.session_hash, "ask"


@cache
def examples() -> dict[str, str]:
    """A question in each language, by its code."""
    loaded: dict[str, str] = yaml.safe_load((Path(__file__).parent / "examples.yaml").read_text(encoding="utf-8"))
    return loaded


def _language_choices(say: Texts) -> list[tuple[str, str]]:
    return [(say("ask.find"), _FOUND), *language_choices(say)]


def build(page: Page) -> None:
    """Build the tab."""
    AskTab(page)
