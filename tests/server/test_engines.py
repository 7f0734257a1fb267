"""The vLLM servers that a configuration asks for. `test_serve_vllm` starts real ones."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from app.errors import InputError
from server.config import ServeConfig, build_config
from server.engines import EnginePool, replicas
from server.reasoning import server_options


def config(**models: dict[str, Any]) -> ServeConfig:
    return build_config({"models": models})


def test_each_replica_has_its_devices_its_parser_and_its_logs(tmp_path: Path) -> None:
    engine = {"replicas": 2, "devices": ["0,1", "2,3"], "args": ["--tensor-parallel-size", "2"], "max_model_len": 64}
    model = {"checkpoint": "c", "format": "cure-med", "engine": engine, "adapters": {"rl": tmp_path / "rl"}}
    first, second = replicas(config(**{"org/../m": model}), tmp_path)
    assert (first.name, second.name) == ("org/../m/0", "org/../m/1")
    settings = second.settings
    assert settings.environment == {"CUDA_VISIBLE_DEVICES": "2,3"}
    assert settings.extra_args == (*server_options("cure-med"), "--tensor-parallel-size", "2")
    assert settings.served_name == "org/../m"
    assert settings.lora == {"rl": tmp_path / "rl"}
    assert settings.max_model_len == 64
    assert settings.log_dir == tmp_path / "org_.._m"


@pytest.mark.parametrize(("format", "parser"), [("himed", server_options("himed")), ("plain", ()), (None, ())])
def test_a_format_without_reasoning_has_no_parser(tmp_path: Path, format: str | None, parser: tuple[str, ...]) -> None:
    (replica,) = replicas(config(m={"checkpoint": "c", "format": format}), tmp_path)
    assert replica.settings.extra_args == parser
    assert replica.settings.environment == {}


def test_servers_elsewhere_are_not_started(tmp_path: Path) -> None:
    assert replicas(config(m={"backends": [{"url": "http://h"}]}), tmp_path) == []


def test_an_option_that_vllm_must_not_get_names_its_model(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"field 'models.m.engine': --api-key cannot be passed on to vLLM"):
        replicas(config(m={"checkpoint": "c", "engine": {"args": ["--api-key=x"]}}), tmp_path)


async def test_all_checkpoints_are_checked_before_the_first_is_loaded(tiny_checkpoint: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_checkpoint, tmp_path / "bad", ignore=shutil.ignore_patterns("*.safetensors"))
    wanted = config(good={"checkpoint": str(tiny_checkpoint)}, bad={"checkpoint": str(tmp_path / "bad")})
    async with EnginePool(tmp_path / "logs", lambda: None) as pool:
        with pytest.raises(InputError, match=r"field 'models.bad': .*no weights"):
            await pool.start(wanted)
    assert not (tmp_path / "logs").exists()
