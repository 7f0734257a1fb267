"""Fixtures that all tests share."""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
import pytest_asyncio
from psycopg import sql
from sqlalchemy import make_url
from ulid import ULID

if TYPE_CHECKING:
    from app.engine import Engine

ROOT = Path(__file__).resolve().parents[1]
# Gateways, scripted backends and speaking models are the server's, and the page's tests stand before them too.
sys.path.append(str(ROOT / "tests" / "server"))
# Checkpoints without a model in them are the ground floor's, and the evaluator meets them too.
sys.path.append(str(ROOT / "tests" / "app"))
pytest_plugins = ["speaking_servers"]
# Not HIMED_: the settings refuse every variable of that kind that they do not know.
POSTGRES = os.environ.get("TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/test")


if "PYTEST_XDIST_WORKER" in os.environ:
    # Test processes share the cores. Trainings whose threads spin while they wait for one another's turn were ten times
    # slower than with a thread each; what the tests start inherits it.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # Run in the background of a shell, where Ctrl-C is ignored, also by all that the tests start and interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)

_VLLM_FIXTURES = {"vllm_server", "vllm_servers"}


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """In several test processes (`make test`): a file's tests stay together, those that start vLLM are in one process,
    since two servers take the cores from each other, and what takes long begins first. A slow test has a second try."""

    def starts_vllm(item: pytest.Item) -> bool:
        fixtures = set(getattr(item, "fixturenames", ()))
        return item.get_closest_marker("vllm") is not None or bool(fixtures & _VLLM_FIXTURES)

    for item in items:
        item.add_marker(pytest.mark.xdist_group("vllm" if starts_vllm(item) else item.location[0]))
        if item.get_closest_marker("slow") is not None:
            # Browsers, servers and trainings on a busy machine. The summary names what needed its second try ("R").
            item.add_marker(pytest.mark.flaky(reruns=1))
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: (not starts_vllm(item), item.get_closest_marker("slow") is None))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of the real benchmark, training and prediction files; they are no part of the project."""
    folder = Path(os.environ.get("HIMED_DATA_DIR") or ROOT.parent / "shared" / "data").resolve()
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}: set HIMED_DATA_DIR to the releases' folder")
    return folder


@pytest.fixture(scope="session")
def postgres_database() -> Iterator[str]:
    """The URL of a PostgreSQL database of this process's own: making one for each test would take most of its time."""
    try:
        admin = psycopg.connect(POSTGRES, autocommit=True, connect_timeout=3)
    except psycopg.OperationalError as error:
        pytest.skip(f"no PostgreSQL server at {make_url(POSTGRES)!r} (TEST_POSTGRES names another): {error}")
    name = f"himed_test_{ULID()}".lower()
    with admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield make_url(POSTGRES).set(database=name).render_as_string(hide_password=False)
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database that is empty when the test begins."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'results.db'}"
        return
    url: str = request.getfixturevalue("postgres_database")
    yield url
    with psycopg.connect(url, autocommit=True) as connection:
        # A test's engine may still hold pooled connections, and locks with them.
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")


TINY_TEXTS = [
    "रोगी को तीन दिन से बुखार, खांसी और सिर दर्द है। कौन सा विकल्प सही है? उत्तर: D",
    "मधुमेह में रक्त शर्करा बढ़ जाती है; इंसुलिन उसे घटाता है। सही विकल्प (B) है।",
    "आयुर्वेद में वात, पित्त और कफ तीन दोष माने जाते हैं। त्रिफला में हरड़, बहेड़ा और आँवला होते हैं।",
    "A patient has had a fever for three days. Which option is right? Answer with one letter. Answer: C",
    "Insulin lowers blood glucose; the pancreas makes it. The heart has four chambers.",
    "## Thinking\n\nपहले लक्षण देखें।\n\n## Response\n\nउत्तर: A",
    "<thinking><step1>First the symptoms.</step1></thinking>\n<answer>D</answer>",
]


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole Llama checkpoint with random weights; tests that change one copy it."""
    if find_spec("transformers") is None:
        pytest.skip("transformers is not installed: run `make setup`")
    from training.tiny import build_tiny_checkpoint

    return build_tiny_checkpoint(tmp_path_factory.mktemp("checkpoints") / "tiny", TINY_TEXTS, vocab_size=1024)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def vllm_server(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator["Engine"]:
    """One vLLM server with the tiny checkpoint for the whole session; `endpoint_settings()` gives its URL and key."""
    if find_spec("vllm") is None:
        pytest.skip("vLLM is not installed: run `make setup`")
    from app.engine import Engine, EngineSettings

    settings = EngineSettings(tiny_checkpoint, max_model_len=2048, log_dir=tmp_path_factory.mktemp("vllm"))
    async with Engine(settings) as engine:
        yield engine


@pytest.fixture(scope="session")
def demo_command(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """`make demo` with a few steps of training in place of some hundred, and six items of each benchmark."""
    if find_spec("vllm") is None or find_spec("trl") is None:
        pytest.skip("vLLM or TRL is not installed: run `make setup`")
    folder = str(tmp_path_factory.mktemp("demo") / ".demo")
    few = ["trainer.max_steps=2", "dsr-rl:measure_prompts=0", "dsr-rl:trainer.max_completion_length=16"]
    words = [sys.executable, "-m", "ui.demo", "--folder", folder, "--no-ui", "--limit", "6"]
    return words + [word for one in few for word in ("--set", one)]


@pytest.fixture(scope="session")
def demo_folder(demo_command: list[str]) -> Path:
    """What this demo has made, with what it said in ``demo.txt``."""
    made = subprocess.run(demo_command, capture_output=True, text=True, check=False)
    folder = Path(demo_command[demo_command.index("--folder") + 1])
    assert made.returncode == 0, made.stdout + made.stderr
    (folder / "demo.txt").write_text(made.stdout, encoding="utf-8")
    return folder
