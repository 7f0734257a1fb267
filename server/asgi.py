"""The ASGI application of one gateway process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from app.version import code_version
from server import docs_page, export, feedback, medical, openai_routes, operations
from server.connection import CLIENT_GONE, ClientGoneError
from server.errors import ApiError, internal_error
from server.front import Front
from server.gateway import Gateway
from server.openapi import describe
from server.record import record_of

_TITLE = "himed gateway"
_ROUTERS = (openai_routes.router, medical.router, feedback.router, export.router, operations.router, docs_page.router)


def build_app(gateway: Gateway) -> ASGIApp:
    """The application around a gateway, which runs from its start to its end."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with gateway.running():
            yield

    # A path with a slash more is another path: a redirect would go to whatever host the client named.
    pages: dict[str, Any] = {"docs_url": None, "redoc_url": None}  # FastAPI's own load their scripts from elsewhere
    app = FastAPI(title=_TITLE, version=code_version(), lifespan=lifespan, redirect_slashes=False, **pages)
    app.openapi = lambda: describe(app)  # type: ignore[method-assign]
    app.state.gateway = gateway
    for router in _ROUTERS:
        app.include_router(router)
    app.add_exception_handler(ApiError, _told)
    app.add_exception_handler(ClientGoneError, _nobody_there)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(Exception, _our_fault)
    paths = frozenset(getattr(route, "path", "") for route in app.routes)
    return Front(app, gateway, paths)


async def _told(request: Request, error: Any) -> Response:
    record_of(request.scope).refused(error.status)
    return Response(error.body, error.status, {name.decode(): value.decode() for name, value in error.headers})


async def _nobody_there(request: Request, _error: Any) -> Response:
    record_of(request.scope).outcome = "client gone"
    return Response(status_code=CLIENT_GONE)


async def _invalid(request: Request, error: Any) -> Response:
    """A body that does not fit: the first thing that is wrong with it."""
    if "json" not in request.headers.get("content-type", "json"):
        message = "the body is not said to be JSON: send the header Content-Type: application/json"
        return await _told(request, ApiError(400, message, code="invalid_request"))
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"] if part != "body") or None
    message = f"`{field}`: {first['msg']}" if field else first["msg"]
    return await _told(request, ApiError(400, message, param=field, code="invalid_request"))


async def _refused(request: Request, error: Any) -> Response:
    """Starlette's own refusals: no such route, no such method."""
    message = f"{request.method} {request.url.path[:200]}: {error.detail}"
    code = "not_found" if error.status_code == 404 else None
    answer = await _told(request, ApiError(error.status_code, message, code=code))
    answer.headers.update(error.headers or {})  # which methods there are
    return answer


async def _our_fault(request: Request, _error: Any) -> Response:
    """A fault of ours: the front logs it, the client is told nothing of it."""
    return await _told(request, internal_error(record_of(request.scope).request_id))
