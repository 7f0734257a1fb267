"""The same request to vLLM itself and to the gateway before it, and what of their answers must be the same."""

import re
from typing import Any

import httpx
import orjson

from app.engine import Engine

_IDS = re.compile(rb'"id":"[^"]*"')
_TIMES = re.compile(rb'(?<="created":)\d+|(?<=\[)\d\d:\d\d:\d\d(?=\])')  # the latter in xgrammar's errors
_TRIES = 100

Exchange = tuple[int, str, bytes]  # status, content type, body


def same_answer(bare: Engine, gateway_url: str, path: str, body: dict[str, Any]) -> Exchange:
    """The answer that both give, byte for byte, ids and times apart.

    vLLM puts several tokens into one event of a stream when they come faster than it writes, so that its own streams
    differ from call to call. Both are asked in turn until the one has given a stream that the other has given too;
    apart from where its text is cut each stream must be like every other.
    """
    body = {"model": bare.served_model_name} | body
    key = {"Authorization": f"Bearer {bare.api_key.get_secret_value()}"}
    from_bare, from_gateway = set[Exchange](), set[Exchange]()
    for _ in range(_TRIES):
        from_bare.add(_ask(bare.base_url.removesuffix("/v1"), path, body, key))
        from_gateway.add(_ask(gateway_url, path, body, {}))
        assert len({orjson.dumps(joined(one), option=orjson.OPT_SORT_KEYS) for one in from_bare | from_gateway}) == 1
        if both := from_bare & from_gateway:
            return both.pop()
    raise AssertionError(f"no stream was given by both in {_TRIES} tries")


def joined(exchange: Exchange) -> dict[str, Any]:
    """An answer whose stream's pieces are put together, choice by choice, and what stands around them."""
    status, kind, content = exchange
    if not kind.startswith("text/event-stream"):
        return {"status": status, "kind": kind, "body": content.decode()}
    choices: dict[str, Any] = {}
    others: list[Any] = []
    for event in content.decode().split("\n\n"):
        if not event.startswith("data: {"):
            others.append(event)
            continue
        data = orjson.loads(event.removeprefix("data: "))
        if not data.get("choices"):
            others.append(data)
        for choice in data.get("choices", ()):
            calls = choice.get("delta", {}).get("tool_calls")
            if calls:
                choice["delta"]["tool_calls"] = {str(call["index"]): call for call in calls}
            at = str(choice["index"])
            choices[at] = _merged(choices.get(at), choice)
    return {"status": status, "kind": kind, "choices": choices, "others": others}


def _ask(url: str, path: str, body: dict[str, Any], headers: dict[str, str]) -> Exchange:
    answer = httpx.post(f"{url}/v1{path}", json=body, headers=headers, timeout=60)
    content = _TIMES.sub(b"0", _IDS.sub(b'"id":""', answer.content))
    return answer.status_code, answer.headers["content-type"], content


def _merged(old: Any, new: Any) -> Any:
    if old is None or new is None:
        return old if new is None else new
    if isinstance(old, dict):
        return {key: _merged(old.get(key), new.get(key)) for key in old | new}
    return old + new if isinstance(old, str | list) else new
