"""Replies in a shape: the JSON schema that a model is held to, and the reading of what it wrote."""

import re
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

S = TypeVar("S", bound="Shape")

_FENCE = re.compile(r"\A```(?:json)?\s*\n(.*?)\n?```\s*\Z", re.DOTALL)
# What the published prompts tell a model to write when it cannot do what is asked.
_DECLINED = re.compile(r"\A\s*<\s*/?\s*FAIL\s*/?\s*>", re.IGNORECASE)


class Unusable(Exception):  # noqa: N818  # an outcome, not a fault of ours
    """A reply that cannot be used. ``reason`` is a short phrase that counts are grouped by, ``detail`` the rest."""

    def __init__(self, reason: str, detail: str = "") -> None:
        self.reason, self.detail = reason, detail
        super().__init__(f"{reason}: {detail}" if detail else reason)


class Shape(BaseModel):
    """The base of what a model is asked to write as JSON. Unknown fields and wrong types are no answer."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    @classmethod
    def read(cls: type[S], text: str) -> S:
        """Read a reply: the object alone, in a code fence, or with words around it.

        Raises:
            Unusable: nothing was written, the model declined, it is no JSON, or the JSON has another shape.
        """
        return cls.check(read_object(text))

    @classmethod
    def check(cls: type[S], value: Any) -> S:
        """The value in this shape.

        Raises:
            Unusable: it has another one.
        """
        try:
            return cls.model_validate_json(orjson.dumps(value))
        except orjson.JSONEncodeError:  # what orjson reads may be deeper than what it writes
            raise Unusable("not in shape", "nested too deeply") from None
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"])) or "the answer"
            raise Unusable("not in shape", f"{place}: {first['msg']}") from None


def read_object(text: str) -> Any:
    """The JSON object of a reply.

    Raises:
        Unusable: there is none.
    """
    text = text.strip()
    if not text:
        raise Unusable("empty")
    if _DECLINED.match(text):
        raise Unusable("declined")
    fenced = _FENCE.match(text)
    inner = fenced[1] if fenced else text
    start, end = inner.find("{"), inner.rfind("}")
    for candidate in (inner, inner[start : end + 1]):
        try:
            return orjson.loads(candidate)
        except orjson.JSONDecodeError:
            continue
    raise Unusable("no JSON")


def response_format(shape: type[Shape]) -> dict[str, Any]:
    """The request field that holds a model to a shape: OpenAI's and vLLM's ``response_format`` by JSON schema."""
    return {"type": "json_schema", "json_schema": {"name": shape.__name__, "schema": shape.model_json_schema()}}
