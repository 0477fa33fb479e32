"""The studio's server: pages by Gradio, tiles for the viewer, nothing from anywhere else."""

import json
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from neural_collage.errors import CollageError
from neural_collage.extras import needs_extra
from neural_collage.web.sessions import Sessions
from neural_collage.web.tiles import OCTAVES, TILE, deepest_level

with needs_extra("studio"):
    import gradio
    from fastapi import FastAPI, Response
    from fastapi.responses import HTMLResponse
    from fastapi.staticfiles import StaticFiles
    from starlette.datastructures import MutableHeaders
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

STATIC = Path(__file__).parent / "static"
MAX_UPLOAD = 64 << 20
"""Bytes of a file that is uploaded."""
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' data: blob:; "
    "font-src 'self' data:; connect-src 'self' data: blob:; worker-src 'self' blob:; "
    "frame-ancestors 'self'; form-action 'self'; base-uri 'self'"
)


class StayHere:
    """Tells browsers, with every answer, to ask nobody else for anything.

    As plain ASGI, which a visitor who leaves in the middle of an answer does not disturb.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = _POLICY
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "no-referrer"
            await send(message)

        await self._app(scope, receive, with_policy)


def create_app(sessions: Sessions | None = None) -> FastAPI:
    """The application, ready for a server; its files are removed when the server ends."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_OFFLINE"] = os.environ.get("HF_HUB_OFFLINE", "1")
    uploads = tempfile.TemporaryDirectory(prefix="collage-uploads-")
    os.environ["GRADIO_TEMP_DIR"] = uploads.name
    from neural_collage.web.studio import STYLE, make_pages, make_theme

    kept = sessions or Sessions(Path(uploads.name))  # where Gradio makes no copies of files

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        kept.close()
        uploads.cleanup()

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)

    app.add_middleware(StayHere)

    @app.get("/tiles/{token}/{level}/{column}_{row}.jpg")
    def tile(token: str, level: int, column: int, row: int) -> Response:
        try:
            data = kept.get(token).tile(level, column, row)
        except CollageError as error:
            return Response(str(error), 404, media_type="text/plain")
        return Response(data, media_type="image/jpeg", headers={"Cache-Control": "private"})

    @app.get("/view/{token}")
    def view(token: str) -> Response:
        try:
            scene = kept.get(token).scene
        except CollageError as error:
            return Response(str(error), 404, media_type="text/plain")
        shown = {
            "token": token,
            "width": scene.width,
            "height": scene.height,
            "tile": TILE,
            "octaves": OCTAVES,
            "deepest": deepest_level(scene),
        }
        page = (Path(__file__).parent / "viewer.html").read_text(encoding="utf-8")
        return HTMLResponse(page.replace("SCENE", json.dumps(shown), 1))

    if STATIC.is_dir():
        app.mount("/viewer", StaticFiles(directory=STATIC), name="viewer")
    whole: FastAPI = gradio.mount_gradio_app(
        app,
        make_pages(kept),
        path="/",
        max_file_size=MAX_UPLOAD,
        show_error=True,
        ssr_mode=False,
        enable_monitoring=False,
        footer_links=[],
        theme=make_theme(),
        css=STYLE,
    )
    return whole


def serve(host: str, port: int) -> None:
    """Answer requests until interrupted."""
    import uvicorn

    uvicorn.run(
        create_app(), host=host, port=port, log_level="warning", timeout_graceful_shutdown=2
    )
