"""Single items as HTML: the list, and the chosen one in full."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from markupsafe import Markup

from app.answers import parse_completion
from app.formats import Format
from evaluation.reports import figures
from ui.markup import markdown, render
from ui.results.items import KINDS, PAGE, ItemFilter, ItemLine, StoredScore, WholeItem
from ui.results.words import language_label, macro_values, metric_title
from ui.texts import Texts

_MAX_CHARACTERS: Final = 20_000


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the list of a run's items a reader is: the filter, and the number of the chosen one from 0."""

    chosen: ItemFilter = field(default_factory=ItemFilter)
    index: int = 0

    @property
    def page(self) -> int:
        """The page that the chosen item is on, from 0."""
        return self.index // PAGE


def draw_list(lines: Sequence[ItemLine], counts: Mapping[str, int], place: Place, say: Texts) -> str:
    """The kinds with their counts, and one page of items."""
    fitting = counts[place.chosen.kind]
    first = place.page * PAGE
    return render(
        "results_items.html",
        **macro_values(say),
        kinds=[(kind, say(f"results.kind_{kind}"), counts[kind]) for kind in KINDS],
        chosen=place.chosen.kind,
        lines=[(first + number, line) for number, line in enumerate(lines)],
        index=place.index,
        fitting=fitting,
        first=first,
        page=place.page,
        pages=max(1, -(-fitting // PAGE)),
        size=PAGE,
    )


def draw_item(whole: WholeItem, format: Format, place: Place, fitting: int, say: Texts) -> str:
    """An item with its prompt, its completion, what was expected, and its scores."""
    reasoning, answer = _read(whole, format)
    generation = whole.generation
    facts: list[tuple[str, Any]] = []
    if generation is not None:
        facts = [
            ("finish_reason", generation.finish_reason),
            ("prompt_tokens", figures.number(generation.prompt_tokens)),
            ("completion_tokens", figures.number(generation.completion_tokens)),
            ("latency", None if generation.latency_s is None else f"{generation.latency_s:.2f} s"),
            ("sample", generation.sample),
        ]
    facts += [("item", whole.item.id), ("row", whole.item.row), ("number", whole.item.number)]
    return render(
        "results_item.html",
        **macro_values(say),
        whole=whole,
        item=whole.item,
        language=language_label(whole.item.language, say),
        options=whole.shown.options or {},
        reasoning=_marked(reasoning, whole.scores, "reasoning_language", say),
        answer=_marked(answer, whole.scores, "language", say),
        raw=generation.text if generation is not None else None,
        max_characters=_MAX_CHARACTERS,
        scores=[(_score_title(score, say), score, _detail(score)) for score in whole.scores],
        facts=[(say(f"results.{name}"), figures.NONE if value is None else value) for name, value in facts],
        index=place.index,
        fitting=fitting,
    )


def _read(whole: WholeItem, format: Format) -> tuple[str | None, str | None]:
    """Reasoning and answer, as the scorers read them."""
    row = whole.generation
    if row is None or row.text is None:
        return None, None
    if row.reasoning is not None:  # the endpoint gave it apart
        return row.reasoning.strip() or None, row.text.strip() or None
    completion = parse_completion(row.text, format)
    return completion.reasoning, completion.answer


def _marked(text: str | None, scores: Sequence[StoredScore], scorer: str, say: Texts) -> Markup | None:
    """A model's text with what a language scorer found foreign in it marked."""
    if not text:
        return None
    score = next((score for score in scores if score.scorer == scorer and score.stands), None)
    spans = (score.detail or {}).get("foreign", []) if score is not None else []
    marks = [
        (start, end, language_label(code, say) if code else say("language.other"))
        for words, start, end, code in spans
        if text[start:end] == words
    ]
    return markdown(text[:_MAX_CHARACTERS], marks)


def _score_title(score: StoredScore, say: Texts) -> str:
    return (
        say(f"results.scorer_{score.scorer}")
        if f"results.scorer_{score.scorer}" in say.entries
        else metric_title(score.scorer, say)
    )


def _detail(score: StoredScore) -> str:
    """A score's detail but for the foreign spans, which are marked in the text."""
    detail = {name: value for name, value in (score.detail or {}).items() if name != "foreign"}
    return ", ".join(
        f"{name}: {value if isinstance(value, str) else orjson.dumps(value).decode()}" for name, value in detail.items()
    )
