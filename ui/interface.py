"""The page's own language: which component says what, and how all of them change at once."""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import gradio as gr
from gradio.blocks import Block

from ui.texts import FALLBACK, INTERFACE_LANGUAGES, Texts, preferred, texts

B = TypeVar("B", bound=Block)
# A key of the texts, or what makes the value of a property from them.
Words = str | Callable[[Texts], Any]

# Of handlers that only redraw something: they wait for nobody, show no spinner and are no part of an API.
QUIET: Final[dict[str, Any]] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
# Of handlers that wait for a model: as many at once as there are people, so nobody waits for another's answer.
LIVE: Final[dict[str, Any]] = {"concurrency_limit": None, "show_progress": "hidden", "api_visibility": "private"}

_STORED = "himed-interface-language"
# Screen readers choose their voice by it, browsers their fonts.
_SET_PAGE_LANGUAGE = "(code) => { document.documentElement.lang = code; }"


class Interface:
    """Makes the components that speak, and lets them change their language while the page is open.

    ``language`` is the session's interface language, an input of every handler that says something.
    """

    def __init__(self) -> None:
        self.language = gr.State(FALLBACK)
        self._worded: list[tuple[Block, dict[str, Words]]] = []
        self._views: list[tuple[Callable[..., Any], list[Block], list[Block]]] = []

    def make(self, kind: type[B], *arguments: Any, words: dict[str, Words], **properties: Any) -> B:
        """A component of a kind, whose properties in ``words`` follow the language.

        ``interface.make(gr.Button, words={"value": "ask.send"}, variant="primary")``
        """
        component = kind(*arguments, **_said(words, texts(FALLBACK)), **properties)
        self._worded.append((component, words))
        return component

    def redraw(self, draw: Callable[..., Any], inputs: Sequence[Block], outputs: Sequence[Block]) -> None:
        """Have ``draw(*inputs, language)`` make ``outputs`` when the page is opened and when the language changes."""
        self._views.append((draw, list(inputs), list(outputs)))

    def build_switch(self) -> gr.Radio:
        """The choice of the language; its place is where this is called."""
        return self.make(
            gr.Radio,
            choices=[(name, code) for code, name in INTERFACE_LANGUAGES.items()],
            value=FALLBACK,
            words={"label": "page.language"},
            elem_id="interface-language",
            container=False,
            interactive=True,
        )

    def connect(self, page: gr.Blocks, switch: gr.Radio) -> None:
        """Wire the switch up, when all components are made; the choice is kept in the browser."""
        stored = gr.BrowserState(None, storage_key=_STORED, secret=_STORED)
        components = [component for component, _ in self._worded]

        def say_all(code: str) -> list[Any]:
            said = texts(code)
            return [gr.update(**_said(words, said)) for _, words in self._worded]

        def choose(code: str) -> tuple[str, str]:
            return code, code

        def begin(kept: str | None, request: gr.Request) -> tuple[str, Any]:
            asked = request.query_params.get("lang") or kept
            code = str(asked) if asked in INTERFACE_LANGUAGES else preferred(request.headers.get("accept-language"))
            return code, gr.update(value=code)

        for chosen in (
            page.load(begin, stored, [self.language, switch], **QUIET),
            switch.input(choose, switch, [self.language, stored], **QUIET),
        ):
            # Each time: Gradio drops a step while the same is still under way, and the page would keep two languages.
            each: dict[str, Any] = QUIET | {"trigger_mode": "multiple"}
            chosen.then(say_all, self.language, components, **each)
            chosen.then(js=_SET_PAGE_LANGUAGE, fn=None, inputs=switch)
            for draw, inputs, outputs in self._views:
                chosen.then(draw, [*inputs, self.language], outputs, **each)


def _said(words: dict[str, Words], said: Texts) -> dict[str, Any]:
    return {name: said(word) if isinstance(word, str) else word(said) for name, word in words.items()}
