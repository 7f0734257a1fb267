"""Loading a recipe: by path or name, with overrides; every mistake is named with its file and field."""

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, get_args

import yaml
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from app.errors import InputError
from app.yaml_file import parse_yaml, read_yaml
from training.checkpoints.lineage import settings_hash
from training.recipe.stages import Recipe

FOLDER: Final = Path(__file__).resolve().parents[1] / "recipes"
"""Folder of the shipped recipes."""
ACCELERATE: Final = FOLDER / "accelerate"
"""Folder of the accelerate configurations."""

_ADAPTER: TypeAdapter[Recipe] = TypeAdapter(Annotated[Recipe, Field(discriminator="stage")])
_SET: Final = "--set"


def recipe_names() -> list[str]:
    """Names of the shipped recipes, sorted."""
    files = (file for file in FOLDER.rglob("*.yaml") if not file.is_relative_to(ACCELERATE))
    return sorted(file.relative_to(FOLDER).with_suffix("").as_posix() for file in files)


def find_recipe(path_or_name: str) -> Path:
    """The file of a recipe: a path that ends in .yaml, or the name of a shipped recipe.

    Raises:
        InputError: there is none; names the nearest.
    """
    path = Path(path_or_name)
    if path.suffix in (".yaml", ".yml"):
        return path
    names = recipe_names()
    if path_or_name in names:
        return FOLDER / f"{path_or_name}.yaml"
    nearest = _nearest(path_or_name, names)
    remedy = nearest or "himed-train recipes lists them; a file's name ends in .yaml"
    raise InputError(f"no recipe is called {path_or_name!r}", remedy=remedy)


def load_recipe(path_or_name: str, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe and put overrides over it.

    Args:
        path_or_name: a YAML file, or the name of a shipped recipe (``himed-8b/la``).
        overrides: ``section.key=value`` each, the value as YAML (``trainer.learning_rate=1e-5``, ``lora=null``).

    Raises:
        InputError: no such recipe, a key is unknown or a value invalid; names file, field and remedy.
    """
    file = find_recipe(path_or_name)
    values = read_yaml(file)
    changed = [_override(values, override) for override in overrides]
    try:
        return _ADAPTER.validate_python(values)
    except ValidationError as error:
        raise _input_error(error, file, changed) from None


def recipe_hash(recipe: Recipe) -> str:
    """SHA-256 of the resolved settings, as a checkpoint's lineage holds it; the order of the keys does not count."""
    return settings_hash(recipe.model_dump(mode="json"))


def _override(values: dict[str, Any], override: str) -> str:
    """Put ``a.b=c`` into the values; returns ``a.b``."""
    key, equals, text = override.partition("=")
    path = key.strip().split(".")
    if not equals or not all(path):
        raise InputError(f"{override!r} is no override", field=_SET, remedy="write section.key=value")
    try:
        value = parse_yaml(text)
    except yaml.YAMLError:
        remedy = "write a YAML value; text with : or [ needs quotes"
        raise InputError(f"{text!r} is no value", file=_SET, field=key.strip(), remedy=remedy) from None
    section = values
    for depth, name in enumerate(path[:-1], start=1):
        if section.get(name) is None:
            section[name] = {}
        section = section[name]
        if not isinstance(section, dict):
            place = ".".join(path[:depth])
            raise InputError(f"{place} is no section", file=_SET, field=key.strip(), remedy=f"give {place}=value")
    section[path[-1]] = value
    return ".".join(path)


def _input_error(error: ValidationError, file: Path, changed: list[str]) -> InputError:
    first = error.errors(include_url=False)[0]
    path, models = _locate(first["loc"])
    field = ".".join(path)
    place = _SET if field and any(_related(key, field) for key in changed) else file
    problem = first["msg"].removeprefix("Value error, ")
    known = sorted({name for model in models for name in model.model_fields})
    if first["type"] == "extra_forbidden":
        remedy = _nearest(path[-1], known) or f"use one of {', '.join(known)}"
        return InputError("unknown key", file=place, field=field, remedy=remedy)
    if first["type"] == "union_tag_not_found":
        key = first["ctx"]["discriminator"].strip("'")
        return InputError(f"the key {key!r} is missing", file=place, field=field or None, remedy="see the recipes")
    if first["type"] == "missing":
        return InputError("is missing", file=place, field=field, remedy="every recipe says it; see the shipped ones")
    given = "" if isinstance(first["input"], dict) else f" (given: {first['input']!r})"
    remedy = "see the descriptions in training/recipe" if field else "change one of them in the file or by --set"
    return InputError(problem + given, file=place, field=field or None, remedy=remedy)


def _related(key: str, field: str) -> bool:
    """Whether an override of ``key`` can have caused an error at ``field``."""
    return f"{field}.".startswith(f"{key}.") or f"{key}.".startswith(f"{field}.")


def _locate(loc: Iterable[int | str]) -> tuple[list[str], list[type[BaseModel]]]:
    """The keys as written in the file, and the sections that the last key could stand in.

    Pydantic's location also holds the tag of each union (``sft``, ``judge``), which is no key.
    """
    path: list[str] = []
    models = _models(Recipe)
    sections = models
    for part in loc:
        tagged = [model for model in models if part in _tags(model)]
        named = [model.model_fields[part] for model in models if isinstance(part, str) and part in model.model_fields]
        if tagged and not named:
            models = tagged
            continue
        path.append(str(part))
        sections = models
        models = [inner for field in named for inner in _models(field.annotation)]
    return path, sections


def _tags(model: type[BaseModel]) -> tuple[Any, ...]:
    return tuple(
        value
        for name in ("stage", "kind", "by")
        if name in model.model_fields
        for value in get_args(model.model_fields[name].annotation)
    )


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The sections that a field's type allows."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]


def _nearest(name: str, known: Sequence[str]) -> str | None:
    matches = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    return f"did you mean {' or '.join(matches)}?" if matches else None
