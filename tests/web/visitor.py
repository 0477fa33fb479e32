"""A studio in this process that answers on a port, and visitors with cookies of their own."""

import io
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt
import uvicorn
from PIL import Image

from neural_collage.io.writing import to_pil
from neural_collage.web.app import create_app
from neural_collage.web.studio import Settings, Studio
from tests.pictures import photo_crop

TIMEOUT = 600
"""Seconds that anything may take on a busy machine."""
Event = tuple[str, dict[str, Any]]


class Server:
    """A running studio."""

    def __init__(self, address: str, studio: Studio) -> None:
        self.address, self.studio = address, studio

    @contextmanager
    def visitor(self) -> "Iterator[Visitor]":
        """Somebody new, who has opened the page."""
        with Visitor(self.address) as visitor:
            visitor.get("/api/about").raise_for_status()
            yield visitor


@contextmanager
def serving(settings: Settings) -> Iterator[Server]:
    """A studio with some settings, as long as the context lasts."""
    app = create_app(settings)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = uvicorn.Config(
        app, "127.0.0.1", port, log_level="error", ws="none", timeout_graceful_shutdown=2
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started)
    try:
        yield Server(f"http://127.0.0.1:{port}", app.state.studio)
    finally:
        server.should_exit = True
        thread.join(TIMEOUT)


class Visitor(httpx.Client):
    """A browser with one session."""

    def __init__(self, address: str) -> None:
        super().__init__(base_url=address, headers={"X-Collage": "1"}, timeout=TIMEOUT)

    def open(self, data: bytes, name: str = "photo.png", **query: str) -> httpx.Response:
        """Open a picture."""
        return self.post("/api/pictures", params={"name": name, **query}, content=data)

    def picture(self, image: Image.Image | None = None, name: str = "photo.png") -> str:
        """The id of a picture that was opened."""
        answer = self.open(png(image or photo()), name)
        assert answer.status_code == 200, answer.text
        found: str = answer.json()["id"]
        return found

    def start(self, kind: str, picture: str | None = None, slot: str = "", **settings: Any) -> str:
        """Start a job; returns its id."""
        request = {"kind": kind, "picture": picture, "settings": settings, "slot": slot}
        answer = self.post("/api/jobs", json=request)
        assert answer.status_code == 201, answer.text
        found: str = answer.json()["id"]
        return found

    def refused(self, kind: Any, picture: Any = None, **settings: Any) -> str:
        """Why a job is not started."""
        request = {"kind": kind, "picture": picture, "settings": settings}
        answer = self.post(
            "/api/jobs", content=json.dumps(request), headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 400, answer.text
        return error_of(answer)

    def events(self, job: str) -> Iterator[Event]:
        """The events of a job as they come."""
        with self.stream("GET", f"/api/jobs/{job}/events") as answer:
            assert answer.status_code == 200
            kind = ""
            for line in answer.iter_lines():
                if line.startswith("event: "):
                    kind = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    yield kind, json.loads(line.removeprefix("data: "))

    def end_of(self, job: str) -> Event:
        """The last event of a job."""
        return list(self.events(job))[-1]

    def made(self, kind: str, picture: str | None = None, **settings: Any) -> dict[str, Any]:
        """The result of a job."""
        end, content = self.end_of(self.start(kind, picture, **settings))
        assert end == "done", content
        result: dict[str, Any] = content["result"]
        return result

    def pixels(self, address: str) -> npt.NDArray[np.uint8]:
        """The picture at an address."""
        answer = self.get(address)
        assert answer.status_code == 200, answer.text
        return np.asarray(Image.open(io.BytesIO(answer.content)))


def photo(size: int = 128) -> Image.Image:
    """A crop of a photograph."""
    return to_pil(photo_crop(size))


def png(image: Image.Image) -> bytes:
    """The bytes of a PNG file."""
    return encoded(image, "PNG")


def encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    """The bytes of a file."""
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def error_of(answer: httpx.Response) -> str:
    """The message of a refusal, which is one line without paths of the server."""
    assert answer.headers["content-type"] == "application/json"
    text: str = answer.json()["error"]
    assert "\n" not in text
    assert "Traceback" not in text
    assert "/tmp" not in text
    return text


def wait_until(condition: Any) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
