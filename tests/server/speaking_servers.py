"""Two tiny models that write HiMed's and CURE-Med's formats, on a vLLM server each, and a gateway before both."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from importlib.util import find_spec
from pathlib import Path

import pytest
from running import Loop, RunningGateway
from speaking_model import CONTEXT, CURE_MED_COMPLETIONS, HIMED_COMPLETIONS, build_speaking_checkpoint

from app.engine import Engine, EngineSettings
from app.formats import Format
from server.backends import Address
from server.reasoning import server_options

HIMED, CURE_MED = "himed-tiny", "cure-med-tiny"
_START_S = 300.0
# One server takes tools, the other refuses them.
_TOOLS = ("--enable-auto-tool-choice", "--tool-call-parser", "hermes")
# A tiny model that may write blanks writes nothing else.
_COMPACT = (
    *("--structured-outputs-config.backend", "xgrammar"),
    *("--structured-outputs-config.disable_any_whitespace", "true"),
)


@pytest.fixture(scope="session")
def vllm_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Engine]]:
    """Two vLLM servers by their models' names, up for the whole session."""
    if find_spec("vllm") is None or find_spec("transformers") is None:
        pytest.skip("vLLM is not installed: run `make setup`")
    folder = tmp_path_factory.mktemp("speaking")
    himed = build_speaking_checkpoint(folder / HIMED, HIMED_COMPLETIONS)
    cure_med = build_speaking_checkpoint(folder / CURE_MED, CURE_MED_COMPLETIONS)
    loop, stack = Loop(), AsyncExitStack()

    async def start() -> dict[str, Engine]:
        settings = [_settings(himed, "himed", folder, *_TOOLS), _settings(cure_med, "cure-med", folder)]
        engines = [Engine(one) for one in settings]
        async with asyncio.TaskGroup() as group:  # one that fails stops the other
            for engine in engines:
                group.create_task(stack.enter_async_context(engine))
        return {engine.served_model_name: engine for engine in engines}

    try:
        yield loop.call(start(), _START_S)
    finally:
        loop.call(stack.aclose(), 60)
        loop.close()


def _settings(checkpoint: Path, format: Format, log_dir: Path, *more: str) -> EngineSettings:
    options = (*server_options(format), *_COMPACT, *more)
    # Two servers whose threads wait for one another take the cores from each other.
    alone = {"OMP_NUM_THREADS": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
    return EngineSettings(checkpoint, max_model_len=CONTEXT, log_dir=log_dir, extra_args=options, environment=alone)


@pytest.fixture(scope="session")
def himed(vllm_servers: dict[str, Engine]) -> Engine:
    """The server of the model that writes HiMed's format."""
    return vllm_servers[HIMED]


@pytest.fixture(scope="session")
def cure_med(vllm_servers: dict[str, Engine]) -> Engine:
    """The server of the model that writes CURE-Med's format."""
    return vllm_servers[CURE_MED]


@pytest.fixture(scope="session")
def gateway_url(vllm_servers: dict[str, Engine]) -> Iterator[str]:
    """The URL, without ``/v1``, of a gateway that serves both models."""
    addresses = {
        name: (Address(f"{name}/0", engine.base_url, engine.api_key, ((name, name),)),)
        for name, engine in vllm_servers.items()
    }
    with RunningGateway(addresses) as gateway:
        yield gateway.url
