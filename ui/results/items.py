"""Single items of a run, filtered, counted and paged by the database."""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Select, and_, false, func, or_, select
from sqlalchemy.orm import Session, aliased
from sqlalchemy.sql.elements import ColumnElement

from app.tables import GenerationRow, ItemRow, RunItemRow, RunRow, ScoreRow

PAGE: Final = 20
KINDS: Final = ("all", "wrong", "unparsed", "language", "cut_off", "failed")
_EXCERPT: Final = 240


@dataclass(frozen=True, slots=True)
class ItemFilter:
    """Which items of a run; ``kind`` is one of `KINDS`, empty values choose all."""

    kind: str = "all"
    language: str = ""
    search: str = ""


@dataclass(frozen=True, slots=True)
class ItemLine:
    """A completion in a list. ``sample`` is None for an item without any generation."""

    item_id: str
    row: int
    sample: int | None
    language: str
    question: str
    kinds: tuple[str, ...]
    gold: str | None
    chosen: str | None


@dataclass(frozen=True, slots=True)
class StoredScore:
    """One score; ``stands`` is False where a later version, or another judge, took its place in the figures."""

    scorer: str
    version: str
    value: float | None
    label: str | None
    detail: dict[str, Any] | None
    stands: bool


@dataclass(frozen=True, slots=True)
class WholeItem:
    """An item as the run showed it, one of its generations (None where there is none) and all its scores."""

    item: ItemRow
    shown: RunItemRow
    generation: GenerationRow | None
    messages: list[dict[str, str]]
    scores: tuple[StoredScore, ...]


class RunItems:
    """The items of one run. What is wrong, unparsed and so on is what the HTML report means by it.

    Attributes:
        run: the run.
        judge: version of the judge's scores that count: of several judges the last one of the run; None without any.
    """

    def __init__(self, session: Session, run: RunRow) -> None:
        self._session, self.run = session, run
        self.judge = self._judge_version("judge_correct")
        self._scores = {name: aliased(ScoreRow) for name in ("choice", "language", "cut_off")}
        if self.judge is not None:
            self._scores["judge_correct"] = aliased(ScoreRow)

    def languages(self) -> list[str]:
        """Codes of the items' languages."""
        query = select(ItemRow.language).distinct().select_from(RunItemRow).join(ItemRow, self._is_item())
        return sorted(self._session.scalars(query.where(RunItemRow.run_id == self.run.id)))

    def count(self, chosen: ItemFilter) -> dict[str, int]:
        """How many completions of each kind fit the filter's language and search."""
        conditions = self._conditions()
        sums = [func.count().filter(condition) for condition in conditions.values()]
        row = self._session.execute(self._select(chosen, func.count(), *sums)).one()
        return dict(zip(("all", *conditions), row, strict=True))

    def page(self, chosen: ItemFilter, offset: int, limit: int | None = PAGE) -> list[ItemLine]:
        """The completions that fit the filter, in the run's order, from ``offset`` on; without a limit all."""
        conditions = self._conditions()
        query = self._select(
            chosen,
            ItemRow.id, ItemRow.row, GenerationRow.sample, ItemRow.language, func.substr(ItemRow.question, 1, _EXCERPT),
            RunItemRow.gold, self._scores["choice"].label, *conditions.values(),
        )  # fmt: skip
        if chosen.kind in conditions:
            query = query.where(conditions[chosen.kind])
        ordered = query.order_by(RunItemRow.position, GenerationRow.sample).offset(max(offset, 0)).limit(limit)
        return [
            ItemLine(id, row, sample, language, question, _kinds(flags), gold, label)
            for id, row, sample, language, question, gold, label, *flags in self._session.execute(ordered)
        ]

    def whole(self, item_id: str, sample: int | None) -> WholeItem | None:
        """One completion with everything that is stored of it; None where the run has no such item."""
        shown = self._session.get(RunItemRow, (self.run.id, item_id))
        item = self._session.get(ItemRow, (self.run.benchmark_id, item_id))
        if shown is None or item is None:
            return None
        mine = select(GenerationRow).where(GenerationRow.run_id == self.run.id, GenerationRow.item_id == item_id)
        generations = {each.sample: each for each in self._session.scalars(mine.order_by(GenerationRow.sample))}
        generation = generations.get(sample) if sample is not None else None
        # The prompt is stored once for all samples of an item.
        messages = next((each.messages for each in generations.values() if each.messages), [])
        if generation is not None and generation.messages:
            messages = generation.messages
        return WholeItem(item, shown, generation, messages or [], self._all_scores(generation))

    def _all_scores(self, generation: GenerationRow | None) -> tuple[StoredScore, ...]:
        if generation is None:
            return ()
        mine = select(ScoreRow).where(ScoreRow.generation_id == generation.id).order_by(ScoreRow.scorer, ScoreRow.id)
        rows = list(self._session.scalars(mine))
        last = {row.scorer: row.id for row in rows}
        judges = {name: self._judge_version(name) for name in last if name.startswith("judge_")}
        return tuple(
            StoredScore(
                row.scorer, row.version, row.value, row.label, row.detail,
                row.version == judges[row.scorer] if row.scorer in judges else last[row.scorer] == row.id,
            )
            for row in rows
        )  # fmt: skip

    def _judge_version(self, scorer: str) -> str | None:
        mine = (
            select(func.max(ScoreRow.id))
            .join(GenerationRow, GenerationRow.id == ScoreRow.generation_id)
            .where(GenerationRow.run_id == self.run.id, ScoreRow.scorer == scorer)
        )
        return self._session.scalar(select(ScoreRow.version).where(ScoreRow.id == mine.scalar_subquery()))

    def _is_item(self) -> ColumnElement[bool]:
        return and_(ItemRow.id == RunItemRow.item_id, ItemRow.benchmark_id == self.run.benchmark_id)

    def _select(self, chosen: ItemFilter, *columns: Any) -> Select[Any]:
        """A query over the run's completions, each with the scores that stand."""
        joined = (
            select(*columns)
            .select_from(RunItemRow)
            .join(ItemRow, self._is_item())
            .outerjoin(
                GenerationRow,
                and_(GenerationRow.run_id == RunItemRow.run_id, GenerationRow.item_id == RunItemRow.item_id),
            )
            .where(RunItemRow.run_id == self.run.id)
        )
        for name, score in self._scores.items():
            other = aliased(ScoreRow)
            newest = select(func.max(other.id)).where(other.generation_id == GenerationRow.id, other.scorer == name)
            if name == "judge_correct":
                newest = newest.where(other.version == self.judge)
            joined = joined.outerjoin(score, score.id == newest.correlate(GenerationRow).scalar_subquery())
        if chosen.language:
            joined = joined.where(ItemRow.language == chosen.language)
        if chosen.search.strip():
            joined = joined.where(ItemRow.question.icontains(chosen.search.strip(), autoescape=True))
        return joined

    def _conditions(self) -> dict[str, ColumnElement[bool]]:
        choice, language, cut_off = (self._scores[name] for name in ("choice", "language", "cut_off"))
        judge = self._scores.get("judge_correct")
        return {
            "wrong": func.coalesce(or_(choice.value == 0, judge.value == 0 if judge else false()), false()),
            "unparsed": and_(choice.id.is_not(None), choice.value.is_(None)),
            "language": func.coalesce(language.label.in_(("inconsistent", "mixed")), false()),
            "cut_off": func.coalesce(cut_off.value == 1, false()),
            "failed": GenerationRow.text.is_(None),
        }


def _kinds(flags: list[Any]) -> tuple[str, ...]:
    return tuple(kind for kind, flag in zip(KINDS[1:], flags, strict=True) if flag)
