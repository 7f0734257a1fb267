"""A conversation as HTML: the exchanges that are done, and the last one, which may still grow."""

from collections.abc import Mapping

from markupsafe import Markup

from app.languages import get_language
from ui.answers import language_name, render_card
from ui.ask.conversation import Conversation, Exchange
from ui.markup import render
from ui.texts import Texts


def draw_past(conversation: Conversation, say: Texts) -> str:
    """All exchanges but the last."""
    return "".join(_draw(number, each, say, last=False) for number, each in enumerate(conversation.exchanges[:-1]))


def draw_present(conversation: Conversation, say: Texts, examples: Mapping[str, str] | None = None) -> str:
    """The last exchange; before the first question a welcome with examples."""
    if not conversation.exchanges:
        chips = [(get_language(code), text) for code, text in (examples or {}).items()]
        return render("welcome.html", say=say, chips=chips)
    number = len(conversation.exchanges) - 1
    return _draw(number, conversation.exchanges[number], say, last=True)


def draw_found(code: str | None, say: Texts) -> str:
    """The language that was found in a question; nothing while there is none."""
    return render("found.html", text=say("ask.found", language=language_name(code, say))) if code else ""


def _draw(number: int, exchange: Exchange, say: Texts, *, last: bool) -> str:
    live = exchange.live
    actions = ""
    if live.request_id is not None and live.state in ("done", "stopped") and live.answer:
        actions = render("answer_actions.html", say=say, number=number, rating=exchange.rating)
    card = render_card(live, say, fold=f"ask-{number}", actions=Markup(actions))  # noqa: S704  # a template's
    drawn = Markup(card)  # noqa: S704  # likewise
    return render("exchange.html", say=say, exchange=exchange, card=drawn, growing=live.growing, last=last)
