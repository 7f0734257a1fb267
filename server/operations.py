"""`/health`, `/ready` and `/metrics`."""

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from server.gateway import gateway_of
from server.metrics import CONTENT_TYPE
from server.openapi import ERRORS

router = APIRouter(tags=["operations"], responses={401: ERRORS[401]})


@router.get("/health", summary="Whether this process lives; needs no key.")
async def health() -> dict[str, str]:
    """Always the same: nothing is asked of a model."""
    return {"status": "ok"}


@router.get(
    "/ready",
    summary="Whether a model can be asked.",
    responses={503: {"description": "no backend is up"}},
)
async def ready(request: Request) -> Response:
    """200 when a backend is up, else 503; with the state of each."""
    gateway = gateway_of(request)
    backends: dict[str, Any] = {
        backend.name: {"up": backend.up, "open_requests": backend.open} | _why(backend.failure)
        for backend in gateway.backends.values()
    }
    return JSONResponse({"ready": gateway.ready, "backends": backends}, 200 if gateway.ready else 503)


@router.get("/metrics", summary="Prometheus metrics; the key needs the scope admin.", response_class=Response)
async def metrics(request: Request) -> Response:
    """Requests, tokens, times, open streams, backends and language verdicts."""
    gateway = gateway_of(request)
    return Response(gateway.metrics.render(gateway.backends.values()), media_type=CONTENT_TYPE)


def _why(failure: str | None) -> dict[str, str]:
    return {} if failure is None else {"failure": failure}
