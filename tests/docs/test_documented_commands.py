"""Every command of ours in the README and the documentation is one that its command line takes."""

import importlib
import re
import subprocess
import tomllib
from functools import cache
from typing import Any

import pytest
import typer
import yaml
from pages import PAGES, ROOT, Command, blocks, commands

_SCRIPTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
_OURS = re.compile(r"(?:[A-Z_]+=\S* )*(?:\.venv/bin/)?himed-[a-z]+\b")
_COMMANDS = [command for page in PAGES for command in commands(page) if _OURS.match(command.text)]
_MAKE = sorted({command.words[1] for page in PAGES for command in commands(page) if command.text.startswith("make ")})


@cache
def _command_line(name: str) -> Any:
    module = importlib.import_module(_SCRIPTS[name].partition(":")[0])
    return typer.main.get_command(module.app)


def _parse(command: Any, name: str, words: list[str]) -> None:
    """Have a command line read words as it does when it is called, without running anything."""
    context = command.make_context(name, list(words))
    rest = [*context._protected_args, *context.args]
    if hasattr(command, "resolve_command") and rest:
        found, subcommand, after = command.resolve_command(context, rest)
        assert subcommand is not None
        _parse(subcommand, found, after)


def test_there_are_commands() -> None:
    assert len(_COMMANDS) > 100
    assert {_script(command) for command in _COMMANDS} == set(_SCRIPTS)


@pytest.mark.parametrize("command", dict.fromkeys(_COMMANDS), ids=str)
def test_every_documented_command_is_taken(command: Command) -> None:
    name = _script(command)
    _parse(_command_line(name), name, [word for word in command.words[1:] if word != "…"])


def _script(command: Command) -> str:
    return command.words[0].rpartition("/")[2]


@pytest.mark.parametrize("target", _MAKE)
def test_every_documented_target_of_make_is_there(target: str) -> None:
    made = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_of_yaml_is_yaml(page: Any) -> None:
    for block in blocks(page, "yaml"):
        assert yaml.safe_load(block) is not None
