"""The fields of ``serve.yaml`` for the help, out of the models that validate it."""

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from server.config import (
    AutoConfig,
    BackendConfig,
    EngineConfig,
    LimitsConfig,
    ModelConfig,
    RequestLogConfig,
    ServeConfig,
)

_SECTIONS: tuple[tuple[str, type[BaseModel]], ...] = (
    ("serve.yaml", ServeConfig),
    ("models.NAME", ModelConfig),
    ("models.NAME.engine", EngineConfig),
    ("models.NAME.backends[]", BackendConfig),
    ("auto", AutoConfig),
    ("limits", LimitsConfig),
    ("request_log", RequestLogConfig),
)


def field_rows() -> list[tuple[str, list[tuple[str, str]]]]:
    """Each section of the file with its fields and what they are."""
    return [
        (title, [(name, _describe(field)) for name, field in section.model_fields.items()])
        for title, section in _SECTIONS
    ]


def _describe(field: FieldInfo) -> str:
    default = field.get_default(call_default_factory=True) if not field.is_required() else None
    shown = [field.description or ""]
    if field.is_required():
        shown.append("[required]")
    elif default not in (None, (), {}) and not isinstance(default, BaseModel):
        shown.append(f"[{str(default).lower() if isinstance(default, bool) else default}]")
    return " ".join(part for part in shown if part)
