"""The tab "Results": its inner tabs, and how one leads to another."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import gradio as gr
from sqlalchemy.exc import SQLAlchemyError

from app.database import open_session
from ui.markup import action_of
from ui.page import QUIET, Page
from ui.results.pair_panel import PairPanel
from ui.results.run_panels import ItemsPanel, RunPanel
from ui.results.runs import RunChoice, run_choices
from ui.results.runs_panel import RunsPanel
from ui.results.training_panel import TrainingPanel
from ui.results.waiting import EACH, Latest, apart
from ui.texts import texts

# The pressed button vanishes with its tab: a keyboard's way goes on in the run, not at the top of the page.
_TO_RUN: Final = """() => {
  let frames = 30;
  const go = () => {
    const run = document.querySelector('#run-view');
    if (!run?.offsetParent) { if (frames-- > 0) requestAnimationFrame(go); return; }
    run.tabIndex = -1;
    run.focus({ preventScroll: true });
  };
  go();
}"""


class ResultsTab:
    """Runs, one run, its items, two runs, training."""

    def __init__(self, page: Page) -> None:
        self._page = page
        make = page.interface.make
        self.run = gr.State(None)  # id of the run that "Run" and "Items" are to show
        self.drawn = gr.State(None)  # and of the one that they show
        self.latest = gr.State(Latest())  # the first of them again, for handlers at work
        with gr.Column(elem_id="results", elem_classes="results"), gr.Tabs(elem_id="results-tabs") as self.tabs:
            with make(gr.Tab, words={"label": "results.runs"}, id="runs", elem_id="tab-runs"):
                self.runs = RunsPanel(page)
            with make(gr.Tab, words={"label": "results.run"}, id="run", elem_id="tab-run"):
                self.report = RunPanel(page, self.run, self.latest)
            with make(gr.Tab, words={"label": "results.items"}, id="items", elem_id="tab-items"):
                self.items = ItemsPanel(page, self.run, self.latest)
            with make(gr.Tab, words={"label": "results.two_runs"}, id="pair", elem_id="tab-pair"):
                self.pair = PairPanel(page)
            with make(gr.Tab, words={"label": "results.training"}, id="training", elem_id="tab-training"):
                self.training = TrainingPanel(page)
        self.pickers = [self.report.picker, self.items.picker, self.pair.a, self.pair.b]
        self._connect()

    def _connect(self) -> None:
        interface, runs = self._page.interface, self.runs
        language = interface.language
        table = [*runs.filters, runs.number, self.pair.a, self.pair.b, language]
        shown = [runs.table, runs.number]
        choices = [runs.benchmark, runs.status, runs.format]
        interface.redraw(runs.load_choices, choices, choices)
        interface.redraw(self._load_pickers, self.pickers, self.pickers)
        interface.redraw(runs.draw, table[:-1], shown)
        first_page = [*runs.filters, self.pair.a, self.pair.b, language]
        gr.on(
            [runs.benchmark.input, runs.status.input, runs.format.input, runs.model.change],
            self._draw_first,
            first_page,
            shown,
            trigger_mode="always_last",
            **QUIET,
        )
        runs.refresh.click(runs.draw, table, shown, **QUIET).then(
            runs.load_choices, [*choices, language], choices, **QUIET
        ).then(self._load_pickers, [*self.pickers, language], self.pickers, **QUIET)
        opened = runs.table.click(
            self._press,
            [*table, self.latest],
            [*shown, self.run, self.drawn, self.tabs, *self.pickers],
            **EACH | {"queue": True},  # others cannot show what they say
        )
        self._follow(opened)
        opened.then(js=_TO_RUN)
        for picker in (self.report.picker, self.items.picker):
            chosen = [self.run, self.drawn, *self.pickers[:2]]
            self._follow(picker.input(self._choose, [picker, self.latest], chosen, **EACH))

    def _choose(self, run: str | None, latest: Latest) -> tuple[str | None, ...]:
        latest.choice = run
        return run, None, run, run

    def _follow(self, event: Any) -> None:
        """Draw the run that was chosen. The items first: a report of thousands of them takes seconds to build."""
        language, items, report = self._page.interface.language, self.items, self.report
        known = [self.run, self.drawn, self.latest, language]

        def unless_drawn(draw: Callable[[str | None, str], Any]) -> Callable[..., Any]:
            def draw_latest(run: str | None, drawn: str | None, latest: Latest, code: str) -> Any:
                return gr.skip() if run == drawn else latest.only(run, draw(run, code))

            return draw_latest

        begin = unless_drawn(lambda run, code: (report.building(run, code), *items.begin(run, code)))
        load_languages = unless_drawn(lambda run, code: items.load_languages(run, "", code))
        draw = apart(unless_drawn(lambda run, code: (report.draw(run, code), run)))
        event.then(begin, known, [report.view, *items.shown, *items.filters], **EACH).then(
            load_languages, known, items.language, **EACH
        ).then(draw, known, [report.view, self.drawn], **EACH)

    def _draw_first(
        self, benchmark: str, model: str, status: str, format: str, a: str | None, b: str | None, code: str
    ) -> tuple[str, int]:
        return self.runs.draw(benchmark, model, status, format, 0, a, b, code)

    def _load_pickers(self, *values: Any) -> list[Any]:
        *chosen, _code = values
        known = self._choices(chosen)
        options = [(choice.label, choice.id) for choice in known]
        ids = {choice.id for choice in known}
        return [gr.update(choices=options, value=run if run in ids else None) for run in chosen]

    def _choices(self, chosen: Sequence[str | None]) -> list[RunChoice]:
        try:
            with open_session(self._page.engine) as session:
                return run_choices(session, chosen)
        except SQLAlchemyError:  # the table says so
            return []

    def _press(
        self,
        benchmark: str,
        model: str,
        status: str,
        format: str,
        number: int,
        a: str | None,
        b: str | None,
        code: str,
        latest: Latest,
        event: gr.EventData,
    ) -> dict[Any, Any]:
        """A button of the table: a page of it, a run to open, or one of two to compare."""
        pressed = action_of(event)
        run, action = pressed.get("run"), pressed.get("action")
        if action == "open" and run:
            options = [(choice.label, choice.id) for choice in self._choices([run])]
            known = run if run in {id for _, id in options} else None
            if known is None:
                gr.Info(texts(code)("results.run_gone"))
                return gr.skip()
            latest.choice = run
            return {
                self.run: run,
                self.drawn: None,
                self.tabs: gr.update(selected="run"),
                self.report.picker: gr.update(choices=options, value=run),
                self.items.picker: gr.update(choices=options, value=run),
            }
        updates: dict[Any, Any] = {}
        if action in ("a", "b") and run:
            options = [(choice.label, choice.id) for choice in self._choices([run, a, b])]
            if run not in {id for _, id in options}:
                gr.Info(texts(code)("results.run_gone"))
                return gr.skip()
            a, b = (run, b) if action == "a" else (a, run)
            updates = {
                self.pair.a: gr.update(choices=options, value=a),
                self.pair.b: gr.update(choices=options, value=b),
            }
        elif action == "page":
            page = pressed.get("page", "")
            number = int(page) if page.isdecimal() else 0
        html, number = self.runs.draw(benchmark, model, status, format, number, a, b, code)
        return {self.runs.table: html, self.runs.number: number, **updates}
