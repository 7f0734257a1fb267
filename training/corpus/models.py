"""The models that a corpus's configuration names, opened for one unit's work."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from app.endpoint import Endpoint, Sampling
from training.corpus.calls import Caller
from training.corpus.config import Model, Role, endpoint_settings
from training.corpus.unit import Work


@asynccontextmanager
async def open_caller(model: Model, role: Role, work: Work, attempts: int = 2) -> AsyncIterator[Caller]:
    """A model behind the unit's store of calls.

    Raises:
        InputError: the URL or the environment is wrong.
    """
    async with Endpoint(endpoint_settings(model, role)) as endpoint:
        yield Caller(endpoint, work.store, sampling_of(model), attempts)


def sampling_of(model: Model) -> Sampling:
    """How every question is put to a model."""
    return Sampling(temperature=model.temperature, max_tokens=model.max_tokens, seed=0, extra=model.extra)


def identity(model: Model | None) -> dict[str, Any] | None:
    """What of a model its answers depend on, for a step's settings: neither its address nor how fast it is asked."""
    return model.model_dump(include={"model", "max_tokens", "temperature", "extra"}) if model else None


def window(models: Iterable[Model | None]) -> int:
    """How many passages may be under way for models of these concurrencies."""
    return 2 * max((model.concurrency for model in models if model), default=1)
