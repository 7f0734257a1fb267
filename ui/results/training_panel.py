"""The inner tab "Training": a checkpoint's lineage and the curves of its stages."""

from pathlib import Path
from typing import Any, Final

import gradio as gr

from evaluation.reports import figures
from training.checkpoints import Metric
from ui.csv_text import csv_text
from ui.markup import render, view
from ui.page import Page
from ui.results.checkpoints import MERGE, Descent, Stage, find_checkpoints, find_descent
from ui.results.curve_charts import HEIGHT, WIDTH, draw_panel, number
from ui.results.curves import Curves, CurveStore, LogsTooLargeError
from ui.results.reading import connect_download, drawn, note
from ui.results.waiting import EACH, Latest, apart
from ui.results.words import language_label
from ui.texts import Texts, texts

_TAGS: Final = {"train": "results.in_training", "eval": "results.held_out"}


class TrainingPanel:
    """A checkpoint and what led to it."""

    def __init__(self, page: Page) -> None:
        self._roots = page.config.checkpoints
        self._curves = CurveStore()
        interface = page.interface
        with gr.Row(elem_classes="filters", visible=bool(self._roots)):
            self.picker = interface.make(
                gr.Dropdown,
                words={"label": "results.checkpoint"},
                choices=[],
                interactive=True,
                elem_id="checkpoint",
            )
            self.refresh = interface.make(
                gr.Button, words={"value": "results.refresh"}, elem_id="checkpoints-refresh", scale=0
            )
        self.view = view("training-view")
        with gr.Row(elem_classes="tools", visible=bool(self._roots)):
            self.download = interface.make(gr.Button, words={"value": "results.csv"}, size="sm", elem_id="training-csv")
        latest, language, shown = gr.State(Latest()), interface.language, [self.picker, self.view]
        interface.redraw(apart(self._load), [self.picker, latest], shown)
        self.refresh.click(apart(self._load), [self.picker, latest, language], shown, **EACH)
        self.picker.input(apart(self._choose), [self.picker, latest, language], self.view, **EACH)
        connect_download(interface, self.download, [self.picker], self._write)

    def _choose(self, folder: str | None, latest: Latest, code: str) -> Any:
        latest.choice = folder
        return latest.only(folder, self.draw(folder, code))

    def _load(self, chosen: str | None, latest: Latest, code: str) -> Any:
        """The checkpoints that are there now, and the chosen one."""
        latest.choice = chosen
        found = find_checkpoints(self._roots)
        kept = chosen if chosen in {str(each.folder) for each in found} else None
        choices = [(each.name, str(each.folder)) for each in found]
        shown = self.draw(kept, code, there=len(found))
        return latest.only(chosen, (gr.update(choices=choices, value=kept), shown))

    def draw(self, folder: str | None, code: str, *, there: int | None = None) -> str:
        """A checkpoint's lineage and curves."""
        say = texts(code)
        if not self._roots:
            return note(say("results.no_checkpoints_option"))
        if not folder:
            return note(say("results.no_checkpoints" if there == 0 else "results.choose_checkpoint"))
        return drawn(say, lambda: self._draw(find_descent(Path(folder), self._roots), say))

    def _draw(self, descent: Descent, say: Texts) -> str:
        return render(
            "results_training.html",
            say=say,
            figures=figures,
            number=number,
            base=descent.base,
            broken=descent.broken,
            stages=[_describe(stage, say) for stage in descent.stages],
            charts=[self._chart(stage, say) for stage in reversed(descent.stages) if stage.logs is not None],
            width=WIDTH,
            height=HEIGHT,
        )

    def _chart(self, stage: Stage, say: Texts) -> dict[str, Any]:
        problem, curves = self._load_curves(stage)
        panels = []
        for name, found in curves.items():
            names = [_curve_name(curve.tag, name, say) for curve in found]
            panels.append(
                {
                    "title": say(f"results.panel_{name}"),
                    "panel": draw_panel(found, names) if any(curve.points for curve in found) else None,
                    "curves": list(zip(names, found, strict=True)),
                }
            )
        return {
            "name": f"{stage.lineage.stage} · {stage.lineage.recipe.name}",
            "problem": say(problem) if problem else None,
            "panels": panels,
        }

    def _load_curves(self, stage: Stage) -> tuple[str | None, Curves]:
        assert stage.logs is not None
        try:
            curves = self._curves.load(stage.logs)
        except LogsTooLargeError:
            return "results.logs_too_large", {}
        except OSError:
            return "results.logs_unreadable", {}
        return (None if curves else "results.no_logs"), curves

    def _write(self, folder: str | None) -> tuple[str, str] | None:
        if not folder:
            return None
        rows = [
            (stage.lineage.stage, stage.lineage.recipe.name, curve.tag, step, value)
            for stage in find_descent(Path(folder), self._roots).stages
            if stage.logs is not None
            for curves in self._load_curves(stage)[1].values()
            for curve in curves
            for step, value in curve.points
        ]
        return ("himed-training.csv", csv_text(("stage", "recipe", "tag", "step", "value"), rows)) if rows else None


def _curve_name(tag: str, panel: str, say: Texts) -> str:
    """What a line is called beside its picture: the part of a reward, or whether it was measured in training."""
    source, _, rest = tag.partition("/")
    if panel in ("reward_parts", "weights"):
        return rest.partition("/")[2]
    return say(_TAGS[source])


def _describe(stage: Stage, say: Texts) -> dict[str, Any]:
    lineage = stage.lineage
    trained = [file for file in lineage.data if not file.held_out]
    rows = sum(file.used for file in trained)
    return {
        "stage": lineage.stage,
        "merged": lineage.stage == MERGE,
        "recipe": lineage.recipe.name,
        "languages": ", ".join(language_label(code, say) for code in lineage.languages),
        "data": [(file.name, figures.number(file.used), file.held_out) for file in lineage.data],
        "rows": say.count("results.rows", rows),
        "steps": figures.number(lineage.steps),
        "tokens": figures.number(lineage.tokens),
        "created": figures.moment(lineage.created),
        "revision": lineage.revision,
        "command": lineage.command,
        "metrics": [(name, *_metric(metric, say)) for name, metric in lineage.metrics.items()],
    }


def _metric(metric: Metric, say: Texts) -> tuple[str, str, str, str]:
    """Value, interval, denominator and how many are missing."""
    value = figures.NONE if metric.value is None else number(metric.value)
    interval = figures.NONE
    if metric.ci95 is not None:
        interval = say("results.from_to", low=number(metric.ci95[0]), high=number(metric.ci95[1]))
    return value, interval, figures.number(metric.n), figures.number(metric.missing)
