"""The model card: Markdown with the hub's front matter, written from the lineages of a checkpoint and its parents."""

from collections.abc import Iterable, Sequence
from typing import Any

import yaml

from app.languages import get_language
from training.checkpoints.lineage import DataFile, Lineage, Metric, base_model

_USE = """\
For research on medical language models in the languages above, and for studying how they reason and in which language
they answer. It reads and writes the completion format `{format}`: ask it with that format's prompt, as himed's
evaluation and server do; measured in another format, it is another model."""

_LIMITS = """\
- **No medical advice.** It is no medical device and has not been tested on patients. Nobody should diagnose, treat,
  prescribe or delay care by what it writes. Whoever uses it for more than research answers for that use.
- Its answers can be wrong, out of date or made up, and sound as sure as right ones. Its reasoning need not be what led
  to its answer. A clinician has to check every statement, doses and interactions above all.
- It was measured on the benchmarks below, if any, and on no others. Languages, specialities and groups of patients that
  they do not hold are unknown ground.
- Texts on traditional medicine in its training say what those traditions teach, not what trials have shown."""


def model_card(chain: Sequence[Lineage]) -> str:
    """The card of a checkpoint. ``chain`` is its lineage and those of its parents, as `lineage_chain` gives them."""
    lineage, oldest_first = chain[0], list(reversed(chain))
    languages = _words([get_language(code).english for code in lineage.languages])
    parts = [
        f"---\n{_yaml(_front_matter(chain))}---",
        f"# {lineage.recipe.name}",
        f"A medical language model for {languages}: stage `{lineage.stage}`, made by himed on "
        f"{lineage.created:%Y-%m-%d}. Revision `{lineage.revision}`.",
        "## Intended use",
        _USE.format(format=lineage.format),
        "## Limits",
        _LIMITS,
        "## Metrics",
        _metrics(lineage.metrics),
        "## What it was trained on",
        _stages(oldest_first),
        *(_data(each) for each in oldest_first),
        "## Settings",
        f"The resolved recipe of this stage, SHA-256 `{lineage.recipe.sha256}`:",
        _fenced(_yaml(lineage.recipe.settings), "yaml"),
        f"Seeds: {_pairs(lineage.seeds) or 'none recorded'}.",
        "## How to reproduce",
        _reproduce(oldest_first),
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(chain: Sequence[Lineage]) -> dict[str, Any]:
    lineage, base = chain[0], base_model(chain)
    front: dict[str, Any] = {"language": list(lineage.languages), "license": lineage.license}
    if base is not None and not base.is_folder:  # the hub refuses what is none of its names
        front["base_model"] = base.path
    return front | {"tags": list(dict.fromkeys(["himed", "medical", lineage.format, lineage.stage]))}


def _metrics(metrics: dict[str, Metric]) -> str:
    if not metrics:
        return "None were measured in this stage."
    rows = [
        (f"`{name}`", _figure(metric.value), _interval(metric), _count(metric.n), _count(metric.missing))
        for name, metric in metrics.items()
    ]
    return _table(("metric", "value", "95 % interval", "n", "missing"), rows)


def _stages(oldest_first: Sequence[Lineage]) -> str:
    parent = oldest_first[0].parent
    start = "random weights" if parent is None else f"`{parent.path}`, revision `{parent.revision}`"
    rows = [
        (
            f"`{lineage.stage}`",
            f"`{lineage.recipe.name}`",
            _count(sum(file.used for file in lineage.data if not file.held_out)),
            _count(lineage.steps),
            _count(lineage.tokens),
            f"`{lineage.revision}`",
        )
        for lineage in oldest_first
    ]
    table = _table(("stage", "recipe", "rows", "steps", "tokens", "revision"), rows)
    return f"It began with {start}.\n\n{table}"


def _data(lineage: Lineage) -> str:
    heading = f"### Data of stage `{lineage.stage}`"
    if not lineage.data:
        return f"{heading}\n\nNone."
    columns = ("file", "SHA-256", "use", "rows", "used", "set aside")
    return f"{heading}\n\n{_table(columns, [_data_row(file) for file in lineage.data])}"


def _data_row(file: DataFile) -> tuple[str, ...]:
    use = "held out" if file.held_out else "training"
    set_aside = "; ".join(f"{reason}: {count:,}" for reason, count in file.set_aside.items())
    return f"`{file.name}`", f"`{file.sha256}`", use, _count(file.rows), _count(file.used), set_aside or "0"


def _reproduce(oldest_first: Sequence[Lineage]) -> str:
    commands = "".join(f"# himed {lineage.code_version}\n{lineage.command}\n" for lineage in oldest_first)
    return (
        f"With the same data files, one after the other:\n\n{_fenced(commands, 'sh')}\n\n"
        f"Packages of this stage: {_pairs(oldest_first[-1].packages)}."
    )


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *([_cell(text) for text in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _figure(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4g}"


def _interval(metric: Metric) -> str:
    return "unknown" if metric.ci95 is None else f"{_figure(metric.ci95[0])} to {_figure(metric.ci95[1])}"


def _count(number: int | None) -> str:
    return "unknown" if number is None else f"{number:,}"


def _words(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]


def _pairs(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _fenced(text: str, language: str) -> str:
    return f"````{language}\n{text}````"  # four: a setting may hold a fence of three


def _yaml(value: Any) -> str:
    return str(yaml.safe_dump(value, allow_unicode=True, sort_keys=False, width=110))
