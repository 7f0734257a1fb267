"""Models by name, and which of them answers `model: auto`."""

from typing import Any

import pytest

from app.endpoint import Sampling
from app.formats import Format
from server.backends import BackendGroup
from server.catalog import Catalog, ServedModel, default_sampling
from server.config import AutoConfig, build_config
from server.errors import ApiError

_HINDI = "मुझे तीन दिन से बुखार और सिर दर्द है, मुझे क्या करना चाहिए?"
_FRENCH = "J'ai de la fièvre et mal à la tête depuis trois jours, que dois-je faire ?"
_SWAHILI = "Nina homa na maumivu ya kichwa kwa siku tatu, nifanye nini?"


def _model(name: str, languages: tuple[str, ...] = (), parent: str | None = None) -> ServedModel:
    return ServedModel(name, parent, "plain", languages, Sampling(), BackendGroup())


def _catalog(**auto: Any) -> Catalog:
    models = [_model("himed", ("hi",)), _model("trad", parent="himed"), _model("cure", ("fr", "sw"))]
    return Catalog(models, AutoConfig(**auto))


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"messages": [{"role": "user", "content": _HINDI}]}, "himed"),
        ({"messages": [{"role": "user", "content": _FRENCH}]}, "cure"),
        # the last user message counts, whoever spoke after it
        (
            {
                "messages": [
                    {"role": "system", "content": _FRENCH},
                    {"role": "user", "content": _FRENCH},
                    {"role": "user", "content": _HINDI},
                    {"role": "assistant", "content": _FRENCH},
                ]
            },
            "himed",
        ),
        # content parts
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "image_url", "image_url": {}}, {"text": _SWAHILI}, 7]}
                ]
            },
            "cure",
        ),
        # prompts of completions: one, several, token ids
        ({"prompt": _FRENCH}, "cure"),
        ({"prompt": [_HINDI, _FRENCH]}, "himed"),
        ({"prompt": [1, 2, 3]}, "himed"),
        # nothing to be read: the default
        ({}, "himed"),
        ({"messages": "text"}, "himed"),
        ({"messages": [7, None, {"role": "user"}]}, "himed"),
        ({"messages": [], "prompt": _FRENCH}, "himed"),
        ({"prompt": []}, "himed"),
        ({"prompt": None}, "himed"),
    ],
)
def test_auto_goes_by_the_language_of_the_last_question(body: dict[str, Any], name: str) -> None:
    assert _catalog().resolve("auto", body).name == name


def test_routes_go_before_the_models_own_languages_and_may_name_adapters() -> None:
    catalog = _catalog(routes={"hi": "trad", "fr": "himed"})
    assert catalog.for_language("hi").name == "trad"
    assert catalog.for_language("fr").name == "himed"
    assert catalog.for_language("sw").name == "cure"


def test_the_default_takes_what_no_model_names() -> None:
    assert _catalog().for_language("ja").name == "himed"
    assert _catalog(default="cure").for_language("ja").name == "cure"
    assert _catalog(default="cure").for_language(None).name == "cure"
    assert _catalog(default="cure").for_language("hi").name == "himed"


def test_the_first_of_two_models_of_a_language_answers() -> None:
    catalog = Catalog([_model("a", ("hi",)), _model("b", ("hi",))], AutoConfig())
    assert catalog.for_language("hi").name == "a"


def test_a_name_is_taken_as_it_is() -> None:
    catalog = _catalog()
    assert catalog.resolve("trad", {"prompt": _FRENCH}).parent == "himed"
    with pytest.raises(ApiError) as raised:
        catalog.get("Himed")
    assert (raised.value.status, raised.value.code, raised.value.param) == (404, "model_not_found", "model")
    assert "there are: himed, trad, cure, auto" in raised.value.message


def test_a_long_unknown_name_is_not_said_back_in_full() -> None:
    with pytest.raises(ApiError) as raised:
        _catalog().get("x" * 1_000_000)
    assert len(raised.value.message) < 400


@pytest.mark.parametrize(
    ("format", "sampling", "temperature"),
    [("himed", None, 0.0), ("plain", None, 0.0), ("cure-med", None, 0.6), ("cure-med", {"temperature": 0.1}, 0.1)],
)
def test_the_sampling_of_the_medical_routes(
    format: Format, sampling: dict[str, Any] | None, temperature: float
) -> None:
    model = {"backends": [{"url": "http://h"}]} | ({"sampling": sampling} if sampling else {})
    config = build_config({"models": {"m": model}}).models["m"]
    assert default_sampling(config, format).temperature == temperature
