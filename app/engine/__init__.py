"""A vLLM server process for the time of a block.

async with Engine(EngineSettings(model="checkpoints/himed-8b")) as engine:
    async with Endpoint(engine.endpoint_settings()) as endpoint:
        …
"""

from app.engine.errors import EngineError
from app.engine.server import Engine
from app.engine.settings import EngineSettings

__all__ = ["Engine", "EngineError", "EngineSettings"]
