"""What the OpenAPI schema says of the routes whose bodies pass through unread."""

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

if TYPE_CHECKING:
    from fastapi import FastAPI


class ErrorDetail(BaseModel):
    """OpenAI's error."""

    message: str
    type: str
    param: str | None = None
    code: str | int | None = None


class ErrorBody(BaseModel):
    """The body of every error."""

    error: ErrorDetail


_TOLD = {
    400: "the request is wrong",
    401: "no key, or a wrong or revoked one",
    403: "the key has no scope for this",
    404: "no such model or route",
    408: "the body came too slowly",
    413: "the body is too large",
    415: "the body is not sent as JSON",
    429: "too many requests",
    502: "the model's server failed",
    503: "no backend is up",
    504: "the answer took too long",
}
ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorBody, "description": said} for status, said in _TOLD.items()
}

_MESSAGE = {
    "type": "object",
    "required": ["role"],
    "properties": {"role": {"type": "string"}, "content": {}},
}
_SHARED = {
    "model": {"type": "string", "description": "One of /v1/models; auto picks by the question's language."},
    "stream": {"type": "boolean"},
    "max_tokens": {"type": "integer", "minimum": 1},
    "temperature": {"type": "number", "minimum": 0, "maximum": 2},
    "n": {"type": "integer", "minimum": 1},
    "seed": {"type": "integer"},
}


EVENT = {
    "description": "A server-sent event; its data are a JSON object.",
    "type": "object",
    "required": ["event", "data"],
    "properties": {"event": {"type": "string"}, "data": {"type": "string"}},
}
_ANSWER = {
    "200": {
        "description": "The backend's answer, byte for byte; with stream, its events.",
        "content": {"application/json": {"schema": {"type": "object"}}, "text/event-stream": {}},
    }
}


def _body(field: str, shape: dict[str, Any]) -> dict[str, Any]:
    schema = {
        "type": "object",
        "required": ["model", field],
        "properties": _SHARED | {field: shape},
        "description": "Whatever else vLLM understands is passed on.",
    }
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    return {"requestBody": body, "responses": _ANSWER}


CHAT_BODY = _body("messages", {"type": "array", "items": _MESSAGE, "minItems": 1})
COMPLETION_BODY = _body("prompt", {"type": "string"})


def describe(app: "FastAPI") -> dict[str, Any]:
    """The application's OpenAPI schema: with its keys, and without the 422 of FastAPI, which here is a 400."""
    if app.openapi_schema is None:
        from fastapi.openapi.utils import get_openapi

        schema = get_openapi(title=app.title, version=app.version, routes=app.routes)
        components = schema["components"]
        for name in ("HTTPValidationError", "ValidationError"):
            components["schemas"].pop(name, None)
        components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        schema["security"] = [{"key": []}]
        for path, operations in schema["paths"].items():
            for operation in operations.values():
                operation["responses"].pop("422", None)
                if path == "/health":
                    operation["security"] = []
        app.openapi_schema = schema
    return app.openapi_schema


__all__ = ["CHAT_BODY", "COMPLETION_BODY", "ERRORS", "EVENT", "ErrorBody", "describe"]
