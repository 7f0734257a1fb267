"""Fixtures of the ground floor's tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from checkpoint_files import write_adapter, write_checkpoint
from scripted_endpoint import Server


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    script = Server()
    application = web.Application()
    application.router.add_post("/v1/chat/completions", script.chat)
    application.router.add_post("/v1/embeddings", script.chat)
    application.router.add_get("/v1/models", script.models)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    script.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield script
    await runner.cleanup()


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """Whole by its files' form."""
    return write_checkpoint(tmp_path / "himed-8b")


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    """A LoRA adapter of rank 12."""
    return write_adapter(tmp_path / "adapter", rank=12)
