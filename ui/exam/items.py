"""Multiple-choice questions to draw from: of the benchmarks in the results database, and of the built-in sample."""

import secrets
from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from app.database import open_session
from app.tables import BenchmarkRow, ItemRow
from evaluation.benchmarks.item import Benchmark, Item
from evaluation.benchmarks.registry import load_benchmark
from ui.exam.paper import Paper

BUILT_IN: Final = "sample"


@dataclass(frozen=True, slots=True)
class Source:
    """A benchmark to draw from.

    Attributes:
        id: `BUILT_IN`, or the row's id in the database.
        name: for people; with the version where the database holds several of that name.
        languages: how many of its questions are in which language, by code.
    """

    id: str
    name: str
    languages: dict[str, int]

    @property
    def n(self) -> int:
        """How many questions can be drawn."""
        return sum(self.languages.values())


@dataclass(frozen=True, slots=True)
class DrawnItem:
    """A drawn item; ``id`` tells it from the next."""

    id: str
    paper: Paper


def built_in_source() -> Source:
    """The sample benchmark that comes with himed."""
    return Source(BUILT_IN, _sample().name, dict(Counter(item.language for item in _sample_items())))


def list_sources(engine: Engine) -> list[Source]:
    """The benchmarks in the database that have multiple-choice questions, by name.

    Raises:
        SQLAlchemyError: the database cannot be read.
    """
    query = (
        select(BenchmarkRow.id, BenchmarkRow.name, BenchmarkRow.version, ItemRow.language, func.count())
        .join(ItemRow, ItemRow.benchmark_id == BenchmarkRow.id)
        .where(*_multiple_choice(), BenchmarkRow.sha256 != _sample().sha256)
        .group_by(BenchmarkRow.id, BenchmarkRow.name, BenchmarkRow.version, ItemRow.language)
    )
    found: dict[int, tuple[str, str, dict[str, int]]] = {}
    with open_session(engine) as session:
        for number, name, version, language, n in session.execute(query):
            found.setdefault(number, (name, version, {}))[2][language] = n
    names = Counter(name for name, _, _ in found.values())
    sources = [
        Source(str(number), f"{name} {version}" if names[name] > 1 or name == BUILT_IN else name, languages)
        for number, (name, version, languages) in found.items()
    ]
    return sorted(sources, key=lambda source: source.name.casefold())


def draw_item(engine: Engine, source: str, language: str | None, *, besides: str | None = None) -> DrawnItem | None:
    """A question by chance, each as likely as another; None where there is none.

    Args:
        engine: the results database.
        source: a `Source`'s id.
        language: its code; None for any.
        besides: the id of the item that is on show, which comes again only where it is the only one.

    Raises:
        SQLAlchemyError: the database cannot be read.
    """
    if source == BUILT_IN:
        items = [item for item in _sample_items() if language in (None, item.language)]
        left = [item for item in items if item.id != besides] or items
        return _drawn(secrets.choice(left), _sample().name) if left else None
    with open_session(engine) as session:
        conditions = [*_multiple_choice(), ItemRow.benchmark_id == int(source)]
        if language is not None:
            conditions.append(ItemRow.language == language)
        row = _draw(session, [*conditions, ItemRow.id != besides]) if besides else None
        row = row or _draw(session, conditions)
        benchmark = session.get(BenchmarkRow, int(source))
        return _drawn(row, benchmark.name) if row is not None and benchmark is not None else None


def _draw(session: Session, conditions: list[Any]) -> ItemRow | None:
    n = session.scalar(select(func.count()).select_from(ItemRow).where(*conditions)) or 0
    if not n:
        return None
    query = select(ItemRow).where(*conditions).order_by(ItemRow.position)
    return session.execute(query.offset(secrets.randbelow(n)).limit(1)).scalars().first()


def _multiple_choice() -> list[Any]:
    # Exact copies of an earlier question would come up more often than others.
    return [ItemRow.kind == "mcq", ItemRow.duplicate_of.is_(None)]


def _drawn(item: Item | ItemRow, benchmark: str) -> DrawnItem:
    options = {str(letter): str(text) for letter, text in sorted((item.options or {}).items())}
    origin = f"{benchmark} · {item.number or item.row}"
    return DrawnItem(item.id, Paper(item.question, options, gold=item.gold, language=item.language, origin=origin))


@cache
def _sample() -> Benchmark:
    return load_benchmark(BUILT_IN)


@cache
def _sample_items() -> tuple[Item, ...]:
    return tuple(item for item in _sample().items if item.kind == "mcq" and item.duplicate_of is None)
