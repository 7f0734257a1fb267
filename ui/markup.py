"""HTML that this page writes itself: from templates that escape every value, and Markdown that holds no HTML."""

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import gradio as gr
import jinja2
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markupsafe import Markup, escape

STATIC: Final = Path(__file__).parent / "static"
_TEMPLATES = Path(__file__).parent / "templates"
# Private-use characters that stand for the begin (with the number of its note) and the end of a marked stretch while
# Markdown is read.
_BEGIN, _END, _FIRST, _LAST = "\ue000", "\ue001", "\ue002", "\uf8ff"
_MARKS = re.compile(f"({_BEGIN}.|{_END})", re.DOTALL)
_OURS = re.compile(f"[{_BEGIN}-{_LAST}]")
_OUTLINE = 3  # levels by which models' headings go down: the page's own stand above them
# One listener on the root: Gradio replaces what is inside. A press on [data-action] becomes the component's `click`
# with the element's data attributes; folds that a reader has opened or closed stay so when the content is drawn anew.
_ON_LOAD: Final = (STATIC / "view.js").read_text(encoding="utf-8")


@cache
def _environment() -> jinja2.Environment:
    from evaluation import reports

    folders = [_TEMPLATES, Path(reports.__file__).parent]  # the reports' charts are drawn by their own macros
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )


def render(template: str, **values: Any) -> str:
    """A template of `ui/templates` (or of the reports) with values, every one of them escaped."""
    return _environment().get_template(template).render(**values)


def problem_note(text: str) -> str:
    """A sentence about what went wrong, which a screen reader says at once.

    Not Gradio's toasts: they come only from queued handlers, are gone before they are read, and hold a button inside of
    a button.
    """
    return render("note.html", tone="problem", text=text)


def status_note(text: str) -> str:
    """A sentence about what was done."""
    return render("note.html", tone="said", text=text)


def view(elem_id: str, *, value: str = "", visible: bool = True, classes: Sequence[str] = ()) -> gr.HTML:
    """A place for rendered templates. Its ``click`` says which ``data-action`` was pressed; see `action_of`.

    The template must stay ``${value}``: Gradio compiles ``{{value}}`` as a script together with what it holds.
    """
    return gr.HTML(
        value,
        html_template="${value}",
        js_on_load=_ON_LOAD,
        apply_default_css=False,
        elem_id=elem_id,
        elem_classes=["view", *classes],
        visible=visible,
    )


def action_of(event: gr.EventData) -> dict[str, str]:
    """The data attributes of the pressed element, ``action`` among them."""
    return {str(name): str(value) for name, value in (event._data or {}).items()}


def markdown(text: str, marked: Sequence[tuple[int, int, str]] = ()) -> Markup:
    """A model's Markdown as HTML: paragraphs, lists, emphasis, code and tables; no HTML, links or images of its own.

    Args:
        text: what the model wrote.
        marked: stretches to mark: begin and end in ``text`` (characters from 0), and what is said of each.
    """
    if _OURS.search(text):  # characters of ours in the text: its words matter more than our marks
        text, marked = _OURS.sub("", text), ()
    pieces: list[str] = []
    notes: list[str] = []
    done = 0
    for begin, end, note in sorted(marked):
        if done <= begin < end <= len(text) and (number := chr(ord(_FIRST) + len(notes))) <= _LAST:
            pieces += [text[done:begin], _BEGIN, number, text[begin:end], _END]
            notes.append(note)
            done = end
    pieces.append(text[done:])
    html = _parser().render("".join(pieces), {"notes": notes, "note": None})
    return Markup(html)  # noqa: S704  # the parser and the rules below escape all text


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable("table")
    parser.disable(["link", "image", "autolink", "reference", "html_block", "html_inline"])
    parser.add_render_rule("heading_open", _heading)
    parser.add_render_rule("heading_close", _heading)
    parser.add_render_rule("text", _text)
    parser.add_render_rule("code_inline", _code_inline)
    parser.add_render_rule("fence", _block)
    parser.add_render_rule("code_block", _block)
    return parser


def _text(self: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: dict[str, Any]) -> str:
    return _with_marks(tokens[index].content, env)


def _heading(self: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: dict[str, Any]) -> str:
    token = tokens[index]
    level = min(6, int(token.tag[1]) + _OUTLINE)
    return f"<h{level}>" if token.nesting == 1 else f"</h{level}>\n"


def _code_inline(self: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: dict[str, Any]) -> str:
    return f"<code>{_with_marks(tokens[index].content, env)}</code>"


def _block(self: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: dict[str, Any]) -> str:
    return f"<pre><code>{_with_marks(tokens[index].content, env)}</code></pre>\n"


def _with_marks(text: str, env: dict[str, Any]) -> str:
    """The escaped text, with ``<mark>`` around what is marked; a mark over several tokens is closed in each."""
    html: list[str] = []
    for part in _MARKS.split(text):
        if part.startswith(_BEGIN):
            env["note"] = env["notes"][ord(part[1]) - ord(_FIRST)]
        elif part == _END:
            env["note"] = None
        elif part:
            words = str(escape(part))
            html.append(words if env["note"] is None else f'<mark title="{escape(env["note"])}">{words}</mark>')
    return "".join(html)
