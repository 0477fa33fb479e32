"""Requests of pages: whose they are, uploads as streams, and errors as answers."""

import json
import re
import time
from pathlib import Path, PureWindowsPath
from typing import Any
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect

from neural_collage.web.problems import StudioError, gone
from neural_collage.web.sessions import Session
from neural_collage.web.studio import Studio

COOKIE = "collage_session"
HEADER = "x-collage"
_BODY = 24 << 20
_NAME = 150


def studio_of(request: Request) -> Studio:
    """The studio that a request belongs to."""
    studio: Studio = request.app.state.studio
    return studio


def session_of(request: Request) -> Session:
    """The session of a request; raises StudioError (410) if it has none, or it has ended."""
    session = studio_of(request).sessions.find(request.cookies.get(COOKIE))
    if session is None:
        raise gone("this session")
    return session


def any_session(request: Request) -> Session:
    """The session of a request, a new one if it has none; `with_cookie` tells the browser."""
    studio = studio_of(request)
    session = studio.sessions.find(request.cookies.get(COOKIE)) or studio.sessions.begin()
    request.state.session = session
    return session


def with_cookie(request: Request, response: Response) -> Response:
    """An answer with the cookie of `any_session`."""
    session: Session = request.state.session
    if request.cookies.get(COOKIE) != session.token:
        response.set_cookie(COOKIE, session.token, httponly=True, samesite="strict", path="/")
    return response


def check_origin(request: Request) -> None:
    """Refuse requests of other sites: their forms cannot send our header."""
    if request.headers.get(HEADER) != "1":
        raise StudioError("this request does not come from the studio's page", 403)


async def json_body(request: Request) -> Any:
    """The JSON of a request; raises StudioError if it is none, or too long."""
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > _BODY:
            raise StudioError("this request is too long", 413)
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise StudioError("this request is not JSON") from error


async def save_stream(request: Request, session: Session, path: Path, most: int) -> int:
    """Write the body of a request to a file; returns its bytes.

    Raises:
        StudioError: empty, or longer than `most` bytes, of which no more are read.
    """
    length, limit = 0, f"files have at most {most >> 20} MB: open a smaller one"
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > most:
        raise StudioError(limit, 413)
    try:
        with path.open("wb") as file:
            async for chunk in request.stream():
                length += len(chunk)
                if length > most:
                    raise StudioError(limit, 413)
                file.write(chunk)
                session.seen = time.monotonic()
    except ClientDisconnect as error:
        raise StudioError("the upload broke off: open the file again") from error
    except OSError as error:
        raise StudioError("the server cannot keep this file: its disk may be full", 507) from error
    if not length:
        raise StudioError("the file is empty: choose another one", 415)
    return length


def clean_name(name: str | None) -> str:
    """A name of a file as it is shown: without folders and control characters, not too long."""
    last = PureWindowsPath(name or "").name
    last = re.sub(r"[\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069/\\]", "", last).strip(" .")
    if len(last) > _NAME:
        stem, dot, suffix = last.rpartition(".")
        last = f"{stem[: _NAME - 10]}.{suffix[:9]}" if dot else last[:_NAME]
    return last or "picture"


def as_download(name: str) -> dict[str, str]:
    """The header that names a download, in any script (RFC 6266)."""
    plain = re.sub(r"[^A-Za-z0-9._ -]", "_", name)
    text = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
    return {"Content-Disposition": text}


def problem(error: StudioError) -> JSONResponse:
    """An error as an answer."""
    headers = {"Retry-After": "1"} if error.status == 503 else None
    return JSONResponse({"error": str(error), **error.details}, error.status, headers)


def whole_numbers(text: str, count: int, what: str) -> tuple[int, ...]:
    """Numbers with commas between them; raises StudioError."""
    parts = text.split(",")
    if len(parts) != count or not all(re.fullmatch(r"\d{1,7}", part.strip()) for part in parts):
        raise StudioError(f"{what} must be {count} whole numbers with commas between them")
    return tuple(int(part) for part in parts)
