"""What `docs/serving.md` and `docs/scaling.md` say, held against the code; `python tests/server/test_serving_docs.py`
prints the tables."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from app.endpoint import Sampling
from server import config
from server.config import ServeConfig, load_config
from server.metrics import Metrics

_DOCS = Path(__file__).parents[2] / "docs"
_EXAMPLES = sorted((_DOCS / "serving").glob("*.yaml"))
_SECTIONS: tuple[tuple[str, type[BaseModel]], ...] = (
    ("Top level", config.ServeConfig),
    ("`models.NAME`", config.ModelConfig),
    ("`models.NAME.engine`", config.EngineConfig),
    ("`models.NAME.backends[]`", config.BackendConfig),
    ("`models.NAME.sampling`", Sampling),
    ("`auto`", config.AutoConfig),
    ("`limits`", config.LimitsConfig),
    ("`request_log`", config.RequestLogConfig),
)


def reference() -> str:
    """The tables of all keys of serve.yaml."""
    return "\n".join(f"### {title}\n\n{_table(section)}" for title, section in _SECTIONS)


def _table(section: type[BaseModel]) -> str:
    rows = ["| key | default | what it is |", "| --- | --- | --- |"]
    for name, field in section.model_fields.items():
        default = "required" if field.is_required() else _shown(field.get_default(call_default_factory=True))
        rows.append(f"| `{name}` | {default} | {field.description} |")
    return "\n".join(rows) + "\n"


def _shown(value: Any) -> str:
    return "" if value in (None, (), {}) or isinstance(value, BaseModel) else f"`{json.dumps(value)}`"


def metrics() -> str:
    """The table of all metrics."""
    rows = ["| metric | labels | what it counts |", "| --- | --- | --- |"]
    for metric in Metrics().registry.collect():
        name = f"{metric.name}_total" if metric.type == "counter" else metric.name
        rows.append(f"| `{name}` | {', '.join(_labels(metric.name))} | {metric.documentation} |")
    return "\n".join(rows) + "\n"


def _labels(name: str) -> tuple[str, ...]:
    found = next(value for value in vars(Metrics()).values() if getattr(value, "_name", None) == name)
    labels: tuple[str, ...] = found._labelnames
    return labels


def test_the_guide_has_every_key_with_its_default() -> None:
    assert reference() in (_DOCS / "serving.md").read_text(encoding="utf-8")


def test_the_guide_has_every_metric() -> None:
    assert metrics() in (_DOCS / "serving.md").read_text(encoding="utf-8")


def test_the_guide_has_every_code_of_an_error() -> None:
    sources = "".join(file.read_text(encoding="utf-8") for file in (_DOCS.parent / "server").rglob("*.py"))
    codes = set(re.findall(r'\bcode ?= ?"([a-z_]+)"', sources))
    table = (_DOCS / "serving.md").read_text(encoding="utf-8").partition("\n## Errors\n")[2]
    told = {code for row in re.findall(r"^\| [\d, ]+ \| ([^|]*) \|", table, re.MULTILINE) for code in row.split(", ")}
    assert told - {""} == codes


def test_every_file_that_the_guides_name_is_there() -> None:
    for guide in ("serving.md", "scaling.md"):
        text = (_DOCS / guide).read_text(encoding="utf-8")
        named = [*re.findall(r"docs/([\w./-]+\.\w+)", text), *re.findall(r"\]\(([\w./-]+)\)", text)]
        assert named
        assert [name for name in named if not (_DOCS / name).exists()] == []


@pytest.mark.parametrize("example", _EXAMPLES, ids=lambda file: file.stem)
def test_an_example_is_a_configuration(example: Path) -> None:
    found = load_config(example)
    assert not found.open
    assert found.auto.default is None or found.auto.default in found.models


# vLLM's own parser says whether it knows the options; it starts nothing and looks for no GPU.
_PARSE = """
import json, sys
from vllm.entrypoints.launchers.cli_args import make_arg_parser
from vllm.utils.argparse_utils import FlexibleArgumentParser
parser = make_arg_parser(FlexibleArgumentParser())
names = ("tensor_parallel_size", "pipeline_parallel_size", "distributed_executor_backend", "reasoning_parser",
         "served_model_name", "gpu_memory_utilization", "enable_prefix_caching")
parsed = [vars(parser.parse_args(arguments)) for arguments in json.load(sys.stdin)]
print(json.dumps([{name: found[name] for name in names} for found in parsed]))
"""


_DRY_RUNS: dict[str, list[dict[str, Any]]] = {
    "one-node": [{"tensor_parallel_size": 1, "gpu_memory_utilization": 0.92, "enable_prefix_caching": True}] * 8,
    "tensor-parallel": [{"tensor_parallel_size": 4, "distributed_executor_backend": None}] * 2,
    "ray": [{"tensor_parallel_size": 8, "pipeline_parallel_size": 2, "distributed_executor_backend": "ray"}],
}


@pytest.mark.slow
def test_the_dry_runs_of_the_examples_give_command_lines_that_vllm_takes(tiny_checkpoint: Path, tmp_path: Path) -> None:
    lines = [line for name in _DRY_RUNS for line in _dry_run(name, tiny_checkpoint, tmp_path / name)]
    arguments = [line[next(at for at, part in enumerate(line) if part.startswith("vllm.")) + 1 :] for line in lines]
    command = [sys.executable, "-c", _PARSE]
    parsed = subprocess.run(command, input=json.dumps(arguments), capture_output=True, text=True, check=False)
    assert parsed.returncode == 0, parsed.stderr[-2000:]
    expected = [wanted for servers in _DRY_RUNS.values() for wanted in servers]
    for found, wanted in zip(json.loads(parsed.stdout.splitlines()[-1]), expected, strict=True):
        assert found.items() >= wanted.items()
        assert found["reasoning_parser"] in ("himed", "cure-med")


def _dry_run(example: str, checkpoint: Path, folder: Path) -> list[list[str]]:
    """The words of vLLM's command lines, of which each of several has GPUs of its own."""
    text = (_DOCS / "serving" / f"{example}.yaml").read_text(encoding="utf-8")
    for name in re.findall(r"checkpoint: \S+/(\S+)", text):
        shutil.copytree(checkpoint, folder / "checkpoints" / name)
    file = folder / "serve.yaml"
    file.write_text(text.replace("/srv/models/", "checkpoints/"), encoding="utf-8")
    command = [sys.executable, "-m", "server.cli", "config", "--config", str(file), "--device", "gpu"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    lines = [shlex.split(line.removeprefix("# ")) for line in shown.splitlines() if " -m vllm." in line]
    devices = {line[0] for line in lines if line[0].startswith("CUDA_VISIBLE_DEVICES=")}
    assert len(devices) == (len(lines) if len(lines) > 1 else 0)
    return lines


def _unit() -> str:
    return (_DOCS / "serving" / "himed-serve.service").read_text(encoding="utf-8")


def test_systemd_gives_open_streams_their_time() -> None:
    found = re.search(r"^TimeoutStopSec=(\d+)$", _unit(), re.MULTILINE)
    assert found is not None
    assert int(found[1]) >= ServeConfig.model_fields["drain_s"].default + 30


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    file = tmp_path / "himed-serve.service"
    file.write_text(_unit().replace("/opt/himed/.venv/bin/himed-serve", "/bin/true"), encoding="utf-8")
    said = subprocess.run(["systemd-analyze", "verify", str(file)], capture_output=True, text=True, check=False)
    assert (said.returncode, said.stderr) == (0, "")


def test_the_container_file_copies_what_there_is_and_runs_as_nobody_in_particular() -> None:
    lines = (_DOCS / "serving" / "Containerfile").read_text(encoding="utf-8").splitlines()
    copied = [name for line in lines if line.startswith("COPY ") for name in line.split()[1:-1]]
    names = [name.replace("${STACK}", stack) for name in copied for stack in ("cpu", "gpu")]
    assert [name for name in names if not (_DOCS.parent / name).exists()] == []
    assert [line for line in lines if line.startswith("USER ")] == ["USER 10001"]
    assert not [line for line in lines if re.match(r"(ENV|ARG) .*(KEY|PASSWORD|TOKEN|HIMED_DB)", line)]


if __name__ == "__main__":
    print(reference(), metrics(), sep="\n")
