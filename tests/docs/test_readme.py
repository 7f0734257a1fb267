"""The README's commands run as they stand there, on what the demo made.

Left out are those marked as needing a GPU or the hub, and `make`, whose targets are tested in other places. Changed are
only ports: the gateway's is the demo's own, the page takes a free one.
"""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from pages import ROOT, blocks, of_block

from app.yaml_file import read_yaml

_README = ROOT / "README.md"
_BLOCKS = [block for block in blocks(_README, "bash") if not block.startswith("make ")]
_SERVER = re.compile(r"himed-(?:ui|serve) --")
_ADDRESS = re.compile(r"himed-(?:ui|serve): (http://[\w.:]+)")
_START_S = 180.0


@pytest.fixture
def checkout(demo_folder: Path, tmp_path: Path) -> Path:
    """A folder in which the README's paths are there: the checkout's, and the demo's."""
    for name in ("docs", "evaluation"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / ".demo").symlink_to(demo_folder)
    return tmp_path


@pytest.mark.slow
@pytest.mark.vllm
@pytest.mark.parametrize("block", _BLOCKS, ids=lambda block: block.split("#")[0].strip().split("\n")[0])
def test_the_readmes_commands_run(block: str, checkout: Path) -> None:
    port = read_yaml(checkout / ".demo" / "serve.yaml")["port"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HIMED_")}
    environment |= {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}", "COLUMNS": "100"}
    ran = 0
    with ExitStack() as servers:
        for command in of_block(_README, block):
            if command.needs:
                continue
            text = command.text.replace(":8000", f":{port}")
            ran += 1
            if _SERVER.match(text):
                servers.enter_context(_running(text, checkout, environment))
                continue
            done = subprocess.run(
                ["bash", "-c", text], cwd=checkout, env=environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == command.code, f"{text}\n{done.stdout}\n{done.stderr}"
            if text.startswith("curl"):
                assert '"error"' not in done.stdout
                assert done.stdout
    assert ran > 0


@contextmanager
def _running(text: str, folder: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """A server's command in the background, ready inside the block; Ctrl-C ends it with exit code 0."""
    is_page = text.startswith("himed-ui")
    log = folder / f"{text.split()[0]}.log"
    with log.open("wb") as output:
        words = text.split() + (["--port", "0"] if is_page else [])
        process = subprocess.Popen(words, cwd=folder, env=environment, stdout=output, stderr=output)
    try:
        url = _address(process, log)
        with urllib.request.urlopen(f"{url}/" if is_page else f"{url}/ready", timeout=30) as answer:
            assert answer.status == 200
        yield
    finally:
        process.send_signal(signal.SIGINT)
        code = process.wait(60)
    assert code == 0, log.read_text(encoding="utf-8")


def _address(process: "subprocess.Popen[bytes]", log: Path) -> str:
    end = time.monotonic() + _START_S
    while time.monotonic() < end:
        if (found := _ADDRESS.search(log.read_text(encoding="utf-8"))) is not None:
            return found[1]
        assert process.poll() is None, log.read_text(encoding="utf-8")
        time.sleep(0.2)
    raise AssertionError(f"not ready: {log.read_text(encoding='utf-8')}")
