"""The inner tab "Runs": a table of runs with filters."""

from typing import Any, Final

import gradio as gr

from app.database import open_session
from evaluation.reports import figures
from ui.markup import render, view
from ui.page import Page
from ui.results.reading import connect_download, drawn
from ui.results.runs import STATUSES, RunFilter, RunPage, benchmarks, formats, list_all, list_page, to_csv
from ui.results.words import status_label
from ui.texts import Texts, texts

_ALL: Final = ""
_TONES: Final = {"finished": "good", "running": "plain", "interrupted": "warn", "incomplete": "warn"}


class RunsPanel:
    """The table, its filters, and the page of it that is shown."""

    def __init__(self, page: Page) -> None:
        self._page = page
        interface = page.interface
        self.number = gr.State(0)
        with gr.Row(elem_id="run-filters", elem_classes="filters"):
            self.benchmark = self._filter("results.benchmark", "run-benchmark")
            self.model = interface.make(
                gr.Textbox,
                words={"label": "results.model_text", "placeholder": "results.model_placeholder"},
                elem_id="run-model",
                max_length=200,
            )
            self.status = self._filter("results.status", "run-status")
            self.format = self._filter("results.format", "run-format")
        self.table = view("runs-table")
        with gr.Row(elem_classes="tools"):
            self.refresh = interface.make(
                gr.Button, words={"value": "results.refresh"}, size="sm", elem_id="runs-refresh"
            )
            self.download = interface.make(gr.Button, words={"value": "results.csv"}, size="sm", elem_id="runs-csv")
        self.filters = [self.benchmark, self.model, self.status, self.format]
        connect_download(interface, self.download, self.filters, self._write)

    def _filter(self, key: str, elem_id: str) -> gr.Dropdown:
        return self._page.interface.make(
            gr.Dropdown,
            words={"label": key},
            choices=[("", _ALL)],
            value=_ALL,
            filterable=False,
            interactive=True,
            elem_id=elem_id,
        )

    def load_choices(self, benchmark: str, status: str, format: str, code: str) -> list[Any]:
        """The choices of the three drop-downs as the database has them now."""
        say = texts(code)
        found: dict[str, list[str]] = {"benchmarks": [], "formats": []}

        def read() -> str:
            with open_session(self._page.engine) as session:
                found["benchmarks"], found["formats"] = benchmarks(session), formats(session)
            return ""

        drawn(say, read)  # the table says what is wrong
        named = [
            ([(name, name) for name in found["benchmarks"]], benchmark),
            ([(status_label(name, say), name) for name in STATUSES], status),
            ([(name, name) for name in found["formats"]], format),
        ]
        return [_choices(say, choices, value) for choices, value in named]

    def draw(
        self, benchmark: str, model: str, status: str, format: str, number: int, a: str | None, b: str | None, code: str
    ) -> tuple[str, int]:
        """The table, and the number of its page."""
        say, chosen = texts(code), RunFilter(benchmark or "", model or "", status or "", format or "")
        shown = RunPage((), 0, 1, 0, 0)

        def draw() -> str:
            nonlocal shown
            with open_session(self._page.engine) as session:
                shown = list_page(session, chosen, number)
            return self._draw(shown, {"a": a, "b": b}, say)

        return drawn(say, draw), shown.page

    def _draw(self, shown: RunPage, chosen: dict[str, str | None], say: Texts) -> str:
        return render(
            "results_runs.html",
            say=say,
            figures=figures,
            runs=shown.runs,
            page=shown.page,
            pages=shown.pages,
            fitting=shown.fitting,
            total=shown.total,
            chosen=chosen,
            tones=_TONES,
            statuses={name: status_label(name, say) for name in STATUSES},
            database=self._page.engine.url.render_as_string(hide_password=True),
        )

    def _write(self, benchmark: str, model: str, status: str, format: str) -> tuple[str, str] | None:
        with open_session(self._page.engine) as session:
            runs = list_all(session, RunFilter(benchmark or "", model or "", status or "", format or ""))
        return ("himed-runs.csv", to_csv(runs)) if runs else None


def _choices(say: Texts, choices: list[tuple[str, str]], value: str) -> Any:
    kept = value if value in {choice for _, choice in choices} else _ALL
    return gr.update(choices=[(say("results.all"), _ALL), *choices], value=kept)
