"""Reading YAML strictly: a key given twice is an error, and 5e-6 is a number."""

import re
from pathlib import Path
from typing import Any

import yaml

from app.errors import InputError

# PyYAML follows YAML 1.1, in which 5e-6 without a dot is text.
_FLOAT = re.compile(r"^[-+]?[0-9]+(?:\.[0-9]*)?[eE][-+]?[0-9]+$")


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                problem = f"the key {key.value!r} is given twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789"))


def read_yaml(file: Path) -> dict[str, Any]:
    """The file's keys and values.

    Raises:
        InputError: the file cannot be read, is no YAML, or holds no keys; says where.
    """
    try:
        values = parse_yaml(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError("no such file", file=file, remedy="check the path") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read ({error})", file=file, remedy="give a YAML file in UTF-8") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        row = mark.line + 1 if mark is not None else None
        problem = getattr(error, "problem", None) or "is no valid YAML"
        raise InputError(problem, file=file, row=row, remedy="correct the file") from None
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise InputError("holds no 'key: value' pairs", file=file, remedy="write one per line")
    return values


def parse_yaml(text: str) -> Any:
    """The value of a YAML text.

    Raises:
        yaml.YAMLError: it is no YAML.
    """
    return yaml.load(text, Loader=_Loader)  # noqa: S506  # a SafeLoader
