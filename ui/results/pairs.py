"""Two runs held against each other: the paired test, its picture and its table."""

from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from app.database import open_session
from app.errors import InputError
from app.tables import ItemRow, RunItemRow, RunRow
from evaluation.reports import figures
from evaluation.results.pairing import Pairing, compare_runs, gap_runs
from evaluation.statistics import MetricComparison
from ui.csv_text import csv_text
from ui.markup import render
from ui.results.memory import Memory
from ui.results.reports import find_run, run_state
from ui.results.words import NotShownError, macro_values, metric_title
from ui.texts import Texts

_KEPT: Final = 16
# Half the width of the picture, in percentage points: the first that holds every whisker.
_REACHES: Final = (1, 2, 5, 10, 20, 50, 100)
# How evaluation's sentences begin that people meet here.
_REASONS: Final = {
    "the runs have no item in common": "results.no_shared_item",
    "no item could be paired": "results.no_shared_number",
    "the runs have no metric in common": "results.no_shared_metric",
}
_COLUMNS: Final = (
    "metric", "n", "missing", "a", "b", "difference", "lo", "hi", "test", "only_a", "only_b", "p", "p_holm",
    "smallest_difference",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class DifferenceDot:
    """A difference with its interval, in per cent of the picture's width; 50 is no difference."""

    at: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class RunPair:
    """The comparison of two runs, A being the one that was chosen as A.

    ``english`` is the side, A or B, that is in English where items are paired by their number; else None.
    """

    pairing: Pairing
    english: str | None = None


class PairStore:
    """The comparisons of a database's runs."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._built = Memory[RunPair](_KEPT)

    def load(self, a: str, b: str) -> RunPair:
        """Two runs compared: by item on one benchmark; else, where one of them is in English, by question number.

        Raises:
            InputError: one is gone, or they cannot be compared.
        """
        with open_session(self._engine) as session:
            first, second = find_run(session, a), find_run(session, b)
            key = (*run_state(session, first), *run_state(session, second))
        return self._built.get(key, lambda: self._build(a, b))

    def _build(self, a: str, b: str) -> RunPair:
        try:
            with open_session(self._engine) as session:
                return _pair(session, find_run(session, a), find_run(session, b))
        except InputError as error:
            key = next((key for begin, key in _REASONS.items() if error.problem.startswith(begin)), None)
            if key is None:
                raise
            raise NotShownError(key) from None


def _pair(session: Session, first: RunRow, second: RunRow) -> RunPair:
    if first.id == second.id:
        raise NotShownError("results.same_run")
    if first.benchmark.sha256 == second.benchmark.sha256:
        return RunPair(compare_runs(session, first, second))
    if _languages(session, first) == {"en"}:
        return RunPair(gap_runs(session, first, second), "A")
    if _languages(session, second) == {"en"}:
        return RunPair(_turned(gap_runs(session, second, first)), "B")
    raise NotShownError(
        "results.different_benchmarks",
        a=first.benchmark.name, n_a=first.benchmark.n, b=second.benchmark.name, n_b=second.benchmark.n,
    )  # fmt: skip


def _turned(pairing: Pairing) -> Pairing:
    """The same comparison with A and B exchanged: the page's A is what was chosen as A."""
    found = pairing.comparison
    rows = tuple(
        replace(
            row,
            a=row.b,
            b=row.a,
            difference=None if row.difference is None else 0.0 - row.difference,
            ci95=None if row.ci95 is None else (0.0 - row.ci95[1], 0.0 - row.ci95[0]),
            only_a=row.only_b,
            only_b=row.only_a,
        )
        for row in found.metrics
    )
    return replace(
        pairing,
        a=pairing.b,
        b=pairing.a,
        comparison=replace(found, a=found.b, b=found.a, metrics=rows),
        only_a=pairing.only_b,
        only_b=pairing.only_a,
    )


def _languages(session: Session, run: RunRow) -> set[str]:
    used = select(ItemRow.language).join(RunItemRow, RunItemRow.item_id == ItemRow.id).distinct()
    return set(session.scalars(used.where(RunItemRow.run_id == run.id, ItemRow.benchmark_id == run.benchmark_id)))


def draw_pair(pair: RunPair, say: Texts) -> str:
    """The comparison as HTML."""
    pairing, rows = pair.pairing, pair.pairing.comparison.metrics
    ends = [abs(100 * end) for row in rows for end in (row.ci95 or (row.difference or 0.0,))]
    reach = next((reach for reach in _REACHES if max(ends, default=0.0) <= reach), _REACHES[-1])
    return render(
        "results_pair.html",
        **macro_values(say),
        pairing=pairing,
        paired=say(
            f"results.paired_{pairing.kind}",
            shared=figures.number(pairing.shared),
            only_a=figures.number(pairing.only_a),
            only_b=figures.number(pairing.only_b),
            english=pair.english,
        ),
        rows=[(metric_title(row.metric, say), row, _dot(row, reach), _cells(row, say)) for row in rows],
        reach=reach,
        ticks=[
            (50 * place + 50, f"{place * reach:+g}".replace("-", "−") if place else "0")
            for place in (-1, -0.5, 0, 0.5, 1)
        ],
    )


def _dot(row: MetricComparison, reach: int) -> DifferenceDot | None:
    if row.difference is None:
        return None
    low, high = row.ci95 or (row.difference, row.difference)
    return DifferenceDot(_place(row.difference, reach), _place(low, reach), _place(high, reach))


def _place(difference: float, reach: int) -> float:
    return round(min(100.0, max(0.0, 50 + 50 * 100 * difference / reach)), 3)


def _cells(row: MetricComparison, say: Texts) -> dict[str, str]:
    interval = figures.NONE
    if row.ci95 is not None:
        interval = say("results.from_to", low=figures.signed(row.ci95[0]), high=figures.signed(row.ci95[1]))
    return {
        "difference": figures.signed(row.difference),
        "interval": interval,
        "test": say(f"results.test_{row.test.replace('-', '_')}") if row.test else figures.NONE,
    }


def pair_csv(pair: RunPair) -> str:
    """The comparison, one line per metric, at full precision, with what A and B are."""
    pairing, rows = pair.pairing, []
    for row in pairing.comparison.metrics:
        values: dict[str, Any] = asdict(row)
        values["lo"], values["hi"] = row.ci95 or (None, None)
        rows.append([pairing.a.id, pairing.b.id, *(values[name] for name in _COLUMNS)])
    return csv_text(("run_a", "run_b", *_COLUMNS), rows)
