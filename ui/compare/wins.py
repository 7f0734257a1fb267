"""Who wins: votes between models, counted per pair and per model, with intervals and a test."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine, func, select

from app.database import open_session
from app.tables import ComparisonVoteRow
from evaluation.statistics import mcnemar_exact, wilson
from ui.compare.duel import Vote
from ui.csv_text import csv_text

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Tally:
    """How often one vote was given with ``a`` shown first and ``b`` second."""

    a: str
    b: str
    vote: Vote
    n: int


@dataclass(frozen=True, slots=True)
class PairWins:
    """The votes between two models, whichever of them stood first; ``first`` comes first by name.

    Attributes:
        share: wins of ``first`` among the decided votes; None without any.
        interval: 95 % by Wilson, of ``share``.
        p: two-sided exact sign test that either wins as often as the other; None without a decided vote.
    """

    first: str
    second: str
    first_wins: int
    second_wins: int
    ties: int
    neither: int
    share: float | None
    interval: Interval | None
    p: float | None

    @property
    def decided(self) -> int:
        """Votes for one of the two."""
        return self.first_wins + self.second_wins

    @property
    def n(self) -> int:
        """All votes."""
        return self.decided + self.ties + self.neither


@dataclass(frozen=True, slots=True)
class ModelWins:
    """A model's votes against all others; ``share`` and ``interval`` as in `PairWins`."""

    model: str
    n: int
    wins: int
    losses: int
    share: float | None
    interval: Interval | None

    @property
    def decided(self) -> int:
        """Votes for it or for the other."""
        return self.wins + self.losses


def read_tallies(engine: Engine) -> list[Tally]:
    """All votes of the database, counted there.

    Raises:
        SQLAlchemyError: the database cannot be read.
    """
    row = ComparisonVoteRow
    query = select(row.model_a, row.model_b, row.vote, func.count()).group_by(row.model_a, row.model_b, row.vote)
    with open_session(engine) as session:
        return [Tally(a, b, Vote(vote), n) for a, b, vote, n in session.execute(query)]


def count_pairs(tallies: Iterable[Tally]) -> list[PairWins]:
    """The votes of each pair, most votes first, then by name."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    for tally in tallies:
        first, second = sorted((tally.a, tally.b))
        won_by = {Vote.A: tally.a, Vote.B: tally.b}.get(tally.vote)
        key = tally.vote.value if won_by is None else "first" if won_by == first else "second"
        counts.setdefault((first, second), Counter())[key] += tally.n
    pairs = [_pair(first, second, count) for (first, second), count in counts.items()]
    return sorted(pairs, key=lambda pair: (-pair.n, pair.first, pair.second))


def count_models(pairs: Iterable[PairWins]) -> list[ModelWins]:
    """The votes of each model over all its pairs, the largest share of wins first, then by name."""
    votes, wins, losses = Counter[str](), Counter[str](), Counter[str]()
    for pair in pairs:
        for model, won, lost in (
            (pair.first, pair.first_wins, pair.second_wins),
            (pair.second, pair.second_wins, pair.first_wins),
        ):
            votes[model] += pair.n
            wins[model] += won
            losses[model] += lost
    models = [
        ModelWins(model, votes[model], wins[model], losses[model], *_share(wins[model], wins[model] + losses[model]))
        for model in votes
    ]
    return sorted(models, key=lambda each: (-1.0 if each.share is None else -each.share - 1, each.model))


def pairs_csv(pairs: Sequence[PairWins]) -> str:
    """The table of pairs as CSV; shares from 0 to 1, unknown ones empty."""
    heads = (
        "model_1", "model_2", "votes", "wins_1", "wins_2", "ties", "neither", "decided", "share_1",
        "share_1_low95", "share_1_high95", "sign_test_p",
    )  # fmt: skip
    rows = [
        (pair.first, pair.second, pair.n, pair.first_wins, pair.second_wins, pair.ties, pair.neither, pair.decided,
         *_cells(pair.share, pair.interval), pair.p)
        for pair in pairs
    ]  # fmt: skip
    return csv_text(heads, rows)


def models_csv(models: Sequence[ModelWins]) -> str:
    """The table of models as CSV, like `pairs_csv`."""
    heads = ("model", "votes", "wins", "losses", "decided", "share", "share_low95", "share_high95")
    rows = [
        (each.model, each.n, each.wins, each.losses, each.decided, *_cells(each.share, each.interval))
        for each in models
    ]
    return csv_text(heads, rows)


def _pair(first: str, second: str, count: Counter[str]) -> PairWins:
    won, lost = count["first"], count["second"]
    share, interval = _share(won, won + lost)
    p = mcnemar_exact(won, lost) if won + lost else None  # the exact sign test: the same binomial
    return PairWins(first, second, won, lost, count[Vote.TIE], count[Vote.NEITHER], share, interval, p)


def _share(wins: int, decided: int) -> tuple[float | None, Interval | None]:
    return (wins / decided, wilson(wins, decided)) if decided else (None, None)


def _cells(share: float | None, interval: Interval | None) -> tuple[float | None, ...]:
    return (share, *(interval or (None, None)))
