"""A visitor who does by plain HTTP what the page does."""

import json
import time
from typing import Any

import httpx

from neural_collage.errors import CollageError

_TIMEOUT = 600.0


class Visit(httpx.Client):
    """A session, which ends a minute after the visitor has left."""

    def __init__(self, address: str) -> None:
        super().__init__(base_url=address, headers={"X-Collage": "1"}, timeout=_TIMEOUT)

    def __enter__(self) -> "Visit":
        super().__enter__()
        self.ask("GET", "/api/about")
        return self

    def ask(self, method: str, address: str, **options: Any) -> httpx.Response:
        """An answer, asked for again while the server is busy; raises CollageError."""
        while True:
            answer = self.request(method, address, **options)
            if answer.status_code != 503:
                break
            time.sleep(float(answer.headers.get("retry-after", "1")))
        if answer.is_error:
            raise CollageError(f"{method} {address}: {answer.status_code} {answer.text}")
        return answer

    def open(self, data: bytes, name: str = "photo.jpg") -> str:
        """The id of a picture."""
        answer = self.ask("POST", "/api/pictures", params={"name": name}, content=data)
        found: str = answer.json()["id"]
        return found

    def start(self, kind: str, picture: str | None, **settings: Any) -> str:
        """The id of a job."""
        request = {"kind": kind, "picture": picture, "settings": settings}
        found: str = self.ask("POST", "/api/jobs", json=request).json()["id"]
        return found

    def result(self, job: str, first: bool = False) -> dict[str, Any]:
        """What a job makes; raises CollageError if it fails.

        first: what can be shown of it, before it is decoded and measured.
        """
        ends = ("part", "done", "failed", "stopped") if first else ("done", "failed", "stopped")
        with self.stream("GET", f"/api/jobs/{job}/events") as answer:
            kind = ""
            for line in answer.iter_lines():
                if line.startswith("event: "):
                    kind = line.removeprefix("event: ")
                elif line.startswith("data: ") and kind in ends:
                    content = json.loads(line.removeprefix("data: "))
                    if kind in ("failed", "stopped"):
                        raise CollageError(f"{kind}: {content}")
                    found: dict[str, Any] = content["result"]
                    return found
        raise CollageError("the events of a job ended without its result")

    def make(self, kind: str, picture: str | None, **settings: Any) -> dict[str, Any]:
        """The result of a job."""
        return self.result(self.start(kind, picture, **settings))

    def look(self, result: dict[str, Any], query: str = "max=1600") -> int:
        """Fetch the picture of a result; returns its bytes."""
        return len(self.ask("GET", f"/api/results/{result['id']}/image?{query}").content)
