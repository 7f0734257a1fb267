"""Reading the database for the page: what goes wrong becomes a sentence."""

import logging
from collections.abc import Callable
from typing import Any

import gradio as gr
from sqlalchemy.exc import SQLAlchemyError

from app.errors import InputError
from ui.interface import Interface
from ui.markup import render
from ui.page import LIVE
from ui.results.waiting import apart
from ui.results.words import NotShownError, sentence
from ui.texts import Texts, texts

logger = logging.getLogger(__name__)

_DOWNLOAD = "(file) => { himedDownload(file); }"


def drawn(say: Texts, draw: Callable[[], str]) -> str:
    """What ``draw`` draws; in place of an error a sentence."""
    try:
        return draw()
    except (InputError, SQLAlchemyError) as error:
        problem, detail = _problem(error, say)
        return render("results_note.html", problem=problem, detail=detail, note=None)


def _problem(error: InputError | SQLAlchemyError, say: Texts) -> tuple[str, str | None]:
    """What went wrong in the page's language, and what there is of it in English alone."""
    if isinstance(error, NotShownError):
        return error.words(say), error.detail
    if isinstance(error, InputError):
        return say("results.not_shown"), sentence(error)
    logger.warning("the results database: %s", type(error).__name__)
    return say("results.database_away"), None


def note(text: str) -> str:
    """A sentence in place of what there is nothing of."""
    return render("results_note.html", problem=None, detail=None, note=text)


def connect_download(
    interface: Interface, button: gr.Button, inputs: list[Any], write: Callable[..., tuple[str, str] | None]
) -> None:
    """Have a button download what ``write(*inputs)`` gives: a file's name and its text, or None for nothing."""
    file = gr.JSON(visible=False)

    def make(code: str, *values: Any) -> dict[str, str] | None:
        say = texts(code)
        try:
            found = write(*values)
        except (InputError, SQLAlchemyError) as error:
            gr.Warning(" ".join(part for part in _problem(error, say) if part))
            return None
        if found is None:
            gr.Info(say("results.nothing_to_store"))
            return None
        return {"name": found[0], "text": found[1]}

    # Queued: others cannot show what they say.
    button.click(apart(make), [interface.language, *inputs], file, **LIVE).then(js=_DOWNLOAD, inputs=file)
