"""The page: its head, its tabs, its foot."""

from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Final

import gradio as gr
from sqlalchemy import Engine

from ui.answers import Readers
from ui.config import UiConfig
from ui.gateway import AUTO, Gateway
from ui.interface import LIVE, QUIET, Interface
from ui.markup import render, view
from ui.problems import problem_of
from ui.texts import Texts, texts

__all__ = ["LIVE", "QUIET", "Page", "build_page"]

# The tabs in their order; each module builds its own with `build(page)`.
TABS: Final = ("ask", "exam", "compare", "results")


@dataclass(slots=True)
class Page:
    """What the tabs share while they are built, and while the page is open.

    Attributes:
        interface: makes the components that speak, and holds the session's interface language.
        gateway: the way to the models.
        engine: the results database.
        config: what `himed-ui` was told.
        readers: the answers being read, by (session, place on the page).
    """

    interface: Interface
    gateway: Gateway
    engine: Engine
    config: UiConfig
    readers: Readers = field(default_factory=Readers)

    def model_choice(self, *, automatic: bool, elem_id: str, key: str = "page.model") -> gr.Dropdown:
        """A choice among the gateway's models, read anew whenever the page is opened."""

        def choices(say: Texts) -> list[tuple[str, str]]:
            return [(say("page.automatic"), AUTO)] if automatic else []

        picker = self.interface.make(
            gr.Dropdown,
            words={"label": key},
            choices=choices(texts("en")),
            value=AUTO if automatic else None,
            elem_id=elem_id,
            interactive=True,
            filterable=False,
        )

        async def load(chosen: str | None, code: str) -> Any:
            found = await self.list_models()
            names = choices(texts(code)) + [(name, name) for name in found]
            kept = chosen if chosen in {value for _, value in names} else (names[0][1] if names else None)
            return gr.update(choices=names, value=kept)

        self.interface.redraw(load, [picker], [picker])
        return picker

    async def list_models(self) -> list[str]:
        """The gateway's models; none while it is away, which asking then says."""
        import openai

        try:
            return await self.gateway.models()
        except openai.OpenAIError as error:
            problem_of(error)
            return []


def build_page(page: Page) -> gr.Blocks:
    """All of the page."""
    with gr.Blocks(title="himed", analytics_enabled=False, fill_width=True) as blocks:
        interface = page.interface
        interface.language.render()
        with gr.Row(elem_id="head", equal_height=True):
            head = view("brand")
            switch = interface.build_switch()
        with gr.Tabs(elem_id="tabs"):
            for name in TABS:
                with interface.make(gr.Tab, words={"label": f"page.{name}"}, id=name, elem_id=f"tab-{name}"):
                    import_module(f"ui.{name}").build(page)
        foot = view("foot")

        def draw_frame(code: str, request: gr.Request) -> tuple[str, str]:
            say = texts(code)
            return render("head.html", say=say, user=request.username), render("foot.html", say=say)

        async def leave(request: gr.Request) -> None:
            page.readers.leave(request.session_hash)

        interface.redraw(draw_frame, [], [head, foot])
        blocks.unload(leave)
        interface.connect(blocks, switch)
    return blocks
