"""The addresses of pictures, results, jobs and tiles."""

import asyncio
import json
import math
import shutil
import time
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse

import neural_collage
from neural_collage.web import catalogue
from neural_collage.web.lanes import Lane, Work
from neural_collage.web.problems import StudioError, gone
from neural_collage.web.requests import (
    any_session,
    as_download,
    check_origin,
    clean_name,
    json_body,
    save_stream,
    session_of,
    studio_of,
    whole_numbers,
    with_cookie,
)
from neural_collage.web.settings import FORMATS, writable_formats
from neural_collage.web.studio import THUMBNAIL

router = APIRouter()
_BEAT = 10.0  # seconds between signs of life of a stream
_FOR_GOOD = {"Cache-Control": "private, max-age=3600, immutable"}
_STREAM = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


async def run(lane: Lane, work: Work, request: Request | None = None) -> Any:
    """What work returns; it is stopped if the request that waits for it is given up."""
    future = asyncio.wrap_future(lane.submit(work))
    try:
        while request is not None:
            studio_of(request).sessions.find(work.owner)  # who waits for an answer is there
            done, _ = await asyncio.wait([future], timeout=0.5)
            if done:
                break
            if await request.is_disconnected():
                lane.stop(work)
                break
        return await future
    except asyncio.CancelledError:
        lane.stop(work)
        raise


@router.get("/api/about")
async def about(request: Request) -> Response:
    """What the first page needs to know."""
    studio = studio_of(request)
    any_session(request)
    answer = JSONResponse(
        {
            "version": neural_collage.__version__,
            "limits": {
                "bytes": studio.settings.upload,
                "pixels": studio.settings.pixels,
                "offer_pixels": studio.settings.offer_pixels,
            },
            "formats": [{"id": name, "label": FORMATS[name]} for name in writable_formats()],
            "examples": [
                {**example, "thumb": f"/api/examples/{example['id']}/thumb"}
                for example in catalogue.EXAMPLES
            ],
            "styles": [
                {**style, "thumb": f"/api/examples/{style['id']}/thumb"}
                for style in catalogue.STYLES
            ],
            "presets": catalogue.PRESETS,
            "models": [
                {"id": name, **{key: model[key] for key in ("title", "text", "writes")}}
                for name, model in catalogue.MODELS.items()
            ],
            "prepared": studio.gallery.is_prepared,
        }
    )
    return with_cookie(request, answer)


@router.get("/api/alive")
async def alive(request: Request) -> Response:
    """A stream that keeps the session as long as a page reads it."""
    session = any_session(request)

    async def beats() -> AsyncIterator[str]:
        session.alive += 1
        try:
            while not session.ended:
                yield "event: alive\ndata: {}\n\n"
                for _ in range(int(_BEAT * 2)):
                    if request.app.state.stopping or await request.is_disconnected():
                        return
                    await asyncio.sleep(0.5)
            yield 'event: gone\ndata: {"gone": true}\n\n'
        finally:
            session.alive -= 1
            studio_of(request).sessions.find(session.token)  # it was seen until now

    answer = StreamingResponse(beats(), media_type="text/event-stream", headers=_STREAM)
    return with_cookie(request, answer)


@router.post("/api/pictures")
async def open_picture(request: Request, name: str = "", reduce: str = "") -> Response:
    """Open the picture of the body."""
    check_origin(request)
    studio, session, shown = studio_of(request), any_session(request), clean_name(name)
    item_id, folder = studio.sessions.new_folder(session)
    try:
        await save_stream(request, session, folder / "source", studio.settings.upload)
        work = studio.read_upload(session, folder, shown, reduce == "1")
        facts = await run(studio.small, work, request)
        item = studio.keep_picture(session, item_id, folder, shown, facts)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return with_cookie(request, JSONResponse(item.facts))


@router.post("/api/examples/{name}")
async def open_example(request: Request, name: str) -> Response:
    """Open an example."""
    check_origin(request)
    if not any(example["id"] == name for example in catalogue.EXAMPLES):
        raise StudioError("there is no such example", 404)
    studio, session = studio_of(request), any_session(request)
    item = await run_in_threadpool(studio.open_example, session, name)
    return with_cookie(request, JSONResponse(item.facts))


@router.get("/api/examples/{name}/thumb")
async def thumbnail(request: Request, name: str) -> Response:
    """A small picture of an example or a style."""
    known = [entry["id"] for entry in (*catalogue.EXAMPLES, *catalogue.STYLES)]
    if name not in known:
        raise StudioError("there is no such example", 404)
    data = await run_in_threadpool(studio_of(request).gallery.thumbnail, name, THUMBNAIL)
    return Response(data, media_type="image/jpeg", headers={"Cache-Control": "max-age=3600"})


@router.post("/api/results/{item_id}/picture")
async def send_on(request: Request, item_id: str) -> Response:
    """A result as a picture for the other pages."""
    check_origin(request)
    studio, session = studio_of(request), session_of(request)
    item = await run_in_threadpool(studio.send_on, session, item_id)
    return JSONResponse(item.facts)


@router.get("/api/{role}/{item_id}")
async def facts(request: Request, role: str, item_id: str) -> Response:
    """What is known of a picture or a result, for an address that is opened again."""
    studio, session = studio_of(request), session_of(request)
    return JSONResponse(studio.sessions.item(session, item_id, _role(role)).facts)


@router.get("/api/{role}/{item_id}/image")
async def image(
    request: Request,
    role: str,
    item_id: str,
    max: str = "",  # noqa: A002 - the name of the parameter in addresses
    region: str = "",
    scale: str = "",
    form: str = "",
) -> Response:
    """The picture of an item, reduced, or a part of it."""
    studio, session = studio_of(request), session_of(request)
    item = studio.sessions.item(session, item_id, _role(role))
    if form not in ("", "png", "webp", "jpeg"):
        raise StudioError("form must be png, webp or jpeg")
    arguments = {
        "folder": item.folder,
        "most_side": whole_numbers(max, 1, "max")[0] or 1 if max else None,
        "region": whole_numbers(region, 4, "region") if region else None,
        "scale": _scale(scale),
        "form": form or None,
    }
    work = Work(session.token, "images.show", arguments)
    data, media = await run(studio.views, work, request)
    headers = _FOR_GOOD if item.complete else {"Cache-Control": "no-store"}
    return Response(data, media_type=media, headers=headers)


@router.get("/api/{role}/{item_id}/file")
async def download(request: Request, role: str, item_id: str) -> Response:
    """The file of an item, named after what it was made of."""
    studio, session = studio_of(request), session_of(request)
    item = studio.sessions.item(session, item_id, _role(role))
    headers = {**as_download(item.download), "Cache-Control": "private"}
    path = item.folder / (item.file or "source")
    if not path.exists():
        work = Work(session.token, "images.whole_png", {"folder": item.folder})
        data = await run(studio.views, work, request)
        return Response(data, media_type="image/png", headers=headers)
    media = "video/mp4" if item.download.endswith(".mp4") else "application/octet-stream"
    return FileResponse(path, media_type=media, headers=headers)


@router.delete("/api/{role}/{item_id}")
async def forget(request: Request, role: str, item_id: str) -> Response:
    """Forget a picture, a result, or stop a job."""
    check_origin(request)
    studio, session = studio_of(request), session_of(request)
    if role == "jobs":
        job = studio.jobs.find(session, item_id)
        if job is None:
            raise gone("this job")
        studio.jobs.stop(job)
    else:
        item = studio.sessions.item(session, item_id, _role(role))
        studio.sessions.drop(session, item.id)
    return Response(status_code=204)


@router.post("/api/jobs")
async def start_job(request: Request) -> Response:
    """Start a job."""
    check_origin(request)
    studio, session = studio_of(request), session_of(request)
    body = await json_body(request)
    job = await run_in_threadpool(studio.start, session, body)
    return JSONResponse({"id": job.id}, 201)


@router.get("/api/jobs/{job_id}/events")
async def job_events(request: Request, job_id: str) -> Response:
    """What happens to a job, as server-sent events."""
    studio, session = studio_of(request), session_of(request)
    job = studio.jobs.find(session, job_id)
    if job is None:
        raise gone("this job")

    async def lines() -> AsyncIterator[str]:
        async for kind, content in studio.jobs.events(job):
            if request.app.state.stopping:
                return
            session.seen = time.monotonic()  # a page that waits for a job is open
            yield f"event: {kind}\ndata: {json.dumps(content)}\n\n" if kind else ": wait\n\n"

    return StreamingResponse(lines(), media_type="text/event-stream", headers=_STREAM)


@router.get("/tiles/{scene}/{level}/{column}_{row}.jpg")
async def tile(request: Request, scene: str, level: str, column: str, row: str) -> Response:
    """A tile of a scene."""
    studio, session = studio_of(request), session_of(request)
    item, number = studio.scene(session, scene)
    try:
        place = int(level), int(column), int(row)
    except ValueError as error:
        raise StudioError("there is no such tile", 404) from error
    key = session.token, scene, *place
    data = studio.tiles.get(key)
    if data is None:
        arguments = {
            "folder": item.folder,
            "number": number,
            **dict(zip(("level", "column", "row"), place, strict=True)),
        }
        try:
            data = await run(
                studio.views, Work(session.token, "scenes.tile_file", arguments), request
            )
        except StudioError as error:
            raise StudioError(str(error), 404 if error.status == 422 else error.status) from error
        assert isinstance(data, bytes)
        studio.tiles.put(key, data)
    return Response(data, media_type="image/jpeg", headers=_FOR_GOOD)


def _role(role: str) -> str:
    if role not in ("pictures", "results"):
        raise StudioError("there is nothing at this address", 404)
    return role.removesuffix("s")


def _scale(text: str) -> float:
    try:
        scale = float(text or 1)
    except ValueError:
        scale = math.nan
    if not 1 / 1024 <= scale <= 64:
        raise StudioError("scale must be a number from 0.001 to 64")
    return scale
