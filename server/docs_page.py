"""`/docs`: the OpenAPI schema in Swagger UI, whose files come from this server: no browser is sent to another host."""

from importlib.resources import files
from pathlib import Path
from typing import Final

from fastapi import APIRouter
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import FileResponse, HTMLResponse

PATH: Final = "/docs"
_SCRIPT, _STYLE, _ICON = "swagger-ui-bundle.js", "swagger-ui.css", "favicon.png"
FILES: Final = tuple(f"{PATH}/{name}" for name in (_SCRIPT, _STYLE, _ICON))

router = APIRouter(include_in_schema=False)


@router.get(PATH)
async def docs() -> HTMLResponse:
    """The page."""
    script, style, icon = FILES
    return get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="himed gateway",
        swagger_js_url=script,
        swagger_css_url=style,
        swagger_favicon_url=icon,
    )


def _serve(path: str) -> None:
    file = Path(str(files("fastapi_offline"))) / "static" / path.rpartition("/")[2]

    @router.get(path)
    async def asset() -> FileResponse:
        return FileResponse(file)


for _path in FILES:  # each of its own: the front knows paths, not patterns
    _serve(_path)
