"""The demo's gateway: its configuration, and himed-serve for the time of a block."""

import asyncio
import os
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.request import ProxyHandler, build_opener

import yaml
from rich.console import Console

from app.engine.process import ServerProcess
from app.errors import InputError
from app.files import write_whole
from app.yaml_file import read_yaml

_LOOPBACK: Final = "127.0.0.1"
_PORT: Final = 8000
_MAX_TOKENS: Final = 128
_STOP_S: Final = 30.0  # for two engines to end
_POLL_S: Final = 0.5


def write_config(file: Path, checkpoints: Mapping[str, Path]) -> Path:
    """Write ``serve.yaml`` for these checkpoints, by the name to serve each under; the first answers ``auto``.

    The port of an earlier configuration there is kept while it is free: runs of himed-eval go on at the same address.
    """
    port = free_port(int(read_yaml(file)["port"]) if file.exists() else _PORT)
    models = {
        name: {"checkpoint": os.path.relpath(folder, file.parent), "format": "himed", "languages": ["hi"]}
        for name, folder in reversed(list(checkpoints.items()))
    }
    # The base knows no end: without a limit it would fill its context at every question.
    limits = {"max_tokens": _MAX_TOKENS}
    values = {"host": _LOOPBACK, "port": port, "open": True, "drain_s": 5, "limits": limits, "models": models}
    write_whole(file, f"# Made by himed-demo.\n{yaml.safe_dump(values, sort_keys=False)}")
    return file


def free_port(wanted: int) -> int:
    """The port, if nothing listens on it on the loopback interface, else a free one."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the servers do
            try:
                probe.bind((_LOOPBACK, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise InputError("no port is free on the loopback interface", remedy="end a server that is not needed")


@contextmanager
def running_gateway(config: Path, database: str, logs: Path) -> Iterator[str]:
    """himed-serve with this configuration, ready inside the block and gone after it, with its engines.

    Yields:
        Its URL, ``http://127.0.0.1:PORT``.

    Raises:
        InputError: it ended before it was ready; says where its log is.
    """
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / "himed-serve.log"
    log.write_bytes(b"")
    url = f"http://{_LOOPBACK}:{read_yaml(config)['port']}"
    command = [sys.executable, "-m", "server.cli", "--config", str(config), "--db", database]
    server = ServerProcess(command, os.environ | {"HIMED_LOG_DIR": str(logs)}, log, grace_s=_STOP_S)
    try:
        with Console(stderr=True).status("   vLLM is starting"):
            while not _is_ready(url):
                if server.status() is not None:
                    last = log.read_text(encoding="utf-8", errors="replace").strip().rpartition("\n")[2]
                    raise InputError(f"himed-serve ended: {last}", remedy=f"see {log}")
                time.sleep(_POLL_S)
        yield url
    finally:
        asyncio.run(server.stop())


def _is_ready(url: str) -> bool:
    opener = build_opener(ProxyHandler({}))  # this machine, whatever proxy the environment names
    try:
        with opener.open(f"{url}/ready", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:  # not listening yet, or 503
        return False
