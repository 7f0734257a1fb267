"""The models that are served, by name, and which of them answers ``model: auto``."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from app.consistency import detect_language
from app.endpoint import Sampling
from app.formats import Format
from server.backends import BackendGroup
from server.config import AUTO, AutoConfig, ModelConfig
from server.errors import ApiError

# CURE-Med's published sampling at test; HiMed's is not stated, so greedy.
_CURE_MED = Sampling(temperature=0.6, top_p=0.95, top_k=20, repetition_penalty=1.2, max_tokens=1024)
_GREEDY = Sampling(temperature=0.0)


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model or an adapter by the name that requests ask for.

    ``parent`` is the model that an adapter belongs to, else None; both have the same backends.
    """

    name: str
    parent: str | None
    format: Format
    languages: tuple[str, ...]
    sampling: Sampling
    backends: BackendGroup


class Catalog:
    """All served models. A reload of the configuration makes another one."""

    def __init__(self, models: Iterable[ServedModel], auto: AutoConfig) -> None:
        self.models: Mapping[str, ServedModel] = {model.name: model for model in models}
        self._auto = auto
        self._by_language = {
            code: model.name for model in reversed(self.models.values()) for code in model.languages
        } | auto.routes

    def get(self, name: str) -> ServedModel:
        """The model of a name.

        Raises:
            ApiError: there is none (404).
        """
        if (model := self.models.get(name)) is None:
            known = ", ".join([*self.models, AUTO])
            message = f"The model `{name[:200]}` does not exist; there are: {known}"
            raise ApiError(404, message, code="model_not_found", param="model")
        return model

    def for_language(self, code: str | None) -> ServedModel:
        """The model that answers questions in a language; the default for one that no model names, or that is unknown
        (None)."""
        name = self._by_language.get(code or "") or self._auto.default or next(iter(self.models))
        return self.models[name]

    def resolve(self, name: str, body: Mapping[str, Any]) -> ServedModel:
        """The model of a request, where ``auto`` goes by the language of its last question.

        Raises:
            ApiError: there is no such model (404).
        """
        if name != AUTO:
            return self.get(name)
        return self.for_language(detect_language(last_question(body)))


def default_sampling(config: ModelConfig, format: Format) -> Sampling:
    """The sampling of the medical routes: as configured, else as published for the format."""
    return config.sampling or (_CURE_MED if format == "cure-med" else _GREEDY)


def last_question(body: Mapping[str, Any]) -> str:
    """The text of a request's last user message, or of its prompt; empty where there is none to be read."""
    messages = body.get("messages")
    if isinstance(messages, list):
        for message in reversed(messages):
            if isinstance(message, dict) and message.get("role") == "user":
                return _text(message.get("content"))
        return ""
    prompt = body.get("prompt")
    return _text(prompt[0] if isinstance(prompt, list) and prompt else prompt)


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):  # parts, of which some are text
        parts = (part.get("text") for part in content if isinstance(part, dict))
        return "\n".join(part for part in parts if isinstance(part, str))
    return ""
