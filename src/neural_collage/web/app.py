"""The studio's server: a page of our own, and what it asks for; no external resources."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import FrameType

from neural_collage.extras import needs_extra
from neural_collage.web.problems import StoppedError, StudioError
from neural_collage.web.requests import any_session, problem, with_cookie
from neural_collage.web.routes import router
from neural_collage.web.studio import Settings, Studio

with needs_extra("studio"):
    from fastapi import FastAPI, Request, Response
    from fastapi.exceptions import RequestValidationError
    from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse
    from fastapi.staticfiles import StaticFiles
    from starlette.datastructures import MutableHeaders
    from starlette.exceptions import HTTPException
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

STATIC = Path(__file__).parent / "static"
DEFAULTS = Settings()
_JANITOR = 5.0  # seconds between looks for sessions to end
_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self'; connect-src 'self'; "
    "worker-src 'self' blob:; object-src 'none'; frame-ancestors 'self'; form-action 'self'; "
    "base-uri 'none'"
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
                headers["Cross-Origin-Resource-Policy"] = "same-origin"
            await send(message)

        await self._app(scope, receive, send_with_headers)


def create_app(settings: Settings = DEFAULTS) -> FastAPI:
    """The ASGI application; its processes and files are there while it runs (its lifespan)."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        studio = app.state.studio = Studio(settings)
        app.state.stopping = False
        janitor = asyncio.create_task(_end_idle_sessions(studio))
        if settings.prepare:
            threading.Thread(target=studio.prepare, daemon=True, name="examples").start()
        yield
        app.state.stopping = True
        janitor.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await janitor
        await asyncio.get_running_loop().run_in_executor(None, studio.close)

    app = FastAPI(
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    app.add_middleware(SecurityHeaders)
    app.include_router(router)

    @app.exception_handler(StudioError)
    async def studio_error(request: Request, error: StudioError) -> Response:
        del request
        return problem(error)

    @app.exception_handler(StoppedError)
    async def stopped(request: Request, error: StoppedError) -> Response:
        del request, error
        return JSONResponse({"error": "stopped"}, 503, {"Retry-After": "1"})

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        del request
        texts = {404: "there is nothing at this address", 405: "this address takes other requests"}
        text = texts.get(error.status_code, "this request cannot be answered")
        return JSONResponse({"error": text}, error.status_code)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        del request, error
        return JSONResponse({"error": "this request has a parameter of the wrong kind"}, 422)

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> Response:
        del request, error
        text = "this did not work, and the reason is in the server's log"
        return JSONResponse({"error": text}, 500)

    @app.get("/")
    async def index(request: Request) -> Response:
        page = STATIC / "index.html"
        if not page.is_file():
            return PlainTextResponse("the studio's page is not built: run `make studio`", 503)
        any_session(request)
        headers = {"Cache-Control": "no-cache"}
        return with_cookie(request, FileResponse(page, headers=headers))

    if STATIC.is_dir():
        app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app


async def _end_idle_sessions(studio: Studio) -> None:
    while True:
        await asyncio.sleep(min(_JANITOR, studio.settings.limits.idle / 4))
        await asyncio.get_running_loop().run_in_executor(None, studio.sessions.end_idle)


def serve(host: str, port: int) -> None:
    """Serve requests until interrupted; streams of events to open pages end first."""
    import uvicorn

    app = create_app()

    class Server(uvicorn.Server):
        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            app.state.stopping = True
            super().handle_exit(sig, frame)

    config = uvicorn.Config(
        app, host=host, port=port, log_level="warning", timeout_graceful_shutdown=3
    )
    Server(config).run()
