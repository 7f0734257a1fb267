"""A comparison as HTML: two answers without names, the vote, and the table of wins."""

from markupsafe import Markup
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from evaluation.reports import figures
from ui.answers import render_card
from ui.compare.duel import Duel, Vote
from ui.compare.wins import count_models, count_pairs, read_tallies
from ui.markup import render
from ui.texts import Texts


def draw_answer(duel: Duel | None, place: int, say: Texts) -> str:
    """One of the two answers, ``place`` 1 or 2; nothing before the first question."""
    if duel is None:
        return ""
    live = duel.answers[place - 1]
    card = render_card(live, say, fold=f"compare-{duel.number}-{place}", name="")
    return render("compare_answer.html", say=say, live=live, place=place, card=Markup(card))  # noqa: S704  # a template's


def draw_verdict(duel: Duel | None, say: Texts) -> str:
    """What is to be done now: wait, vote, or read the names."""
    if duel is None:
        return ""
    failed = any(live.state == "failed" for live in duel.answers)
    return render("compare_verdict.html", say=say, duel=duel, votes=[vote.value for vote in Vote], stopped=not failed)


def draw_wins(engine: Engine, say: Texts) -> str:
    """The table of all votes so far; a sentence in its place where there are none, or the database is away."""
    try:
        pairs = count_pairs(read_tallies(engine))
    except SQLAlchemyError:
        return render("compare_wins.html", say=say, pairs=None)
    return render("compare_wins.html", say=say, pairs=pairs, models=count_models(pairs), figures=figures)
