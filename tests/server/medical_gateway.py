"""A gateway with a HiMed, a CURE-Med and a plain model on one scripted backend."""

from collections.abc import Callable
from typing import Any

import orjson
from aiohttp import web
from running import Handler, RunningGateway, ScriptedBackend, completion

from server.store import Store

MODELS: dict[str, dict[str, Any]] = {
    "himed": {"format": "himed", "languages": ["hi"]},
    "cure": {"format": "cure-med", "languages": ["am"]},
    "plain": {"languages": ["en"]},
}
OPTIONS = {"A": "मलेरिया", "B": "टायफाइड", "C": "डेंगू", "D": "क्षय रोग"}
HINDI = "मरीज को खूब पानी पीना चाहिए और आराम करना चाहिए। बुखार तीन दिन से ज्यादा रहे तो डॉक्टर को दिखाएँ।"
HINDI_QUESTION = "रोगी को तीन दिन से ठंड के साथ बुखार है। सबसे संभावित कारण क्या है?"
AMHARIC = "ታካሚው ብዙ ውሃ መጠጣት እና እረፍት ማድረግ አለበት። ትኩሳቱ ከሦስት ቀን በላይ ከቆየ ወደ ሐኪም መሄድ ያስፈልጋል።"
AMHARIC_QUESTION = "የወባ በሽታ ምልክቶች ምንድን ናቸው?"
ENGLISH = "The patient should drink plenty of water and rest. See a doctor if the fever lasts longer than three days."
ENGLISH_QUESTION = "What should a patient with a fever do at home?"


def himed(answer: str, reasoning: str = "पहले लक्षण देखें।") -> str:
    return f"## Thinking\n\n{reasoning}\n\n## Response\n\n{answer}"


def cure_med(answer: str, reasoning: str = "<step1>First the symptoms.</step1>") -> str:
    return f"<thinking>{reasoning}</thinking>\n<answer>{answer}</answer>"


def medical_backend(handler: Handler | None = None) -> ScriptedBackend:
    return ScriptedBackend(handler, models=tuple(MODELS))


def medical_gateway(
    backend: ScriptedBackend, *, store: Store | None = None, config: dict[str, Any] | None = None
) -> RunningGateway:
    addresses = {name: (backend.address(f"{name}/0"),) for name in MODELS}
    models = {name: MODELS[name] | {"backends": [{"url": found.base_url}]} for name, (found,) in addresses.items()}
    return RunningGateway(addresses, store=store, config={"models": models} | (config or {}))


def replies(*texts: str) -> Handler:
    """Answers with these texts in turn, the last one for ever."""
    left = list(texts)

    async def handler(_request: web.Request) -> web.StreamResponse:
        return web.json_response(completion(left.pop(0) if len(left) > 1 else left[0]))

    return handler


def answering(make: Callable[[dict[str, Any]], dict[str, Any]]) -> Handler:
    """Answers with what ``make`` makes of the request's body."""

    async def handler(request: web.Request) -> web.StreamResponse:
        return web.json_response(make(orjson.loads(await request.read())))

    return handler


def assert_error(answer: Any, status: int, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    """The error of an answer in OpenAI's shape."""
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    if param is not None:
        assert error["param"] == param
    if code is not None:
        assert error["code"] == code
    assert isinstance(error, dict)
    return error
