"""What an endpoint is called with: where it is, which model, how hard to press it, and how to sample."""

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

import orjson
from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from app.errors import InputError

_OWN_FIELDS = frozenset({"model", "messages", "stream", "stream_options", "n"})


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """One model at one endpoint.

    Attributes:
        base_url: ``http(s)://HOST[:PORT]``, with or without ``/v1``; any other path stands as it is written.
        model: the model's name at the endpoint.
        concurrency: most requests in flight at once; throttling lowers it for a while.
        timeout_s: longest wait for a whole reply; of a streamed one, for its next piece.
        max_attempts: the first try and the retries of one request.
        api_key: sent as a bearer token; from the environment only (`app.settings`), never an option or a URL.
        key_variable: the environment variable that an error about the key names.
        backoff_s: mean of the first wait before a retry; it doubles with each further one.
        max_wait_s: longest wait before a retry. A ``Retry-After`` beyond it ends the request.

    Raises:
        InputError: the URL is not one or holds a key; the key is none; the model has no name; a number is out of range.
    """

    base_url: str
    model: str
    concurrency: int = 64
    timeout_s: float = 600.0
    max_attempts: int = 5
    api_key: SecretStr | None = None
    key_variable: str = "HIMED_API_KEY"
    backoff_s: float = 0.5
    max_wait_s: float = 120.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "base_url", normalise_base_url(self.base_url, self.key_variable))
        object.__setattr__(self, "api_key", _checked_key(self.api_key, self.key_variable))
        if not self.model.strip():
            raise InputError("the served model has no name", remedy="name the model as the endpoint lists it")
        for name in ("concurrency", "max_attempts"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}", remedy="use 1 or more")
        for name in ("timeout_s", "max_wait_s"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} is {getattr(self, name)}", remedy="use a number of seconds above 0")


def _checked_key(key: SecretStr | None, variable: str) -> SecretStr | None:
    """The key without white space at its ends; an empty one is none."""
    value = key.get_secret_value().strip() if key else ""
    if not value.isascii() or not value.isprintable():
        raise InputError(f"the key in {variable} holds characters that no key has", remedy="copy it again")
    return SecretStr(value) if value else None


def normalise_base_url(url: str, key_variable: str = "HIMED_API_KEY") -> str:
    """The URL without a trailing slash; one without a path gets ``/v1``.

    Raises:
        InputError: it is no http(s) URL, or holds a user name, a key, a query or a fragment.
    """
    try:
        parts = urlsplit(url.strip())
        host, _port = parts.hostname, parts.port
    except ValueError:  # a port that is no number, an unclosed IPv6 bracket
        parts, host = None, None
    if parts is None or parts.scheme not in ("http", "https") or not host:
        raise InputError("the endpoint is no URL", remedy="write it like http://127.0.0.1:8000/v1")
    if "@" in parts.netloc or parts.query or parts.fragment:
        # A key in a URL would end up in logs, in the results database and in the process list.
        raise InputError(
            "the endpoint's URL holds a user name, a key or a query",
            remedy=f"write it like https://host/v1 and put the key into {key_variable}",
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/') or '/v1'}"


class Sampling(BaseModel):
    """Sampling settings of a request. Only what is set is sent, so plain OpenAI servers accept it too."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    temperature: Annotated[float | None, Field(ge=0, le=2, description="0 is greedy.")] = None
    top_p: Annotated[float | None, Field(gt=0, le=1, description="Nucleus: smallest set of this probability.")] = None
    top_k: Annotated[int | None, Field(ge=-1, description="vLLM: the k likeliest tokens; 0 and -1 are all.")] = None
    repetition_penalty: Annotated[float | None, Field(gt=0, description="vLLM: above 1 discourages repeats.")] = None
    max_tokens: Annotated[int | None, Field(ge=1, description="Longest completion in tokens.")] = None
    seed: Annotated[int | None, Field(ge=0, description="Seed of requests that are given none of their own.")] = None
    stop: Annotated[tuple[str, ...], Field(description="A completion ends before any of these.")] = ()
    extra: Annotated[
        dict[str, Any],
        Field(description="Further request fields as they are: chat_template_kwargs, response_format, …"),
    ] = {}

    @model_validator(mode="after")
    def _extra_repeats_nothing(self) -> Self:
        if repeated := sorted(set(self.extra) & (_OWN_FIELDS | set(type(self).model_fields))):
            raise ValueError(f"extra repeats {', '.join(repeated)}, which himed sets itself")
        return self

    @cached_property
    def json_fields(self) -> bytes:
        """The fields that are set, as JSON behind a comma, without the seed: the same bytes for every request."""
        fields = self.model_dump(exclude_none=True, exclude={"extra", "seed", "stop"})
        if self.stop:
            fields["stop"] = list(self.stop)
        fields |= self.extra
        return b"," + orjson.dumps(fields)[1:-1] if fields else b""
