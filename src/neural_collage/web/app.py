"""The studio's server: Gradio pages, the viewer and its tiles; no external resources."""

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
"""Limit on the bytes of an uploaded file."""
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' data: blob:; "
    "font-src 'self' data:; connect-src 'self' data: blob:; worker-src 'self' blob:; "
    "frame-ancestors 'self'; form-action 'self'; base-uri 'self'"
)


class SecurityHeaders:
    """Middleware with security headers for every response; browsers load nothing from elsewhere.

    Plain ASGI, because Starlette's `BaseHTTPMiddleware` fails when a client disconnects early.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = _POLICY
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "no-referrer"
            await send(message)

        await self._app(scope, receive, send_with_headers)


def create_app(sessions: Sessions | None = None) -> FastAPI:
    """The ASGI application; its files are removed when the server stops."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_OFFLINE"] = os.environ.get("HF_HUB_OFFLINE", "1")
    uploads = tempfile.TemporaryDirectory(prefix="collage-uploads-")
    os.environ["GRADIO_TEMP_DIR"] = uploads.name
    from neural_collage.web.studio import STYLE, make_pages, make_theme

    # in the folder of uploads, from which Gradio serves files without copying them
    store = sessions or Sessions(Path(uploads.name))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        store.close()
        uploads.cleanup()

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)

    app.add_middleware(SecurityHeaders)

    @app.get("/tiles/{token}/{level}/{column}_{row}.jpg")
    def tile(token: str, level: int, column: int, row: int) -> Response:
        try:
            data = store.get(token).tile(level, column, row)
        except CollageError as error:
            return Response(str(error), 404, media_type="text/plain")
        return Response(data, media_type="image/jpeg", headers={"Cache-Control": "private"})

    @app.get("/view/{token}")
    def view(token: str) -> Response:
        try:
            scene = store.get(token).scene
        except CollageError as error:
            return Response(str(error), 404, media_type="text/plain")
        settings = {
            "token": token,
            "width": scene.width,
            "height": scene.height,
            "tile": TILE,
            "octaves": OCTAVES,
            "deepest": deepest_level(scene),
        }
        page = (Path(__file__).parent / "viewer.html").read_text(encoding="utf-8")
        return HTMLResponse(page.replace("SCENE", json.dumps(settings), 1))

    if STATIC.is_dir():
        app.mount("/viewer", StaticFiles(directory=STATIC), name="viewer")
    with_pages: FastAPI = gradio.mount_gradio_app(
        app,
        make_pages(store),
        path="/",
        max_file_size=MAX_UPLOAD,
        show_error=True,
        ssr_mode=False,
        enable_monitoring=False,
        footer_links=[],
        theme=make_theme(),
        css=STYLE,
    )
    return with_pages


def serve(host: str, port: int) -> None:
    """Serve requests until interrupted."""
    import uvicorn

    uvicorn.run(
        create_app(), host=host, port=port, log_level="warning", timeout_graceful_shutdown=2
    )
