"""The gateway's own errors, shaped as OpenAI's, so that every client of that API reads them.

https://platform.openai.com/docs/guides/error-codes
"""

from math import ceil
from typing import Any

import orjson


class ApiError(Exception):
    """An error that the client is told: status, message, OpenAI's type, the parameter at fault, and a code."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.param = status, message, code, param
        self.retry_after_s = retry_after_s

    @property
    def type(self) -> str:
        """OpenAI's name for the kind of error, by the status."""
        return _TYPES.get(self.status, "invalid_request_error" if self.status < 500 else "server_error")

    @property
    def body(self) -> bytes:
        """The JSON body."""
        return error_json(self.message, self.type, self.param, self.code)

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """Content type, length, and when to come back."""
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(self.body)).encode())]
        if self.retry_after_s is not None:
            headers.append((b"retry-after", str(max(1, ceil(self.retry_after_s))).encode()))
        if self.status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        if self.status in (408, 413):  # the rest of the body would come all the same
            headers.append((b"connection", b"close"))
        return headers

    @property
    def event(self) -> bytes:
        """The error as the last events of a stream that had begun."""
        return b"data: " + self.body + b"\n\ndata: [DONE]\n\n"


_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    503: "service_unavailable_error",
    504: "timeout_error",
}


def error_json(message: str, kind: str, param: str | None = None, code: Any = None) -> bytes:
    """The bytes of an OpenAI error."""
    return orjson.dumps({"error": {"message": message, "type": kind, "param": param, "code": code}})


def no_backend(model: str) -> ApiError:
    """No backend of a model is up."""
    return ApiError(503, f"no backend of {model} is up; try again soon", code="no_backend", retry_after_s=2)


def server_stops() -> ApiError:
    """The server was told to stop, and the time for open requests has passed."""
    return ApiError(503, "the server stops", code="server_stopping", retry_after_s=2)


def backend_cut() -> ApiError:
    """A backend went away in the middle of an answer."""
    return ApiError(502, "the model's server went away in the middle of the answer", code="backend_cut")


def too_slow(limit_s: float) -> ApiError:
    """The whole answer took too long."""
    return ApiError(504, f"the answer took longer than {limit_s:g} s", code="timeout")


def internal_error(request_id: str) -> ApiError:
    """A fault of ours, of which the log knows more."""
    return ApiError(500, f"internal error; the request's id is {request_id}", code="internal_error")
