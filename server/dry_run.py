"""What a configuration comes to, without starting anything."""

import shlex
from pathlib import Path

import yaml

from app.engine import Engine
from app.engine.command import Device, build_command, find_device, serving_length
from app.errors import InputError
from server.addresses import check_keys
from server.config import ServeConfig
from server.engines import Replica, replicas


def describe(config: ServeConfig, log_dir: Path, device: Device | None = None) -> str:
    """The resolved configuration as YAML, then each vLLM server's checkpoint and command line as comments.

    Args:
        device: what vLLM would run on; by default what this machine's does.

    Raises:
        InputError: a checkpoint, an adapter, a key's variable or this machine is at fault.
    """
    check_keys(config)
    wanted = replicas(config, log_dir)
    if wanted and device is None:
        device = find_device()
    lines = [yaml.safe_dump(resolve(config), sort_keys=False, allow_unicode=True, width=120)]
    lines += [_describe(replica, device or "cpu") for replica in wanted]
    return "\n".join(lines)


def resolve(config: ServeConfig) -> dict[str, object]:
    """All fields with their values, and each model with the format that it turns out to have."""
    resolved = config.model_dump(mode="json")
    for name, model in config.models.items():
        resolved["models"][name]["format"] = model.resolved_format()
    return resolved


def _describe(replica: Replica, device: Device) -> str:
    try:
        checkpoint, rank = Engine(replica.settings).check()
    except InputError as error:
        raise replica.told(error) from None
    length = serving_length(replica.settings, checkpoint)
    found = "left to the hub" if checkpoint is None else "is whole"
    # Port 0 stands for a free one, which is taken at the start.
    command = shlex.join(build_command(replica.settings, device, 0, length, rank))
    variables = "".join(f"{name}={shlex.quote(value)} " for name, value in replica.settings.environment.items())
    return f"# {replica.name}: {replica.settings.model} {found}\n# {variables}{command}\n"
