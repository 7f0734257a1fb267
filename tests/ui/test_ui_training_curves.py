"""Training curves: checkpoints found, their lineage followed, TensorBoard's events read and drawn."""

import json
import re
from pathlib import Path

import pytest

from app.errors import InputError
from training.checkpoints import Lineage, Metric, Parent, RecipeRecord, finish_checkpoint
from training.stage.folder import RUN_FILE, RunFolder
from ui.config import UiConfig
from ui.interface import Interface
from ui.results import curves as curves_module
from ui.results.checkpoints import find_checkpoints, find_descent
from ui.results.curve_charts import draw_panel, number
from ui.results.curves import POINTS, Curve, CurveStore, LogsTooLargeError, thin
from ui.results.training_panel import TrainingPanel
from ui.results.waiting import Latest
from ui.texts import texts

HOSTILE = "<script>alert(1)</script>"


def write_weights(folder: Path, body: bytes) -> Path:
    """A folder with a config and one tensor of 8 bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text('{"model_type": "llama"}')
    header = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + body)
    return folder


def write_stage(run: Path, stage: str, parent: Path | None, *, body: bytes, name: str = "final") -> Path:
    """A finished checkpoint in a run's folder."""
    folder = write_weights(run / name, body)
    (run / RUN_FILE).write_text("{}")
    lineage = Lineage(
        format="himed",
        stage=stage,
        languages=("hi",),
        license="llama3.1",
        command=f"himed-train run demo/{stage} {HOSTILE}",
        recipe=RecipeRecord(name=f"demo/{stage}", settings={}),
        parent=Parent.of_folder(parent, folder) if parent else None,
        steps=120,
        tokens=4_500,
        metrics={"held_out_loss": Metric(value=0.9123, n=50, ci95=(0.88, 0.94))},
    )
    finish_checkpoint(folder, lineage)
    return folder


def write_events(logs: Path, scalars: dict[str, list[tuple[int, float]]]) -> None:
    """TensorBoard's events as a Trainer writes them."""
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(logs)) as writer:
        for tag, points in scalars.items():
            for step, value in points:
                writer.add_scalar(tag, value, step)
        writer.add_text("samples", "| a | b |", 1)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two stages on a base model, an adapter merged into the second, logs in two of the runs."""
    root = tmp_path / "runs"
    base = write_weights(root / "base", b"base....")
    first = write_stage(root / "la", "la", base, body=b"la......")
    adapter = write_stage(root / "rl", "dsr-rl", first, body=b"adapter.", name="adapter")
    write_stage(root / "rl", "merge", adapter, body=b"merged..")
    write_events(
        RunFolder(root / "la").logs,
        {
            "train/loss": [(step, 2.0 / step) for step in range(1, 121)],
            "eval/loss": [(60, 0.95), (120, 0.9123)],
            "train/learning_rate": [(step, 5e-6) for step in range(1, 121)],
        },
    )
    write_events(
        RunFolder(root / "rl").logs,
        {
            "train/reward": [(1, 0.1), (2, float("nan")), (3, 0.4)],
            "train/weight/task": [(1, 0.1), (3, 0.9)],
            "train/weight/scaffold": [(1, 0.9), (3, 0.1)],
            "train/kl": [(1, 0.0), (3, 0.02)],
        },
    )
    return root


def make_panel(*roots: Path) -> TrainingPanel:
    """The panel as the page builds it."""
    import gradio as gr
    from sqlalchemy import create_engine

    from ui.gateway import Gateway
    from ui.page import Page

    config = UiConfig("http://127.0.0.1:9", None, "sqlite://", checkpoints=roots)
    with gr.Blocks():
        return TrainingPanel(Page(Interface(), Gateway(config.base_url, None), create_engine("sqlite://"), config))


def test_finished_checkpoints_are_found_and_links_are_not_followed(tree: Path, tmp_path: Path) -> None:
    outside = write_stage(tmp_path / "outside", "sft", None, body=b"outside.")
    (tree / "link").symlink_to(outside.parent, target_is_directory=True)
    write_weights(tree / "la" / "checkpoint-60", b"trainer.")
    deep = write_stage(tree / "/".join("abcdefgh"), "deep", None, body=b"deep....")
    names = [each.name for each in find_checkpoints([tree, tree / "la"])]
    assert names == ["runs/la/final", "runs/rl/adapter", "runs/rl/final"]
    assert deep.is_dir()
    assert find_checkpoints([tmp_path / "nothing"]) == []


def test_a_lineage_goes_from_the_base_to_the_checkpoint(tree: Path) -> None:
    descent = find_descent(tree / "rl" / "final", [tree])
    assert [stage.lineage.stage for stage in descent.stages] == ["la", "dsr-rl", "merge"]
    assert (descent.base, descent.broken) == ("base", None)
    assert [stage.logs for stage in descent.stages] == [tree / "la" / "logs", tree / "rl" / "logs", None]


def test_a_parent_outside_of_the_folders_is_named_and_not_read(tree: Path) -> None:
    descent = find_descent(tree / "rl" / "final", [tree / "rl"])
    assert [stage.lineage.stage for stage in descent.stages] == ["dsr-rl", "merge"]
    assert (descent.base, descent.broken) == ("la/final", None)
    with pytest.raises(InputError, match="not below"):
        find_descent(tree / "la" / "final", [tree / "rl"])


def test_a_parent_that_is_gone_or_changed_is_said(tree: Path) -> None:
    write_stage(tree / "la", "la", None, body=b"another.")
    assert find_descent(tree / "rl" / "final", [tree]).broken == "results.parent_changed"
    (tree / "la").rename(tree / "elsewhere")
    assert find_descent(tree / "rl" / "final", [tree]).broken == "results.parent_gone"
    html = make_panel(tree).draw(str(tree / "rl" / "final"), "en")
    assert "is no longer there" in html


def test_curves_are_read_by_panel_and_read_again_when_a_log_grows(tree: Path) -> None:
    store, logs = CurveStore(), tree / "la" / "logs"
    curves = store.load(logs)
    assert list(curves) == ["loss", "learning_rate"]
    loss, held_out = curves["loss"]
    assert (loss.tag, len(loss.points), held_out.last[0]) == ("train/loss", 120, 120)
    assert held_out.last[1] == pytest.approx(0.9123)
    assert loss.lowest[0] == 120
    assert loss.lowest[1] == pytest.approx(2 / 120)
    assert loss.highest == (1, 2.0)
    assert store.load(logs) is curves
    write_events(logs, {"train/loss": [(121, 0.01)]})
    assert store.load(logs)["loss"][0].last[0] == 121


def test_values_that_are_no_number_are_counted_and_left_out(tree: Path) -> None:
    curves = CurveStore().load(tree / "rl" / "logs")
    (reward,) = curves["reward"]
    assert ([step for step, _ in reward.points], reward.unknown) == ([1, 3], 1)
    assert [value for _, value in reward.points] == pytest.approx([0.1, 0.4])
    assert [curve.tag for curve in curves["weights"]] == ["train/weight/scaffold", "train/weight/task"]


def test_a_figure_without_a_single_number_is_not_passed_over(tree: Path) -> None:
    write_events(tree / "rl" / "logs", {"train/loss": [(step, float("nan")) for step in (1, 2, 3)]})
    (loss,) = CurveStore().load(tree / "rl" / "logs")["loss"]
    assert (loss.points, loss.unknown) == ((), 3)
    html = make_panel(tree).draw(str(tree / "rl" / "final"), "en")
    assert html.count("3 not a number") == 2  # beside its place and in the table


def test_logs_that_are_absent_or_too_large_are_told_apart(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert CurveStore().load(tree / "nothing") == {}
    monkeypatch.setattr(curves_module, "_MOST_BYTES", 10)
    with pytest.raises(LogsTooLargeError):
        CurveStore().load(tree / "la" / "logs")


def test_thinning_keeps_the_ends_and_every_spike() -> None:
    points = [(step, 1.0) for step in range(100_000)]
    points[54_321], points[77_777] = (54_321, 99.0), (77_777, -99.0)
    thinned = thin(points)
    assert len(thinned) <= POINTS
    assert thinned == sorted(thinned)
    assert {points[0], points[-1], points[54_321], points[77_777]} <= set(thinned)


def test_a_picture_has_its_lines_within_its_axes_and_round_ticks() -> None:
    panel = draw_panel(
        [Curve("a", tuple((step, step * 0.013) for step in range(1, 301))), Curve("b", ((5, 1.0),))], "ab"
    )
    assert [tick.label for tick in panel.y] == ["0", "1", "2", "3", "4"]
    assert [tick.label for tick in panel.x] == ["100", "200", "300"]
    for line in panel.lines:
        for x, y in (map(float, pair.split(",")) for pair in line.path.split()):
            assert panel.left <= x <= panel.right
            assert panel.top <= y <= panel.bottom
    assert panel.lines[1].dots
    assert not panel.lines[0].dots
    flat = draw_panel([Curve("a", ((7, 0.0),))], "a")
    assert [tick.label for tick in flat.y] == ["0"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(5e-6, "5e−6"), (0.0, "0"), (-0.25, "−0.25"), (12345.6, "12,346"), (0.91234, "0.9123"), (3.2e9, "3.2e9")],
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert number(value) == text


def test_the_panel_shows_stages_curves_and_figures_in_both_languages(tree: Path) -> None:
    panel = make_panel(tree)
    for code in ("en", "hi"):
        html = panel.draw(str(tree / "rl" / "final"), code)
        say = texts(code)
        assert HOSTILE not in html
        assert "&lt;script&gt;alert(1)" in html
        for key in ("panel_loss", "panel_learning_rate", "panel_reward", "panel_weights", "panel_kl", "merged"):
            assert say(f"results.{key}") in html
        assert html.count("<polyline") == 7
        assert "0.9123" in html
        assert say("results.from_to", low="0.88", high="0.94") in html
        assert html.index("demo/la") < html.index("demo/dsr-rl")
    written = panel._write(str(tree / "rl" / "final"))
    assert written is not None
    lines = written[1].splitlines()
    assert lines[0] == "stage,recipe,tag,step,value"
    assert re.fullmatch(r"la,demo/la,train/loss,1,2\.0", lines[1])
    assert len(lines) == 1 + 120 + 2 + 120 + 2 + 2 + 2 + 2


def test_the_panel_says_what_is_missing(tree: Path, tmp_path: Path) -> None:
    say = texts("en")
    assert "himed-ui --checkpoints FOLDER" in make_panel().draw(None, "en")
    empty = tmp_path / "empty"
    empty.mkdir()
    assert say("results.no_checkpoints") in make_panel(empty)._load(None, Latest(), "en")[1]
    bare = write_stage(tree / "bare", "sft", None, body=b"bare....")
    panel = make_panel(tree)
    assert say("results.no_logs") in panel.draw(str(bare), "en")
    assert say("results.random") in panel.draw(str(bare), "en")
    (bare / "lineage.json").write_text("{")
    for code in ("en", "hi"):
        say = texts(code)
        assert say("results.checkpoint_unreadable", name="final") in panel.draw(str(bare), code)
        assert say("results.checkpoint_elsewhere") in panel.draw("/etc", code)
