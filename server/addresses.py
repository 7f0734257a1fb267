"""Where each model's backends are: engines that run here, then the servers elsewhere that the configuration names."""

from collections.abc import Mapping, Sequence

from app.engine import Engine
from app.errors import InputError
from server.backends import Address
from server.config import BackendConfig, ModelConfig, ServeConfig
from server.gateway import Setup


def setup_of(config: ServeConfig, engines: Mapping[str, Sequence[Engine]]) -> Setup:
    """The configuration with all addresses.

    Raises:
        InputError: the key of a server elsewhere is not in the environment.
    """
    return Setup(
        config,
        {
            name: (*_here(name, model, engines.get(name, ())), *_elsewhere(name, model))
            for name, model in config.models.items()
        },
    )


def check_keys(config: ServeConfig) -> None:
    """Check that the keys of all servers elsewhere are in the environment.

    Raises:
        InputError: one is not.
    """
    for name, model in config.models.items():
        _elsewhere(name, model)


def _here(name: str, model: ModelConfig, engines: Sequence[Engine]) -> tuple[Address, ...]:
    names = tuple((served, served) for served in (name, *model.adapters))
    return tuple(
        Address(f"{name}/{index}", engine.base_url, engine.api_key, names, warm=True)
        for index, engine in enumerate(engines)
    )


def _elsewhere(name: str, model: ModelConfig) -> tuple[Address, ...]:
    first = model.engine.replicas if model.checkpoint else 0
    return tuple(_address(name, model, first + index, backend) for index, backend in enumerate(model.backends))


def _address(name: str, model: ModelConfig, index: int, backend: BackendConfig) -> Address:
    try:
        key = backend.api_key()
    except InputError as error:
        field = f"models.{name}.backends.{error.field}"
        raise InputError(error.problem, field=field, remedy=error.remedy) from None
    names = ((name, backend.model or name), *((adapter, adapter) for adapter in model.adapters))
    return Address(f"{name}/{index}", backend.url, key, names, backend.stream_usage)
