"""The tab "Exam": its components and what they do."""

import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, Final

import gradio as gr
from sqlalchemy.exc import SQLAlchemyError

from ui.answers import LiveAnswer, language_choices, language_name
from ui.exam.asking import Asking
from ui.exam.items import BUILT_IN, Source, built_in_source, draw_item, list_sources
from ui.exam.paper import Desk, FieldError, Paper, read_options, read_paper, take_apart
from ui.exam.pictures import draw_sheet
from ui.gateway import AUTO, Question
from ui.markup import problem_note, render, view
from ui.page import LIVE, QUIET, Page
from ui.texts import Texts, texts

logger = logging.getLogger(__name__)

_SOURCES: Final = ("typed", "pasted", "drawn")
_SAMPLES: Final = (1, 3, 5, 9)
_ANY: Final = ""  # the choices "as the question shows it" and "all languages"
# While a person types: only the last of what they typed counts. (Text that comes at once, as pasted text does, is a
# `change` to Gradio, and no `input`.)
_TYPING: Final[dict[str, Any]] = {"trigger_mode": "always_last"} | QUIET


class ExamTab:
    """One question at a time in a session."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._asking = Asking()
        make = page.interface.make
        self.desk = gr.State(Desk())
        with gr.Column(elem_id="exam", elem_classes="narrow"):
            self.head = view("exam-head")
            self.source = make(
                gr.Radio,
                words={"label": "exam.source", "choices": _source_choices},
                value=_SOURCES[0],
                elem_id="exam-source",
                interactive=True,
            )
            self._make_fields()
            with gr.Row(elem_id="exam-row"):
                self.language = make(
                    gr.Dropdown,
                    words={"label": "exam.language", "choices": _language_choices},
                    value=_ANY,
                    filterable=False,
                    interactive=True,
                    elem_id="exam-language",
                )
                self.model = page.model_choice(automatic=True, elem_id="exam-model")
                self.samples = make(
                    gr.Radio,
                    words={"label": "exam.samples", "info": "exam.samples_info"},
                    choices=[(str(n), n) for n in _SAMPLES],
                    value=_SAMPLES[0],
                    elem_id="exam-samples",
                    interactive=True,
                )
            with gr.Row(elem_id="exam-buttons"):
                self.ask = make(gr.Button, words={"value": "exam.ask"}, variant="primary", elem_id="exam-ask")
                self.stop = make(
                    gr.Button, words={"value": "exam.stop"}, variant="stop", elem_id="exam-stop", visible=False
                )
            self.sheet = view("exam-sheet")
        self._connect()

    def _make_fields(self) -> None:
        """The three ways to give a question."""
        make = self._page.interface.make
        with gr.Column(visible=False, elem_id="exam-paste") as self.pasting:
            self.paste = make(
                gr.Textbox,
                words={"label": "exam.paste", "placeholder": "exam.paste_placeholder"},
                lines=6,
                max_lines=20,
            )
            self.paste_note = view("exam-paste-note")
        with gr.Column(elem_id="exam-typed") as self.typing:
            self.question = make(
                gr.Textbox, words={"label": "exam.question"}, lines=3, max_lines=12, elem_id="exam-question"
            )
            self.question_problem = view("exam-question-problem")
            self.options = make(
                gr.Textbox,
                words={"label": "exam.options", "placeholder": "exam.options_placeholder"},
                lines=4,
                max_lines=26,
                elem_id="exam-options",
            )
            self.options_problem = view("exam-options-problem")
        with gr.Column(visible=False, elem_id="exam-draw") as self.drawing:
            with gr.Row(elem_id="exam-draw-row"):
                built_in = built_in_source()
                self.benchmark = make(
                    gr.Dropdown,
                    words={"label": "exam.benchmark"},
                    choices=_benchmark_choices([built_in], texts("en")),
                    value=BUILT_IN,
                    filterable=False,
                    interactive=True,
                    elem_id="exam-benchmark",
                )
                self.filter = make(
                    gr.Dropdown,
                    words={"label": "exam.filter"},
                    choices=_filter_choices(built_in, texts("en")),
                    value=_ANY,
                    filterable=False,
                    interactive=True,
                    elem_id="exam-filter",
                )
                self.draw = make(gr.Button, words={"value": "exam.draw"}, elem_id="exam-draw-another")
            self.draw_problem = view("exam-draw-problem")
        self.problems = {
            "question": self.question_problem, "options": self.options_problem, "benchmark": self.draw_problem
        }  # fmt: skip

    def _connect(self) -> None:
        interface = self._page.interface
        language = interface.language
        written, chosen = [self.question, self.options], [self.benchmark, self.filter]
        shown = [self.sheet, *self.problems.values()]
        self.source.input(
            self._choose_source,
            [self.source, *written, *chosen, self.desk, language],
            [self.pasting, self.typing, self.drawing, self.language, *shown],
            **QUIET,
        )
        gr.on(
            [field.change for field in written],
            self._write,
            [self.source, *written, self.desk, language],
            shown,
            **_TYPING,
        )
        self.paste.change(self._take_apart, [self.paste, language], [*written, self.typing, self.paste_note], **_TYPING)
        self.benchmark.input(self._choose_benchmark, [*chosen, self.desk, language], [self.filter, *shown], **QUIET)
        gr.on([self.filter.input, self.draw.click], self._draw, [*chosen, self.desk, language], shown, **QUIET)
        self.ask.click(
            self._ask,
            [self.source, *written, self.language, self.model, self.samples, self.desk, language],
            [self.ask, self.stop, *shown],
            **LIVE,
        ).then(self._end, [self.desk, language], [self.ask, self.stop, self.sheet], **QUIET)
        self.stop.click(self._stop, **QUIET)
        interface.redraw(self._redraw, [self.desk], [self.head, self.sheet])
        interface.redraw(self._load_sources, chosen, chosen)

    def _choose_source(
        self, source: str, question: str, options: str, benchmark: str, language: str, desk: Desk, code: str
    ) -> dict[Any, Any]:
        """Show the fields of one way to give a question."""
        fields = {
            self.pasting: gr.update(visible=source == "pasted"),
            self.typing: gr.update(visible=source == "typed" or (source == "pasted" and bool(question or options))),
            self.drawing: gr.update(visible=source == "drawn"),
            self.language: gr.update(visible=source != "drawn"),  # a drawn question's is known
        }
        if source != "drawn":
            return fields | self._preview(question, options, desk, code)
        if desk.drawn is None:
            return fields | self._draw(benchmark, language, desk, code)
        return fields | self._show(desk, replace(desk.drawn), code)

    def _write(self, source: str, question: str, options: str, desk: Desk, code: str) -> dict[Any, Any]:
        return {self.sheet: gr.skip()} if source == "drawn" else self._preview(question, options, desk, code)

    def _preview(self, question: str, options: str, desk: Desk, code: str) -> dict[Any, Any]:
        """What would be asked, as far as it can be told."""
        try:
            lettered = read_options(options)
        except FieldError:
            lettered = {}
        return self._show(desk, Paper(question.strip(), lettered) if question.strip() and lettered else None, code)

    def _take_apart(self, text: str, code: str) -> tuple[Any, ...]:
        """Read the question and its options from what was pasted into the fields below, to be corrected there."""
        question, options = take_apart(text)
        note = ""
        if text.strip():
            key, tone = ("exam.understood", "note") if options else ("exam.not_understood", "problem")
            note = render("note.html", tone=tone, text=texts(code)(key))
        return question, "\n".join(options), gr.update(visible=bool(text.strip())), note

    def _choose_benchmark(self, benchmark: str, language: str, desk: Desk, code: str) -> dict[Any, Any]:
        source = next((each for each in self._sources() if each.id == benchmark), built_in_source())
        if language not in source.languages:
            language = _ANY
        choices = gr.update(choices=_filter_choices(source, texts(code)), value=language)
        return {self.filter: choices} | self._draw(benchmark, language, desk, code)

    def _draw(self, benchmark: str, language: str, desk: Desk, code: str) -> dict[Any, Any]:
        """Another question by chance; none while the last one is being answered."""
        if desk.busy:
            return {self.sheet: gr.skip()}
        try:
            drawn = draw_item(self._page.engine, benchmark, language or None, besides=desk.drawn_id)
        except SQLAlchemyError as error:
            logger.warning("no question was drawn: %s", type(error).__name__)
            drawn = None
        if drawn is None:
            desk.drawn = desk.drawn_id = None
            return self._show(desk, None, code) | self._problem(FieldError("benchmark", "exam.unreadable"), code)
        desk.drawn, desk.drawn_id = drawn.paper, drawn.id
        return self._show(desk, replace(drawn.paper), code)

    def _show(self, desk: Desk, paper: Paper | None, code: str) -> dict[Any, Any]:
        """Put a paper on show, unless the one that is there is being answered."""
        if desk.busy:
            return {self.sheet: gr.skip()}
        desk.paper = paper
        return {self.sheet: draw_sheet(paper, texts(code))} | dict.fromkeys(self.problems.values(), "")

    def _problem(self, error: FieldError, code: str) -> dict[Any, Any]:
        note = problem_note(texts(code)(error.key, **error.values))
        return dict.fromkeys(self.problems.values(), "") | {self.problems[error.field]: note}

    async def _ask(
        self,
        source: str,
        question: str,
        options: str,
        language: str,
        model: str | None,
        samples: int,
        desk: Desk,
        code: str,
        request: gr.Request,
    ) -> AsyncIterator[dict[Any, Any]]:
        say = texts(code)
        try:
            paper = _drawn_paper(desk) if source == "drawn" else read_paper(question, options)
        except FieldError as error:
            yield self._problem(error, code)
            return
        paper.samples = samples
        live = paper.answer = LiveAnswer()
        desk.paper = paper
        yield {
            self.ask: gr.update(visible=False),
            self.stop: gr.update(visible=True),
            self.sheet: draw_sheet(paper, say),
        } | dict.fromkeys(self.problems.values(), "")
        asked_in = paper.language or language or None
        asked = Question(paper.question, options=paper.options, language=asked_in, model=model or AUTO, samples=samples)
        async for seconds in self._asking.wait(request.session_hash, self._page.gateway, asked, live):
            yield {self.sheet: draw_sheet(paper, say, seconds=seconds)}

    def _end(self, desk: Desk, code: str) -> tuple[Any, ...]:
        """The answer, in the page's language as it is by now."""
        return gr.update(visible=True), gr.update(visible=False), draw_sheet(desk.paper, texts(code))

    async def _stop(self, request: gr.Request) -> None:
        self._asking.stop(request.session_hash)

    def _redraw(self, desk: Desk, code: str) -> tuple[str, str]:
        say = texts(code)
        return render("exam_head.html", say=say), draw_sheet(desk.paper, say)

    def _load_sources(self, benchmark: str, language: str, code: str) -> tuple[Any, Any]:
        sources, say = self._sources(), texts(code)
        source = next((each for each in sources if each.id == benchmark), sources[0])
        kept = language if language in source.languages else _ANY
        return (
            gr.update(choices=_benchmark_choices(sources, say), value=source.id),
            gr.update(choices=_filter_choices(source, say), value=kept),
        )

    def _sources(self) -> list[Source]:
        """All benchmarks to draw from; the built-in one alone while the database is away."""
        try:
            return [built_in_source(), *list_sources(self._page.engine)]
        except SQLAlchemyError as error:
            logger.warning("the benchmarks were not read: %s", type(error).__name__)
            return [built_in_source()]


def _drawn_paper(desk: Desk) -> Paper:
    if desk.drawn is None:
        raise FieldError("benchmark", "exam.not_drawn")
    return replace(desk.drawn)


def _source_choices(say: Texts) -> list[tuple[str, str]]:
    return [(say(f"exam.{source}"), source) for source in _SOURCES]


def _language_choices(say: Texts) -> list[tuple[str, str]]:
    return [(say("exam.find"), _ANY), *language_choices(say)]


def _benchmark_choices(sources: list[Source], say: Texts) -> list[tuple[str, str]]:
    def name(source: Source) -> str:
        return say("exam.built_in", name=source.name) if source.id == BUILT_IN else source.name

    return [(say.count("exam.count", source.n, name=name(source)), source.id) for source in sources]


def _filter_choices(source: Source, say: Texts) -> list[tuple[str, str]]:
    named = sorted((f"{language_name(code, say)} ({n:,})", code) for code, n in source.languages.items())
    return [(say("exam.all_languages"), _ANY), *named]


def build(page: Page) -> None:
    """Build the tab."""
    ExamTab(page)
