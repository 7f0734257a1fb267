"""The paper of an exam as HTML: before the question is asked, while the model answers, and with its answer."""

from dataclasses import dataclass

from markupsafe import Markup

from evaluation.reports import figures
from evaluation.statistics import wilson
from ui.answers import Badge, render_card
from ui.exam.paper import Paper
from ui.gateway import MedicalAnswer
from ui.markup import render
from ui.texts import Texts


@dataclass(frozen=True, slots=True)
class OptionRow:
    """An option as it is shown; ``letter`` is empty for the samples that named none that can be read.

    ``votes`` of all samples and their ``share`` are None where nobody voted.
    """

    letter: str
    text: str
    chosen: bool
    gold: bool
    votes: int | None
    share: float | None


def draw_sheet(paper: Paper | None, say: Texts, *, seconds: int = 0) -> str:
    """The paper; ``seconds`` is how long the model has been answering. Nothing where there is no paper.

    The right answer is in it only when the model has answered.
    """
    if paper is None:
        return ""
    live = paper.answer
    result = live.result if live is not None else None
    card = render_card(live, say, fold=f"exam-{live.request_id}") if live is not None and not live.growing else ""
    return render(
        "exam_sheet.html",
        say=say,
        figures=figures,
        paper=paper,
        language=paper.language or (live.language if live is not None else None),
        working=say("exam.working", seconds=seconds) if live is not None and live.growing else None,
        verdict=judge(paper, result, say) if result is not None else None,
        rows=option_rows(paper, result, say),
        confidence=_confidence(paper, result, say) if result is not None else None,
        hidden=paper.gold is not None and result is None,
        card=Markup(card),  # noqa: S704  # a template's
    )


def judge(paper: Paper, result: MedicalAnswer, say: Texts) -> Badge:
    """Whether the model is right, in words and a sign; where nobody knows, what it chose."""
    choice, gold = result.choice, paper.gold
    if choice is None:
        return Badge(say("exam.verdict_unread", gold=gold) if gold else say("exam.verdict_none"), "warn")
    if gold is None:
        return Badge(say("exam.verdict_open", choice=choice), "plain")
    key, tone = ("exam.verdict_right", "good") if choice == gold else ("exam.verdict_wrong", "bad")
    return Badge(say(key, choice=choice, gold=gold), tone)


def option_rows(paper: Paper, result: MedicalAnswer | None, say: Texts) -> list[OptionRow]:
    """The options with what is known of them; last the unread samples, where there are any."""
    votes = result.votes if result is not None else None
    known = result is not None

    def row(letter: str, text: str, count: int | None) -> OptionRow:
        chosen = known and letter != "" and result is not None and letter == result.choice
        share = None if count is None else count / paper.samples
        return OptionRow(letter, text, chosen, known and letter == paper.gold, count, share)

    counts = {letter: None if votes is None else votes.get(letter, 0) for letter in paper.options}
    rows = [row(letter, text, counts[letter]) for letter, text in paper.options.items()]
    if result is not None and result.unread:
        rows.append(row("", say("exam.unread"), result.unread))
    return rows


def _confidence(paper: Paper, result: MedicalAnswer, say: Texts) -> str | None:
    if result.votes is None or result.choice is None or result.confidence is None:
        return None
    n = result.votes[result.choice]
    return say(
        "exam.confidence",
        share=figures.percent(result.confidence, 0),
        n=n,
        all=paper.samples,
        choice=result.choice,
        interval=figures.bounds(wilson(n, paper.samples), 0),
    )
