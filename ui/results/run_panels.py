"""The inner tabs "Run" and "Items": one run's report, and its single items."""

from typing import Any, cast

import gradio as gr

from app.database import open_session
from app.formats import Format
from ui.markup import action_of, view
from ui.page import QUIET, Page
from ui.results.item_table import items_csv
from ui.results.item_view import Place, draw_item, draw_list
from ui.results.items import KINDS, PAGE, ItemFilter, RunItems
from ui.results.reading import connect_download, drawn, note
from ui.results.reports import ReportStore, draw_report, find_run, report_csv
from ui.results.waiting import EACH, Latest, apart
from ui.results.words import NotShownError, language_label
from ui.texts import texts

# On a narrow screen the item stands far below its list.
_TO_ITEM = (
    "() => { if (matchMedia('(max-width: 60rem)').matches) document.querySelector('#item-view').scrollIntoView(); }"
)


def run_picker(page: Page, key: str, elem_id: str) -> gr.Dropdown:
    """A choice of a run; its choices are loaded when the page is."""
    return page.interface.make(gr.Dropdown, words={"label": key}, choices=[], interactive=True, elem_id=elem_id)


class RunPanel:
    """A run's report. ``latest`` is what the reader has chosen, which a handler at work sees change."""

    def __init__(self, page: Page, run: gr.State, latest: gr.State) -> None:
        self._store = ReportStore(page.engine)
        self.picker = run_picker(page, "results.run", "run-choice")
        self.view = view("run-view")
        with gr.Row(elem_classes="tools"):
            self.download = page.interface.make(gr.Button, words={"value": "results.csv"}, size="sm", elem_id="run-csv")
        page.interface.redraw(apart(self._redraw), [run, latest], [self.view])
        connect_download(page.interface, self.download, [run], self._write)

    def _redraw(self, run: str | None, latest: Latest, code: str) -> Any:
        return latest.only(run, self.draw(run, code))

    def draw(self, run: str | None, code: str) -> str:
        """The report of a run."""
        say = texts(code)
        if not run:
            return note(say("results.choose_run"))
        return drawn(say, lambda: draw_report(self._store.load(run), say))

    def building(self, run: str | None, code: str) -> str:
        """What stands there while a report is built."""
        return note(texts(code)("results.building" if run else "results.choose_run"))

    def _write(self, run: str | None) -> tuple[str, str] | None:
        return (f"himed-{run}.csv", report_csv(self._store.load(run))) if run else None


class ItemsPanel:
    """A run's items: filters, a list and the chosen one. ``latest`` is as in `RunPanel`."""

    def __init__(self, page: Page, run: gr.State, latest: gr.State) -> None:
        self._page, self._run = page, run
        interface = page.interface
        self.place = gr.State(Place())
        with gr.Row(elem_id="item-filters", elem_classes="filters"):
            self.picker = run_picker(page, "results.run", "items-run")
            self.language = interface.make(
                gr.Dropdown,
                words={"label": "results.item_language"},
                choices=[("", "")],
                value="",
                filterable=False,
                interactive=True,
                elem_id="item-language",
            )
            self.search = interface.make(
                gr.Textbox,
                words={"label": "results.search", "placeholder": "results.search_placeholder"},
                elem_id="item-search",
                max_length=500,
            )
        with gr.Row(elem_id="items", equal_height=False):
            with gr.Column(scale=2, min_width=280):
                self.list = view("item-list")
            with gr.Column(scale=3, min_width=320):
                self.item = view("item-view")
        with gr.Row(elem_classes="tools"):
            self.download = interface.make(gr.Button, words={"value": "results.csv"}, size="sm", elem_id="items-csv")
        self.shown = [self.place, self.list, self.item]
        self.filters = [self.language, self.search]
        seen = [run, latest, self.language, self.search, self.place, interface.language]
        self.search.change(self._filter, seen, self.shown, trigger_mode="always_last", **QUIET)
        self.language.input(self._filter, seen, self.shown, **EACH)
        self.list.click(self._press, seen, self.shown, **QUIET).then(js=_TO_ITEM)
        self.item.click(self._press, seen, self.shown, **QUIET)
        interface.redraw(self._redraw, [run, latest, self.place], [self.list, self.item])
        interface.redraw(self.load_languages, [run, self.language], [self.language])
        connect_download(interface, self.download, [run, self.place], self._write)

    def load_languages(self, run: str | None, chosen: str, code: str) -> Any:
        """The languages of a run's items."""
        say = texts(code)
        found: list[str] = []

        def read() -> str:
            if run:
                with open_session(self._page.engine) as session:
                    found.extend(RunItems(session, find_run(session, run)).languages())
            return ""

        drawn(say, read)  # the list says what is wrong
        named = sorted((language_label(each, say), each) for each in found)
        return gr.update(choices=[(say("results.all"), ""), *named], value=chosen if chosen in found else "")

    def begin(self, run: str | None, code: str) -> tuple[Any, ...]:
        """A run's items without any filter: the place, the list and the first item; then the emptied filters."""
        return *self._at(run, Place(), code), "", ""

    def _filter(self, run: str | None, latest: Latest, language: str, search: str, place: Place, code: str) -> Any:
        place = Place(ItemFilter(place.chosen.kind, language or "", search or ""))
        return latest.only(run, self._at(run, place, code))

    def _press(
        self,
        run: str | None,
        latest: Latest,
        language: str,
        search: str,
        place: Place,
        code: str,
        event: gr.EventData,
    ) -> Any:
        pressed, chosen = action_of(event), place.chosen
        index = pressed.get("index", "")
        if pressed.get("action") == "kind" and pressed.get("kind") in KINDS:
            place = Place(ItemFilter(pressed["kind"], chosen.language, chosen.search))
        elif index.isdecimal():
            place = Place(chosen, int(index))
        return latest.only(run, self._at(run, place, code))

    def _redraw(self, run: str | None, latest: Latest, place: Place, code: str) -> Any:
        return latest.only(run, self._at(run, place, code)[1:])

    def _write(self, run: str | None, place: Place) -> tuple[str, str] | None:
        text = items_csv(self._page.engine, run, place.chosen) if run else None
        return (f"himed-{run}-items-{place.chosen.kind}.csv", text) if text else None

    def _at(self, run: str | None, place: Place, code: str) -> tuple[Place, str, str]:
        """The list and the item of a place; of one behind the last item the last one."""
        say = texts(code)
        if not run:
            return place, note(say("results.choose_run")), ""
        item = ""

        def draw() -> str:
            nonlocal place, item
            with open_session(self._page.engine) as session:
                row = find_run(session, run)
                items = RunItems(session, row)
                counts = items.count(place.chosen)
                fitting = counts[place.chosen.kind]
                place = Place(place.chosen, max(0, min(place.index, fitting - 1)))
                lines = items.page(place.chosen, place.page * PAGE)
                number = place.index - place.page * PAGE
                if number < len(lines):
                    line = lines[number]
                    whole = items.whole(line.item_id, line.sample)
                    if whole is None:
                        raise NotShownError("results.item_gone")
                    item = draw_item(whole, cast(Format, row.model.format), place, fitting, say)
                return draw_list(lines, counts, place, say)

        shown = drawn(say, draw)
        return place, shown, item
