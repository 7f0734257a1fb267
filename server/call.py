"""A request to the OpenAI routes: what is read of it, what is checked, and its bytes for each backend."""

from dataclasses import dataclass
from typing import Any, Literal

import orjson

from server.backends import Address
from server.catalog import Catalog, ServedModel
from server.config import LimitsConfig
from server.errors import ApiError

Path = Literal["/chat/completions", "/completions"]

_TOKEN_FIELDS: dict[str, tuple[str, ...]] = {
    "/chat/completions": ("max_completion_tokens", "max_tokens"),
    "/completions": ("max_tokens",),
}


@dataclass(frozen=True, slots=True)
class Call:
    """One request.

    Attributes:
        model: who answers it.
        path: below ``/v1``.
        request_id: the gateway's; vLLM takes it into the answer's id.
        raw: the body as it came.
        body: the body, read.
        changes: fields to set before it goes on, whatever the backend.
    """

    model: ServedModel
    path: Path
    request_id: str
    raw: bytes
    body: dict[str, Any]
    changes: dict[str, Any]

    @property
    def streamed(self) -> bool:
        """Whether the answer comes piece by piece."""
        return self.body.get("stream") is True

    def adds_usage(self, address: Address) -> bool:
        """Whether the backend is asked for a stream's tokens for our count alone; not for several choices at once, of
        which the first that ends would have to wait for the last (`server.usage`), and not beside other options of the
        client, which could mean more together with ours."""
        no_options = self.body.get("stream_options") in (None, {}, {"include_usage": False})
        one = self.body.get("n") in (None, 1) and _prompts(self.body) == 1
        return self.streamed and no_options and one and address.stream_usage

    def bytes_for(self, address: Address) -> bytes:
        """The body for one backend: the bytes that came, but for what has to be another there.

        Raises:
            ApiError: it is nested too deeply to be written anew.
        """
        changes = dict(self.changes)
        if (name := address.upstream_name(self.model.name)) != self.body["model"]:
            changes["model"] = name
        if self.adds_usage(address):
            changes["stream_options"] = (self.body.get("stream_options") or {}) | {"include_usage": True}
        if not changes:
            return self.raw
        if changes.keys() & self.body.keys():
            return _dump(self.body | changes)
        # New fields go before the others: the rest stays as it was written.
        return orjson.dumps(changes)[:-1] + b"," + self.raw[self.raw.index(b"{") + 1 :]


def read_call(raw: bytes, path: Path, request_id: str, catalog: Catalog, limits: LimitsConfig) -> Call:
    """Read a request's body.

    Raises:
        ApiError: no JSON object, no model or one that is not served, more choices or tokens than are allowed. All else
            is the backend's to judge.
    """
    body = read_object(raw)
    name = body.get("model")
    if not isinstance(name, str) or not name:
        raise ApiError(400, "`model` is missing: name one of /v1/models, or `auto`", param="model")
    for field in ("n", "best_of"):
        _check_most(body, field, limits.choices)
    each = body.get("n")
    if (prompts := _prompts(body)) * (each if isinstance(each, int) else 1) > limits.choices:
        message = f"`prompt` holds {prompts} prompts, at most {limits.choices} choices are allowed for all together"
        raise ApiError(400, message, param="prompt")
    return Call(catalog.resolve(name, body), path, request_id, raw, body, _token_limit(body, path, limits))


def read_object(raw: bytes) -> dict[str, Any]:
    """The JSON object of a body.

    Raises:
        ApiError: it is none.
    """
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise ApiError(400, f"the body is no valid JSON ({error})", code="invalid_json") from None
    if not isinstance(body, dict):
        raise ApiError(400, "the body is no JSON object", code="invalid_json")
    return body


def _dump(body: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(body)
    except TypeError:  # what orjson reads may be deeper than what it writes
        raise ApiError(400, "the body is nested too deeply", code="invalid_json") from None


def _prompts(body: dict[str, Any]) -> int:
    """How many prompts a completion asks for: a list holds prompts, unless it holds one prompt's tokens."""
    prompt = body.get("prompt")
    return len(prompt) if isinstance(prompt, list) and prompt and isinstance(prompt[0], str | list) else 1


def _token_limit(body: dict[str, Any], path: Path, limits: LimitsConfig) -> dict[str, Any]:
    if (most := limits.max_tokens) is None:
        return {}
    given = [field for field in _TOKEN_FIELDS[path] if body.get(field) is not None]
    for field in given:
        _check_most(body, field, most)
    return {} if given else {_TOKEN_FIELDS[path][-1]: most}


def _check_most(body: dict[str, Any], field: str, most: int) -> None:
    count = body.get(field)
    if isinstance(count, str):  # vLLM would read a number in it
        raise ApiError(400, f"`{field}` is a text, not a number", param=field)
    if isinstance(count, int | float) and count > most:
        raise ApiError(400, f"`{field}` is {count}, at most {most} are allowed", param=field)
