"""What a clinician says of an answer: a thumb at one press, a correction and a comment in a panel."""

from typing import Any

import gradio as gr
import openai

from ui.ask.conversation import Conversation, Exchange
from ui.markup import problem_note, status_note, view
from ui.page import QUIET, Page
from ui.problems import problem_of
from ui.texts import texts

_RATINGS = {"good": 1, "bad": -1}


class FeedbackPanel:
    """The panel for a correction and a comment on one answer of the conversation."""

    def __init__(self, page: Page, conversation: gr.State) -> None:
        self._page = page
        interface = page.interface
        self.request_id = gr.State(None)  # of the answer that it is about
        with gr.Column(visible=False, elem_id="feedback") as self.panel:
            self.correction = interface.make(
                gr.Textbox, words={"label": "feedback.correction"}, lines=4, elem_id="correction"
            )
            self.comment = interface.make(gr.Textbox, words={"label": "feedback.comment"}, lines=2, elem_id="comment")
            with gr.Row():
                self.store = interface.make(
                    gr.Button, words={"value": "feedback.store"}, variant="primary", elem_id="store-feedback"
                )
                self.cancel = interface.make(gr.Button, words={"value": "feedback.cancel"}, elem_id="cancel-feedback")
        self.note = view("feedback-note")
        self.components = [self.panel, self.correction, self.comment, self.request_id, self.note]
        self.cancel.click(self.closed, outputs=self.components, **QUIET)
        self.store.click(
            self._store,
            [self.request_id, self.correction, self.comment, conversation, interface.language],
            self.components,
            **QUIET,
        )

    def closed(self) -> dict[Any, Any]:
        """The updates that close it."""
        return {
            self.panel: gr.update(visible=False),
            self.correction: "",
            self.comment: "",
            self.request_id: None,
            self.note: "",
        }

    async def press(
        self, pressed: dict[str, str], conversation: Conversation, code: str, request: gr.Request
    ) -> dict[Any, Any]:
        """A thumb, or the wish to correct, at one of the answers."""
        number = int(pressed.get("number", -1))
        if not 0 <= number < len(conversation.exchanges):
            return self.closed()
        exchange = conversation.exchanges[number]
        if (rating := _RATINGS.get(pressed["action"])) is not None:
            stored, note = await self._give(exchange, code, request, rating=rating)
            if stored:
                exchange.rating = rating
            return note
        return {
            self.panel: gr.update(visible=True),
            self.correction: exchange.live.answer,
            self.comment: "",
            self.request_id: exchange.live.request_id,
            self.note: "",
        }

    async def _store(
        self,
        request_id: str | None,
        correction: str,
        comment: str,
        conversation: Conversation,
        code: str,
        request: gr.Request,
    ) -> dict[Any, Any]:
        exchange = next((each for each in conversation.exchanges if each.live.request_id == request_id), None)
        if request_id is None or exchange is None:
            return {self.note: problem_note(texts(code)("feedback.gone"))}
        said = {"correction": correction.strip(), "comment": comment.strip()}
        if said["correction"] == exchange.live.answer.strip():
            said["correction"] = ""  # the panel opens with the answer in it: left as it is, it corrects nothing
        if not any(said.values()):
            return {self.note: problem_note(texts(code)("feedback.nothing"))}
        stored, note = await self._give(exchange, code, request, **said)
        return self.closed() | note if stored else note

    async def _give(
        self, exchange: Exchange, code: str, request: gr.Request, **said: Any
    ) -> tuple[bool, dict[Any, Any]]:
        """Store it with the question and the answer; whether it was, and the update that says so."""
        live, say = exchange.live, texts(code)
        assert live.request_id is not None  # buttons stand below answers that have one
        about = {"question": exchange.question, "answer": live.answer, "model": live.model, "language": live.language}
        try:
            await self._page.gateway.give_feedback(live.request_id, **said, **about, who=request.username)
        except openai.OpenAIError as error:
            return False, {self.note: problem_note(say(problem_of(error)))}
        return True, {self.note: status_note(say("feedback.stored"))}
