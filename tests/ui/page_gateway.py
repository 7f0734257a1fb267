"""A gateway whose scripted models stream Hindi, Amharic and English, for the page's tests."""

import asyncio
from collections.abc import Sequence

import orjson
from aiohttp import web
from medical_gateway import AMHARIC, ENGLISH, HINDI, cure_med, himed
from running import Handler, completion, event

DONE = b"data: [DONE]\n\n"
HOSTILE = "<script>alert(1)</script> <img src=x onerror=alert(2)>"
ENGLISH_SENTENCE = "This is a long sentence in the English language which the patient does not understand at all"
REASONING = "<step1>First the symptoms.</step1><step2>Then the tests.</step2>"
ANSWERS = {
    "himed": himed(f"{HINDI}\n\n- पानी\n- आराम\n\n{ENGLISH_SENTENCE}.\n\n{HOSTILE}"),
    "cure": cure_med(AMHARIC, REASONING),
    "plain": ENGLISH,
}


def in_pieces(text: str, size: int = 8) -> list[bytes]:
    """A completion as the events of a stream."""
    return [event({"content": text[start : start + size]}) for start in range(0, len(text), size)]


async def stream(request: web.Request, events: Sequence[bytes], wait_s: float) -> web.StreamResponse:
    """Send events with a wait before each, the first one included."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
    await response.prepare(request)
    for each in events:
        await asyncio.sleep(wait_s)
        await response.write(each)
    return response


def speaking(answers: dict[str, str] | None = None, *, wait_s: float = 0.01, finish: str = "stop") -> Handler:
    """Answers as each model does, streamed or whole."""
    own = answers or ANSWERS

    async def handler(request: web.Request) -> web.StreamResponse:
        body = orjson.loads(await request.read())
        text = own[body["model"]]
        if not body.get("stream"):
            return web.json_response(completion(text, finish=finish))
        return await stream(request, [*in_pieces(text), event({}, finish), DONE], wait_s)

    return handler
