"""The processes of the gateway's benchmarks: a stand-in backend, `himed-serve` with a key, and what they take."""

import asyncio
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import yaml

HERE = Path(__file__).parent
KEY_VARIABLE = "BENCHMARK_KEY"
_TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")
_TEXTS = ("A patient has had a fever for three days.", "रोगी को तीन दिन से बुखार, खांसी और सिर दर्द है।")


@dataclass(frozen=True)
class Server:
    """A running server. ``pid`` is None where its own cost is not measured."""

    name: str
    port: int
    model: str
    key: str | None = None
    pid: int | None = None
    log: Path = Path()

    @property
    def url(self) -> str:
        """With ``/v1``."""
        return f"http://127.0.0.1:{self.port}/v1"

    def cpu_ms(self) -> float:
        """CPU time that its process has taken."""
        stat = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(stat[11]) + int(stat[12])) * _TICK_MS

    def memory_mib(self) -> float:
        """Memory that its process has in use (RSS)."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)

    def open_files(self) -> int:
        """Files and sockets that its process has open."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(url: str, key: str | None = None) -> bytes:
    """The body of a GET request."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    with urlopen(Request(url, headers=headers), timeout=5) as response:
        return bytes(response.read())


def wait_for(url: str, process: "subprocess.Popen[bytes]", log: Path | None = None, timeout_s: float = 120) -> None:
    """Wait until a URL answers with 200."""
    until = time.monotonic() + timeout_s
    while time.monotonic() < until and process.poll() is None:
        try:
            get(url)
            return
        except (URLError, OSError):
            time.sleep(0.1)
    raise SystemExit(f"{url} does not answer: {log.read_text()[-2000:] if log else ''}")


@contextmanager
def ending(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """Ends a process after the block."""
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def start_stand_in(port: int, gap_ms: float) -> "subprocess.Popen[bytes]":
    """Start `stream_endpoint`."""
    process = subprocess.Popen([sys.executable, str(HERE / "stream_endpoint.py"), str(port), str(gap_ms)])
    wait_for(f"http://127.0.0.1:{port}/v1/models", process)
    return process


@contextmanager
def stand_in(gap_ms: float) -> Iterator[Server]:
    """The stand-in backend in a process of its own."""
    port = free_port()
    with ending(start_stand_in(port, gap_ms)):
        yield Server("bare", port, "instant")


def tiny_checkpoint(folder: Path, hidden: int = 128, layers: int = 2) -> Path:
    """A tiny model with random weights."""
    from training.tiny import build_tiny_checkpoint

    return build_tiny_checkpoint(folder / f"tiny-{hidden}", _TEXTS, vocab_size=512, hidden=hidden, layers=layers)


@asynccontextmanager
async def real_vllm(folder: Path, hidden: int, layers: int) -> AsyncIterator[Server]:
    """vLLM with a tiny checkpoint."""
    from app.engine import Engine, EngineSettings

    checkpoint = tiny_checkpoint(folder, hidden, layers)
    settings = EngineSettings(checkpoint, served_model_name="tiny", max_model_len=1024, log_dir=folder)
    async with Engine(settings) as engine:
        yield Server("bare", _port_of(engine.base_url), "tiny", engine.api_key.get_secret_value())


@contextmanager
def gateway(backend: Server, folder: Path) -> Iterator[Server]:
    """`himed-serve` before a backend: one process, one model, a key asked for, SQLite, JSON logs into a file."""
    address = {"url": backend.url} | ({"api_key_variable": KEY_VARIABLE} if backend.key else {})
    environment = {KEY_VARIABLE: backend.key} if backend.key else {}
    with _himed_serve(backend.model, {"backends": [address]}, folder, environment) as server:
        yield server


@contextmanager
def gateway_with_vllm(folder: Path) -> Iterator[Server]:
    """`himed-serve` that starts vLLM with a tiny checkpoint itself."""
    entry = {"checkpoint": str(tiny_checkpoint(folder)), "engine": {"max_model_len": 1024}}
    with _himed_serve("tiny", entry, folder, {"HIMED_LOG_DIR": str(folder)}) as server:
        yield server


def engine_port(gateway: Server) -> int:
    """The port of the vLLM server that a gateway started last."""
    lines = [json.loads(line) for line in gateway.log.read_text().splitlines() if '"engine is ready"' in line]
    return _port_of(lines[-1]["url"])


def engine_pid(gateway: Server) -> int:
    """The process of that server: the one with its port that was started last, under a supervisor with the same."""
    wanted = f"--port\0{engine_port(gateway)}\0".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (folder / "cmdline").read_bytes():
                found.append((int((folder / "stat").read_text().rpartition(")")[2].split()[19]), int(folder.name)))
        except OSError:  # it has ended meanwhile
            continue
    return max(found)[1]


@contextmanager
def _himed_serve(
    model: str, entry: Mapping[str, object], parent: Path, environment: dict[str, str]
) -> Iterator[Server]:
    port = free_port()
    folder = parent / f"gateway-{port}"
    folder.mkdir()
    log, database, config = folder / "log", f"sqlite:///{folder}/himed.db", folder / "serve.yaml"
    config.write_text(yaml.safe_dump({"port": port, "models": {model: dict(entry)}}))
    command = [sys.executable, "-m", "server.cli"]
    made = subprocess.run(
        [*command, "keys", "add", "benchmark", "--db", database], check=True, capture_output=True, text=True
    )
    with log.open("wb") as lines:
        process = subprocess.Popen(
            [*command, "--config", str(config), "--db", database],
            env=os.environ | environment,
            stdout=lines,
            stderr=lines,
        )
    with ending(process):
        wait_for(f"http://127.0.0.1:{port}/health", process, log)
        server = Server("himed-serve", port, model, made.stdout.strip(), process.pid, log)
        until = time.monotonic() + 30
        while not _ready(server):
            if time.monotonic() > until:
                raise SystemExit(f"the gateway is not ready: {log.read_text()[-2000:]}")
            time.sleep(0.1)
        yield server


def _port_of(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port


def _ready(server: Server) -> bool:
    try:
        get(f"http://127.0.0.1:{server.port}/ready", server.key)
    except URLError:
        return False
    return True


@contextmanager
def litellm(python: Path, backend: Server, folder: Path) -> Iterator[Server]:
    """A LiteLLM proxy: one worker, its one master key, no database, no telemetry."""
    port, log = free_port(), folder / f"litellm-{backend.port}.log"
    key = f"os.environ/{KEY_VARIABLE}"
    model = {"model": f"hosted_vllm/{backend.model}", "api_base": backend.url, "api_key": key}
    entry = {"model_name": backend.model, "litellm_params": model}
    config = folder / f"litellm-{backend.port}.yaml"
    config.write_text(yaml.safe_dump({"model_list": [entry], "litellm_settings": {"telemetry": False}}))
    command = [str(python.absolute().with_name("litellm")), "--config", str(config), "--host", "127.0.0.1"]
    command += ["--port", str(port), "--num_workers", "1", "--telemetry", "False"]
    own_key = f"sk-{secrets.token_hex(32)}"
    quiet = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}
    keys = {"LITELLM_MASTER_KEY": own_key, KEY_VARIABLE: backend.key or "none"}
    with log.open("wb") as lines:
        process = subprocess.Popen(command, env=os.environ | quiet | keys, stdout=lines, stderr=lines, cwd=folder)
    with ending(process):
        wait_for(f"http://127.0.0.1:{port}/health/liveliness", process, log, timeout_s=300)
        yield Server("LiteLLM", port, backend.model, own_key, process.pid)


async def run_load(server: Server, concurrency: int, seconds: float) -> str:
    """The JSON that `stream_load` prints."""
    command = [sys.executable, str(HERE / "stream_load.py"), str(server.port), server.model]
    environment = {name: value for name, value in os.environ.items() if name != KEY_VARIABLE}
    process = await asyncio.create_subprocess_exec(
        *command,
        str(concurrency),
        str(seconds),
        env=environment | ({KEY_VARIABLE: server.key} if server.key else {}),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(seconds + 60):
            out, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        raise SystemExit(f"{server.name}: streams do not end") from None
    return out.decode()
