"""The inner tab "Two runs": the choice of A and B, and their comparison."""

from typing import Any

import gradio as gr

from ui.markup import view
from ui.page import QUIET, Page
from ui.results.pairs import PairStore, draw_pair, pair_csv
from ui.results.reading import connect_download, drawn, note
from ui.results.run_panels import run_picker
from ui.results.waiting import EACH, Latest, apart
from ui.texts import texts


class PairPanel:
    """Two runs side by side."""

    def __init__(self, page: Page) -> None:
        interface = page.interface
        self._store = PairStore(page.engine)
        # What is shown stays until it is asked for anew, whatever is chosen meanwhile.
        self.asked = gr.State((None, None))
        with gr.Row(elem_id="pair-choice", elem_classes="filters"):
            self.a = run_picker(page, "results.run_a", "pair-a")
            self.b = run_picker(page, "results.run_b", "pair-b")
            self.swap = interface.make(gr.Button, words={"value": "results.swap"}, elem_id="pair-swap", scale=0)
            self.compare = interface.make(
                gr.Button, words={"value": "results.compare"}, variant="primary", elem_id="pair-compare", scale=0
            )
        self.view = view("pair-view")
        with gr.Row(elem_classes="tools"):
            self.download = interface.make(gr.Button, words={"value": "results.csv"}, size="sm", elem_id="pair-csv")
        self.swap.click(lambda a, b: (b, a), [self.a, self.b], [self.a, self.b], **QUIET)
        latest, language = gr.State(Latest((None, None))), interface.language
        begun = self.compare.click(self._begin, [self.a, self.b, latest, language], [self.asked, self.view], **EACH)
        begun.then(apart(self._show), [self.asked, latest, language], self.view, **EACH)
        interface.redraw(apart(self._show), [self.asked, latest], [self.view])
        connect_download(interface, self.download, [self.asked], self._write)

    def _begin(
        self, a: str | None, b: str | None, latest: Latest, code: str
    ) -> tuple[tuple[str | None, str | None], str]:
        latest.choice = a, b
        return (a, b), note(texts(code)("results.comparing" if a and b else "results.choose_two"))

    def _show(self, asked: tuple[str | None, str | None], latest: Latest, code: str) -> Any:
        return latest.only(tuple(asked), self.draw(asked, code))

    def draw(self, asked: tuple[str | None, str | None], code: str) -> str:
        """The comparison that was asked for."""
        say, (a, b) = texts(code), asked
        if not a or not b:
            return note(say("results.choose_two"))
        return drawn(say, lambda: draw_pair(self._store.load(a, b), say))

    def _write(self, asked: tuple[str | None, str | None]) -> tuple[str, str] | None:
        a, b = asked
        return ("himed-two-runs.csv", pair_csv(self._store.load(a, b))) if a and b else None
