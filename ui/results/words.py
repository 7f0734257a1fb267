"""Words of reports in the page's language: metrics, groups, and what the reports' macros say."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from app.errors import InputError
from app.languages import find_language
from evaluation.reports import figures
from evaluation.reports.charts import DotChart
from evaluation.reports.definitions import title
from ui.answers import language_name
from ui.texts import Texts, texts

# What `evaluation/reports/macros.html` says.
_MACRO_WORDS: Final = (
    "interval", "metric", "value", "missing", "asked_for", "answers", "item", "row", "sample", "error", "file",
    "field", "reason", "always", "metrics", "by", "languages", "failed", "left_out",
)  # fmt: skip
# The columns of `charts.confusion` that are no language.
_NO_LANGUAGE: Final = {
    "mixed": "results.mixed",
    "another": "results.another",
    "undetermined": "results.undetermined",
    "no answer": "results.no_answer",
}


def macro_values(say: Texts) -> dict[str, Any]:
    """What templates that import the reports' macros are given beside their own values."""
    return {"say": say, "figures": figures, "said": {name: say(f"results.{name}") for name in _MACRO_WORDS}}


def metric_title(name: str, say: Texts) -> str:
    """A metric's title; the report's own where the page has no word for it."""
    return _word(f"results.metric_{name}", say) or title(name)


def group_title(group: str, say: Texts) -> str:
    """A group's name; a benchmark's own as it stands."""
    return _word(f"results.group_{group}", say) or group


def value_label(group: str, value: str, say: Texts) -> str:
    """A group's value; languages by their name in the page's language."""
    if group == "language":
        return language_label(value, say)
    return _word(f"results.{group}_{value}", say) or value


def language_label(value: str, say: Texts) -> str:
    """A language by its name or code, or a column of a confusion table that is none."""
    if (key := _NO_LANGUAGE.get(value)) is not None:
        return say(key)
    language = find_language(value)
    return language_name(language.code, say) if language else value


def chart_in_words(chart: DotChart, group: str, name: str, say: Texts) -> DotChart:
    """A report's chart in the page's language."""
    heading = say("results.metric_by", metric=metric_title(name, say), group=group_title(group, say))
    # `charts.guides` gives the overall figure first, then what no knowledge would score.
    labels = [say("results.all_items"), *(guide.label for guide in chart.guides[1:])]
    if len(labels) == 3:
        labels[1] = f"{say('results.always')} {labels[1].rpartition(' ')[2]}"
        labels[2] = say("results.chance")
    guides = tuple(replace(guide, label=label) for guide, label in zip(chart.guides, labels, strict=True))
    dots = tuple(replace(dot, label=value_label(group, dot.label, say)) for dot in chart.dots)
    return replace(chart, heading=heading, guides=guides, dots=dots)


def status_label(status: str, say: Texts) -> str:
    """A run's status in words."""
    return _word(f"results.status_{status}", say) or status


class NotShownError(InputError):
    """What a person asked for and cannot be shown, as a key of the texts and what its sentence holds.

    ``detail`` is what another part of himed said of it, in English.
    """

    def __init__(self, key: str, *, detail: str | None = None, **values: object) -> None:
        self.key, self.detail, self.values = key, detail, values
        super().__init__(self.words(texts("en")))

    def words(self, say: Texts) -> str:
        """The sentence in the page's language."""
        return say(self.key, **self.values)


def sentence(error: InputError) -> str:
    """An error's problem and remedy as a sentence that a person reads."""
    parts = [part for part in (error.problem, error.remedy) if part]
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}."


def join(parts: Iterable[str | None]) -> str:
    """The parts that say something, between middle dots."""
    return " · ".join(part for part in parts if part) or figures.NONE


def _word(key: str, say: Texts) -> str | None:
    return say(key) if key in say.entries else None
